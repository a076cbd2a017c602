// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IRegistry} from "../interfaces/IRegistry.sol";
import {Roles} from "./Roles.sol";

/// @title The one contract and the one chain that settle by this registry
/// @notice What is used up is remembered where it is paid. A second settlement, or the same one on a fork of the chain, would
/// remember nothing and pay the same proof again: so there is one, bound once and for ever.
abstract contract Venue is Roles {
    uint256 private immutable _chainId;
    /// @inheritdoc IRegistry
    address public override settlement;

    /// @notice The registry serves this settlement from now on, and no other ever.
    event SettlementBound(address indexed settlement);

    /// @notice A settlement is bound, for ever: another one needs a registry of its own.
    error SettlementAlreadyBound(address settlement);
    /// @notice There is no contract at this address: binding it could not be undone.
    error SettlementMissing(address settlement);

    constructor() {
        _chainId = block.chainid;
    }

    /// @notice Binds the settlement that this registry serves, once.
    function bindSettlement(address settlement_) external onlyAdmin {
        if (settlement != address(0)) revert SettlementAlreadyBound(settlement);
        if (settlement_.code.length == 0) revert SettlementMissing(settlement_);
        settlement = settlement_;
        emit SettlementBound(settlement_);
    }

    function _isVenue(address caller) internal view returns (bool) {
        return caller == settlement && block.chainid == _chainId;
    }
}
