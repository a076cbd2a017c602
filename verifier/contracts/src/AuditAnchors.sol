// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Where custodians anchor the heads of their audit logs
/// @notice Each account anchors for itself, and each log only forwards: whoever holds an anchor knows that the log up to that entry was
/// not written anew since. Nothing here says that an entry is true, or that one was not left out when it happened.
/// @dev No owner, no roles, no way to change or remove anything.
contract AuditAnchors {
    /// @notice The newest anchor of a log.
    /// @param sequence The entry; 0 where nothing was anchored.
    /// @param anchoredAt When it was anchored, in seconds since 1970.
    /// @param head The entry's hash.
    struct Anchor {
        uint64 sequence;
        uint64 anchoredAt;
        bytes32 head;
    }

    mapping(address custodian => mapping(bytes32 log => Anchor)) private _newest;

    /// @notice `head` is the hash of entry `sequence` of a log, by its custodian's word at this block's time.
    event Anchored(address indexed custodian, bytes32 indexed log, uint64 sequence, bytes32 head);

    /// @notice The log is anchored up to this entry: only a later one can be anchored.
    error NotBeyond(uint64 newest);
    /// @notice No log and no entry has a hash of zero.
    error HashZero();

    /// @notice Anchors the head of one of the caller's logs.
    /// @param log The log's name: 32 random bytes, drawn at its first entry.
    /// @param sequence The entry, later than the one that was anchored last.
    /// @param head The entry's hash.
    function anchor(bytes32 log, uint64 sequence, bytes32 head) external {
        if (log == 0 || head == 0) revert HashZero();
        Anchor storage held = _newest[msg.sender][log];
        if (sequence <= held.sequence) revert NotBeyond(held.sequence);
        _newest[msg.sender][log] = Anchor({sequence: sequence, anchoredAt: uint64(block.timestamp), head: head});
        emit Anchored(msg.sender, log, sequence, head);
    }

    /// @notice The newest anchor of a custodian's log; all zero where there is none.
    function newest(address custodian, bytes32 log) external view returns (Anchor memory) {
        return _newest[custodian][log];
    }
}
