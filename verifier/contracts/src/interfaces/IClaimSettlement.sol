// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Verdict} from "./Verdict.sol";

/// @notice Claims that were proven under one key.
struct Group {
    /// Digest of the key.
    bytes32 key;
    /// N times (8 words of proof, one word for each public input).
    bytes entries;
    /// N times (consent authority in 160 bits and payer in 96, then the payee's EIP-2098 signature: r, and s with the parity).
    bytes endorsements;
}

/// @title Settlement of proven claims
interface IClaimSettlement {
    /// @notice A claim was paid into its payee's credit.
    /// @param payer Whose escrow paid.
    /// @param claimCommitment The claim.
    /// @param payee Whose credit grew.
    /// @param cents The proven amount.
    /// @param receivedDay The proven receipt, in days since 1900-01-01.
    /// @param outcomeCommitment Salted commitment to decision and reasons, which payer and provider can open.
    /// @param spendTag The account version that is now spent.
    /// @param nextNote The account's next note: with these, in order, a payer's account register can be rebuilt.
    event ClaimSettled(
        uint96 indexed payer,
        bytes32 indexed claimCommitment,
        address indexed payee,
        uint256 cents,
        uint256 receivedDay,
        bytes32 outcomeCommitment,
        bytes32 spendTag,
        bytes32 nextNote
    );
    /// @notice An entry was left out; the others of its transaction were not touched by that. For `KeyDisabled` and `KeyPending` the
    /// proof was not checked. Anybody can have this said of any claim, by a proof or a signature that is not the payee's: it is no refusal.
    /// @param payer The payer that the entry names.
    /// @param claimCommitment The claim.
    /// @param reason Why.
    event ClaimSkipped(uint96 indexed payer, bytes32 indexed claimCommitment, Verdict reason);

    /// @notice No such key in the registry: check the digest and the deployment.
    error KeyUnknown(bytes32 key);
    /// @notice Entries or endorsements of a group are not the same whole number of records.
    error GroupMalformed(uint256 group);
    /// @notice A group's proofs do not verify: `findInvalid` names the culprits.
    /// @param group Index of the group.
    /// @param reason The verifier's error, encoded. With too little gas it is `ProofRejected` or empty, whatever the proofs are:
    /// then `findInvalid` names none.
    error GroupRejected(uint256 group, bytes reason);
    /// @notice Each entry would get less gas than a verification may take, and honest ones would look invalid: ask with at least
    /// `needed` for each entry and once more, or about fewer entries.
    error GasTooSmall(uint256 share, uint256 needed);
    /// @notice The guardian stopped settlement. Receipts, deposits and withdrawals still work.
    error SettlementPaused();

    /// @notice Verifies and settles claims. An entry that cannot be paid is skipped and logged; an invalid proof reverts all,
    /// with the verifier's error inside.
    /// @param groups The claims, by key.
    /// @return settled How many were paid.
    function settle(Group[] calldata groups) external returns (uint256 settled);
    /// @notice What `settle` would do with each entry now, proofs not checked and repeats within the group not seen.
    /// @param group The claims.
    /// @return verdicts One for each entry.
    function preview(Group calldata group) external view returns (Verdict[] memory verdicts);
    /// @notice The entries of a group whose proofs do not verify alone. Never an honest one: it reverts where gas is short.
    /// @param group The claims.
    /// @return culprits Their indexes, ascending.
    function findInvalid(Group calldata group) external view returns (uint256[] memory culprits);
    /// @notice Whether a nullifier, spend tag or authorisation tag is used with a payer.
    /// @param payer The payer.
    /// @param tag The nullifier or tag.
    /// @return True once settled.
    function isSpent(uint96 payer, bytes32 tag) external view returns (bool);
}
