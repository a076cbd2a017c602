// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IClaimSettlement, Group} from "./interfaces/IClaimSettlement.sol";
import {IERC20} from "./interfaces/IERC20.sol";
import {IRegistry, Key} from "./interfaces/IRegistry.sol";
import {Verdict} from "./interfaces/Verdict.sol";
import {Claim, ClaimReader} from "./settlement/ClaimReader.sol";
import {Endorsement} from "./settlement/Endorsement.sol";
import {Escrow} from "./settlement/Escrow.sol";
import {Receipts} from "./settlement/Receipts.sol";
import {RegistryClient} from "./settlement/RegistryClient.sol";
import {VerifierCall} from "./settlement/VerifierCall.sol";

/// @title Settles proven claims
/// @notice Anybody may settle: a proof fixes payee and amount, so the sender gains nothing by it and needs no trust.
/// What a claim uses up is kept per payer, in full words: a payer pays no line twice, whatever another payer publishes.
contract ClaimSettlement is IClaimSettlement, Escrow, Receipts, Endorsement {
    using ClaimReader for Group;
    using ClaimReader for Claim;

    /// @dev The statement of DESIGN 3, version 1.
    uint256 private constant VERSION = 1;

    mapping(uint96 payer => mapping(bytes32 tag => bool)) private _spent;

    /// @param registry_ Keys, payers and roots.
    /// @param token_ The token of every escrow.
    /// @param unitsPerCent_ Base units of the token in one cent.
    constructor(IRegistry registry_, IERC20 token_, uint256 unitsPerCent_)
        RegistryClient(registry_)
        Escrow(token_, unitsPerCent_)
    {}

    /// @inheritdoc IClaimSettlement
    function settle(Group[] calldata groups) external guarded returns (uint256 settled) {
        if (registry.paused()) revert SettlementPaused();
        for (uint256 i; i < groups.length; ++i) settled += _settleGroup(groups[i], i);
    }

    /// @inheritdoc IClaimSettlement
    function preview(Group calldata group) external view returns (Verdict[] memory verdicts) {
        (Key memory key, uint256 count) = _open(group, 0);
        verdicts = new Verdict[](count);
        Verdict closed = _judgeKey(key);
        for (uint256 i; i < count; ++i) {
            verdicts[i] = closed == Verdict.Payable ? _judge(group.read(key.inputs, i)) : closed;
        }
    }

    /// @inheritdoc IClaimSettlement
    function findInvalid(Group calldata group) external view returns (uint256[] memory culprits) {
        (Key memory key, uint256 count) = _open(group, 0);
        culprits = new uint256[](count);
        uint256 found;
        uint256 needed = VerifierCall.gasForOne(key.inputs);
        for (uint256 i; i < count; ++i) {
            // A precompile that refuses a point burns all gas that it got: every entry gets an equal share.
            uint256 share = gasleft() / (count - i + 1);
            if (share < needed) revert GasTooSmall(share, needed);
            (bool valid,) = VerifierCall.verify(key.verifier, group.entry(key.inputs, i), share);
            if (!valid) culprits[found++] = i;
        }
        assembly ("memory-safe") {
            mstore(culprits, found)
        }
    }

    /// @inheritdoc IClaimSettlement
    function isSpent(uint96 payer, bytes32 tag) external view returns (bool) {
        return _spent[payer][tag];
    }

    function _settleGroup(Group calldata group, uint256 index) private returns (uint256 settled) {
        (Key memory key, uint256 count) = _open(group, index);
        Verdict closed = _judgeKey(key);
        if (closed == Verdict.Payable) {
            (bool valid, bytes memory reason) = VerifierCall.verify(key.verifier, group.entries, gasleft());
            if (!valid) revert GroupRejected(index, reason);
        }
        for (uint256 i; i < count; ++i) {
            Claim memory claim = group.read(key.inputs, i);
            Verdict verdict = closed == Verdict.Payable ? _judge(claim) : closed;
            if (verdict == Verdict.Payable) {
                _pay(claim);
                ++settled;
            } else {
                emit ClaimSkipped(claim.payer, claim.commitment, verdict);
            }
        }
    }

    function _open(Group calldata group, uint256 index) private view returns (Key memory key, uint256 count) {
        key = registry.key(group.key);
        if (key.verifier == address(0)) revert KeyUnknown(group.key);
        count = group.count(key.inputs);
        if (count == 0) revert GroupMalformed(index);
    }

    /// @dev Whether proofs under a key count now: `Payable` where they do. A key that does not count is not asked.
    function _judgeKey(Key memory key) private view returns (Verdict) {
        if (key.disabled) return Verdict.KeyDisabled;
        if (block.timestamp < key.activeFrom) return Verdict.KeyPending;
        return Verdict.Payable;
    }

    /// @dev Everything but the proof. What is used up comes first: it is what a sender who lost a race wants to hear.
    function _judge(Claim memory claim) private view returns (Verdict) {
        if (claim.tags.length == 0) return Verdict.NothingToSettle;
        if (claim.version() != VERSION) return Verdict.VersionUnknown;
        if (claim.payee == 0 || claim.payee > type(uint160).max) return Verdict.PayeeMalformed;
        if (_isUsed(claim)) return Verdict.AlreadySettled;
        Verdict standing = registry.standing(
            claim.payer, claim.epochRoot, claim.accountRoot, claim.authority, claim.consentRoot
        );
        if (standing != Verdict.Payable) return standing;
        Receipt memory receipt = _receipt(claim.payer, claim.commitment);
        if (receipt.chainDay == 0 && receipt.payerDay == 0) return Verdict.ReceiptMissing;
        uint256 day = claim.receivedDay();
        if (day == 0 || (day != receipt.chainDay && day != receipt.payerDay)) return Verdict.ReceiptDiffers;
        bytes32 digest = claimDigest(claim.payer, claim.commitment, uint64(claim.cents()));
        if (!_isSignedBy(address(uint160(claim.payee)), digest, claim.r, claim.vs)) return Verdict.PayeeSignatureInvalid;
        if (!_covers(claim.payer, claim.cents())) return Verdict.EscrowTooSmall;
        return Verdict.Payable;
    }

    /// @dev A tag that stands twice in one claim counts as used too: the circuit does not compare lines.
    function _isUsed(Claim memory claim) private view returns (bool) {
        mapping(bytes32 => bool) storage spent = _spent[claim.payer];
        bytes32[] memory tags = claim.tags;
        for (uint256 i; i < tags.length; ++i) {
            if (spent[tags[i]]) return true;
            for (uint256 j; j < i; ++j) if (tags[i] == tags[j]) return true;
        }
        return false;
    }

    function _pay(Claim memory claim) private {
        mapping(bytes32 => bool) storage spent = _spent[claim.payer];
        for (uint256 i; i < claim.tags.length; ++i) spent[claim.tags[i]] = true;
        address payee = address(uint160(claim.payee));
        _credit(claim.payer, payee, claim.cents());
        emit ClaimSettled(
            claim.payer,
            claim.commitment,
            payee,
            claim.cents(),
            claim.receivedDay(),
            claim.outcomeCommitment,
            claim.spendTag,
            claim.nextNote
        );
    }
}
