//! Anchors of audit logs; documented in `AuditAnchors.sol`.

alloy_sol_types::sol! {
    #[derive(Debug, PartialEq, Eq)]
    struct Anchor { uint64 sequence; uint64 anchoredAt; bytes32 head; }

    #[derive(Debug, PartialEq, Eq)]
    interface AuditAnchors {
        event Anchored(address indexed custodian, bytes32 indexed log, uint64 sequence, bytes32 head);

        error NotBeyond(uint64 newest);
        error HashZero();

        function anchor(bytes32 log, uint64 sequence, bytes32 head) external;
        function newest(address custodian, bytes32 log) external view returns (Anchor memory);
    }
}
