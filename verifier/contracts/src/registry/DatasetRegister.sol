// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {CohortPlan} from "../cohort/CohortPlan.sol";
import {NarrowQuery} from "../cohort/NarrowQuery.sol";
import {TableSchema} from "../cohort/TableSchema.sol";
import {Roles, Role} from "./Roles.sol";

/// @notice A table as it is registered.
struct Dataset {
    /// Who answers for it, and publishes its consents. Part of its digest.
    address sponsor;
    /// Logarithm of the number of rows of its columns.
    uint8 k;
    /// Its records.
    uint24 rows;
    /// Counts below it are hidden.
    uint32 threshold;
    /// Versions of the consents so far.
    uint24 versions;
    /// Whether the newest version's proof was verified: until then nothing is logged under it.
    bool confirmed;
    /// Keccak-256 of the newest version's number and commitment.
    bytes32 consent;
}

/// @notice What is registered of a table, once and for ever.
struct DatasetRegistration {
    /// Who answers for it. Part of its digest: for another sponsor it is another table.
    address sponsor;
    /// Logarithm of the number of rows of its columns: 14, 17 or 20.
    uint8 k;
    /// Its records.
    uint32 rows;
    /// The schema, as its digest takes it.
    uint256[] schema;
    /// The commitments of all its columns, two words each, as the table's digest takes them.
    uint256[] commitments;
    /// The commitment of the first consents.
    uint256[2] consent;
    /// The queries that may be asked, as their digests take them.
    uint256[][] plan;
}

