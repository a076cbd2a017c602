// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ClaimSettlement} from "../src/ClaimSettlement.sol";
import {Group} from "../src/interfaces/IClaimSettlement.sol";
import {IERC20} from "../src/interfaces/IERC20.sol";
import {StandInRegistry} from "./StandInRegistry.sol";
import {TestToken} from "./TestToken.sol";
import {Vm} from "./Vm.sol";

/// @title What settlement guarantees whatever is proven: forge tries it, halmos shows it for all values
/// @notice Every proof and root is accepted here, so nothing rests on them. `.ci/contract-analysis` runs halmos,
/// to which `assert` and nothing else is a failure: a path on which `require` fails counts as one that was not asked for.
contract SettlementInvariantsTest {
    Vm private constant VM = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 private constant PROVIDER_KEY = 0xa11ce;
    /// 2026-01-15, 12:00 UTC.
    uint256 private constant NOON = 1_768_478_400;

    /// @notice What a claim of the class with two lines spends and pays.
    struct Terms {
        bytes32 commitment;
        uint40 cents;
        bytes32 nullifier0;
        bytes32 nullifier1;
        bytes32 spendTag;
        bytes32 authorisationTag;
    }

    TestToken private _token;
    StandInRegistry private _registry;
    ClaimSettlement private _settlement;
    address private _provider;

    function setUp() public {
        VM.warp(NOON);
        _token = new TestToken();
        _registry = new StandInRegistry();
        _settlement = new ClaimSettlement(_registry, IERC20(address(_token)), 1);
        _provider = VM.addr(PROVIDER_KEY);
    }

    /// A line that was paid is never paid again, by no other claim, under no other account version and authorisation.
    function testFuzz_aSpentNullifierNeverPaysAgain(Terms memory first, Terms memory second, uint128 escrow) external {
        if (first.nullifier0 == 0) return;
        second.nullifier1 = first.nullifier0;
        _neverBoth(first, second, first.nullifier0, escrow);
    }

    /// An account version is spent once.
    function testFuzz_aSpentAccountVersionNeverPaysAgain(Terms memory first, Terms memory second, uint128 escrow)
        external
    {
        if (first.spendTag == 0) return;
        second.spendTag = first.spendTag;
        _neverBoth(first, second, first.spendTag, escrow);
    }

    /// An authorisation serves one claim.
    function testFuzz_aSpentAuthorisationNeverPaysAgain(Terms memory first, Terms memory second, uint128 escrow)
        external
    {
        if (first.authorisationTag == 0) return;
        second.authorisationTag = first.authorisationTag;
        _neverBoth(first, second, first.authorisationTag, escrow);
    }

    /// What a payee gains, its own payer loses, to the unit; another payer's escrow stays, and so do the tokens.
    function testFuzz_onlyThePayersOwnEscrowPays(Terms memory terms, uint128 own, uint128 others) external {
        _deposit(1, own);
        _deposit(2, others);
        uint256 settled = _settle(1, terms);
        uint256 paid = settled == 1 ? terms.cents : 0;
        assert(settled <= 1 && paid <= own);
        assert(_settlement.escrowOf(1) == own - paid);
        assert(_settlement.escrowOf(2) == others);
        assert(_settlement.creditOf(_provider) == paid);
        assert(_token.balanceOf(address(_settlement)) == uint256(own) + others);
    }

    /// Without the payee's signature nothing is paid and nothing is used up.
    function testFuzz_withoutThePayeeNothingIsPaid(Terms memory terms, uint256 key, uint128 escrow) external {
        if (key == 0 || key >= 1 << 250 || VM.addr(key) == _provider) return;
        // halmos knows whose a signature is on the path on which it was first made: so it is made before paths part.
        VM.sign(key, _settlement.claimDigest(1, terms.commitment, terms.cents));
        _deposit(1, escrow);
        assert(_settleSignedBy(key, 1, terms) == 0);
        assert(_settlement.escrowOf(1) == escrow);
        assert(!_settlement.isSpent(1, terms.nullifier0));
    }

    /// Whoever withdraws gets at most its own credit, and no escrow shrinks.
    function testFuzz_aWithdrawalTakesNoMoreThanItsCredit(
        Terms memory terms,
        uint128 escrow,
        address caller,
        address to,
        uint256 amount
    ) external {
        if (to == address(_settlement)) return;
        _deposit(1, escrow);
        _settle(1, terms);
        uint256 credit = _settlement.creditOf(caller);
        uint256 left = _settlement.escrowOf(1);
        uint256 held = _token.balanceOf(address(_settlement));
        VM.prank(caller);
        (bool success,) = address(_settlement).call(abi.encodeCall(_settlement.withdraw, (to, amount)));
        assert(!success || amount <= credit);
        assert(_settlement.escrowOf(1) == left);
        assert(_token.balanceOf(address(_settlement)) == (success ? held - amount : held));
    }

    /// Nobody but the payer's owner takes escrow back or announces it.
    function testFuzz_nobodyElseReleasesEscrow(address caller, address to, uint128 escrow, uint128 amount) external {
        if (caller == address(0xacce)) return;
        _deposit(1, escrow);
        VM.prank(caller);
        (bool announced,) = address(_settlement).call(abi.encodeCall(_settlement.announceRelease, (1, amount)));
        VM.warp(NOON + 3 days + 1 hours);
        VM.prank(caller);
        (bool released,) = address(_settlement).call(abi.encodeCall(_settlement.release, (1, to)));
        assert(!announced && !released && _settlement.escrowOf(1) == escrow);
    }

    /// The owner takes back no more than there is, only after its notice, and not for ever.
    function testFuzz_aReleaseKeepsItsNotice(uint128 escrow, uint128 amount, uint32 wait) external {
        _deposit(1, escrow);
        VM.prank(address(0xacce));
        _settlement.announceRelease(1, amount);
        VM.warp(NOON + wait);
        VM.prank(address(0xacce));
        (bool released,) = address(_settlement).call(abi.encodeCall(_settlement.release, (1, address(0xbeef))));
        bool due = wait >= 3 days && wait <= 4 days;
        uint256 taken = amount < escrow ? amount : escrow;
        assert(released == (due && taken != 0));
        assert(_settlement.escrowOf(1) == (released ? escrow - taken : escrow));
        assert(_token.balanceOf(address(0xbeef)) == (released ? taken : 0));
    }

    /// Under a key that is pending nothing is paid and nothing is used up.
    function testFuzz_aPendingKeySettlesNothing(Terms memory terms, uint128 escrow, uint64 activeFrom) external {
        _deposit(1, escrow);
        _registry.setKey(activeFrom, activeFrom);
        uint256 settled = _settle(1, terms);
        if (activeFrom <= NOON) return;
        assert(settled == 0 && _settlement.escrowOf(1) == escrow);
        assert(!_settlement.isSpent(1, terms.nullifier0));
    }

    /// A pause stops a release, unless a key was pending when it was announced: then nothing does.
    function testFuzz_noPauseHoldsAReleaseUnderAPendingKey(uint128 escrow, uint128 amount, uint64 pendingUntil)
        external
    {
        if (escrow == 0 || amount == 0) return;
        _deposit(1, escrow);
        _registry.setKey(pendingUntil, pendingUntil);
        VM.prank(address(0xacce));
        _settlement.announceRelease(1, amount);
        _registry.setPaused(true);
        VM.warp(NOON + 3 days);
        VM.prank(address(0xacce));
        (bool released,) = address(_settlement).call(abi.encodeCall(_settlement.release, (1, address(0xbeef))));
        assert(released == (pendingUntil > NOON));
    }

    function _neverBoth(Terms memory first, Terms memory second, bytes32 tag, uint128 escrow) private {
        _deposit(1, escrow);
        if (_settle(1, first) == 0) return;
        assert(_settlement.isSpent(1, tag));
        uint256 credit = _settlement.creditOf(_provider);
        uint256 left = _settlement.escrowOf(1);
        assert(_settle(1, second) == 0);
        assert(_settlement.creditOf(_provider) == credit && _settlement.escrowOf(1) == left);
    }

    function _deposit(uint96 payer, uint256 amount) private {
        if (amount == 0) return;
        _token.mint(address(this), amount);
        _token.approve(address(_settlement), amount);
        _settlement.deposit(payer, amount);
    }

    function _settle(uint96 payer, Terms memory terms) private returns (uint256) {
        return _settleSignedBy(PROVIDER_KEY, payer, terms);
    }

    function _settleSignedBy(uint256 key, uint96 payer, Terms memory terms) private returns (uint256) {
        (uint32 received,) = _settlement.receiptOf(payer, terms.commitment);
        uint256 day = received == 0 ? _settlement.receiveClaim(payer, terms.commitment) : received;
        Group[] memory groups = new Group[](1);
        bytes memory entry = abi.encodePacked(
            new bytes(352),
            terms.commitment,
            uint256(uint160(_provider)),
            uint256(terms.cents) | day << 40 | 1 << 57,
            uint256(7),
            terms.spendTag,
            uint256(8)
        );
        entry = abi.encodePacked(entry, terms.authorisationTag, terms.nullifier0, terms.nullifier1);
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, _settlement.claimDigest(payer, terms.commitment, terms.cents));
        // Signatures have the smaller s; to halmos it is any number.
        require(uint256(s) >> 255 == 0, "not a signature");
        bytes memory endorsement =
            abi.encodePacked(address(0xca), payer, r, bytes32(uint256(s) | uint256(v - 27) << 255));
        groups[0] = Group(bytes32(uint256(1)), entry, endorsement);
        return _settlement.settle(groups);
    }
}
