// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IRegistry} from "../interfaces/IRegistry.sol";

/// @title What every part of settlement asks of the registry
abstract contract RegistryClient {
    /// @notice The registry that this contract trusts, for ever.
    IRegistry public immutable registry;

    /// @notice The registry is not a contract.
    error RegistryMissing(address registry);
    /// @notice No payer has this number: a receipt or deposit for it would be lost.
    error PayerUnknown(uint96 payer);
    /// @notice The caller does not own the payer.
    error NotPayerOwner(uint96 payer, address caller);
    /// @notice The registry serves another settlement, or none yet: what is deposited here would be settled by nobody, or before keys
    /// have a notice.
    error SettlementNotBound(address settlement);

    constructor(IRegistry registry_) {
        if (address(registry_).code.length == 0) revert RegistryMissing(address(registry_));
        registry = registry_;
    }

    function _requirePayer(uint96 payer) internal view {
        if (registry.payerOwner(payer) == address(0)) revert PayerUnknown(payer);
    }

    function _requireVenue() internal view {
        address served = registry.settlement();
        if (served != address(this)) revert SettlementNotBound(served);
    }

    /// @dev Refuses everybody who does not act for the payer.
    modifier onlyPayerOwner(uint96 payer) {
        if (registry.payerOwner(payer) != msg.sender) revert NotPayerOwner(payer, msg.sender);
        _;
    }
}
