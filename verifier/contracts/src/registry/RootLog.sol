// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title A log of roots, of which the newest is required
/// @notice A root that was superseded stays acceptable for a grace, so that proofs under way are not lost. Whether it may become
/// the newest again is the choice of who publishes: what only grows uses `append`, what may return to an earlier state `restore`.
library RootLog {
    /// @notice When a root was published and, once it has been, superseded. In seconds.
    struct Stamp {
        uint64 publishedAt;
        uint64 supersededAt;
    }

    /// @notice A log.
    struct Log {
        bytes32 newest;
        mapping(bytes32 root => Stamp) stamps;
    }

    /// @notice Zero, or not below the order of the scalar field: no proof can name it.
    error RootNotInField(bytes32 root);
    /// @notice Published before: it is the newest, or of a log to which no root comes back.
    error RootAlreadyPublished(bytes32 root);

    uint256 private constant SCALAR_FIELD = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;

    /// @notice Makes `root` the newest, which it never was.
    function append(Log storage log, bytes32 root) internal {
        if (log.stamps[root].publishedAt != 0) revert RootAlreadyPublished(root);
        restore(log, root);
    }

    /// @notice Makes `root` the newest, which it is not now. One that was superseded is as good as new.
    function restore(Log storage log, bytes32 root) internal {
        if (root == 0 || uint256(root) >= SCALAR_FIELD) revert RootNotInField(root);
        bytes32 newest = log.newest;
        if (root == newest) revert RootAlreadyPublished(root);
        if (newest != 0) log.stamps[newest].supersededAt = uint64(block.timestamp);
        log.stamps[root] = Stamp({publishedAt: uint64(block.timestamp), supersededAt: 0});
        log.newest = root;
    }

    /// @notice Says once more that the newest root is the newest: its age starts anew.
    function renew(Log storage log) internal {
        log.stamps[log.newest].publishedAt = uint64(block.timestamp);
    }

    /// @notice Whether `root` was published, for the last time, more than `age` seconds ago.
    function isOlderThan(Log storage log, bytes32 root, uint256 age) internal view returns (bool) {
        return block.timestamp > log.stamps[root].publishedAt + age;
    }

    /// @notice Whether `root` was ever published, and whether it is the newest or was less than `grace` seconds ago.
    function look(Log storage log, bytes32 root, uint256 grace) internal view returns (bool known, bool fresh) {
        Stamp memory stamp = log.stamps[root];
        known = stamp.publishedAt != 0;
        fresh = known && (stamp.supersededAt == 0 || block.timestamp <= stamp.supersededAt + grace);
    }
}
