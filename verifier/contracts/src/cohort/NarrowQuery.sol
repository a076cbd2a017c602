// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Reads a query of the narrow class
/// @notice The words are what `circuits/src/cohort/query.rs` hashes: one query, one digest, wherever it is asked.
library NarrowQuery {
    /// @notice Where there is no term, value or group.
    uint256 internal constant NONE = type(uint256).max;
    /// @notice The endpoint of an interval that is not there: `NO_ENDPOINT` of `circuits/src/cohort/instances.rs`.
    uint256 internal constant NO_ENDPOINT = 1 << 33;
    uint256 private constant INTERVALS = 4;
    bytes32 private constant NAME = keccak256("nightingale.cohort.query.1");

    /// @notice Columns of a query, and the ends of its intervals as the circuit's public inputs have them.
    struct Parts {
        uint256 term;
        uint256 value;
        uint256 group;
        uint256[8] endpoints;
    }

    /// @notice Not a query of the narrow class in normal form; this word is the first that does not fit.
    error QueryMalformed(uint256 word);

    /// @notice The query's digest, for the table with this digest.
    function digest(bytes32 table, uint256[] calldata words) internal pure returns (bytes32 result) {
        bytes32 name = NAME;
        assembly ("memory-safe") {
            let start := mload(0x40)
            let size := shl(5, words.length)
            mstore(start, name)
            mstore(add(start, 0x20), table)
            calldatacopy(add(start, 0x40), words.offset, size)
            result := keccak256(start, add(size, 0x40))
        }
    }

    /// @notice Reads a query, to its last word.
    function read(uint256[] calldata words) internal pure returns (Parts memory parts) {
        uint256 place;
        uint256[8] memory endpoints = parts.endpoints;
        for (uint256 i; i < 8; ++i) endpoints[i] = NO_ENDPOINT;
        uint256 terms = _word(words, place++, 1);
        if (terms == 0) {
            parts.term = NONE;
            (endpoints[0], endpoints[1]) = (1, 2);
        } else {
            parts.term = _word(words, place++, type(uint32).max);
            uint256 ends = 2 * _word(words, place++, INTERVALS);
            // Intervals ascend with a gap between neighbours, from 1 on: a comparison with a missing value is false.
            uint256 least = 1;
            for (uint256 i; i < ends; i += 2) {
                uint256 low = _word(words, place++, type(uint32).max);
                uint256 high = _word(words, place++, type(uint32).max);
                if (low < least || high < low) revert QueryMalformed(place - 2);
                (endpoints[i], endpoints[i + 1]) = (low, high + 1);
                least = high + 2;
            }
        }
        (parts.value, place) = _column(words, place);
        (parts.group, place) = _column(words, place);
        if (place != words.length) revert QueryMalformed(place);
    }

    /// @dev A list of one column at most, and the place behind it.
    function _column(uint256[] calldata words, uint256 place) private pure returns (uint256 column, uint256 next) {
        if (_word(words, place, 1) == 0) return (NONE, place + 1);
        return (_word(words, place + 1, type(uint32).max), place + 2);
    }

    function _word(uint256[] calldata words, uint256 place, uint256 most) private pure returns (uint256 word) {
        if (place >= words.length) revert QueryMalformed(place);
        word = words[place];
        if (word > most) revert QueryMalformed(place);
    }
}
