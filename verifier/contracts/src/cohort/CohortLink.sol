// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {CohortAnswer, ICohortVerifier} from "../interfaces/ICohortVerifier.sol";

/// @title The link: that a proof's slots hold the registered columns
/// @notice A batched Schnorr proof that `sum rho^i (C_i - D_i)` lies in the span of the Lagrange points of the salt rows:
/// `docs/statements/cohort.md`, "The link". The points of the setup are part of the code.
abstract contract CohortLink is ICohortVerifier {
    /// @inheritdoc ICohortVerifier
    uint256 public immutable override k;

    uint256 private immutable _identityX;
    uint256 private immutable _identityY;
    uint256 private immutable _x0;
    uint256 private immutable _y0;
    uint256 private immutable _x1;
    uint256 private immutable _y1;
    uint256 private immutable _x2;
    uint256 private immutable _y2;
    uint256 private immutable _x3;
    uint256 private immutable _y3;
    uint256 private immutable _x4;
    uint256 private immutable _y4;
    uint256 private immutable _x5;
    uint256 private immutable _y5;
    uint256 private immutable _x6;
    uint256 private immutable _y6;
    uint256 private immutable _x7;
    uint256 private immutable _y7;

    bytes32 private constant NAME = keccak256("nightingale.cohort.link.1");
    uint256 private constant NARROW = 1;
    /// @dev The order of the scalar field.
    uint256 internal constant SCALARS = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;

    /// @notice A point of the setup is missing.
    error SetupPointMissing(uint256 point);

    /// @param k_ Logarithm of the number of rows.
    /// @param identity Commitment of the column that holds each record row's number.
    /// @param span Lagrange points of the eight salt rows.
    constructor(uint256 k_, uint256[2] memory identity, uint256[16] memory span) {
        if (identity[0] | identity[1] == 0) revert SetupPointMissing(8);
        for (uint256 i; i < 8; ++i) if (span[2 * i] | span[2 * i + 1] == 0) revert SetupPointMissing(i);
        k = k_;
        (_identityX, _identityY) = (identity[0], identity[1]);
        (_x0, _y0, _x1, _y1) = (span[0], span[1], span[2], span[3]);
        (_x2, _y2, _x3, _y3) = (span[4], span[5], span[6], span[7]);
        (_x4, _y4, _x5, _y5) = (span[8], span[9], span[10], span[11]);
        (_x6, _y6, _x7, _y7) = (span[12], span[13], span[14], span[15]);
    }

    /// @dev Reverts unless the link holds. The proof's points have been checked; `proofHash` is its Keccak-256.
    function _requireLink(CohortAnswer calldata answer, bytes32 context, bytes32 proofHash) internal view {
        // name, class, k, context, proof, then C (2 words) and D (2 words) of each slot; then R
        uint256[35] memory words;
        words[0] = uint256(NAME);
        words[1] = NARROW;
        words[2] = k;
        words[3] = uint256(context);
        words[4] = uint256(proofHash);
        uint256[2] calldata consent = answer.consent;
        uint256[10] calldata columns = answer.columns;
        assembly ("memory-safe") {
            calldatacopy(add(words, 0xe0), consent, 0x40)
            for { let i := 0 } lt(i, 5) { i := add(i, 1) } {
                calldatacopy(add(words, add(0x160, shl(7, i))), add(columns, shl(6, i)), 0x40)
            }
        }
        // A dictionary that is not committed is the identity. The noise slot, the last, is linked to zero.
        if (words[15] | words[16] == 0) (words[15], words[16]) = (_identityX, _identityY);
        if (_holds(words, _span(), answer.proof, answer.link)) return;
        for (uint256 i; i < 8; ++i) if (answer.link[2 + i] >= SCALARS) revert ResponseNotInField(i);
        revert LinkRejected();
    }

    function _span() private view returns (uint256[16] memory span) {
        (span[0], span[1], span[2], span[3]) = (_x0, _y0, _x1, _y1);
        (span[4], span[5], span[6], span[7]) = (_x2, _y2, _x3, _y3);
        (span[8], span[9], span[10], span[11]) = (_x4, _y4, _x5, _y5);
        (span[12], span[13], span[14], span[15]) = (_x6, _y6, _x7, _y7);
    }

    /// @dev `R + c sum rho^i (C_i - D_i) - sum z_j L_j = 0`, in one running sum: point, then the point or factor that comes next.
    function _holds(
        uint256[35] memory words,
        uint256[16] memory span,
        bytes calldata proof,
        uint256[10] calldata link
    ) private view returns (bool ok) {
        assembly ("memory-safe") {
            let r := 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001
            let p := 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47
            let pairs := add(words, 0xa0)
            for { let i := 0 } lt(i, 7) { i := add(i, 1) } {
                calldatacopy(add(pairs, shl(7, i)), add(proof.offset, shl(6, i)), 0x40)
            }
            let base := keccak256(words, 0x420)
            let rho := mod(base, r)
            // The place before R is that of the last slot's D, which is zero and was hashed.
            mstore(add(words, 0x400), base)
            calldatacopy(add(words, 0x420), link, 0x40)
            let c := mod(keccak256(add(words, 0x400), 0x60), r)

            let sum := mload(0x40)
            let next := add(sum, 0x40)
            // A precompile burns all gas when it refuses a point, and only R may be none.
            let x0 := calldataload(link)
            let y0 := calldataload(add(link, 0x20))
            ok := and(lt(x0, p), lt(y0, p))
            ok := and(ok, eq(mulmod(y0, y0, p), addmod(mulmod(mulmod(x0, x0, p), x0, p), 3, p)))
            calldatacopy(sum, add(proof.offset, 0x180), 0x40)
            for { let i := mul(6, ok) } i { } {
                i := sub(i, 1)
                let pair := add(pairs, shl(7, i))
                mstore(next, rho)
                ok := and(ok, staticcall(gas(), 7, sum, 0x60, sum, 0x40))
                mcopy(next, pair, 0x40)
                ok := and(ok, staticcall(gas(), 6, sum, 0x80, sum, 0x40))
                let x := mload(add(pair, 0x40))
                let y := mload(add(pair, 0x60))
                if or(x, y) {
                    mstore(next, x)
                    mstore(add(next, 0x20), sub(p, y))
                    ok := and(ok, staticcall(gas(), 6, sum, 0x80, sum, 0x40))
                }
            }
            mstore(next, c)
            if ok { ok := staticcall(gas(), 7, sum, 0x60, sum, 0x40) }
            calldatacopy(next, link, 0x40)
            if ok { ok := staticcall(gas(), 6, sum, 0x80, sum, 0x40) }
            for { let j := mul(8, iszero(ok)) } lt(j, 8) { j := add(j, 1) } {
                let z := calldataload(add(link, add(0x40, shl(5, j))))
                ok := and(ok, lt(z, r))
                mcopy(next, add(span, shl(6, j)), 0x40)
                mstore(add(next, 0x40), sub(r, z))
                ok := and(ok, staticcall(gas(), 7, next, 0x60, next, 0x40))
                ok := and(ok, staticcall(gas(), 6, sum, 0x80, sum, 0x40))
            }
            ok := and(ok, iszero(or(mload(sum), mload(add(sum, 0x20)))))
        }
    }
}
