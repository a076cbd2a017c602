//! Keccak-256 over 32-byte words: what a contract computes with `keccak256(abi.encodePacked(..))`.
//!
//! Every digest of the cohort statement starts with the Keccak-256 of its own name, so that no two kinds share a preimage.

use sha3::{Digest, Keccak256};

/// A Keccak-256 digest.
pub type Keccak = [u8; 32];

/// Collects 32-byte words and hashes them.
#[derive(Clone)]
pub struct Words(Keccak256);

impl Words {
    /// Starts with the digest of `name`.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self(Keccak256::new()).digest(&keccak(name.as_bytes()))
    }

    /// Starts with nothing: what only stands within another digest has no name.
    #[must_use]
    pub fn empty() -> Self {
        Self(Keccak256::new())
    }

    /// One unsigned integer, big-endian in a word.
    #[must_use]
    pub fn number(mut self, value: u128) -> Self {
        self.0.update([0u8; 16]);
        self.0.update(value.to_be_bytes());
        self
    }

    /// One word as it is.
    #[must_use]
    pub fn digest(mut self, word: &Keccak) -> Self {
        self.0.update(word);
        self
    }

    /// A whole number of words as they are, such as points (`x`, `y` big-endian) or scalars.
    #[must_use]
    pub fn words<'a>(mut self, words: impl IntoIterator<Item = &'a Keccak>) -> Self {
        words.into_iter().for_each(|word| self.0.update(word));
        self
    }

    /// The digest of all words.
    #[must_use]
    pub fn finish(self) -> Keccak {
        self.0.finalize().into()
    }
}

/// Keccak-256 of bytes.
#[must_use]
pub fn keccak(bytes: &[u8]) -> Keccak {
    Keccak256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_keccak_and_not_sha3() {
        let empty = hex(&keccak(b""));
        assert_eq!(empty, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    }

    #[test]
    fn a_number_fills_a_word() {
        let mut word = [0u8; 32];
        word[31] = 7;
        assert_eq!(Words::of("n").number(7).finish(), Words::of("n").digest(&word).finish());
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
