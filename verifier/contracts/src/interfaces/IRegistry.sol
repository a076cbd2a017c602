// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Verdict} from "./Verdict.sol";

/// @notice How a verifying key came to be.
enum KeyKind {
    /// From a public seed: whoever knows the seed forges. Local chains only.
    Development,
    /// From a ceremony.
    Production
}

/// @notice A verifying key as settlement sees it.
struct Key {
    /// The contract that verifies proofs under this key; zero when the digest is unknown.
    address verifier;
    /// Public inputs of its statement.
    uint16 inputs;
    /// Development or production.
    KeyKind kind;
    /// True for ever once disabled.
    bool disabled;
    /// From when on it settles, in seconds: a key that is registered while escrow may be at stake waits.
    uint64 activeFrom;
}

/// @title What settlement asks of the registry
interface IRegistry {
    /// @notice A verifying key.
    /// @param digest The key's digest, as proofs name it.
    /// @return The key; its verifier is zero when the digest is unknown.
    function key(bytes32 digest) external view returns (Key memory);
    /// @notice Until when the last key that was registered is pending, in seconds; in the past, or zero, where none is.
    /// @return The time.
    function keysPendingUntil() external view returns (uint256);
    /// @notice The settlement that the registry serves.
    /// @return The contract; zero until one is bound.
    function settlement() external view returns (address);
    /// @notice Whether the caller may settle against these roots now: asked by anybody but the bound settlement, the answer is
    /// `SettlementUnknown`.
    /// @param payer The payer.
    /// @param epochRoot Public input 0.
    /// @param accountRoot Public input 2.
    /// @param authority The consent authority whose root it is.
    /// @param consentRoot Public input 1.
    /// @return `Payable`, or the first reason that they may not.
    function standing(uint96 payer, bytes32 epochRoot, bytes32 accountRoot, address authority, bytes32 consentRoot)
        external
        view
        returns (Verdict);
    /// @notice Who acts for a payer.
    /// @param payer The payer.
    /// @return The owner; zero when there is no such payer.
    function payerOwner(uint96 payer) external view returns (address);
    /// @notice Whether the guardian stopped a payer.
    /// @param payer The payer.
    /// @return True while nothing is settled from its escrow and none of it released, but what was announced under a pending key.
    function payerPaused(uint96 payer) external view returns (bool);
    /// @notice Whether the guardian stopped settlement.
    /// @return True while settlement is stopped. Withdrawals never ask.
    function paused() external view returns (bool);
}
