// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @notice What the log needs to know before it believes an answer.
struct CohortTerms {
    /// The contract that verifies under the key; zero when the key is unknown, disabled, or for tables of another size.
    address verifier;
    /// The registered threshold.
    uint32 threshold;
    /// Keccak-256 of the slots that the query is linked to; zero when the query is not in the plan.
    bytes32 columns;
    /// Keccak-256 of the number and the commitment of the newest consents.
    bytes32 consent;
    /// Whether a registrar has verified those consents: without that, nothing is logged under them.
    bool confirmed;
}

/// @title What the log of answers asks of the registry
interface ICohortRegistry {
    /// @notice What an answer must fit.
    /// @param table The table's digest.
    /// @param query The query's digest.
    /// @param key The verifying key's digest.
    /// @return The terms.
    function cohortTerms(bytes32 table, bytes32 query, bytes32 key) external view returns (CohortTerms memory);
}
