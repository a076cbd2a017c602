// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @dev Seconds between a payer's word that it will take back escrow and the first moment at which it may.
uint256 constant NOTICE_SECONDS = 3 days;
/// @dev Seconds for which it may, from then on.
uint256 constant WINDOW_SECONDS = 1 days;
