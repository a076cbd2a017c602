// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {CohortAnswer, ICohortVerifier} from "./interfaces/ICohortVerifier.sol";
import {CohortTerms, ICohortRegistry} from "./interfaces/ICohortRegistry.sol";
import {NarrowQuery} from "./cohort/NarrowQuery.sol";

/// @title The log of answers to the planned queries of registered tables
/// @notice Each query is answered once under each version of the consents. Anybody may send a proven answer: it says what it says.
contract CohortLog {
    /// @notice The registry of tables, plans and keys.
    ICohortRegistry public immutable registry;
    /// @notice The version of the consents under which a query was answered last, plus 1; 0 if it never was.
    mapping(bytes32 query => uint256 version) public answered;

    /// @notice A proven answer.
    /// @param cells The cells, packed: bit 0 says hidden; then count (21 bits), non-missing count (21), sum of codes (52) and sum of their
    /// squares (84).
    event AnswerLogged(
        bytes32 indexed table, bytes32 indexed query, uint256 version, uint256 threshold, bytes32 key, uint256[] cells
    );

    /// @notice The key is unknown or disabled, or for tables of another size.
    error KeyNotUsable(bytes32 key);
    /// @notice The query is not in the plan that was registered with the table.
    error QueryNotPlanned(bytes32 query);
    /// @notice These are not the commitments of the columns that the query names.
    error ColumnsDiffer(bytes32 query);
    /// @notice These are not the newest consents of the table: prove again under those.
    error ConsentNotNewest(bytes32 table, uint256 version);
    /// @notice No registrar has confirmed the newest consents yet (`confirmDatasetConsents`): send the answer again when one has.
    error ConsentUnconfirmed(bytes32 table, uint256 version);
    /// @notice The threshold is not the registered one: two answers under two thresholds tell what either hides.
    error ThresholdDiffers(uint256 given, uint256 registered);
    /// @notice There is no verifier at this address.
    error VerifierMissing(address verifier);
    /// @notice The query was answered under this version of the consents.
    error AlreadyAnswered(bytes32 query, uint256 version);

    /// @param registry_ The registry.
    constructor(ICohortRegistry registry_) {
        registry = registry_;
    }

    /// @notice Verifies an answer and logs it.
    /// @param answer The answer, proven for this chain and this contract.
    function log(CohortAnswer calldata answer) external {
        bytes32 query = NarrowQuery.digest(answer.table, answer.query);
        CohortTerms memory terms = registry.cohortTerms(answer.table, query, answer.key);
        if (terms.columns == 0) revert QueryNotPlanned(query);
        if (terms.verifier == address(0)) revert KeyNotUsable(answer.key);
        if (keccak256(abi.encodePacked(answer.columns)) != terms.columns) revert ColumnsDiffer(query);
        if (keccak256(abi.encodePacked(answer.version, answer.consent)) != terms.consent) {
            revert ConsentNotNewest(answer.table, answer.version);
        }
        if (!terms.confirmed) revert ConsentUnconfirmed(answer.table, answer.version);
        if (answer.threshold != terms.threshold) revert ThresholdDiffers(answer.threshold, terms.threshold);
        // Only the newest consents come this far, so a smaller number means that there is no answer under them.
        if (answered[query] > answer.version) revert AlreadyAnswered(query, answer.version);
        answered[query] = answer.version + 1;
        _verify(terms.verifier);
        emit AnswerLogged(answer.table, query, answer.version, answer.threshold, answer.key, answer.cells);
    }

    /// @dev The verifier takes the same arguments: the calldata as it came, under the other selector. An address without code answers
    /// too, with nothing.
    function _verify(address verifier) private view {
        bytes4 selector = ICohortVerifier.verify.selector;
        bool answers;
        assembly ("memory-safe") {
            let asked := mload(0x40)
            calldatacopy(asked, 0, calldatasize())
            mstore(asked, or(selector, and(mload(asked), not(shl(224, 0xffffffff)))))
            if iszero(staticcall(gas(), verifier, asked, calldatasize(), 0, 0x20)) {
                returndatacopy(asked, 0, returndatasize())
                revert(asked, returndatasize())
            }
            answers := eq(returndatasize(), 0x20)
        }
        if (!answers) revert VerifierMissing(verifier);
    }
}
