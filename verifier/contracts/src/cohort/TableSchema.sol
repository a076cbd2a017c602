// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Reads a table's schema, as `circuits/src/cohort/schema.rs` hashes it
/// @notice Words: Keccak-256 of the table's name, subject, unit, dimension, threshold, number of columns; for each column the
/// Keccak-256 of its name, its kind, and what the kind has. Names and dictionaries stand there as hashes: nobody needs to read them.
library TableSchema {
    /// @notice A column: where its commitments are, and what may be asked of it.
    struct Column {
        /// Place of its codes in the table's commitments; its flag, rank and dictionary follow, where it has them.
        uint256 place;
        /// Its highest code.
        uint256 bound;
        /// Its codes are numbers, so that they may be summed.
        bool number;
        /// It names subjects: no query may use it, and it has neither flag nor dictionary.
        bool key;
        /// It has more codes than one lookup tells apart, and so rank and dictionary.
        bool wide;
    }

    /// @notice Not a schema; this word is the first that does not fit.
    error SchemaMalformed(uint256 word);

    bytes32 private constant NAME = keccak256("nightingale.cohort.schema.1");
    uint256 private constant THRESHOLD = 4;
    uint256 private constant COLUMNS = 5;
    uint256 private constant MOST_COLUMNS = 64;
    uint256 private constant LEAST_THRESHOLD = 11;

    /// @notice The schema's digest.
    function digest(uint256[] calldata words) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(NAME, words));
    }

    /// @notice Reads a schema, to its last word.
    /// @param words The schema.
    /// @param capacity Codes that one lookup tells apart.
    /// @return threshold The threshold of all answers.
    /// @return columns Its columns.
    /// @return commitments How many commitments a table of this schema has.
    function read(uint256[] calldata words, uint256 capacity)
        internal
        pure
        returns (uint256 threshold, Column[] memory columns, uint256 commitments)
    {
        threshold = _word(words, THRESHOLD);
        if (threshold < LEAST_THRESHOLD || threshold > type(uint32).max) revert SchemaMalformed(THRESHOLD);
        uint256 number = _word(words, COLUMNS);
        if (number == 0 || number > MOST_COLUMNS) revert SchemaMalformed(COLUMNS);
        columns = new Column[](number);
        uint256 cursor = COLUMNS + 1;
        // `present` is the first.
        commitments = 1;
        for (uint256 i; i < number; ++i) {
            Column memory column = columns[i];
            column.place = commitments;
            cursor = _column(words, cursor, column);
            column.wide = !column.key && column.bound >= capacity;
            commitments += column.key ? 1 : column.wide ? 4 : 2;
        }
        if (cursor != words.length) revert SchemaMalformed(cursor);
    }

    /// @dev Kinds: 1 integer (minimum, maximum, scale), 2 date (minimum, maximum), 3 category (its words), 4 key (how many).
    function _column(uint256[] calldata words, uint256 cursor, Column memory column) private pure returns (uint256 next) {
        uint256 kind = _word(words, cursor + 1);
        if (kind == 1 || kind == 2) {
            // Both are in two's complement of 128 bits.
            uint256 span = uint256(uint128(_word(words, cursor + 3))) + (1 << 128) - uint128(_word(words, cursor + 2));
            column.bound = (span + 1) & type(uint128).max;
            column.number = true;
            next = cursor + (kind == 1 ? 5 : 4);
        } else if (kind == 3) {
            column.bound = _word(words, cursor + 2);
            if (column.bound > words.length) revert SchemaMalformed(cursor + 2);
            next = cursor + 3 + column.bound;
        } else if (kind == 4) {
            column.bound = _word(words, cursor + 2);
            column.key = true;
            next = cursor + 3;
        } else {
            revert SchemaMalformed(cursor + 1);
        }
        if (column.bound == 0 || column.bound > type(uint32).max) revert SchemaMalformed(cursor + 2);
    }

    function _word(uint256[] calldata words, uint256 place) private pure returns (uint256) {
        if (place >= words.length) revert SchemaMalformed(place);
        return words[place];
    }
}
