// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ICohortRegistry, CohortTerms} from "../interfaces/ICohortRegistry.sol";
import {ICohortVerifier} from "../interfaces/ICohortVerifier.sol";
import {KeyKind} from "../interfaces/IRegistry.sol";
import {DatasetRegister, Dataset} from "./DatasetRegister.sol";
import {Role} from "./Roles.sol";

/// @notice A verifying key of the narrow class as the log sees it.
struct CohortKey {
    /// The contract that verifies under it; zero when the digest is unknown.
    address verifier;
    /// Logarithm of the number of rows of the tables that it is for.
    uint8 k;
    /// Development or production.
    KeyKind kind;
    /// True for ever once disabled.
    bool disabled;
}

/// @title Verifying keys of cohort answers: append-only, with a one-way disable
abstract contract CohortKeyRegister is DatasetRegister, ICohortRegistry {
    mapping(bytes32 digest => CohortKey) private _cohortKeys;

    /// @notice A key was registered.
    event CohortKeyRegistered(
        bytes32 indexed digest, address indexed verifier, KeyKind kind, uint256 k, bytes32 codeHash
    );
    /// @notice A key was disabled, for ever.
    event CohortKeyDisabled(bytes32 indexed digest);

    /// @notice This digest is registered, and stays so.
    error CohortKeyAlreadyRegistered(bytes32 digest);
    /// @notice No key has this digest.
    error CohortKeyUnknown(bytes32 digest);
    /// @notice The contract's code has another hash, or there is none.
    error CohortVerifierDiffers(address verifier, bytes32 codeHash);
    /// @notice A development key forges for everybody: it is for chain ids 31337 and 1337 only.
    error DevelopmentCohortKeyOnPublicChain(uint256 chainId);

    /// @notice Registers a key by the contract that verifies under it.
    /// @param digest Digest of the key's file, as proofs name it.
    /// @param kind Development keys are refused on public chains.
    /// @param verifier A `CohortVerifier`.
    /// @param codeHash What its code must hash to: whoever registers has compared it with what the key's constants make.
    function registerCohortKey(bytes32 digest, KeyKind kind, ICohortVerifier verifier, bytes32 codeHash)
        external
        only(Role.Keys)
    {
        if (kind == KeyKind.Development && !_isDevelopmentChain()) {
            revert DevelopmentCohortKeyOnPublicChain(block.chainid);
        }
        if (digest == 0 || _cohortKeys[digest].verifier != address(0)) revert CohortKeyAlreadyRegistered(digest);
        bytes memory code = address(verifier).code;
        // 23 bytes may be an account that lends its code (EIP-7702), and lends another tomorrow.
        if (code.length < 24 || keccak256(code) != codeHash) {
            revert CohortVerifierDiffers(address(verifier), keccak256(code));
        }
        uint8 k = uint8(verifier.k());
        _cohortKeys[digest] = CohortKey({verifier: address(verifier), k: k, kind: kind, disabled: false});
        emit CohortKeyRegistered(digest, address(verifier), kind, k, codeHash);
    }

    /// @notice Disables a key for ever.
    function disableCohortKey(bytes32 digest) external {
        if (!hasRole[Role.Keys][msg.sender] && !hasRole[Role.Guardian][msg.sender]) {
            revert RoleMissing(Role.Keys, msg.sender);
        }
        if (_cohortKeys[digest].verifier == address(0)) revert CohortKeyUnknown(digest);
        _cohortKeys[digest].disabled = true;
        emit CohortKeyDisabled(digest);
    }

    /// @notice A verifying key; its verifier is zero when the digest is unknown.
    /// @dev A development key counts as disabled on a public chain, should a local one be forked into it.
    function cohortKey(bytes32 digest) public view returns (CohortKey memory found) {
        found = _cohortKeys[digest];
        if (found.kind == KeyKind.Development && !_isDevelopmentChain()) found.disabled = true;
    }

    /// @inheritdoc ICohortRegistry
    function cohortTerms(bytes32 table, bytes32 query, bytes32 key_)
        external
        view
        override
        returns (CohortTerms memory terms)
    {
        Dataset memory found = dataset(table);
        CohortKey memory with = cohortKey(key_);
        if (!with.disabled && with.k == found.k) terms.verifier = with.verifier;
        terms.threshold = found.threshold;
        terms.columns = plannedColumns[query];
        terms.consent = found.consent;
        terms.confirmed = found.confirmed;
    }

    function _isDevelopmentChain() private view returns (bool) {
        return block.chainid == 31337 || block.chainid == 1337;
    }
}
