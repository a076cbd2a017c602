// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IRegistry, Key, KeyKind} from "../src/interfaces/IRegistry.sol";
import {Verdict} from "../src/interfaces/Verdict.sol";

/// @title A registry that accepts every root, and a verifier that accepts every proof
/// @notice So that fuzzing reaches what settlement itself has to guarantee, whatever was proven.
contract StandInRegistry is IRegistry {
    /// @inheritdoc IRegistry
    bool public override paused;
    /// @inheritdoc IRegistry
    uint256 public override keysPendingUntil;
    uint64 private _activeFrom;

    /// @notice Stops everything, or lets it go on.
    function setPaused(bool paused_) external {
        paused = paused_;
    }

    /// @notice Has the key wait.
    function setKey(uint64 activeFrom, uint256 pendingUntil) external {
        _activeFrom = activeFrom;
        keysPendingUntil = pendingUntil;
    }

    /// @notice As a verifier: the word 1.
    fallback() external {
        assembly {
            mstore(0, 1)
            return(0, 32)
        }
    }

    /// @inheritdoc IRegistry
    function key(bytes32) external view override returns (Key memory) {
        return Key(address(this), 12, KeyKind.Production, false, _activeFrom);
    }

    /// @inheritdoc IRegistry
    function standing(uint96, bytes32, bytes32, address, bytes32) external pure override returns (Verdict) {
        return Verdict.Payable;
    }

    /// @inheritdoc IRegistry
    function settlement() external view override returns (address) {
        return msg.sender;
    }

    /// @inheritdoc IRegistry
    function payerPaused(uint96) external pure override returns (bool) {
        return false;
    }

    /// @inheritdoc IRegistry
    function payerOwner(uint96 payer) external view override returns (address) {
        return payer == 0 ? address(0) : msg.sender.code.length == 0 ? msg.sender : address(0xacce);
    }
}
