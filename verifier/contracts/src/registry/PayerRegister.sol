// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IRegistry} from "../interfaces/IRegistry.sol";
import {Roles, Role} from "./Roles.sol";
import {RootLog} from "./RootLog.sol";

/// @title Payers, their epochs and their account roots
abstract contract PayerRegister is Roles {
    using RootLog for RootLog.Log;

    /// @notice A payer.
    struct Payer {
        address owner;
        bool paused;
        address pendingOwner;
        RootLog.Log epochs;
        RootLog.Log accounts;
    }

    mapping(uint96 payer => Payer) internal _payers;

    /// @notice A payer was added.
    event PayerAdded(uint96 indexed payer, address indexed owner);
    /// @notice A payer was offered to another account; zero takes an offer back.
    event PayerOffered(uint96 indexed payer, address indexed to);
    /// @notice Another account acts for a payer.
    event PayerOwnerChanged(uint96 indexed payer, address indexed from, address indexed to);
    /// @notice The guardian stopped a payer, or lets it go on.
    event PayerPauseChanged(uint96 indexed payer, bool paused);
    /// @notice A payer has a new epoch.
    event EpochPublished(uint96 indexed payer, bytes32 indexed epochRoot);
    /// @notice A payer's account register has a new root.
    event AccountRootPublished(uint96 indexed payer, bytes32 indexed accountRoot);

    /// @notice Payer 0 does not exist.
    error PayerZero();
    /// @notice This payer exists, with another owner.
    error PayerExists(uint96 payer);
    /// @notice The caller does not own the payer.
    error NotPayerOwner(uint96 payer, address caller);
    /// @notice No payer has this number.
    error PayerUnknown(uint96 payer);

    /// @dev Refuses everybody who does not act for the payer.
    modifier onlyPayerOwner(uint96 payer) {
        if (_payers[payer].owner != msg.sender) revert NotPayerOwner(payer, msg.sender);
        _;
    }

    /// @notice Adds a payer.
    function addPayer(uint96 payer, address owner) external only(Role.Payers) {
        if (payer == 0) revert PayerZero();
        if (owner == address(0)) revert ZeroAddress();
        if (_payers[payer].owner != address(0)) revert PayerExists(payer);
        _payers[payer].owner = owner;
        emit PayerAdded(payer, owner);
    }

    /// @notice Offers a payer to another account; nothing changes until it accepts. Offering to zero takes an offer back.
    function offerPayer(uint96 payer, address to) external onlyPayerOwner(payer) {
        _payers[payer].pendingOwner = to;
        emit PayerOffered(payer, to);
    }

    /// @notice Takes over a payer.
    function acceptPayer(uint96 payer) external {
        if (_payers[payer].pendingOwner != msg.sender) revert NotOffered(msg.sender);
        emit PayerOwnerChanged(payer, _payers[payer].owner, msg.sender);
        _payers[payer].owner = msg.sender;
        _payers[payer].pendingOwner = address(0);
    }

    /// @notice Stops or resumes settlement from one payer's escrow. Credits can still be withdrawn, the escrow
    /// not released but by a firm notice.
    function setPayerPaused(uint96 payer, bool paused_) external only(Role.Guardian) {
        if (_payers[payer].owner == address(0)) revert PayerUnknown(payer);
        _payers[payer].paused = paused_;
        emit PayerPauseChanged(payer, paused_);
    }

    /// @notice Publishes the payer's newest epoch: the hash of its policy, diagnosis, enrolment, provider and authorisation
    /// roots, of its number and of the contract that settles.
    function publishEpoch(uint96 payer, bytes32 epochRoot) external onlyPayerOwner(payer) {
        _payers[payer].epochs.append(epochRoot);
        emit EpochPublished(payer, epochRoot);
    }

    /// @notice Publishes the newest root of the payer's account register.
    function publishAccountRoot(uint96 payer, bytes32 accountRoot) external onlyPayerOwner(payer) {
        _payers[payer].accounts.append(accountRoot);
        emit AccountRootPublished(payer, accountRoot);
    }

    /// @inheritdoc IRegistry
    function payerOwner(uint96 payer) external view override returns (address) {
        return _payers[payer].owner;
    }

    /// @inheritdoc IRegistry
    function payerPaused(uint96 payer) external view override returns (bool) {
        return _payers[payer].paused;
    }

    /// @notice The payer's newest epoch; zero before the first.
    function newestEpoch(uint96 payer) external view returns (bytes32) {
        return _payers[payer].epochs.newest;
    }

    /// @notice The payer's newest account root; zero before the first.
    function newestAccountRoot(uint96 payer) external view returns (bytes32) {
        return _payers[payer].accounts.newest;
    }
}
