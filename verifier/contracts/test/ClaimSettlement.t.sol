// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ClaimSettlement} from "../src/ClaimSettlement.sol";
import {Group} from "../src/interfaces/IClaimSettlement.sol";
import {IERC20} from "../src/interfaces/IERC20.sol";
import {StandInRegistry} from "./StandInRegistry.sol";
import {TestToken} from "./TestToken.sol";
import {Vm} from "./Vm.sol";

/// @title Settlement whatever was proven: money is conserved, and nothing is paid twice
contract ClaimSettlementTest {
    Vm private constant VM = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 private constant PROVIDER_KEY = 0xa11ce;
    uint256 private constant ENTRIES = 6;

    /// @notice What the fuzzer chooses of a claim: few values, so that tags and payers meet.
    struct Seed {
        uint8 nullifier0;
        uint8 nullifier1;
        uint8 spendTag;
        uint8 authorisationTag;
        uint8 payer;
        uint16 cents;
        bool signed;
    }

    TestToken private _token = new TestToken();
    ClaimSettlement private _settlement =
        new ClaimSettlement(new StandInRegistry(), IERC20(address(_token)), 1);
    mapping(uint256 payer => mapping(bytes32 tag => bool)) private _used;
    mapping(uint256 payer => uint256) private _escrow;
    uint256 private _credit;

    /// The contract does, entry by entry, what a ledger of a dozen lines does.
    function testFuzz_settlementAgreesWithALedger(Seed[ENTRIES] calldata seeds, uint16[2] calldata deposits) external {
        _deposit(1, deposits[0]);
        _deposit(2, deposits[1]);
        bytes memory entries;
        bytes memory endorsements;
        uint256 expected;
        for (uint256 i; i < ENTRIES; ++i) {
            (bytes memory entry, bytes memory endorsement, bool paid) = _claim(seeds[i], i);
            entries = bytes.concat(entries, entry);
            endorsements = bytes.concat(endorsements, endorsement);
            if (paid) ++expected;
        }
        Group[] memory groups = new Group[](1);
        groups[0] = Group(bytes32(uint256(1)), entries, endorsements);
        require(_settlement.settle(groups) == expected, "settled");
        address provider = VM.addr(PROVIDER_KEY);
        require(_settlement.creditOf(provider) == _credit, "credit");
        require(_settlement.escrowOf(1) == _escrow[1] && _settlement.escrowOf(2) == _escrow[2], "escrow");
        require(_token.balanceOf(address(_settlement)) == _credit + _escrow[1] + _escrow[2], "tokens");
        // a second time nothing is paid: escrows have not grown
        require(_settlement.settle(groups) == 0 && _settlement.creditOf(provider) == _credit, "again");
        if (_credit == 0) return;
        VM.prank(provider);
        _settlement.withdraw(address(0xbeef), _credit);
        require(_token.balanceOf(address(0xbeef)) == _credit, "withdrawn");
    }

    /// Whoever calls and whatever they ask for, only credit is withdrawn.
    function testFuzz_nobodyWithdrawsWithoutCredit(address caller, address to, uint256 amount) external {
        _deposit(1, 1000);
        VM.prank(caller);
        (bool success,) = address(_settlement).call(abi.encodeCall(_settlement.withdraw, (to, amount)));
        require(!success, "withdrew");
        require(_token.balanceOf(address(_settlement)) == 1000, "tokens left");
    }

    /// Bytes that are not whole records are refused and never half-read.
    function testFuzz_malformedGroupsSettleNothing(bytes calldata entries, bytes calldata endorsements) external {
        bool whole = entries.length % 640 == 0 && entries.length != 0 && entries.length / 640 * 96 == endorsements.length;
        Group[] memory groups = new Group[](1);
        groups[0] = Group(bytes32(uint256(1)), entries, endorsements);
        (bool success, bytes memory result) =
            address(_settlement).call(abi.encodeCall(_settlement.settle, (groups)));
        require(success == whole, "accepted");
        require(!success || abi.decode(result, (uint256)) == 0, "settled");
    }

    function _deposit(uint96 payer, uint256 amount) private {
        if (amount == 0) return;
        _token.mint(address(this), amount);
        _token.approve(address(_settlement), amount);
        _settlement.deposit(payer, amount);
        _escrow[payer] = amount;
    }

    function _claim(Seed calldata seed, uint256 index) private returns (bytes memory, bytes memory, bool) {
        uint96 payer = 1 + seed.payer % 2;
        bytes32 commitment = bytes32(index + 1);
        uint256 day = _settlement.receiveClaim(payer, commitment);
        bytes32[3] memory tags =
            [_tag(1, seed.nullifier0), _tag(1, seed.nullifier1), _tag(2, seed.spendTag)];
        bytes32 authorisation = _tag(3, seed.authorisationTag);
        bytes memory entry = bytes.concat(
            new bytes(352),
            commitment,
            bytes32(uint256(uint160(VM.addr(PROVIDER_KEY)))),
            bytes32(uint256(seed.cents) | day << 40 | 1 << 57),
            bytes32(uint256(7)),
            tags[2],
            bytes32(uint256(8))
        );
        entry = bytes.concat(entry, authorisation, tags[0], tags[1]);
        bytes memory endorsement = _endorse(payer, commitment, seed.cents, seed.signed);
        return (entry, endorsement, _ledger(payer, seed, tags, authorisation));
    }

    function _tag(uint256 domain, uint8 seed) private pure returns (bytes32) {
        uint256 value = seed % 8;
        return value == 0 ? bytes32(0) : bytes32(domain << 64 | value);
    }

    function _endorse(uint96 payer, bytes32 commitment, uint64 cents, bool signed) private view returns (bytes memory) {
        uint256 signer = signed ? PROVIDER_KEY : 0xbad;
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(signer, _settlement.claimDigest(payer, commitment, cents));
        return abi.encodePacked(address(0xca), payer, r, bytes32(uint256(s) | uint256(v - 27) << 255));
    }

    /// The rules once more, without packing, without order of checks, without bytes.
    function _ledger(uint96 payer, Seed calldata seed, bytes32[3] memory tags, bytes32 authorisation)
        private
        returns (bool)
    {
        bool approval = tags[2] != 0 && (tags[0] != 0 || tags[1] != 0);
        bool repeated = tags[0] != 0 && tags[0] == tags[1];
        bool used = _used[payer][tags[0]] || _used[payer][tags[1]] || _used[payer][tags[2]] || _used[payer][authorisation];
        if (!approval || repeated || used || !seed.signed || _escrow[payer] < seed.cents) return false;
        for (uint256 i; i < 3; ++i) if (tags[i] != 0) _used[payer][tags[i]] = true;
        if (authorisation != 0) _used[payer][authorisation] = true;
        _escrow[payer] -= seed.cents;
        _credit += seed.cents;
        return true;
    }
}
