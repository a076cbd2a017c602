// SPDX-License-Identifier: MIT OR Apache-2.0

/// Verifies Groth16 proofs of one key, alone or many in one pairing call. Called as a precompile is: calldata is N >= 1 entries
/// and nothing else, no selector and no length; the answer is the word 1, or a revert with an error of IClaimVerifier.sol.
/// An entry is A(2) B(4) C(2) and one word for each public input.
///
/// The key's constants follow the code: deploy `this bytecode ++ constants`. In 32-byte words:
///   0 alpha(2)  2 -beta(4)  6 -gamma(4)  10 -delta(4)  14 IC[0](2)  16 IC[1](2) ..
/// G2 points are in EIP-197 order, imaginary part first. beta, gamma and delta are negated, so that nothing is negated here:
///   e(A, B) e(alpha, -beta) e(IC[0] + sum x_j IC[j], -gamma) e(C, -delta) = 1
///
/// Many proofs share one pairing call by a random linear combination with weights z_0 = 1 and z_i of 128 bits:
///   prod e(z_i A_i, B_i)  e(sum z_i alpha, -beta)  e(sum z_i (IC[0] + sum x_ij IC[j]), -gamma)  e(sum z_i C_i, -delta) = 1
/// Each z_i hashes the constants, every proof and input, the chain id and this address, so no entry can be chosen with its
/// weight in view: a batch with an invalid entry passes with probability 2^-128. (With only entry 0 invalid, never.)
///
/// The precompiles check what they are given: coordinates below the field's order, points on their curves, G2 points in
/// the subgroup. Each point of each proof goes through one of them. They get all gas, not a fixed sum: prices change.
object "ClaimVerifier" {
  code {
    let start := dataoffset("runtime")
    let size := sub(codesize(), start)
    codecopy(0, start, size)
    return(0, size)
  }
  object "runtime" {
    code {
      let key := datasize("runtime")
      let inputs := sub(shr(6, sub(codesize(), key)), 8)
      let stride := shl(5, add(inputs, 8))
      let count := div(calldatasize(), stride)
      // also without constants, where stride and so count are 0
      if or(iszero(count), sub(calldatasize(), mul(count, stride))) {
        mstore(0, shl(224, 0x12df9cbb)) // MalformedEntries()
        revert(0, 4)
      }
      switch count
      case 1 { single(key, inputs) }
      default { batch(key, inputs, stride, count) }

      // Memory: 0x000 A B | 0x0c0 alpha -beta | 0x180 X -gamma | 0x240 C -delta | 0x300 X so far, 0x340 term, 0x380 factor
      function single(constants, n) {
        calldatacopy(0, 0, 0xc0)
        codecopy(0xc0, constants, 0xc0)
        codecopy(0x1c0, add(constants, 0xc0), 0x80)
        calldatacopy(0x240, 0xc0, 0x40)
        codecopy(0x280, add(constants, 0x140), 0x80)
        let point := add(constants, 0x1c0)
        codecopy(0x300, point, 0x40)
        for { let from := 0x100 } 1 { from := add(from, 0x20) } {
          point := add(point, 0x40)
          let x := calldataload(from)
          // 0 times a point adds nothing: lines that are not allowed cost nothing. After the last input, calldata reads 0 too.
          if iszero(x) {
            if lt(from, calldatasize()) { continue }
            break
          }
          codecopy(0x340, point, 0x40)
          mstore(0x380, x)
          // arguments are evaluated from the last to the first
          let ok := and(
            staticcall(gas(), 6, 0x300, 0x80, 0x300, 0x40),
            and(
              staticcall(gas(), 7, 0x340, 0x60, 0x340, 0x40),
              lt(mload(0x380), 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001)
            )
          )
          if iszero(ok) { blame(add(0x100, shl(5, n))) }
        }
        mcopy(0x180, 0x300, 0x40)
        finish(0x300)
      }

      // Memory: pairs (6 words each): N of (z A, B), then (z alpha, -beta), (X, -gamma), (C, -delta)
      //         point, term, factor: 5 words | scalars: sum z, then sum z x_j for each input | hashed: constants, entries,
      //         chain id, address
      function batch(constants, n, width, entries) {
        let tail := mul(entries, 0xc0)
        let work := add(tail, 0x240)
        let scalars := add(work, 0xa0)
        let seed
        {
          let hashed := add(scalars, shl(5, add(n, 1)))
          let constantsSize := sub(codesize(), constants)
          codecopy(hashed, constants, constantsSize)
          let end := add(hashed, constantsSize)
          calldatacopy(end, 0, calldatasize())
          end := add(end, calldatasize())
          mstore(end, chainid())
          mstore(add(end, 0x20), address())
          seed := keccak256(hashed, sub(add(end, 0x40), hashed))
        }
        let ok := 1
        let start := 0
        for { let i := 0 } lt(i, entries) { i := add(i, 1) } {
          let z := 1
          switch i
          case 0 {
            calldatacopy(0, 0, 0xc0)
            calldatacopy(add(tail, 0x180), 0xc0, 0x40)
          }
          default {
            // the point's place is free until it is filled, and is where the weight is hashed
            mstore(work, seed)
            mstore(add(work, 0x20), i)
            z := shr(128, keccak256(work, 0x40))
            let pair := mul(i, 0xc0)
            calldatacopy(work, start, 0x40)
            mstore(add(work, 0x40), z)
            if iszero(staticcall(gas(), 7, work, 0x60, pair, 0x40)) { proofRejected() }
            calldatacopy(add(pair, 0x40), add(start, 0x40), 0x80)
            calldatacopy(work, add(start, 0xc0), 0x40)
            if iszero(staticcall(gas(), 7, work, 0x60, add(work, 0x40), 0x40)) { proofRejected() }
            mcopy(work, add(tail, 0x180), 0x40)
            if iszero(staticcall(gas(), 6, work, 0x80, add(tail, 0x180), 0x40)) { proofRejected() }
          }
          mstore(scalars, add(mload(scalars), z))
          let end := add(start, width)
          let sum := scalars
          for { let from := add(start, 0x100) } lt(from, end) { from := add(from, 0x20) } {
            let x := calldataload(from)
            ok := and(ok, lt(x, 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001))
            sum := add(sum, 0x20)
            let weighted := mulmod(x, z, 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001)
            mstore(
              sum,
              addmod(mload(sum), weighted, 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001)
            )
          }
          start := end
        }
        // sum z alpha
        codecopy(work, constants, 0x40)
        mstore(add(work, 0x40), mload(scalars))
        ok := and(ok, staticcall(gas(), 7, work, 0x60, tail, 0x40))
        codecopy(add(tail, 0x40), add(constants, 0x40), 0x80)
        codecopy(add(tail, 0x100), add(constants, 0xc0), 0x80)
        codecopy(add(tail, 0x1c0), add(constants, 0x140), 0x80)
        // X = sum z IC[0] + sum over inputs of (sum z x_j) IC[j]
        let point := add(constants, 0x1c0)
        codecopy(work, point, 0x40)
        ok := and(ok, staticcall(gas(), 7, work, 0x60, work, 0x40))
        for { let j := 1 } iszero(gt(j, n)) { j := add(j, 1) } {
          let factor := mload(add(scalars, shl(5, j)))
          if iszero(factor) { continue }
          codecopy(add(work, 0x40), add(point, shl(6, j)), 0x40)
          mstore(add(work, 0x80), factor)
          ok := and(ok, staticcall(gas(), 7, add(work, 0x40), 0x60, add(work, 0x40), 0x40))
          ok := and(ok, staticcall(gas(), 6, work, 0x80, work, 0x40))
        }
        mcopy(add(tail, 0xc0), work, 0x40)
        if iszero(ok) { blame(width) }
        finish(work)
      }

      // The only way to return: every check and precompile call before succeeded, and the pairing of all pairs says 1.
      function finish(pairs) {
        if iszero(and(mload(pairs), staticcall(gas(), 8, 0, pairs, pairs, 0x20))) { proofRejected() }
        return(pairs, 0x20)
      }

      // Names the first input that is not in the field; if there is none, it was a precompile that refused.
      function blame(width) {
        for { let start := 0 } lt(start, calldatasize()) { start := add(start, width) } {
          for { let from := 0x100 } lt(from, width) { from := add(from, 0x20) } {
            if lt(
              calldataload(add(start, from)),
              0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001
            ) { continue }
            mstore(0, shl(224, 0x4b76b4b4)) // InputNotInField(uint256,uint256)
            mstore(4, div(start, width))
            mstore(0x24, shr(5, sub(from, 0x100)))
            revert(0, 0x44)
          }
        }
        proofRejected()
      }

      // A precompile that refuses what it got burns its gas: where a proof's point may be refused, stop at once.
      function proofRejected() {
        mstore(0, shl(224, 0xc3b0d8cd)) // ProofRejected()
        revert(0, 4)
      }
    }
  }
}
