//! The log of cohort answers and what verifies them; documented in `CohortLog.sol` and `interfaces/ICohortVerifier.sol`.

alloy_sol_types::sol! {
    #[derive(Debug, PartialEq, Eq)]
    struct CohortAnswer {
        bytes32 key; bytes32 table; uint256[] query; uint256 threshold; uint256 version; uint256[2] consent;
        uint256[10] columns; uint256[] cells; bytes proof; uint256[10] link;
    }

    #[derive(Debug, PartialEq, Eq)]
    interface CohortLog {
        event AnswerLogged(
            bytes32 indexed table, bytes32 indexed query, uint256 version, uint256 threshold, bytes32 key,
            uint256[] cells
        );

        error KeyNotUsable(bytes32 key);
        error QueryNotPlanned(bytes32 query);
        error ColumnsDiffer(bytes32 query);
        error ConsentNotNewest(bytes32 table, uint256 version);
        error ConsentUnconfirmed(bytes32 table, uint256 version);
        error ThresholdDiffers(uint256 given, uint256 registered);
        error VerifierMissing(address verifier);
        error AlreadyAnswered(bytes32 query, uint256 version);

        constructor(address registry);

        function registry() external view returns (address);
        function answered(bytes32 query) external view returns (uint256 version);
        function log(CohortAnswer calldata answer) external;
    }

    #[derive(Debug, PartialEq, Eq)]
    interface CohortVerifier {
        error VerifierReplaced();
        error ProofLength(uint256 length);
        error TooManyCells(uint256 cells);
        error CellNotInField(uint256 cell);
        error ResponseNotInField(uint256 response);
        error ProofRejected();
        error LinkRejected();
        error SetupPointMissing(uint256 point);
        error QueryMalformed(uint256 word);

        constructor(uint256 k, address halo2, uint256[2] identity, uint256[16] span);

        function k() external view returns (uint256);
        function halo2() external view returns (address);
        function halo2CodeHash() external view returns (bytes32);
        function verify(CohortAnswer calldata answer) external view returns (bytes32 query);
    }
}
