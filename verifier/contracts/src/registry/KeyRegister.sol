// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IRegistry, Key, KeyKind} from "../interfaces/IRegistry.sol";
import {Roles, Role} from "./Roles.sol";
import {VerifierCode} from "./VerifierCode.sol";

/// @title Verifying keys: append-only, with a one-way disable
abstract contract KeyRegister is Roles {
    /// @notice Hash of the verifier's code without key constants: only that code may verify.
    bytes32 public immutable verifierTemplate;
    /// @notice Length of that code.
    uint256 public immutable verifierTemplateSize;

    mapping(bytes32 digest => Key) private _keys;
    /// @notice The digest under which a key's constants are registered: the same key cannot return under another digest.
    mapping(bytes32 constantsHash => bytes32 digest) public digestOf;

    /// @notice A key was registered.
    /// @param constantsHash Keccak-256 of the constants in the verifier's code: recompute it from the published key.
    event KeyRegistered(
        bytes32 indexed digest, address indexed verifier, KeyKind kind, uint256 inputs, bytes32 constantsHash
    );
    /// @notice A key was disabled, for ever.
    event KeyDisabled(bytes32 indexed digest);

    /// @notice This digest or these constants are registered, and stay so.
    error KeyAlreadyRegistered(bytes32 digest);
    /// @notice No key has this digest.
    error KeyUnknown(bytes32 digest);
    /// @notice A development key forges for everybody: it is for chain ids 31337 and 1337 only.
    error DevelopmentKeyOnPublicChain(uint256 chainId);

    constructor(bytes32 template, uint256 templateSize) {
        verifierTemplate = template;
        verifierTemplateSize = templateSize;
    }

    /// @notice Registers a key by the contract that holds it.
    /// @param digest The key's digest, as proofs name it.
    /// @param kind Development keys are refused on public chains.
    /// @param verifier `ClaimVerifier.yul` with the key's constants appended; its code is checked here.
    function registerKey(bytes32 digest, KeyKind kind, address verifier) external only(Role.Keys) {
        if (kind == KeyKind.Development && !_isLocalChain()) revert DevelopmentKeyOnPublicChain(block.chainid);
        if (digest == 0 || _keys[digest].verifier != address(0)) revert KeyAlreadyRegistered(digest);
        (uint256 inputs, bytes32 constantsHash) = VerifierCode.inspect(verifier, verifierTemplate, verifierTemplateSize);
        if (digestOf[constantsHash] != 0) revert KeyAlreadyRegistered(digestOf[constantsHash]);
        digestOf[constantsHash] = digest;
        _keys[digest] = Key({verifier: verifier, inputs: uint16(inputs), kind: kind, disabled: false});
        emit KeyRegistered(digest, verifier, kind, inputs, constantsHash);
    }

    /// @notice Disables a key for ever.
    function disableKey(bytes32 digest) external {
        if (!hasRole[Role.Keys][msg.sender] && !hasRole[Role.Guardian][msg.sender]) {
            revert RoleMissing(Role.Keys, msg.sender);
        }
        if (_keys[digest].verifier == address(0)) revert KeyUnknown(digest);
        _keys[digest].disabled = true;
        emit KeyDisabled(digest);
    }

    /// @inheritdoc IRegistry
    /// @dev A development key counts as disabled on a public chain, should a local one be forked into it.
    function key(bytes32 digest) external view override returns (Key memory found) {
        found = _keys[digest];
        if (found.kind == KeyKind.Development && !_isLocalChain()) found.disabled = true;
    }

    function _isLocalChain() private view returns (bool) {
        return block.chainid == 31337 || block.chainid == 1337;
    }
}
