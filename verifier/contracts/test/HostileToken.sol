// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {TestToken} from "./TestToken.sol";

/// @title A token that does what bad tokens do: keeps a fee, takes more, calls back, lies, or says nothing
contract HostileToken is TestToken {
    /// @notice What a transfer answers.
    enum Answer {
        True,
        False,
        Nothing
    }

    uint256 public feePercent;
    uint256 public surcharge;
    Answer public answer;
    address public target;
    bytes public data;
    bool public calledBack;
    bytes public calledBackResult;

    /// @notice Keeps a part of every transfer.
    function setFee(uint256 percent) external {
        feePercent = percent;
    }

    /// @notice Takes more from the sender than it sends.
    function setSurcharge(uint256 units) external {
        surcharge = units;
    }

    /// @notice Chooses what transfers answer.
    function setAnswer(Answer answer_) external {
        answer = answer_;
    }

    /// @notice Calls somebody in the middle of every transfer.
    function setCallback(address target_, bytes calldata data_) external {
        target = target_;
        data = data_;
    }

    /// @inheritdoc TestToken
    function transfer(address to, uint256 amount) external override returns (bool) {
        return _hostile(msg.sender, to, amount);
    }

    /// @inheritdoc TestToken
    function transferFrom(address from, address to, uint256 amount) external override returns (bool) {
        return _hostile(from, to, amount);
    }

    function _hostile(address from, address to, uint256 amount) private returns (bool) {
        if (answer == Answer.False) return false;
        if (target != address(0)) {
            (calledBack, calledBackResult) = target.call(data);
        }
        uint256 fee = amount * feePercent / 100;
        _move(from, to, amount - fee);
        _move(from, address(0xfee), fee + surcharge);
        if (answer == Answer.Nothing) {
            assembly {
                return(0, 0)
            }
        }
        return true;
    }
}
