// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title The payee's signature of a claim (EIP-712)
/// @notice `Claim(uint96 payer,bytes32 claimCommitment,uint64 cents)` in the domain (name "Nightingale", version "1", chain id, this
/// contract).
/// So nobody claims for a provider that did not claim, or from another payer, or elsewhere, or another amount: one claim may have several
/// proofs, as under two epochs, and a signature that everybody sees settles none but one that pays what was signed. It is no replay
/// protection: nullifiers are. Payees are externally owned accounts; ERC-1271 is not asked.
abstract contract Endorsement {
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant CLAIM_TYPE = keccak256("Claim(uint96 payer,bytes32 claimCommitment,uint64 cents)");
    uint256 private constant S_MASK = type(uint256).max >> 1;

    uint256 private immutable _chainId;
    bytes32 private immutable _domain;

    constructor() {
        _chainId = block.chainid;
        _domain = _separator();
    }

    /// @notice What the payee signs.
    /// @param payer Who is to pay.
    /// @param claimCommitment The claim.
    /// @param cents The amount that the proof shows.
    /// @return digest The EIP-712 digest.
    function claimDigest(uint96 payer, bytes32 claimCommitment, uint64 cents) public view returns (bytes32 digest) {
        bytes32 domain = block.chainid == _chainId ? _domain : _separator();
        bytes32 claim = keccak256(abi.encode(CLAIM_TYPE, payer, claimCommitment, cents));
        return keccak256(abi.encodePacked("\x19\x01", domain, claim));
    }

    /// @dev EIP-2098: the top bit of `vs` is the parity, the rest is s. A zero signer is never a match: that is how the
    /// precompile says that there is none.
    function _isSignedBy(address payee, bytes32 digest, bytes32 r, bytes32 vs) internal pure returns (bool) {
        address signer = ecrecover(digest, uint8(uint256(vs) >> 255) + 27, r, bytes32(uint256(vs) & S_MASK));
        return signer != address(0) && signer == payee;
    }

    function _separator() private view returns (bytes32) {
        return keccak256(
            abi.encode(DOMAIN_TYPE, keccak256("Nightingale"), keccak256("1"), block.chainid, address(this))
        );
    }
}
