// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Roles, Role} from "./Roles.sol";
import {RootLog} from "./RootLog.sol";

/// @title Consent authorities and their roots
/// @notice Consent is not the payer's to give: an authority is an account of its own, and publishes as itself.
abstract contract ConsentRegister is Roles {
    using RootLog for RootLog.Log;

    /// @notice Which authorities' consents count.
    mapping(address authority => bool) public authorityAccepted;
    mapping(address authority => RootLog.Log) internal _consents;

    /// @notice An authority was accepted or dropped.
    event AuthorityChanged(address indexed authority, bool accepted);
    /// @notice An authority has a new consent root.
    event ConsentRootPublished(address indexed authority, bytes32 indexed consentRoot);

    /// @notice The caller is not an accepted consent authority.
    error NotAuthority(address caller);

    /// @notice Accepts an authority or drops it. What a dropped one published counts no longer, at once.
    function setAuthority(address authority, bool accepted) external only(Role.Consents) {
        if (authority == address(0)) revert ZeroAddress();
        authorityAccepted[authority] = accepted;
        emit AuthorityChanged(authority, accepted);
    }

    /// @notice Publishes the caller's newest consent root. It may be an earlier one: to revoke a consent can restore the
    /// register that was before it. It may be the newest: the authority says that nothing has changed, and its age starts anew.
    function publishConsentRoot(bytes32 consentRoot) external {
        if (!authorityAccepted[msg.sender]) revert NotAuthority(msg.sender);
        RootLog.Log storage log = _consents[msg.sender];
        if (consentRoot != 0 && consentRoot == log.newest) log.renew();
        else log.restore(consentRoot);
        emit ConsentRootPublished(msg.sender, consentRoot);
    }

    /// @notice When an authority published a consent root for the last time and, once it has been, superseded it. In seconds; zero for
    /// never.
    function consentStamp(address authority, bytes32 consentRoot)
        external
        view
        returns (uint64 publishedAt, uint64 supersededAt)
    {
        RootLog.Stamp memory stamp = _consents[authority].stamps[consentRoot];
        return (stamp.publishedAt, stamp.supersededAt);
    }

    /// @notice The authority's newest consent root; zero before the first.
    function newestConsentRoot(address authority) external view returns (bytes32) {
        return _consents[authority].newest;
    }
}
