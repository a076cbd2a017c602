// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IERC20} from "../interfaces/IERC20.sol";

/// @title Token transfers that fail loudly
/// @notice Some tokens return nothing, some return false: both are handled.
library TokenTransfer {
    /// @notice The token refused the transfer: check balance and allowance.
    error TransferFailed(address token);
    /// @notice The receiver is this contract: the tokens would belong to nobody.
    error SentToSelf();
    /// @notice The token took more than was sent: others would pay for it.
    error TokenTookMore(address token, uint256 taken, uint256 amount);

    /// @notice Sends tokens of this contract, and sees that no more leave.
    function send(IERC20 token, address to, uint256 amount) internal {
        if (to == address(this)) revert SentToSelf();
        uint256 before = token.balanceOf(address(this));
        _call(token, abi.encodeCall(IERC20.transfer, (to, amount)));
        uint256 left = token.balanceOf(address(this));
        if (left < before && before - left > amount) revert TokenTookMore(address(token), before - left, amount);
    }

    /// @notice Takes tokens that `from` allowed, and says how many arrived: fewer than `amount` where the token keeps a fee.
    function take(IERC20 token, address from, uint256 amount) internal returns (uint256 arrived) {
        uint256 before = token.balanceOf(address(this));
        _call(token, abi.encodeCall(IERC20.transferFrom, (from, address(this), amount)));
        arrived = token.balanceOf(address(this)) - before;
    }

    function _call(IERC20 token, bytes memory data) private {
        (bool success, bytes memory result) = address(token).call(data);
        if (!success) revert TransferFailed(address(token));
        bool said = result.length == 0 ? address(token).code.length != 0 : abi.decode(result, (bool));
        if (!said) revert TransferFailed(address(token));
    }
}
