// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {NarrowQuery} from "../src/cohort/NarrowQuery.sol";

/// @title Calls the library with calldata
contract NarrowQueryReader {
    /// @notice The library's digest.
    function digest(bytes32 table, uint256[] calldata words) external pure returns (bytes32) {
        return NarrowQuery.digest(table, words);
    }

    /// @notice The library's reading.
    function read(uint256[] calldata words) external pure returns (NarrowQuery.Parts memory) {
        return NarrowQuery.read(words);
    }
}

/// @title Queries in words: what is read is all that was written, and nothing else is
contract NarrowQueryTest {
    NarrowQueryReader private _reader;

    function setUp() external {
        _reader = new NarrowQueryReader();
    }

    function testFuzz_theDigestIsOfNameTableAndWords(bytes32 table, uint256[] calldata words) external view {
        bytes32 name = keccak256("nightingale.cohort.query.1");
        require(_reader.digest(table, words) == keccak256(abi.encodePacked(name, table, words)), "another digest");
    }

    /// Every query in normal form is read as it is.
    function testFuzz_aQueryIsReadAsItIsWritten(bool[3] calldata has, uint32[3] calldata columns, uint8 ends, uint16[8] calldata gaps)
        external
        view
    {
        NarrowQuery.Parts memory parts = _parts(has, columns, ends, gaps);
        NarrowQuery.Parts memory read = _reader.read(_words(parts));
        require(keccak256(abi.encode(read)) == keccak256(abi.encode(parts)), "another query");
    }

    /// A changed word makes another query or none, which names a word of it.
    function testFuzz_aChangedQueryIsAnotherOrNone(
        bool[3] calldata has,
        uint8 ends,
        uint16[8] calldata gaps,
        uint256 where,
        uint256 word
    ) external view {
        uint256[] memory words = _words(_parts(has, [uint32(1), 2, 3], ends, gaps));
        words[where % words.length] = word % 3 == 0 ? word : word % 6;
        _requireWhole(words);
    }

    /// Noise is refused, or read to its last word.
    function testFuzz_noiseIsRefusedOrReadWhole(uint8[14] calldata noise, uint8 length) external view {
        uint256[] memory words = new uint256[](length % 15);
        for (uint256 i; i < words.length; ++i) words[i] = noise[i] % 5;
        _requireWhole(words);
    }

    /// A query that is cut off or goes on is refused.
    function testFuzz_anotherLengthIsRefused(bool[3] calldata has, uint8 ends, uint16[8] calldata gaps, uint8 length, uint256 more)
        external
        view
    {
        uint256[] memory words = _words(_parts(has, [uint32(1), 2, 3], ends, gaps));
        uint256[] memory other = new uint256[](length % 32);
        if (other.length == words.length) return;
        for (uint256 i; i < other.length; ++i) other[i] = i < words.length ? words[i] : more;
        (bool success,) = _read(other, "");
        require(!success, "read");
    }

    /// What follows a query in calldata changes nothing.
    function testFuzz_whatFollowsIsNotRead(uint8[14] calldata noise, uint8 length, bytes calldata behind) external view {
        uint256[] memory words = new uint256[](length % 15);
        for (uint256 i; i < words.length; ++i) words[i] = noise[i] % 3;
        (bool success, bytes memory answer) = _read(words, "");
        (bool again, bytes memory same) = _read(words, behind);
        require(success == again && keccak256(answer) == keccak256(same), "read");
    }

    /// @dev Whatever is read writes the same words again; whatever is refused names a word up to the end.
    function _requireWhole(uint256[] memory words) private view {
        (bool success, bytes memory answer) = _read(words, "");
        if (success) {
            uint256[] memory again = _words(abi.decode(answer, (NarrowQuery.Parts)));
            require(keccak256(abi.encode(again)) == keccak256(abi.encode(words)), "read in part");
            return;
        }
        require(answer.length == 36 && bytes4(answer) == NarrowQuery.QueryMalformed.selector, "another error");
        uint256 place;
        assembly ("memory-safe") {
            place := mload(add(answer, 0x24))
        }
        require(place <= words.length, "a word that is not there");
    }

    function _read(uint256[] memory words, bytes memory behind) private view returns (bool, bytes memory) {
        return address(_reader).staticcall(bytes.concat(abi.encodeCall(NarrowQueryReader.read, (words)), behind));
    }

    /// @dev Intervals ascend with gaps.
    function _parts(bool[3] memory has, uint32[3] memory columns, uint8 ends, uint16[8] calldata gaps)
        private
        pure
        returns (NarrowQuery.Parts memory parts)
    {
        parts.term = has[0] ? columns[0] : NarrowQuery.NONE;
        parts.value = has[1] ? columns[1] : NarrowQuery.NONE;
        parts.group = has[2] ? columns[2] : NarrowQuery.NONE;
        for (uint256 i; i < 8; ++i) parts.endpoints[i] = NarrowQuery.NO_ENDPOINT;
        if (!has[0]) (parts.endpoints[0], parts.endpoints[1]) = (1, 2);
        if (!has[0]) return parts;
        uint256 last;
        for (uint256 i; i < 2 * (ends % 5); ++i) {
            last += 1 + uint256(gaps[i]);
            parts.endpoints[i] = last;
        }
    }

    /// @dev The words of `docs/statements/cohort.md`, written without looking at the library.
    function _words(NarrowQuery.Parts memory parts) private pure returns (uint256[] memory words) {
        uint256[] memory all = new uint256[](16);
        uint256 length;
        if (parts.term == NarrowQuery.NONE) {
            length = 1;
        } else {
            uint256 ends;
            while (ends < 8 && parts.endpoints[ends] != NarrowQuery.NO_ENDPOINT) ++ends;
            (all[0], all[1], all[2], length) = (1, parts.term, ends / 2, 3);
            // The last code of an interval is the one before its end.
            for (uint256 i; i < ends; ++i) all[length++] = parts.endpoints[i] - i % 2;
        }
        uint256[2] memory lists = [parts.value, parts.group];
        for (uint256 i; i < 2; ++i) {
            if (lists[i] == NarrowQuery.NONE) {
                ++length;
            } else {
                (all[length], all[length + 1]) = (1, lists[i]);
                length += 2;
            }
        }
        words = new uint256[](length);
        for (uint256 i; i < length; ++i) words[i] = all[i];
    }
}
