// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title One entry at a time
/// @notice Tokens may call back; with this, they find the door shut. Transient storage: it costs 200 gas and leaves nothing.
abstract contract Guarded {
    /// @notice A token called back into the contract.
    error Reentered();

    /// @dev Slot 0 of transient storage is used for nothing else.
    modifier guarded() {
        bool entered;
        assembly {
            entered := tload(0)
        }
        if (entered) revert Reentered();
        assembly {
            tstore(0, 1)
        }
        _;
        assembly {
            tstore(0, 0)
        }
    }
}
