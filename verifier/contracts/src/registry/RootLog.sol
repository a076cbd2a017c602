// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title An append-only log of roots, of which the newest is required
/// @notice A root that was superseded stays acceptable for a grace, so that proofs under way are not lost, and never comes back.
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
    /// @notice Published before: an old root never becomes the newest again.
    error RootAlreadyPublished(bytes32 root);

    uint256 private constant SCALAR_FIELD = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;

    /// @notice Makes `root` the newest.
    function append(Log storage log, bytes32 root) internal {
        if (root == 0 || uint256(root) >= SCALAR_FIELD) revert RootNotInField(root);
        if (log.stamps[root].publishedAt != 0) revert RootAlreadyPublished(root);
        if (log.newest != 0) log.stamps[log.newest].supersededAt = uint64(block.timestamp);
        log.stamps[root].publishedAt = uint64(block.timestamp);
        log.newest = root;
    }

    /// @notice Whether `root` was ever published, and whether it is the newest or was less than `grace` seconds ago.
    function look(Log storage log, bytes32 root, uint256 grace) internal view returns (bool known, bool fresh) {
        Stamp memory stamp = log.stamps[root];
        known = stamp.publishedAt != 0;
        fresh = known && (stamp.supersededAt == 0 || block.timestamp <= stamp.supersededAt + grace);
    }
}
