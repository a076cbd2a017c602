// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Group} from "../interfaces/IClaimSettlement.sol";

/// @notice One entry of a group: the first ten public inputs, in their order, and what the endorsement adds.
struct Claim {
    bytes32 epochRoot;
    bytes32 consentRoot;
    bytes32 accountRoot;
    bytes32 commitment;
    uint256 payee;
    uint256 packed;
    bytes32 outcomeCommitment;
    bytes32 spendTag;
    bytes32 nextNote;
    bytes32 authorisationTag;
    uint96 payer;
    address authority;
    bytes32 r;
    bytes32 vs;
    /// What this claim uses up: its nullifiers, spend tag and authorisation tag, without zeros.
    bytes32[] tags;
}

/// @title Reads claims out of calldata
/// @dev The layout of the public inputs is DESIGN 3.5 and stands nowhere else in Solidity.
library ClaimReader {
    uint256 private constant PROOF_BYTES = 256;
    uint256 private constant FIXED_INPUTS = 10;
    uint256 private constant ENDORSEMENT_BYTES = 96;

    /// @notice How many entries a group has; zero when its two fields do not agree on a whole number.
    function count(Group calldata group, uint256 inputs) internal pure returns (uint256 entries) {
        uint256 stride = PROOF_BYTES + inputs * 32;
        entries = group.entries.length / stride;
        if (group.entries.length != entries * stride || group.endorsements.length != entries * ENDORSEMENT_BYTES) return 0;
    }

    /// @notice Proof and inputs of one entry.
    function entry(Group calldata group, uint256 inputs, uint256 index) internal pure returns (bytes calldata) {
        uint256 stride = PROOF_BYTES + inputs * 32;
        return group.entries[index * stride:(index + 1) * stride];
    }

    /// @notice One entry and its endorsement. `index` is below `count`.
    function read(Group calldata group, uint256 inputs, uint256 index) internal pure returns (Claim memory claim) {
        bytes calldata words = entry(group, inputs, index)[PROOF_BYTES:];
        bytes calldata endorsement = group.endorsements[index * ENDORSEMENT_BYTES:(index + 1) * ENDORSEMENT_BYTES];
        assembly ("memory-safe") {
            calldatacopy(claim, words.offset, 320)
        }
        uint256 parties = uint256(bytes32(endorsement[:32]));
        claim.authority = address(uint160(parties >> 96));
        claim.payer = uint96(parties);
        claim.r = bytes32(endorsement[32:64]);
        claim.vs = bytes32(endorsement[64:96]);
        claim.tags = _tags(claim, words, inputs);
    }

    /// @notice The proven amount.
    function cents(Claim memory claim) internal pure returns (uint256) {
        return claim.packed & type(uint40).max;
    }

    /// @notice The proven receipt, in days since 1900-01-01.
    function receivedDay(Claim memory claim) internal pure returns (uint256) {
        return (claim.packed >> 40) & 0x1ffff;
    }

    /// @notice The statement's version.
    function version(Claim memory claim) internal pure returns (uint256) {
        return claim.packed >> 57;
    }

    /// @dev A denial, which spends nothing, and an entry without nullifiers have no tags at all.
    function _tags(Claim memory claim, bytes calldata words, uint256 inputs) private pure returns (bytes32[] memory tags) {
        tags = new bytes32[](inputs - FIXED_INPUTS + 2);
        uint256 used;
        for (uint256 i = FIXED_INPUTS; i < inputs; ++i) {
            bytes32 nullifier = bytes32(words[i * 32:(i + 1) * 32]);
            if (nullifier != 0) tags[used++] = nullifier;
        }
        if (used == 0 || claim.spendTag == 0) {
            used = 0;
        } else {
            tags[used++] = claim.spendTag;
            if (claim.authorisationTag != 0) tags[used++] = claim.authorisationTag;
        }
        assembly ("memory-safe") {
            mstore(tags, used)
        }
    }
}
