//! Poseidon over BN254 with circomlib's constants and output (`state[0]` after the permutation).
//!
//! Grassi, Khovratovich, Rechberger, Roy, Schofnegger, "Poseidon: A New Hash Function for Zero-Knowledge Proof
//! Systems", USENIX Security 2021: x^5, 8 full rounds, partial rounds per width as circomlib has them. The same
//! hash is in circomlibjs and poseidon-solidity, so other tools can recompute every commitment.

use crate::{Fr, tag::Tag};
use ark_crypto_primitives::sponge::poseidon::find_poseidon_ark_and_mds;
use ark_ff::Field;
use std::sync::OnceLock;
use zeroize::Zeroize;

/// Full rounds, for every width.
pub const FULL_ROUNDS: usize = 8;
/// Partial rounds for width `t = 2 + index` (circomlib `poseidon.circom`, `N_ROUNDS_P`).
const PARTIAL_ROUNDS: [usize; 16] = [56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68];
/// The most inputs that one call takes.
pub const MAX_INPUTS: usize = 16;

/// The constants of one width.
pub struct Parameters {
    /// `constants[round][position]`.
    pub constants: Vec<Vec<Fr>>,
    /// `matrix[row][column]`.
    pub matrix: Vec<Vec<Fr>>,
    /// Partial rounds between the two halves of the full rounds.
    pub partial_rounds: usize,
}

/// Constants for `inputs` inputs (width `inputs + 1`), made once per process.
///
/// # Panics
/// Unless `inputs` is between 1 and [`MAX_INPUTS`]: it is a constant of each caller, and an input that is left out
/// would be a collision.
pub fn parameters(inputs: usize) -> &'static Parameters {
    static CACHE: [OnceLock<Parameters>; MAX_INPUTS] = [const { OnceLock::new() }; MAX_INPUTS];
    assert!((1..=MAX_INPUTS).contains(&inputs), "Poseidon takes 1 to 16 inputs");
    let index = inputs - 1;
    CACHE[index].get_or_init(|| {
        let partial_rounds = PARTIAL_ROUNDS[index];
        let (constants, matrix) =
            find_poseidon_ark_and_mds::<Fr>(254, index + 1, FULL_ROUNDS as u64, partial_rounds as u64, 0);
        Parameters { constants, matrix, partial_rounds }
    })
}

/// Hashes 1 to [`MAX_INPUTS`] elements.
#[must_use]
pub fn hash(inputs: &[Fr]) -> Fr {
    let parameters = parameters(inputs.len());
    let mut state = vec![Fr::from(0u64)];
    state.extend_from_slice(inputs);
    let rounds = FULL_ROUNDS + parameters.partial_rounds;
    for round in 0..rounds {
        for (x, c) in state.iter_mut().zip(&parameters.constants[round]) {
            *x += c;
        }
        if is_full(round, rounds) {
            for x in &mut state {
                *x = power_5(*x);
            }
        } else {
            state[0] = power_5(state[0]);
        }
        let mut next: Vec<Fr> =
            parameters.matrix.iter().map(|row| row.iter().zip(&state).map(|(m, x)| *m * x).sum()).collect();
        std::mem::swap(&mut state, &mut next);
        next.zeroize();
    }
    let digest = state[0];
    // The permutation can be inverted from its whole state.
    state.zeroize();
    digest
}

/// Hashes `inputs` in the domain `tag`.
#[must_use]
pub fn tagged(tag: Tag, inputs: &[Fr]) -> Fr {
    let mut all = Vec::with_capacity(inputs.len() + 1);
    all.push(Fr::from(tag));
    all.extend_from_slice(inputs);
    hash(&all)
}

/// Whether `round` is one of the full rounds.
#[must_use]
pub fn is_full(round: usize, rounds: usize) -> bool {
    round < FULL_ROUNDS / 2 || round >= rounds - FULL_ROUNDS / 2
}

fn power_5(x: Fr) -> Fr {
    x.square().square() * x
}

#[cfg(test)]
mod tests {
    use super::*;
    use light_poseidon::{Poseidon, PoseidonHasher};

    /// circomlib/test/poseidoncircuit.js and circomlibjs/test/poseidon.js.
    #[test]
    fn equals_the_published_circomlib_vectors() {
        let numbers = |n: u64| (1..=n).map(Fr::from).collect::<Vec<_>>();
        let expect = |text: &str| text.parse::<Fr>().unwrap_or_default();
        assert_eq!(
            hash(&numbers(2)),
            expect("7853200120776062878684798364095072458815029376092732009249414926327459813530")
        );
        assert_eq!(
            hash(&numbers(4)),
            expect("18821383157269793795438455681495246036402687001665670618754263018637548127333")
        );
        assert_eq!(
            hash(&numbers(16)),
            expect("9989051620750914585850546081941653841776809718687451684622678807385399211877")
        );
    }

    /// An independent implementation, on every width it has.
    #[test]
    fn equals_light_poseidon() {
        for n in 1..=12usize {
            let inputs: Vec<Fr> = (0..n as u64).map(|i| Fr::from(i * i + 7)).collect();
            let Ok(mut other) = Poseidon::<Fr>::new_circom(n) else { continue };
            assert_eq!(other.hash(&inputs).ok(), Some(hash(&inputs)), "width {n}");
        }
    }
}
