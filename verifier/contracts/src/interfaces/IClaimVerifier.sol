// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title One Groth16 key's verifier
/// @notice Implemented in Yul (`ClaimVerifier.yul`) with the key's constants appended to its code. There is no function that
/// returns false: a call returns true, or reverts with one of these errors.
interface IClaimVerifier {
    /// @notice The call is not `verify(bytes)` with exactly N >= 1 whole entries, or has bytes before, between or after them.
    error MalformedEntries();
    /// @notice A public input is not below the order of the scalar field: it would alias another value.
    /// @param entry Index of the entry.
    /// @param input Index of the public input in that entry.
    error InputNotInField(uint256 entry, uint256 input);
    /// @notice A point is not on its curve, or the pairing equation of the batch does not hold.
    error ProofRejected();

    /// @notice Verifies every entry, with one pairing call for all of them.
    /// @param entries N times (A, B, C, public inputs): 8 words of proof in EIP-197 order and one word for each input.
    /// @return valid True.
    function verify(bytes calldata entries) external view returns (bool valid);
}
