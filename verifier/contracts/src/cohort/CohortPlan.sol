// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {NarrowQuery} from "./NarrowQuery.sol";
import {TableSchema} from "./TableSchema.sol";

/// @title Which columns a query's slots are linked to: `circuits/src/cohort/slots.rs`, for the narrow class
library CohortPlan {
    /// @notice A query names a column that the table does not have, or that may not be used so: a key; a term with codes that it does
    /// not have; a value that is no number; a group with more codes than there are cells.
    error ColumnUnusable(uint256 column);

    uint256 private constant CELLS = 16;

    /// @notice The commitments behind the slots rank, dictionary, value, flag and group. Zero stands for the identity where a dictionary
    /// is not committed, and for the zero column elsewhere.
    /// @param words The query.
    /// @param columns The table's columns.
    /// @param commitments The table's commitments, two words each.
    /// @return slot Five points.
    function slots(uint256[] calldata words, TableSchema.Column[] memory columns, uint256[] calldata commitments)
        internal
        pure
        returns (uint256[10] memory slot)
    {
        NarrowQuery.Parts memory parts = NarrowQuery.read(words);
        uint256 rank;
        if (parts.term != NarrowQuery.NONE) {
            TableSchema.Column memory term = _usable(columns, parts.term);
            rank = term.place;
            // The normal form clips intervals to the column's codes.
            for (uint256 i = 1; i < 8; i += 2) {
                uint256 end = parts.endpoints[i];
                if (end != NarrowQuery.NO_ENDPOINT && end > term.bound + 1) revert ColumnUnusable(parts.term);
            }
            if (term.wide) {
                rank += 2;
                _link(slot, 1, commitments, rank + 1);
            }
        }
        // Without a term it is `present`, the first of all.
        _link(slot, 0, commitments, rank);
        if (parts.value != NarrowQuery.NONE) {
            TableSchema.Column memory value = _usable(columns, parts.value);
            if (!value.number) revert ColumnUnusable(parts.value);
            _link(slot, 2, commitments, value.place);
            _link(slot, 3, commitments, value.place + 1);
        }
        if (parts.group != NarrowQuery.NONE) {
            TableSchema.Column memory group = _usable(columns, parts.group);
            if (group.bound >= CELLS) revert ColumnUnusable(parts.group);
            _link(slot, 4, commitments, group.place);
        }
    }

    function _usable(TableSchema.Column[] memory columns, uint256 index)
        private
        pure
        returns (TableSchema.Column memory column)
    {
        if (index >= columns.length || columns[index].key) revert ColumnUnusable(index);
        column = columns[index];
    }

    function _link(uint256[10] memory slot, uint256 place, uint256[] calldata commitments, uint256 commitment) private pure {
        (slot[2 * place], slot[2 * place + 1]) = (commitments[2 * commitment], commitments[2 * commitment + 1]);
    }
}
