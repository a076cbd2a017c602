//! Verifying keys, of claims and of cohorts.

use nightingale_verifier::{VerifyingKey, cohort::CohortKey, snarkjs};

/// A key file of either sort: no byte of it is free, and one that is accepted cannot be one that forges.
pub fn verifying_key(bytes: &[u8]) {
    if let Ok(key) = VerifyingKey::from_bytes(bytes) {
        assert!(key.to_bytes() == bytes, "a key file has a byte that says nothing");
        let groth16 = key.groth16();
        let [beta, gamma, delta] = [groth16.beta_g2.x, groth16.gamma_g2.x, groth16.delta_g2.x];
        assert!(beta != gamma && gamma != delta && delta != beta, "two points are equal or opposite");
        let _ = snarkjs::verification_key(&key);
    }
    if let Ok(key) = CohortKey::from_bytes(bytes) {
        assert!(key.to_bytes() == bytes, "a cohort key file has a byte that says nothing");
    }
}
