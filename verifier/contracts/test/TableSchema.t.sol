// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {TableSchema} from "../src/cohort/TableSchema.sol";
import {Vm} from "./Vm.sol";

/// @title Calls the library with calldata
contract TableSchemaReader {
    /// @notice The library's digest.
    function digest(uint256[] calldata words) external pure returns (bytes32) {
        return TableSchema.digest(words);
    }

    /// @notice The library's reading.
    function read(uint256[] calldata words, uint256 capacity)
        external
        pure
        returns (uint256 threshold, TableSchema.Column[] memory columns, uint256 commitments)
    {
        return TableSchema.read(words, capacity);
    }
}

/// @title Schemas in words: what a plan rests on is read as it was written
contract TableSchemaTest {
    Vm private constant VM = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    /// @dev Of tables of 2^14 rows.
    uint256 private constant CAPACITY = 14320;

    TableSchemaReader private _reader;
    uint256[] private _trial;

    function setUp() external {
        _reader = new TableSchemaReader();
        _trial = abi.decode(VM.parseJsonBytes(VM.readFile("test/fixtures/cohort.json"), ".schema"), (uint256[]));
    }

    function test_theTrialIsReadAsItIs() external view {
        (uint256 threshold, TableSchema.Column[] memory columns, uint256 commitments) = _reader.read(_trial, CAPACITY);
        require(threshold == 11 && columns.length == 6 && commitments == 14, "another table");
        // USUBJID, ARM, AGE, DOSE, SITE, RFSTDTC
        uint256[6] memory places = [uint256(1), 2, 4, 6, 10, 12];
        uint256[6] memory bounds = [uint256(400), 3, 73, 1500001, 15, 1001];
        for (uint256 i; i < 6; ++i) {
            require(columns[i].place == places[i] && columns[i].bound == bounds[i], "another column");
            require(columns[i].number == (i == 2 || i == 3 || i == 5), "a number or not");
            require(columns[i].key == (i == 0) && columns[i].wide == (i == 3), "a key or wide");
        }
    }

    /// Columns of every kind are read as they are written.
    function testFuzz_aSchemaIsReadAsItIsWritten(uint8[6] calldata kinds, uint32[6] calldata sizes, uint256 capacity)
        external
        view
    {
        uint256[] memory words = new uint256[](6 + 6 * 8);
        TableSchema.Column[] memory columns = new TableSchema.Column[](6);
        (words[4], words[5]) = (11 + uint256(sizes[0]) % 100, 6);
        uint256 cursor = 6;
        uint256 place = 1;
        for (uint256 i; i < 6; ++i) {
            uint256 kind = 1 + kinds[i] % 4;
            // A category's words stand there one by one.
            uint256 bound = 1 + (kind == 3 ? sizes[i] % 5 : uint256(sizes[i]) % type(uint32).max);
            bool wide = kind != 4 && bound >= capacity;
            columns[i] = TableSchema.Column({place: place, bound: bound, number: kind < 3, key: kind == 4, wide: wide});
            place += kind == 4 ? 1 : wide ? 4 : 2;
            words[cursor + 1] = kind;
            if (kind < 3) {
                int256 minimum = int256(uint256(sizes[(i + 1) % 6])) - 2 ** 31;
                words[cursor + 2] = _complement(minimum);
                words[cursor + 3] = _complement(minimum + int256(bound) - 1);
                cursor += kind == 1 ? 5 : 4;
            } else {
                words[cursor + 2] = bound;
                cursor += kind == 3 ? 3 + bound : 3;
            }
        }
        assembly ("memory-safe") {
            mstore(words, cursor)
        }
        (bool success, bytes memory answer) = _read(words, capacity, "");
        require(success && keccak256(answer) == keccak256(abi.encode(words[4], columns, place)), "another schema");
    }

    function testFuzz_theDigestIsOfNameAndWords(uint256[] calldata words) external view {
        bytes32 name = keccak256("nightingale.cohort.schema.1");
        require(_reader.digest(words) == keccak256(abi.encodePacked(name, words)), "another digest");
    }

    /// A changed word is refused by its place, or makes a table that is whole.
    function testFuzz_aChangedSchemaIsRefusedOrWhole(uint256 where, uint256 word, uint256 capacity) external view {
        uint256[] memory words = _trial;
        words[where % words.length] = word % 3 == 0 ? word : word % 70;
        _requireWhole(words, capacity);
    }

    /// Noise is refused by its place, or makes a table that is whole.
    function testFuzz_noiseIsRefusedOrWhole(uint8[24] calldata noise, uint8 length, uint256 capacity) external view {
        uint256[] memory words = new uint256[](length % 25);
        for (uint256 i; i < words.length; ++i) words[i] = i == 4 ? 11 : noise[i] % 6;
        _requireWhole(words, capacity);
    }

    /// A schema that is cut off or goes on is refused.
    function testFuzz_anotherLengthIsRefused(uint8 length, uint256 more) external view {
        uint256[] memory other = new uint256[](length % 64);
        if (other.length == _trial.length) return;
        for (uint256 i; i < other.length; ++i) other[i] = i < _trial.length ? _trial[i] : more;
        (bool success, bytes memory answer) = _read(other, CAPACITY, "");
        require(!success && bytes4(answer) == TableSchema.SchemaMalformed.selector, "read");
    }

    /// What follows a schema in calldata changes nothing.
    function testFuzz_whatFollowsIsNotRead(uint8 length, bytes calldata behind) external view {
        uint256[] memory words = new uint256[](length % (_trial.length + 1));
        for (uint256 i; i < words.length; ++i) words[i] = _trial[i];
        (bool success, bytes memory answer) = _read(words, CAPACITY, "");
        (bool again, bytes memory same) = _read(words, CAPACITY, behind);
        require(success == again && keccak256(answer) == keccak256(same), "read");
    }

    /// A range has as many codes as numbers, from 1 to 2^32 - 1; in two's complement of 128 bits.
    function testFuzz_aRangeHasAsManyCodesAsNumbers(int64 minimum, uint40 span, uint256 capacity) external view {
        int256 maximum = int256(minimum) + int256(uint256(span)) - 1;
        uint256[] memory words = new uint256[](10);
        (words[4], words[5], words[7]) = (11, 1, 2);
        (words[8], words[9]) = (_complement(minimum), _complement(maximum));
        (bool success, bytes memory answer) = _read(words, capacity, "");
        require(success == (span > 0 && span <= type(uint32).max), "refused or not");
        if (!success) return;
        (, TableSchema.Column[] memory columns, uint256 commitments) =
            abi.decode(answer, (uint256, TableSchema.Column[], uint256));
        require(columns[0].bound == span && columns[0].number && !columns[0].key, "another column");
        require(columns[0].wide == (span >= capacity) && commitments == (span >= capacity ? 5 : 3), "wide or not");
    }

    function _complement(int256 number) private pure returns (uint256) {
        return uint256(number) & type(uint128).max;
    }

    /// @dev A table that is read has the threshold and the columns that it says, and each column's commitments follow the last one's.
    function _requireWhole(uint256[] memory words, uint256 capacity) private view {
        (bool success, bytes memory answer) = _read(words, capacity, "");
        if (!success) {
            require(answer.length == 36 && bytes4(answer) == TableSchema.SchemaMalformed.selector, "another error");
            return;
        }
        (uint256 threshold, TableSchema.Column[] memory columns, uint256 commitments) =
            abi.decode(answer, (uint256, TableSchema.Column[], uint256));
        require(threshold == words[4] && threshold >= 11 && threshold <= type(uint32).max, "another threshold");
        require(columns.length == words[5] && columns.length > 0 && columns.length <= 64, "other columns");
        uint256 place = 1;
        for (uint256 i; i < columns.length; ++i) {
            require(columns[i].place == place, "a gap");
            require(columns[i].bound > 0 && columns[i].bound <= type(uint32).max, "no codes");
            require(columns[i].wide == (!columns[i].key && columns[i].bound >= capacity), "wide or not");
            place += columns[i].key ? 1 : columns[i].wide ? 4 : 2;
        }
        require(place == commitments, "other commitments");
    }

    function _read(uint256[] memory words, uint256 capacity, bytes memory behind)
        private
        view
        returns (bool, bytes memory)
    {
        bytes memory call_ = abi.encodeCall(TableSchemaReader.read, (words, capacity));
        return address(_reader).staticcall(bytes.concat(call_, behind));
    }
}
