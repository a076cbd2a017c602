// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IERC20} from "../interfaces/IERC20.sol";
import {NOTICE_SECONDS, WINDOW_SECONDS} from "../interfaces/ReleaseTimes.sol";
import {Guarded} from "./Guarded.sol";
import {RegistryClient} from "./RegistryClient.sol";
import {TokenTransfer} from "./TokenTransfer.sol";

/// @title Each payer's escrow, each payee's credit, in one ERC-20
/// @notice Invariant: escrows and credits together never exceed the tokens that this contract holds. Settlement moves an amount
/// from one payer's escrow to a payee's credit and calls no token; payees pull. A pause stops no
/// withdrawal, only what a payer would take back: claims that it holds up are paid before.
/// A release that is announced while a key is pending (`KeyRegister`) is firm: no pause stops it. Else who registers a key and pauses, all
/// payers or one, could hold escrow until the key empties it. That costs providers nothing that a pause alone does not: it lengthens no
/// notice, so whoever pauses for a notice's length lets a payer go unpaid claims or not.
/// Tokens whose balances change by themselves (rebasing) are not supported.
abstract contract Escrow is Guarded, RegistryClient {
    using TokenTransfer for IERC20;

    /// @notice A payer's wish to take back what it deposited.
    struct Notice {
        uint128 amount;
        uint48 from;
        uint48 until;
        /// Announced while a key was pending: no pause stops it.
        bool firm;
    }

    /// @notice How long before a payer takes back escrow it must say so: claims under way can be settled until then. It holds no payer that
    /// steals: one that has a consenting patient's opening publishes an epoch in which it is the provider, and pays itself at once.
    uint256 public constant RELEASE_NOTICE = NOTICE_SECONDS;
    /// @notice How long the release may be taken after that: a notice is not an option kept open for ever.
    uint256 public constant RELEASE_WINDOW = WINDOW_SECONDS;

    /// @notice The token.
    IERC20 public immutable token;
    /// @notice Base units of the token in one cent.
    uint256 public immutable unitsPerCent;
    /// @notice What a payer may still pay, in base units.
    mapping(uint96 payer => uint256) public escrowOf;
    /// @notice What a payee may withdraw, in base units.
    mapping(address payee => uint256) public creditOf;
    /// @notice The pending release of a payer.
    mapping(uint96 payer => Notice) public noticeOf;

    /// @notice A payer's escrow grew by what arrived.
    event Deposited(uint96 indexed payer, address indexed from, uint256 amount);
    /// @notice A payee was paid out.
    event Withdrawn(address indexed payee, address indexed to, uint256 amount);
    /// @notice A payer will take back escrow between these times, in seconds; whatever is paused, where it is firm.
    event ReleaseAnnounced(uint96 indexed payer, uint256 amount, uint256 from, uint256 until, bool firm);
    /// @notice A payer took back escrow.
    event Released(uint96 indexed payer, address indexed to, uint256 amount);

    /// @notice The token is not a contract.
    error TokenMissing(address token);
    /// @notice A cent must be at least one base unit, at most 10^30.
    error UnitsPerCentUnsupported(uint256 unitsPerCent);
    /// @notice An amount of zero, or a receiver of zero.
    error NothingToMove();
    /// @notice The credit is smaller than that.
    error CreditTooSmall(uint256 credit, uint256 amount);
    /// @notice There is no notice that is due now: announce, wait, and release within the window.
    error NoReleaseDue(uint96 payer);
    /// @notice Settlement or this payer is paused: release afterwards, and announce again where the window has passed.
    error ReleaseWhilePaused(uint96 payer);

    constructor(IERC20 token_, uint256 unitsPerCent_) {
        if (address(token_).code.length == 0) revert TokenMissing(address(token_));
        if (unitsPerCent_ == 0 || unitsPerCent_ > 1e30) revert UnitsPerCentUnsupported(unitsPerCent_);
        token = token_;
        unitsPerCent = unitsPerCent_;
    }

    /// @notice Adds to a payer's escrow from the caller's tokens. Anybody may, once the registry serves this contract: keys that are
    /// registered before that have no notice.
    /// @param payer The payer.
    /// @param amount Base units to take from the caller, who has allowed it.
    /// @return arrived What the escrow grew by.
    function deposit(uint96 payer, uint256 amount) external guarded returns (uint256 arrived) {
        _requirePayer(payer);
        _requireVenue();
        arrived = token.take(msg.sender, amount);
        if (arrived == 0) revert NothingToMove();
        escrowOf[payer] += arrived;
        emit Deposited(payer, msg.sender, arrived);
    }

    /// @notice Pays out the caller's credit.
    /// @param to Receiver.
    /// @param amount Base units.
    function withdraw(address to, uint256 amount) external guarded {
        if (amount == 0 || to == address(0)) revert NothingToMove();
        uint256 credit = creditOf[msg.sender];
        if (credit < amount) revert CreditTooSmall(credit, amount);
        creditOf[msg.sender] = credit - amount;
        emit Withdrawn(msg.sender, to, amount);
        token.send(to, amount);
    }

    /// @notice Announces that the payer will take back escrow; replaces an earlier notice. An amount of zero takes it back. No more is
    /// announced than the escrow holds now: what is deposited later has a notice of its own.
    function announceRelease(uint96 payer, uint128 amount) external onlyPayerOwner(payer) {
        uint256 held = escrowOf[payer];
        if (amount > held) amount = uint128(held);
        uint256 from = block.timestamp + RELEASE_NOTICE;
        uint256 until = from + RELEASE_WINDOW;
        bool firm = block.timestamp < registry.keysPendingUntil();
        noticeOf[payer] = Notice(amount, uint48(from), uint48(until), firm);
        emit ReleaseAnnounced(payer, amount, from, until, firm);
    }

    /// @notice Takes back announced escrow, as much of it as is left. Not during a pause, which does not lengthen the window, unless the
    /// notice is firm.
    function release(uint96 payer, address to) external guarded onlyPayerOwner(payer) {
        Notice memory notice = noticeOf[payer];
        if (!notice.firm && (registry.paused() || registry.payerPaused(payer))) revert ReleaseWhilePaused(payer);
        if (block.timestamp < notice.from || block.timestamp > notice.until) revert NoReleaseDue(payer);
        uint256 left = escrowOf[payer];
        uint256 amount = notice.amount < left ? notice.amount : left;
        if (amount == 0 || to == address(0)) revert NothingToMove();
        delete noticeOf[payer];
        escrowOf[payer] = left - amount;
        emit Released(payer, to, amount);
        token.send(to, amount);
    }

    /// @dev Cents have 40 bits and a cent at most 10^30 units: the product cannot overflow.
    function _covers(uint96 payer, uint256 cents) internal view returns (bool) {
        return escrowOf[payer] >= cents * unitsPerCent;
    }

    /// @dev Only after `_covers`; the subtraction is checked all the same.
    function _credit(uint96 payer, address payee, uint256 cents) internal {
        uint256 amount = cents * unitsPerCent;
        if (amount == 0) return;
        escrowOf[payer] -= amount;
        creditOf[payee] += amount;
    }
}
