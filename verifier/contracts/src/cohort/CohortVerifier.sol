// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {CohortAnswer, ICohortVerifier} from "../interfaces/ICohortVerifier.sol";
import {CohortLink} from "./CohortLink.sol";
import {NarrowQuery} from "./NarrowQuery.sol";

/// @title Verifies answers to narrow queries: the generated halo2 verifier behind everything that it leaves to its caller
/// @notice The generated contract reduces public inputs, ignores what follows its calldata, and says nothing when it accepts, as does an
/// address without code. So this contract makes the public inputs itself, of exactly the right number, and knows the code that it calls.
contract CohortVerifier is CohortLink {
    /// @notice The generated verifier.
    address public immutable halo2;
    /// @notice The hash of its code.
    bytes32 public immutable halo2CodeHash;

    bytes32 private constant CONTEXT = keccak256("nightingale.cohort.context.1");
    /// @dev On-chain there is no other: an `exact` answer is for the regulator's eyes.
    uint256 private constant PLAN = 2;
    uint256 private constant CELLS = 16;
    uint256 private constant PROOF = 3424;

    /// @param k_ Logarithm of the number of rows.
    /// @param halo2_ The verifier generated for this size and setup.
    /// @param identity Commitment of the column that holds each record row's number.
    /// @param span Lagrange points of the eight salt rows.
    constructor(uint256 k_, address halo2_, uint256[2] memory identity, uint256[16] memory span)
        CohortLink(k_, identity, span)
    {
        if (halo2_.code.length == 0) revert VerifierReplaced();
        halo2 = halo2_;
        halo2CodeHash = halo2_.codehash;
    }

    /// @inheritdoc ICohortVerifier
    function verify(CohortAnswer calldata answer) external view override returns (bytes32 query) {
        query = NarrowQuery.digest(answer.table, answer.query);
        bytes32 proofHash = _requireProof(answer);
        bytes32 context = keccak256(
            abi.encode(
                CONTEXT,
                query,
                answer.version,
                answer.consent,
                PLAN,
                answer.threshold,
                block.chainid,
                msg.sender
            )
        );
        _requireLink(answer, context, proofHash);
    }

    /// @dev Column 0 of `circuits/src/cohort/instances.rs`: the cells, 0 for the rest, the threshold, the endpoints.
    function _requireProof(CohortAnswer calldata answer) private view returns (bytes32 proofHash) {
        address verifier = halo2;
        if (verifier.codehash != halo2CodeHash) revert VerifierReplaced();
        if (answer.proof.length != PROOF) revert ProofLength(answer.proof.length);
        uint256 cells = answer.cells.length;
        if (cells > CELLS) revert TooManyCells(cells);
        uint256[8] memory endpoints = NarrowQuery.read(answer.query).endpoints;
        uint256 threshold = answer.threshold;
        uint256[] calldata released = answer.cells;
        bytes calldata proof = answer.proof;
        uint256 outside = type(uint256).max;
        bool ok;
        assembly ("memory-safe") {
            let input := mload(0x40)
            // Nothing is allocated: all of it is dead behind the call.
            for { let i := 0 } lt(i, 16) { i := add(i, 1) } {
                let cell := 0
                if lt(i, cells) { cell := calldataload(add(released.offset, shl(5, i))) }
                if iszero(lt(cell, 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001)) { outside := i }
                mstore(add(input, shl(5, i)), cell)
            }
            mstore(add(input, 0x200), 0)
            mstore(add(input, 0x220), threshold)
            mcopy(add(input, 0x240), endpoints, 0x100)
            let start := add(input, 0x340)
            calldatacopy(start, proof.offset, proof.length)
            proofHash := keccak256(start, proof.length)
            ok := staticcall(gas(), verifier, input, add(0x340, proof.length), 0, 0)
        }
        if (outside != type(uint256).max) revert CellNotInField(outside);
        // The threshold is not reduced by the verifier only if it is below the field's order.
        if (threshold >= SCALARS || !ok) revert ProofRejected();
    }
}
