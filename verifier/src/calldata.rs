//! A proof as the EVM takes it: 32-byte big-endian words in the order of EIP-197.

use crate::{
    ClaimProof,
    encoding::{Word, g1_to_words, g2_to_words, to_hex},
};
use nightingale_circuits::field::to_be_bytes;
use serde::Serialize;

/// The words of one proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calldata {
    /// The key's digest, by which the registry knows the key.
    pub key: Word,
    /// `A.x, A.y`.
    pub a: [Word; 2],
    /// `B.x` and `B.y`, the imaginary part of each first.
    pub b: [[Word; 2]; 2],
    /// `C.x, C.y`.
    pub c: [Word; 2],
    /// The public inputs, in verifier order.
    pub inputs: Vec<Word>,
}

impl From<&ClaimProof> for Calldata {
    fn from(proof: &ClaimProof) -> Self {
        Self {
            key: proof.key.0,
            a: g1_to_words(&proof.proof.a),
            b: g2_to_words(&proof.proof.b),
            c: g1_to_words(&proof.proof.c),
            inputs: proof.public.to_vec().iter().map(to_be_bytes).collect(),
        }
    }
}

#[derive(Serialize)]
struct CalldataFile {
    key: String,
    a: [String; 2],
    b: [[String; 2]; 2],
    c: [String; 2],
    inputs: Vec<String>,
}

impl Calldata {
    /// The eight words of the proof: A, B (imaginary parts first), C.
    #[must_use]
    pub fn proof_words(&self) -> [Word; 8] {
        let ([ax, ay], [[bx1, bx0], [by1, by0]], [cx, cy]) = (self.a, self.b, self.c);
        [ax, ay, bx1, bx0, by1, by0, cx, cy]
    }

    /// `{key, a, b, c, inputs}`, each word as `0x` and 64 digits.
    #[must_use]
    pub fn to_json(&self) -> String {
        let file = CalldataFile {
            key: to_hex(&self.key),
            a: self.a.map(|w| to_hex(&w)),
            b: self.b.map(|part| part.map(|w| to_hex(&w))),
            c: self.c.map(|w| to_hex(&w)),
            inputs: self.inputs.iter().map(to_hex).collect(),
        };
        // Strings and lists only: JSON holds them.
        serde_json::to_string_pretty(&file).unwrap_or_default()
    }
}
