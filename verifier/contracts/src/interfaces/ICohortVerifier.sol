// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @notice An answer to a query of the narrow class, with its proof. `docs/statements/cohort.md` is the specification.
struct CohortAnswer {
    /// Digest of the verifying key's file.
    bytes32 key;
    /// The table's digest.
    bytes32 table;
    /// The query in words, as its digest takes them: number of terms; for each its column, number of intervals, and low and high of
    /// each; number of values and their columns; number of groups and their columns.
    uint256[] query;
    /// Counts from 1 to one less are hidden.
    uint256 threshold;
    /// Version of the consents, from 0.
    uint256 version;
    /// Its commitment.
    uint256[2] consent;
    /// What the slots rank, dictionary, value, flag and group are linked to, as `CohortPlan.slots` says.
    uint256[10] columns;
    /// The released cells, packed as `circuits/src/cohort/instances.rs` says; a hidden one is 1. Cells that are left out at the end are 0.
    uint256[] cells;
    /// The halo2 proof.
    bytes proof;
    /// The link: R and eight responses.
    uint256[10] link;
}

/// @title Whether an answer is proven, for tables of one size under one setup
/// @notice It judges proof and link, not whether table, query, consents or columns are registered: the log asks the registry.
interface ICohortVerifier {
    /// @notice There is no code at the halo2 verifier's address, or another than when this contract was made.
    error VerifierReplaced();
    /// @notice A proof of the narrow class has another length.
    error ProofLength(uint256 length);
    /// @notice The narrow class has sixteen cells.
    error TooManyCells(uint256 cells);
    /// @notice A cell is not below the order of the scalar field: it would alias another value.
    error CellNotInField(uint256 cell);
    /// @notice A response of the link is not below the order of the scalar field.
    error ResponseNotInField(uint256 response);
    /// @notice The halo2 verifier refuses the proof for this query, threshold and these cells.
    error ProofRejected();
    /// @notice The proof's slots do not hold these columns, or the link is of another proof, query, consents, chain or caller.
    error LinkRejected();

    /// @notice Judges an answer that was proven for this chain and for the caller, in mode `plan`.
    /// @param answer The answer; it reverts unless proof and link hold.
    /// @return query The query's digest.
    function verify(CohortAnswer calldata answer) external view returns (bytes32 query);
    /// @notice Logarithm of the number of rows of the tables that it is for.
    /// @return The logarithm.
    function k() external view returns (uint256);
}
