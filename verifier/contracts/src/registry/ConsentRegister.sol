// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Roles, Role} from "./Roles.sol";
import {RootLog} from "./RootLog.sol";

/// @title Consent authorities and their roots
/// @notice Consent is not the payer's to give: an authority is an account of its own, and publishes as itself. A root is not bound to who
/// made it: an accepted authority can publish as its own what another one has superseded, so each of them answers for all.
abstract contract ConsentRegister is Roles {
    using RootLog for RootLog.Log;

    /// @notice Which authorities' consents count.
    mapping(address authority => bool) public authorityAccepted;
    /// @dev How often an authority was dropped. What it published before is unknown from then on: while it is not accepted it can say
    /// nothing of revocations, so what was its newest root says nothing when it is accepted again.
    mapping(address authority => uint256) private _drops;
    mapping(address authority => mapping(uint256 drops => RootLog.Log)) private _consents;

    /// @notice An authority was accepted or dropped.
    event AuthorityChanged(address indexed authority, bool accepted);
    /// @notice An authority has a new consent root.
    event ConsentRootPublished(address indexed authority, bytes32 indexed consentRoot);

    /// @notice The caller is not an accepted consent authority.
    error NotAuthority(address caller);
    /// @notice The publication was signed to be taken until then.
    error PublicationExpired(uint256 notAfter);

    /// @notice Accepts an authority or drops it. What a dropped one published counts no longer, at once and for ever: accepted again, it
    /// begins anew.
    function setAuthority(address authority, bool accepted) external only(Role.Consents) {
        if (authority == address(0)) revert ZeroAddress();
        if (!accepted && authorityAccepted[authority]) ++_drops[authority];
        authorityAccepted[authority] = accepted;
        emit AuthorityChanged(authority, accepted);
    }

    /// @notice Publishes the caller's newest consent root. It may be an earlier one: to revoke a consent can restore the
    /// register that was before it. It may be the newest: the authority says that nothing has changed, and its age starts anew.
    /// @param notAfter The last second at which this may be taken: whoever holds the signed transaction back cannot say later that the
    /// root still holds.
    function publishConsentRoot(bytes32 consentRoot, uint64 notAfter) external {
        if (!authorityAccepted[msg.sender]) revert NotAuthority(msg.sender);
        if (block.timestamp > notAfter) revert PublicationExpired(notAfter);
        RootLog.Log storage log = _consentsOf(msg.sender);
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
        RootLog.Stamp memory stamp = _consentsOf(authority).stamps[consentRoot];
        return (stamp.publishedAt, stamp.supersededAt);
    }

    /// @notice The authority's newest consent root; zero before the first since it was dropped.
    function newestConsentRoot(address authority) external view returns (bytes32) {
        return _consentsOf(authority).newest;
    }

    /// @dev What an authority published since it was dropped for the last time.
    function _consentsOf(address authority) internal view returns (RootLog.Log storage) {
        return _consents[authority][_drops[authority]];
    }
}
