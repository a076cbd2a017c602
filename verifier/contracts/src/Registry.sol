// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IRegistry} from "./interfaces/IRegistry.sol";
import {Verdict} from "./interfaces/Verdict.sol";
import {CohortKeyRegister} from "./registry/CohortKeyRegister.sol";
import {ConsentRegister} from "./registry/ConsentRegister.sol";
import {KeyRegister} from "./registry/KeyRegister.sol";
import {PayerRegister} from "./registry/PayerRegister.sol";
import {Roles} from "./registry/Roles.sol";
import {RootLog} from "./registry/RootLog.sol";
import {Venue} from "./registry/Venue.sol";

/// @title The registry: keys, payers and roots that settlement trusts, and the tables that the log of answers trusts
/// @notice One responsibility in each parent; this file says when their roots may be used together.
contract Registry is Venue, KeyRegister, PayerRegister, ConsentRegister, CohortKeyRegister {
    using RootLog for RootLog.Log;

    /// @notice Seconds for which a superseded epoch is still settled.
    uint256 public immutable epochGrace;
    /// @notice Seconds for which a superseded account root is still settled. Spend tags stop replays of old balances.
    uint256 public immutable accountGrace;
    /// @notice Seconds for which a superseded consent root is still settled: how late a revocation may bite.
    uint256 public immutable consentGrace;
    /// @notice Seconds after which a consent root is settled no more unless its authority has published it again, the newest included:
    /// an authority that has gone silent may know of revocations.
    uint256 public immutable consentAge;

    /// @notice An age of consents under an hour stops settlement between two publications, one over a year is none.
    error ConsentAgeUnsupported(uint256 age);
    /// @notice A grace over thirty days would make the newest root a formality.
    error GraceTooLong(uint256 grace);

    /// @param admin Holds every role at first.
    /// @param template Hash of the verifier's code without key constants.
    /// @param templateSize Length of that code.
    /// @param epochGrace_ Seconds.
    /// @param accountGrace_ Seconds.
    /// @param consentGrace_ Seconds.
    /// @param consentAge_ Seconds.
    constructor(
        address admin,
        bytes32 template,
        uint256 templateSize,
        uint256 epochGrace_,
        uint256 accountGrace_,
        uint256 consentGrace_,
        uint256 consentAge_
    ) Roles(admin) KeyRegister(template, templateSize) {
        if (epochGrace_ > 30 days) revert GraceTooLong(epochGrace_);
        if (accountGrace_ > 30 days) revert GraceTooLong(accountGrace_);
        if (consentGrace_ > 30 days) revert GraceTooLong(consentGrace_);
        if (consentAge_ < 1 hours || consentAge_ > 366 days) revert ConsentAgeUnsupported(consentAge_);
        epochGrace = epochGrace_;
        accountGrace = accountGrace_;
        consentGrace = consentGrace_;
        consentAge = consentAge_;
    }

    /// @inheritdoc IRegistry
    function standing(uint96 payer, bytes32 epochRoot, bytes32 accountRoot, address authority, bytes32 consentRoot)
        external
        view
        override
        returns (Verdict)
    {
        if (!_isVenue(msg.sender)) return Verdict.SettlementUnknown;
        Payer storage found = _payers[payer];
        if (found.owner == address(0)) return Verdict.PayerUnknown;
        if (found.paused) return Verdict.PayerPaused;
        (bool known, bool fresh) = found.epochs.look(epochRoot, epochGrace);
        if (!fresh) return known ? Verdict.EpochStale : Verdict.EpochUnknown;
        (known, fresh) = found.accounts.look(accountRoot, accountGrace);
        if (!fresh) return known ? Verdict.AccountRootStale : Verdict.AccountRootUnknown;
        if (!authorityAccepted[authority]) return Verdict.AuthorityNotAccepted;
        RootLog.Log storage consents = _consentsOf(authority);
        (known, fresh) = consents.look(consentRoot, consentGrace);
        if (!fresh) return known ? Verdict.ConsentRootStale : Verdict.ConsentRootUnknown;
        if (consents.isOlderThan(consentRoot, consentAge)) return Verdict.ConsentRootOld;
        return Verdict.Payable;
    }
}
