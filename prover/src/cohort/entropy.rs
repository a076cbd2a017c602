//! Randomness from the operating system, for salts and blinding.

use crate::ProveError;
use halo2_proofs::halo2curves::{bn256::Fr, ff::FromUniformBytes};
use rand::{TryRngCore, rngs::OsRng};
use zeroize::Zeroizing;

/// Fresh bytes.
pub(super) fn bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>, ProveError> {
    let mut bytes = Zeroizing::new([0; N]);
    OsRng
        .try_fill_bytes(&mut *bytes)
        .map_err(|error| ProveError::Bug(format!("no randomness from the system: {error}")))?;
    Ok(bytes)
}

/// A uniform scalar.
pub(super) fn scalar() -> Result<Fr, ProveError> {
    Ok(Fr::from_uniform_bytes(&*bytes::<64>()?))
}

/// Overwrites scalars that must not stay in memory.
pub(super) fn erase(scalars: &mut [Fr]) {
    scalars.fill(Fr::zero());
    // Keeps the writes, which nobody reads, from being removed.
    std::hint::black_box(scalars);
}
