// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IRegistry} from "../interfaces/IRegistry.sol";

/// @notice What an account may be trusted with, one thing at a time.
enum Role {
    /// Registers and disables verifying keys. What it registers once a settlement is bound waits for `KEY_NOTICE`.
    Keys,
    /// Adds payers.
    Payers,
    /// Accepts and drops consent authorities.
    Consents,
    /// Stops settlement, stops one payer, disables keys. Can start nothing again but a payer.
    Guardian,
    /// Registers tables for cohort statistics, and confirms their later consents.
    Datasets
}

/// @title Roles, an administrator who hands over in two steps, and the emergency stop
abstract contract Roles is IRegistry {
    /// @notice Who grants roles and ends a pause.
    address public admin;
    /// @notice Who may become the administrator by accepting.
    address public pendingAdmin;
    /// @inheritdoc IRegistry
    bool public override paused;
    /// @notice Who holds which role.
    mapping(Role role => mapping(address account => bool held)) public hasRole;

    /// @notice Administration was offered; zero takes an offer back.
    event AdminOffered(address indexed from, address indexed to);
    /// @notice Administration changed hands.
    event AdminChanged(address indexed from, address indexed to);
    /// @notice A role was granted or taken.
    event RoleChanged(Role indexed role, address indexed account, bool held);
    /// @notice Settlement was stopped, or goes on.
    event PauseChanged(address indexed by, bool paused);

    /// @notice The caller is not the administrator.
    error NotAdmin(address caller);
    /// @notice The caller was not offered this.
    error NotOffered(address caller);
    /// @notice The caller lacks the role.
    error RoleMissing(Role role, address caller);
    /// @notice An address that must be somebody is zero.
    error ZeroAddress();

    constructor(address admin_) {
        if (admin_ == address(0)) revert ZeroAddress();
        admin = admin_;
        emit AdminChanged(address(0), admin_);
        for (uint8 role; role <= uint8(type(Role).max); ++role) {
            hasRole[Role(role)][admin_] = true;
            emit RoleChanged(Role(role), admin_, true);
        }
    }

    /// @dev Refuses everybody but the administrator.
    modifier onlyAdmin() {
        if (msg.sender != admin) revert NotAdmin(msg.sender);
        _;
    }

    /// @dev Refuses everybody without the role, the administrator too.
    modifier only(Role role) {
        if (!hasRole[role][msg.sender]) revert RoleMissing(role, msg.sender);
        _;
    }

    /// @notice Grants or takes a role.
    function setRole(Role role, address account, bool held) external onlyAdmin {
        if (account == address(0)) revert ZeroAddress();
        hasRole[role][account] = held;
        emit RoleChanged(role, account, held);
    }

    /// @notice Offers administration; nothing changes until the other accepts. Offering to zero takes an offer back.
    function offerAdmin(address to) external onlyAdmin {
        pendingAdmin = to;
        emit AdminOffered(msg.sender, to);
    }

    /// @notice Takes over administration. Roles that the former administrator holds stay until they are taken.
    function acceptAdmin() external {
        if (msg.sender != pendingAdmin) revert NotOffered(msg.sender);
        emit AdminChanged(admin, msg.sender);
        admin = msg.sender;
        pendingAdmin = address(0);
    }

    /// @notice Stops settlement, without an end of its own. Receipts, roots, deposits, withdrawals and firm releases go on.
    function pause() external only(Role.Guardian) {
        paused = true;
        emit PauseChanged(msg.sender, true);
    }

    /// @notice Lets settlement go on.
    function unpause() external onlyAdmin {
        paused = false;
        emit PauseChanged(msg.sender, false);
    }
}
