// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IRegistry, Key, KeyKind} from "../interfaces/IRegistry.sol";
import {NOTICE_SECONDS, WINDOW_SECONDS} from "../interfaces/ReleaseTimes.sol";
import {Role} from "./Roles.sol";
import {Venue} from "./Venue.sol";
import {VerifierCode} from "./VerifierCode.sol";

/// @title Verifying keys: append-only, with a one-way disable, and with a notice
/// @notice Whoever made a key and kept its secret proves whatever it likes, and no check here can tell. So what a key could take must be
/// able to leave first. Before a settlement is bound it takes no deposits, and a key is active at once. Afterwards a key settles nothing
/// until `KEY_NOTICE` has passed, as long as a release's notice and window together: a payer that announces a release within a window's
/// length of `KeyRegistered` may take its escrow before the key is active, and no pause holds that release (`Escrow`). So the notice can be
/// counted in the time of the clock, whoever pauses what. Nothing shortens it: there is one settlement, bound once, and a digest and a key's
/// constants are registered once, disabled or not.
abstract contract KeyRegister is Venue {
    /// @notice Seconds for which a key that is registered after the settlement was bound settles nothing.
    uint256 public constant KEY_NOTICE = NOTICE_SECONDS + WINDOW_SECONDS;
    /// @notice Hash of the verifier's code without key constants: only that code may verify.
    bytes32 public immutable verifierTemplate;
    /// @notice Length of that code.
    uint256 public immutable verifierTemplateSize;

    /// @inheritdoc IRegistry
    uint256 public override keysPendingUntil;
    mapping(bytes32 digest => Key) private _keys;
    /// @notice The digest under which a key's constants are registered: the same key cannot return under another digest.
    mapping(bytes32 constantsHash => bytes32 digest) public digestOf;

    /// @notice A key was registered. A payer that does not trust it announces a release at once.
    /// @param constantsHash Keccak-256 of the constants in the verifier's code: recompute it from the published key.
    /// @param activeFrom From when on it settles, in seconds.
    event KeyRegistered(
        bytes32 indexed digest,
        address indexed verifier,
        KeyKind kind,
        uint256 inputs,
        bytes32 constantsHash,
        uint256 activeFrom
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

    /// @notice Registers a key by the contract that holds it: active at once while no settlement is bound, else after `KEY_NOTICE`.
    /// @param digest The key's digest, as proofs name it.
    /// @param kind Development keys are refused on public chains.
    /// @param verifier `ClaimVerifier.yul` with the key's constants appended; its code is checked here.
    function registerKey(bytes32 digest, KeyKind kind, address verifier) external only(Role.Keys) {
        if (kind == KeyKind.Development && !_isLocalChain()) revert DevelopmentKeyOnPublicChain(block.chainid);
        if (digest == 0 || _keys[digest].verifier != address(0)) revert KeyAlreadyRegistered(digest);
        (uint256 inputs, bytes32 constantsHash) = VerifierCode.inspect(verifier, verifierTemplate, verifierTemplateSize);
        if (digestOf[constantsHash] != 0) revert KeyAlreadyRegistered(digestOf[constantsHash]);
        digestOf[constantsHash] = digest;
        uint256 activeFrom = block.timestamp;
        if (settlement != address(0)) {
            activeFrom += KEY_NOTICE;
            keysPendingUntil = activeFrom;
        }
        _keys[digest] = Key(verifier, uint16(inputs), kind, false, uint64(activeFrom));
        emit KeyRegistered(digest, verifier, kind, inputs, constantsHash, activeFrom);
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
