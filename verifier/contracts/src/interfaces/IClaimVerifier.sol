// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title One Groth16 key's verifier
/// @notice Implemented in Yul (`ClaimVerifier.yul`) with the key's constants appended to its code, and called as a precompile
/// is: `verifier.staticcall(entries)`, where entries is N >= 1 times (A, B, C, public inputs): 8 words of proof in EIP-197 order
/// and one word for each input. It answers with the word 1, or reverts with one of these errors; there is no other answer.
/// Callers must see that word: an address without code answers too, with nothing.
interface IClaimVerifier {
    /// @notice Calldata is not a whole number of entries, or empty.
    error MalformedEntries();
    /// @notice A public input is not below the order of the scalar field: it would alias another value.
    /// @param entry Index of the entry.
    /// @param input Index of the public input in that entry.
    error InputNotInField(uint256 entry, uint256 input);
    /// @notice A point is not on its curve, or the pairing equation of the batch does not hold.
    error ProofRejected();
}
