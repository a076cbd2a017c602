// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {AuditAnchors} from "../src/AuditAnchors.sol";
import {Vm} from "./Vm.sol";

/// @title Anchors under any order of anchoring
contract AuditAnchorsTest {
    Vm private constant VM = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    AuditAnchors private _anchors = new AuditAnchors();

    function _anchor(bytes32 log, uint64 sequence, bytes32 head) private returns (bool) {
        try _anchors.anchor(log, sequence, head) {
            return true;
        } catch {
            return false;
        }
    }

    /// Whatever is tried, a log's anchor only rises, and is what was anchored last.
    function testFuzz_anAnchorOnlyRises(uint64[12] calldata sequences, bytes32 log, uint32 wait) external {
        if (log == 0) return;
        // The optimizer takes the time of the block for a constant.
        uint256 now_ = block.timestamp;
        uint64 highest;
        bytes32 head;
        uint64 time;
        for (uint256 i; i < sequences.length; ++i) {
            now_ += 1 + uint256(wait);
            VM.warp(now_);
            bytes32 next = keccak256(abi.encode(i, log));
            bool taken = _anchor(log, sequences[i], next);
            require(taken == (sequences[i] > highest), "taken what is not beyond, or refused what is");
            if (taken) (highest, head, time) = (sequences[i], next, uint64(now_));
            AuditAnchors.Anchor memory held = _anchors.newest(address(this), log);
            require(held.sequence == highest && held.head == head && held.anchoredAt == time, "not the last");
        }
    }

    /// Nobody anchors for another, and no log for another.
    function testFuzz_logsAndCustodiansAreApart(bytes32 log, bytes32 other, address custodian, uint64 sequence)
        external
    {
        if (log == 0 || other == log || custodian == address(this) || sequence == 0) return;
        require(_anchor(log, sequence, keccak256("head")), "refused");
        require(_anchors.newest(address(this), other).sequence == 0, "another log");
        require(_anchors.newest(custodian, log).sequence == 0, "another custodian");
    }

    /// Nothing has a hash of zero, and entries count from 1.
    function testFuzz_zeroIsNothing(bytes32 log, uint64 sequence, bytes32 head) external {
        bool valid = log != 0 && head != 0 && sequence != 0;
        require(_anchor(log, sequence, head) == valid, "zero");
    }
}
