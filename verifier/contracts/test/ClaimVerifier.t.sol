// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Vm} from "./Vm.sol";

/// @title The verifier under noise: a valid entry passes, and nothing near it does
/// @notice Its key and entries come from `fixtures/small.json`, which a Rust test makes and keeps current.
contract ClaimVerifierTest {
    Vm private constant VM = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 private constant GAS = 3_000_000;

    address private _verifier;
    bytes private _entry;
    bytes private _second;

    function setUp() external {
        string memory fixture = VM.readFile("test/fixtures/small.json");
        bytes memory template = VM.parseJsonBytes(VM.readFile("build/ClaimVerifier.json"), ".bytecode");
        bytes memory creation = bytes.concat(template, VM.parseJsonBytes(fixture, ".constants"));
        address verifier;
        assembly {
            verifier := create(0, add(creation, 0x20), mload(creation))
        }
        _verifier = verifier;
        _entry = VM.parseJsonBytes(fixture, ".entry");
        _second = VM.parseJsonBytes(fixture, ".second");
    }

    function test_validEntriesPassAloneAndTogether() external view {
        require(_accepts(_entry) && _accepts(_second), "alone");
        require(_accepts(bytes.concat(_entry, _second)), "together");
        require(_accepts(bytes.concat(_second, _entry, _second)), "thrice");
    }

    /// Any change of any byte is refused.
    function testFuzz_aChangedByteIsRefused(uint256 where, uint8 change) external view {
        if (change == 0) return;
        bytes memory entry = _entry;
        where %= entry.length;
        entry[where] = bytes1(uint8(entry[where]) ^ change);
        require(!_accepts(entry), "alone");
        require(!_accepts(bytes.concat(entry, _second)) && !_accepts(bytes.concat(_second, entry)), "in a batch");
    }

    /// Any word in the place of any other is refused.
    function testFuzz_aForeignWordIsRefused(uint256 where, bytes32 word) external view {
        bytes memory entry = _entry;
        where %= entry.length / 32;
        bytes32 before;
        assembly ("memory-safe") {
            let place := add(add(entry, 0x20), shl(5, where))
            before := mload(place)
            mstore(place, word)
        }
        if (before != word) require(!_accepts(entry), "accepted");
    }

    /// Noise of any length is refused.
    function testFuzz_noiseIsRefused(bytes calldata noise) external view {
        require(!_accepts(noise), "accepted");
        require(!_accepts(bytes.concat(_entry, noise)) || noise.length == 0, "trailing");
    }

    function _accepts(bytes memory entries) private view returns (bool) {
        (bool success, bytes memory answer) = _verifier.staticcall{gas: GAS}(entries);
        require(success == (answer.length == 32 && uint256(bytes32(answer)) == 1), "an answer that is neither");
        return success;
    }
}