/// @title Tables for cohort statistics: registered once, with the queries that may be asked of them
/// @notice The table's digest is computed here from everything that it binds, and so are threshold, slots and the queries' digests: nobody
/// is believed. That the registration's proofs hold is for the registrar to check (`nightingale-verify cohort`), before.
abstract contract DatasetRegister is Roles {
    mapping(bytes32 table => Dataset) private _datasets;
    /// @notice Keccak-256 of the points that a planned query's slots are linked to; zero for any other query.
    mapping(bytes32 query => bytes32 columns) public plannedColumns;

    /// @notice A table was registered.
    event DatasetRegistered(
        bytes32 indexed table, address indexed sponsor, uint256 k, uint256 rows, uint256 threshold, bytes32 schema
    );
    /// @notice A query may be asked of a table.
    event QueryPlanned(bytes32 indexed table, bytes32 indexed query, uint256[] words);
    /// @notice A table has new consents: answers under older ones are logged no more, and under these once they are confirmed.
    event DatasetConsentsPublished(bytes32 indexed table, uint256 indexed version, uint256 x, uint256 y);
    /// @notice A registrar has verified that a table's newest consents only revoke: answers under them are logged from now on.
    event DatasetConsentsConfirmed(bytes32 indexed table, uint256 indexed version, address indexed by);

    /// @notice This table is registered, and stays as it is.
    error DatasetExists(bytes32 table);
    /// @notice No table has this digest.
    error DatasetUnknown(bytes32 table);
    /// @notice The caller does not answer for this table.
    error NotSponsor(bytes32 table, address caller);
    /// @notice There are tables of fewer than 2^14, 2^17 and 2^20 rows, less 2,064, and at least one.
    error SizeUnsupported(uint256 k, uint256 rows);
    /// @notice The schema asks for another number of commitments, each of two words.
    error CommitmentCount(uint256 given, uint256 expected);
    /// @notice A commitment is the point at infinity, or not in the field.
    error CommitmentMissing(uint256 commitment);
    /// @notice Consents come in the order of their versions; this is the next.
    error NotTheNextVersion(uint256 next);
    /// @notice The sponsor's newest consents are of another version or another commitment: verify those.
    error NotTheNewestConsents(bytes32 table, uint256 newest);
    /// @notice These consents are confirmed.
    error ConsentConfirmed(bytes32 table, uint256 version);

    uint256 private constant BASE_FIELD = 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47;
    bytes32 private constant TABLE = keccak256("nightingale.cohort.table.1");

    /// @notice Registers a table with its plan.
    /// @return table Its digest.
    function registerDataset(DatasetRegistration calldata given) external only(Role.Datasets) returns (bytes32 table) {
        if (given.sponsor == address(0)) revert ZeroAddress();
        uint256 capacity = _capacity(given.k);
        if (given.rows == 0 || given.rows >= capacity) revert SizeUnsupported(given.k, given.rows);
        (uint256 threshold, TableSchema.Column[] memory columns, uint256 expected) =
            TableSchema.read(given.schema, capacity);
        if (given.commitments.length != 2 * expected) revert CommitmentCount(given.commitments.length / 2, expected);
        for (uint256 i; i < expected; ++i) _requirePoint(i, given.commitments[2 * i], given.commitments[2 * i + 1]);
        bytes32 schema = TableSchema.digest(given.schema);
        table = keccak256(
            abi.encodePacked(
                TABLE,
                schema,
                uint256(given.k),
                uint256(given.rows),
                uint256(uint160(given.sponsor)),
                expected,
                given.commitments
            )
        );
        if (_datasets[table].sponsor != address(0)) revert DatasetExists(table);
        _datasets[table] = Dataset({
            sponsor: given.sponsor,
            k: given.k,
            rows: uint24(given.rows),
            threshold: uint32(threshold),
            versions: 0,
            confirmed: false,
            consent: 0
        });
        emit DatasetRegistered(table, given.sponsor, given.k, given.rows, threshold, schema);
        _publish(table, 0, given.consent, true);
        for (uint256 i; i < given.plan.length; ++i) {
            bytes32 query = NarrowQuery.digest(table, given.plan[i]);
            plannedColumns[query] =
                keccak256(abi.encodePacked(CohortPlan.slots(given.plan[i], columns, given.commitments)));
            emit QueryPlanned(table, query, given.plan[i]);
        }
    }

    /// @notice Publishes the next version of a table's consents. Nothing is logged under older ones from now on, and under this one once a
    /// registrar has confirmed it: that it only revokes is proven off-chain.
    function publishDatasetConsents(bytes32 table, uint256 version, uint256[2] calldata consent) external {
        if (_datasets[table].sponsor == address(0)) revert DatasetUnknown(table);
        if (_datasets[table].sponsor != msg.sender) revert NotSponsor(table, msg.sender);
        if (version != _datasets[table].versions) revert NotTheNextVersion(_datasets[table].versions);
        _publish(table, version, consent, false);
    }

    /// @notice Confirms the newest version of a table's consents: whoever does has verified its proof and its sponsor's signature
    /// (`nightingale-verify cohort`).
    function confirmDatasetConsents(bytes32 table, uint256 version, uint256[2] calldata consent)
        external
        only(Role.Datasets)
    {
        Dataset memory found = _datasets[table];
        if (found.sponsor == address(0)) revert DatasetUnknown(table);
        if (_consentHash(version, consent) != found.consent) revert NotTheNewestConsents(table, found.versions - 1);
        if (found.confirmed) revert ConsentConfirmed(table, version);
        _datasets[table].confirmed = true;
        emit DatasetConsentsConfirmed(table, version, msg.sender);
    }

    /// @notice A table; its sponsor is zero when the digest is unknown.
    function dataset(bytes32 table) public view returns (Dataset memory) {
        return _datasets[table];
    }

    function _publish(bytes32 table, uint256 version, uint256[2] calldata consent, bool confirmed) private {
        _requirePoint(0, consent[0], consent[1]);
        _datasets[table].versions = uint24(version + 1);
        _datasets[table].confirmed = confirmed;
        _datasets[table].consent = _consentHash(version, consent);
        emit DatasetConsentsPublished(table, version, consent[0], consent[1]);
    }

    function _consentHash(uint256 version, uint256[2] calldata consent) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(version, consent));
    }

    /// @dev `Layout::capacity` of `circuits/src/cohort/class.rs`.
    function _capacity(uint256 k) private pure returns (uint256) {
        if (k != 14 && k != 17 && k != 20) revert SizeUnsupported(k, 0);
        return (1 << k) - 2064;
    }

    function _requirePoint(uint256 commitment, uint256 x, uint256 y) private pure {
        if (x | y == 0 || x >= BASE_FIELD || y >= BASE_FIELD) revert CommitmentMissing(commitment);
    }
}
