//! Verifying keys, from the chain: the constants in a registered verifier's code, believed because they hash to the digest
//! that the proof names.
//!
//! So a settlement needs no key files, and a verifier that was registered under another key's digest is found here.

use crate::{Poster, PosterError};
use alloy_primitives::{B256, U256, uint};
use nightingale_contracts::{bindings::Registry, deploy::Deployment};
use nightingale_verifier::{ClaimProof, VerifyingKey};

/// The order of BN254's base field: a point's negative has `ORDER - y`.
const ORDER: U256 = uint!(0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47_U256);
const WORD: usize = 32;
/// Alpha, then -beta, -gamma and -delta: the y coordinates of the last three stand at these words.
const NEGATED: [usize; 6] = [4, 5, 8, 9, 12, 13];

impl Poster {
    /// The key that a proof names; none when the registry does not know it, or knows it with another key's verifier.
    pub(super) async fn registered_key(
        &self,
        deployment: &Deployment,
        proof: &ClaimProof,
    ) -> Result<Option<VerifyingKey>, PosterError> {
        let digest = B256::from(proof.key.0);
        let found = self.node.ask(deployment.registry, &Registry::keyCall { digest }).await?;
        if found.verifier.is_zero() {
            return Ok(None);
        }
        let template = self.node.ask(deployment.registry, &Registry::verifierTemplateSizeCall {}).await?;
        let code = self.node.code(found.verifier).await?;
        let constants = code.get(template.saturating_to::<usize>()..).unwrap_or_default();
        let file = key_file(proof.class.name(), found.kind, found.inputs, constants);
        Ok(VerifyingKey::from_bytes(&file).ok().filter(|key| key.digest() == proof.key))
    }
}

/// The key file (its format is in the verifier's `key.rs`) that holds a verifier's constants.
fn key_file(class: &str, kind: u8, inputs: u16, constants: &[u8]) -> Vec<u8> {
    let mut file = b"NGVK\x01".to_vec();
    // The registry counts kinds from 0, the file from 1.
    file.push(kind.saturating_add(1));
    file.push(u8::try_from(class.len()).unwrap_or(u8::MAX));
    file.extend(class.bytes());
    file.extend(inputs.to_be_bytes());
    for (index, word) in constants.chunks(WORD).enumerate() {
        if NEGATED.contains(&index) && word.len() == WORD {
            let y = U256::from_be_slice(word);
            let negative = if y.is_zero() { y } else { ORDER.saturating_sub(y) };
            file.extend(negative.to_be_bytes::<WORD>());
        } else {
            file.extend(word);
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use super::{NEGATED, ORDER, U256, WORD, key_file};

    #[test]
    fn only_the_y_coordinates_of_beta_gamma_and_delta_are_negated() {
        let constants: Vec<u8> =
            (1..=16u64).flat_map(|word| U256::from(word).to_be_bytes::<WORD>()).collect();
        let file = key_file("claim-2", 0, 12, &constants);
        let header = b"NGVK\x01\x01\x07claim-2\x00\x0c";
        assert_eq!(file[..header.len()], header[..]);
        for (index, word) in file[header.len()..].chunks(WORD).enumerate() {
            let value = U256::from(index + 1);
            let expected = if NEGATED.contains(&index) { ORDER - value } else { value };
            assert_eq!(U256::from_be_slice(word), expected, "word {index}");
        }
    }
}
