// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {RootLog} from "../src/registry/RootLog.sol";
import {Vm} from "./Vm.sol";

/// @title Root logs under any order of publishing and waiting
contract RootLogTest {
    using RootLog for RootLog.Log;

    Vm private constant VM = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 private constant GRACE = 1 days;

    RootLog.Log private _log;

    /// @dev Called from outside, so that a refusal can be caught.
    function append(bytes32 root) external {
        _log.append(root);
    }

    /// @dev As `append`, for a log to which roots come back.
    function restore(bytes32 root) external {
        _log.restore(root);
    }

    function _publish(bytes32 root) private returns (bool) {
        try this.append(root) {
            return true;
        } catch {
            return false;
        }
    }

    /// A root is fresh exactly until its successor is older than the grace.
    function testFuzz_aRootIsFreshUntilItsSuccessorIsOld(uint32[8] calldata waits) external {
        uint256 supersededAt;
        uint256 now_ = block.timestamp;
        for (uint256 i; i < waits.length; ++i) {
            require(_publish(bytes32(i + 1)), "refused");
            if (i == 1) supersededAt = now_;
            now_ += waits[i];
            VM.warp(now_);
            (bool known, bool fresh) = _log.look(bytes32(i + 1), GRACE);
            require(known && fresh, "the newest is always fresh");
            (known, fresh) = _log.look(bytes32(uint256(1)), GRACE);
            require(known, "known for ever");
            require(fresh == (i == 0 || now_ <= supersededAt + GRACE), "the first");
        }
    }

    /// Nothing is published twice, and nothing outside the field at all.
    function testFuzz_noRootComesBack(bytes32 root, bytes32 other) external {
        uint256 order = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
        bool valid = root != 0 && uint256(root) < order;
        require(_publish(root) == valid, "first");
        if (!valid) return;
        _publish(other);
        require(!_publish(root), "again");
    }

    /// Whatever is restored is the newest and fresh however long ago it was superseded, and the one before it grows old.
    function testFuzz_aRestoredRootIsFreshAndSupersedes(uint8[12] calldata roots, uint32 wait) external {
        bytes32 newest;
        uint256 now_ = block.timestamp;
        for (uint256 i; i < roots.length; ++i) {
            bytes32 root = bytes32(uint256(1 + roots[i] % 3));
            bool restored;
            try this.restore(root) {
                restored = true;
            } catch {}
            require(restored == (root != newest), "refused what is not the newest, or took what is");
            if (!restored) continue;
            now_ += uint256(wait) + GRACE + 1;
            VM.warp(now_);
            (bool known, bool fresh) = _log.look(root, GRACE);
            require(known && fresh, "the newest is fresh");
            if (newest != 0) {
                (known, fresh) = _log.look(newest, GRACE);
                require(known && !fresh, "the one before is stale");
            }
            newest = root;
        }
    }

    /// A root is old exactly when its last publication or renewal is longer ago than the age, superseded or not.
    function testFuzz_aRootIsAsOldAsItsLastPublication(uint32[6] calldata waits, uint8 renewals, uint32 age) external {
        bytes32 root = bytes32(uint256(1));
        _log.restore(root);
        uint256 published = block.timestamp;
        uint256 now_ = published;
        for (uint256 i; i < waits.length; ++i) {
            now_ += waits[i];
            VM.warp(now_);
            require(_log.isOlderThan(root, age) == (now_ > published + age), "age");
            if (renewals >> i & 1 == 1 && _log.newest == root) {
                _log.renew();
                published = now_;
                require(!_log.isOlderThan(root, age), "renewed");
            }
            if (i == 3) _log.restore(bytes32(uint256(2)));
        }
    }

    /// What was never published is not known.
    function testFuzz_anUnpublishedRootIsUnknown(bytes32 root, bytes32 other) external {
        if (root != other) _publish(root);
        (bool known, bool fresh) = _log.look(other, type(uint32).max);
        require(!known && !fresh, "known");
    }
}
