// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @notice What becomes of one entry of a settlement. Every value but `Payable` is a reason to skip that entry only.
/// @dev The numbers are part of the ABI: append, never reorder.
enum Verdict {
    /// 0: settled, or would be.
    Payable,
    /// 1: a denial pays nothing and spends nothing.
    NothingToSettle,
    /// 2: a nullifier, the spend tag or the authorisation tag is used, here or earlier in this transaction.
    AlreadySettled,
    /// 3: the statement's version is not the one that this contract settles.
    VersionUnknown,
    /// 4: the payee is not an address.
    PayeeMalformed,
    /// 5: the key was disabled, or is a development key on a public chain.
    KeyDisabled,
    /// 6: no such payer in the registry.
    PayerUnknown,
    /// 7: the guardian paused this payer.
    PayerPaused,
    /// 8: the payer never published this epoch.
    EpochUnknown,
    /// 9: the payer published a newer epoch and the grace is over.
    EpochStale,
    /// 10: the payer never published this account root.
    AccountRootUnknown,
    /// 11: the payer published a newer account root and the grace is over.
    AccountRootStale,
    /// 12: the consent authority is not accepted.
    AuthorityNotAccepted,
    /// 13: the authority never published this consent root.
    ConsentRootUnknown,
    /// 14: the authority published a newer consent root and the grace is over.
    ConsentRootStale,
    /// 15: neither the chain nor the payer recorded a receipt of this claim.
    ReceiptMissing,
    /// 16: the proof's received day is neither the chain's nor the payer's.
    ReceiptDiffers,
    /// 17: the payee did not sign this claim for this payer.
    PayeeSignatureInvalid,
    /// 18: the payer's escrow holds less than the claim pays; it can be settled once there is more.
    EscrowTooSmall,
    /// 19: the registry serves another settlement contract, or none yet, or was deployed on another chain.
    SettlementUnknown,
    /// 20: the authority has not published this consent root for longer than the registry allows, the newest though it may be.
    ConsentRootOld,
    /// 21: the key was registered so lately that payers may still leave before it settles anything.
    KeyPending
}
