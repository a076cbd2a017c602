// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {RegistryClient} from "./RegistryClient.sol";

/// @title When a claim was received
/// @notice Two witnesses may say so: the chain, whose day is the day it is told, and the payer, who may acknowledge an earlier one.
/// Each speaks once for a claim and cannot take it back. A proof must name one of the two days. The chain's word stands
/// whatever the payer says, so a payer cannot ruin a claim by a day on which it could not have been paid.
abstract contract Receipts is RegistryClient {
    /// @notice Days since 1900-01-01; zero when that witness has not spoken.
    struct Receipt {
        uint32 chainDay;
        uint32 payerDay;
    }

    /// @notice 1970-01-01 in days since 1900-01-01.
    uint256 private constant UNIX_EPOCH_DAY = 25567;

    /// @notice The receipts of a claim.
    mapping(uint96 payer => mapping(bytes32 claimCommitment => Receipt)) public receiptOf;

    /// @notice A receipt was recorded.
    /// @param day Days since 1900-01-01.
    /// @param byPayer Whether the payer said so, and not the chain.
    event ClaimReceived(uint96 indexed payer, bytes32 indexed claimCommitment, uint256 day, bool byPayer);

    /// @notice This witness has spoken; the day stays.
    error ReceiptExists(uint256 day);
    /// @notice A receipt is today's or earlier.
    error ReceiptInFuture(uint256 day, uint256 today);
    /// @notice Day zero stands for no receipt.
    error ReceiptDayZero();

    /// @notice Records that a claim reached the payer today. Anybody may: it says no more than that.
    /// @return day Today, in days since 1900-01-01.
    function receiveClaim(uint96 payer, bytes32 claimCommitment) external returns (uint32 day) {
        _requirePayer(payer);
        Receipt storage receipt = receiptOf[payer][claimCommitment];
        if (receipt.chainDay != 0) revert ReceiptExists(receipt.chainDay);
        day = uint32(_today());
        receipt.chainDay = day;
        emit ClaimReceived(payer, claimCommitment, day, false);
    }

    /// @notice The payer acknowledges that it received a claim on an earlier day, or today.
    function recordReceipt(uint96 payer, bytes32 claimCommitment, uint32 day) external onlyPayerOwner(payer) {
        Receipt storage receipt = receiptOf[payer][claimCommitment];
        if (receipt.payerDay != 0) revert ReceiptExists(receipt.payerDay);
        if (day == 0) revert ReceiptDayZero();
        if (day > _today()) revert ReceiptInFuture(day, _today());
        receipt.payerDay = day;
        emit ClaimReceived(payer, claimCommitment, day, true);
    }

    function _receipt(uint96 payer, bytes32 claimCommitment) internal view returns (Receipt memory) {
        return receiptOf[payer][claimCommitment];
    }

    function _today() private view returns (uint256) {
        return block.timestamp / 1 days + UNIX_EPOCH_DAY;
    }
}
