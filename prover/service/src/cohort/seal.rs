//! Exact answers leave sealed to the regulator: X25519 (RFC 7748) with a fresh key, then ChaCha20-Poly1305 (RFC 8439).
//!
//! The cipher's key is the SHA-256 of a label, the shared secret, the fresh public key and the regulator's; it is used once, so its
//! nonce is zero. The dataset's digest is bound as associated data.

use crate::error::CohortError;
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use nightingale_circuits::cohort::Keccak;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

const FORMAT: &str = "nightingale sealed answer 1";
const LABEL: &[u8] = b"nightingale regulator seal 1";

/// A regulator's public key, to which exact answers are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegulatorKey([u8; 32]);

/// A regulator's secret key. No `Debug`; zeroed on drop.
pub struct RegulatorSecret(StaticSecret);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedFile {
    format: String,
    dataset: String,
    recipient: String,
    ephemeral: String,
    sealed: String,
}

fn unreadable(problem: &'static str) -> CohortError {
    CohortError::RegulatorKey(problem)
}

fn key_bytes(text: &str, prefix: &str, problem: &'static str) -> Result<[u8; 32], CohortError> {
    let digits = text.trim().strip_prefix(prefix).ok_or_else(|| unreadable(problem))?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(digits.trim(), &mut bytes).map_err(|_| unreadable(problem))?;
    Ok(bytes)
}

impl RegulatorKey {
    const PREFIX: &str = "x25519-public ";

    /// From its file: `x25519-public` and 64 hexadecimal digits.
    ///
    /// # Errors
    /// Another text, or a point of small order, with which anybody could open.
    pub fn parse(text: &str) -> Result<Self, CohortError> {
        let expected = "the regulator key file must be `x25519-public` and 64 hexadecimal digits; the regulator makes it with `nightingale cohort regulator-key`";
        let key = Self(key_bytes(text, Self::PREFIX, expected)?);
        let probe = StaticSecret::from([1; 32]);
        if probe.diffie_hellman(&PublicKey::from(key.0)).was_contributory() {
            Ok(key)
        } else {
            Err(unreadable(
                "the regulator key is a point of small order, with which anybody could open answers; ask for another",
            ))
        }
    }

    /// Its file.
    #[must_use]
    pub fn to_text(self) -> String {
        format!("{}{}\n", Self::PREFIX, hex::encode(self.0))
    }

    /// Seals an answer about a dataset.
    ///
    /// # Errors
    /// None in practice: an answer beyond the cipher's 256 GiB.
    pub fn seal(&self, dataset: &Keccak, answer: &[u8]) -> Result<Vec<u8>, CohortError> {
        let fresh = StaticSecret::from(rand::random::<[u8; 32]>());
        let ephemeral = PublicKey::from(&fresh).to_bytes();
        let shared = fresh.diffie_hellman(&PublicKey::from(self.0));
        let cipher = cipher(shared.as_bytes(), &ephemeral, &self.0);
        let sealed = cipher
            .encrypt(&Nonce::default(), Payload { msg: answer, aad: dataset })
            .map_err(|_| unreadable("the answer is too large to be sealed"))?;
        let file = SealedFile {
            format: FORMAT.to_owned(),
            dataset: hex::encode(dataset),
            recipient: hex::encode(self.0),
            ephemeral: hex::encode(ephemeral),
            sealed: hex::encode(sealed),
        };
        serde_json::to_vec_pretty(&file).map_err(|_| CohortError::Bug("a sealed answer that is no JSON"))
    }
}

impl RegulatorSecret {
    const PREFIX: &str = "x25519-secret ";

    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(StaticSecret::from(rand::random::<[u8; 32]>()))
    }

    /// From its file: `x25519-secret` and 64 hexadecimal digits.
    ///
    /// # Errors
    /// Another text.
    pub fn parse(text: &str) -> Result<Self, CohortError> {
        let expected = "the secret key file must be `x25519-secret` and 64 hexadecimal digits";
        Ok(Self(StaticSecret::from(key_bytes(text, Self::PREFIX, expected)?)))
    }

    /// Its file.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}{}\n", Self::PREFIX, hex::encode(self.0.as_bytes())))
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> RegulatorKey {
        RegulatorKey(PublicKey::from(&self.0).to_bytes())
    }

    /// Opens a sealed answer.
    ///
    /// # Errors
    /// It is not one, is sealed to another key, or was changed.
    pub fn open(&self, file: &[u8]) -> Result<Vec<u8>, CohortError> {
        let malformed = || unreadable("the file is not a sealed answer");
        let file: SealedFile = serde_json::from_slice(file).map_err(|_| malformed())?;
        let word = |text: &str| {
            let mut bytes = [0u8; 32];
            hex::decode_to_slice(text, &mut bytes).map(|()| bytes).map_err(|_| malformed())
        };
        let (ephemeral, recipient, dataset) =
            (word(&file.ephemeral)?, word(&file.recipient)?, word(&file.dataset)?);
        if file.format != FORMAT {
            return Err(malformed());
        }
        if recipient != self.public().0 {
            return Err(unreadable("the answer is sealed to another regulator's key"));
        }
        let shared = self.0.diffie_hellman(&PublicKey::from(ephemeral));
        let sealed = hex::decode(&file.sealed).map_err(|_| malformed())?;
        cipher(shared.as_bytes(), &ephemeral, &recipient)
            .decrypt(&Nonce::default(), Payload { msg: &sealed, aad: &dataset })
            .map_err(|_| unreadable("the sealed answer was changed on its way"))
    }
}

fn cipher(shared: &[u8; 32], ephemeral: &[u8; 32], recipient: &[u8; 32]) -> ChaCha20Poly1305 {
    let mut hash = Sha256::new();
    for part in [LABEL, shared, ephemeral, recipient] {
        hash.update(part);
    }
    let key: Zeroizing<[u8; 32]> = Zeroizing::new(hash.finalize().into());
    ChaCha20Poly1305::new(&(*key).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_answer_opens_with_its_secret_alone() -> Result<(), CohortError> {
        let (mine, other) = (RegulatorSecret::random(), RegulatorSecret::random());
        let sealed = RegulatorKey::parse(&mine.public().to_text())?.seal(&[7; 32], b"exact figures")?;
        assert!(!sealed.windows(5).any(|window| window == b"exact"));
        let again = RegulatorSecret::parse(&mine.to_text())?;
        assert_eq!(again.open(&sealed)?, b"exact figures");
        assert!(other.open(&sealed).is_err());
        let text = String::from_utf8_lossy(&sealed).into_owned();
        for (from, to) in [("0707", "0708"), (FORMAT, "another")] {
            assert!(mine.open(text.replacen(from, to, 1).as_bytes()).is_err(), "{from}");
        }
        Ok(())
    }

    #[test]
    fn keys_of_small_order_are_refused() {
        // RFC 7748, section 6.1: an all-zero shared secret comes of points of small order, of which 0 and 1 are two.
        for first in [0u8, 1] {
            let mut point = [0u8; 32];
            if let Some(byte) = point.first_mut() {
                *byte = first;
            }
            assert!(RegulatorKey::parse(&format!("x25519-public {}", hex::encode(point))).is_err());
        }
        assert!(RegulatorKey::parse("x25519-public 00").is_err());
    }
}
