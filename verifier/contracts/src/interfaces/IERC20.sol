// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title The part of ERC-20 that escrow uses
interface IERC20 {
    /// @notice Tokens held by an account.
    /// @param account Whose.
    /// @return Base units of the token.
    function balanceOf(address account) external view returns (uint256);
    /// @notice Moves the caller's tokens.
    /// @param to Receiver.
    /// @param amount Base units of the token.
    /// @return Whether it worked, where the token says so.
    function transfer(address to, uint256 amount) external returns (bool);
    /// @notice Moves tokens that their holder allowed the caller to move.
    /// @param from Holder.
    /// @param to Receiver.
    /// @param amount Base units of the token.
    /// @return Whether it worked, where the token says so.
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
}
