// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Asks a verifier, and takes nothing but its one answer for a yes
library VerifierCall {
    /// @notice Verifies entries.
    /// @param verifier A registered `ClaimVerifier.yul`.
    /// @param entries Proofs and public inputs.
    /// @param gasLimit Gas that it may use, at most.
    /// @return valid Whether all entries are valid.
    /// @return reason The verifier's error. Where gas is short, a precompile fails, and that is `ProofRejected` too, or empty.
    function verify(address verifier, bytes calldata entries, uint256 gasLimit)
        internal
        view
        returns (bool valid, bytes memory reason)
    {
        bytes memory answer;
        (valid, answer) = verifier.staticcall{gas: gasLimit}(entries);
        if (!valid) return (false, answer);
        valid = answer.length == 32 && uint256(bytes32(answer)) == 1;
    }

    /// @notice More gas than verifying one entry takes: about 182,000, and 6,500 for each input.
    /// @param inputs Public inputs of the key.
    /// @return Gas with which an answer of no means no.
    function gasForOne(uint256 inputs) internal pure returns (uint256) {
        return 250_000 + 8_000 * inputs;
    }
}
