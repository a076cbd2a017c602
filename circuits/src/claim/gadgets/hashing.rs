//! Poseidon, leaves, paths and the interval question, as constraints.

use super::numbers::bits;
use crate::{
    Fr,
    merkle::Path,
    poseidon::{FULL_ROUNDS, is_full, parameters},
    r1cs::{Builder, Wire},
    tag::Tag,
};

/// Poseidon, equal to [`crate::poseidon::hash`]: three constraints for each S-box on a non-constant.
pub fn hash(b: &mut Builder, inputs: &[Wire]) -> Wire {
    let parameters = parameters(inputs.len());
    let mut state = vec![b.constant(0u64)];
    state.extend_from_slice(inputs);
    let rounds = FULL_ROUNDS + parameters.partial_rounds;
    for round in 0..rounds {
        for (x, c) in state.iter_mut().zip(&parameters.constants[round]) {
            *x = &*x + &b.constant(*c);
        }
        let width = if is_full(round, rounds) { state.len() } else { 1 };
        for x in state.iter_mut().take(width) {
            *x = power_5(b, x);
        }
        let wanted = if round + 1 == rounds { 1 } else { state.len() };
        state = parameters.matrix[..wanted]
            .iter()
            .map(|row| row.iter().zip(&state).fold(b.constant(0u64), |sum, (m, x)| &sum + &x.scale(*m)))
            .collect();
    }
    state[0].clone()
}

/// [`hash`] in the domain `tag`.
pub fn tagged(b: &mut Builder, tag: Tag, inputs: &[Wire]) -> Wire {
    let mut all = vec![b.constant(tag)];
    all.extend_from_slice(inputs);
    hash(b, &all)
}

fn power_5(b: &mut Builder, x: &Wire) -> Wire {
    let x2 = b.multiply(x, x);
    let x4 = b.multiply(&x2, &x2);
    b.multiply(&x4, x)
}

/// The root above `leaf` on `path`.
///
/// At each level the four children are witnesses and the node below must be one of them: which one is nobody's
/// business, because a leaf carries its own key.
pub fn climb(b: &mut Builder, leaf: &Wire, path: &Path) -> Wire {
    let (levels, _) = path.climb(leaf.value());
    let mut current = leaf.clone();
    for children in levels {
        let children = children.map(|child| b.input(child));
        let [c0, c1, c2, c3] = &children;
        let left = b.multiply(&(&current - c0), &(&current - c1));
        let right = b.multiply(&(&current - c2), &(&current - c3));
        b.enforce(&left, &right, &b.constant(0u64));
        current = hash(b, &children);
    }
    current
}

/// A leaf's witnesses.
pub struct LeafWires {
    /// Key.
    pub key: Wire,
    /// The key after it.
    pub next: Wire,
    /// Value elements.
    pub value: Vec<Wire>,
    /// The root that its path leads to.
    pub root: Wire,
}

/// Allocates a leaf and climbs its path.
pub fn leaf(b: &mut Builder, tag: Tag, key: Fr, next: Fr, value: &[Fr], path: &Path) -> LeafWires {
    let (key, next) = (b.input(key), b.input(next));
    let value: Vec<Wire> = value.iter().map(|x| b.input(*x)).collect();
    let mut inputs = vec![key.clone(), next.clone()];
    inputs.extend_from_slice(&value);
    let digest = tagged(b, tag, &inputs);
    let root = climb(b, &digest, path);
    LeafWires { key, next, value, root }
}

/// Enforces `key <= q < next` for `q < 2^width`, and returns the bits of `q - key`.
///
/// Keys come from a leaf, unpacked and unaltered, so a builder that keeps them below `2^width` is enough.
pub fn answers(b: &mut Builder, leaf: &LeafWires, q: &Wire, width: u32) -> Vec<Wire> {
    let one = b.constant(1u64);
    let above = bits(b, &(q - &leaf.key), width);
    bits(b, &(&(&leaf.next - &one) - q), width);
    above
}
