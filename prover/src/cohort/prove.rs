//! One proof with its link, verified before it is returned.
//!
//! A backend draws the blinding of a column from the generator that it is given: column by column, the last rows of each. So a copy
//! of the generator knows the randomness of the slots, which the link needs.

use super::{
    CohortProvingKey, Progress, Step,
    backend::{Blinding, Task},
    commit::Salt,
    entropy, tell,
};
use crate::ProveError;
use halo2_proofs::{
    halo2curves::{
        bn256::{Fr, G1, G1Affine},
        ff::Field,
        group::Curve,
    },
    plonk::Circuit,
};
use nightingale_circuits::cohort::{Keccak, Layout};
use nightingale_verifier::cohort::{
    CohortKey, Link, LinkedProof,
    link::{Claim, Pair},
    verify::verify_linked,
};
use rand_chacha_for_halo2::rand_core::SeedableRng;

/// A registered column: what a slot is linked to.
pub struct Column {
    /// Its commitment; infinity for the column that is all zero.
    pub commitment: G1Affine,
    /// Its salt.
    pub salt: Salt,
}

/// Proves that the circuit holds for these instances, its slots being these columns, and links it in `context`.
///
/// # Errors
/// Cancelled; what the backend fails with, a proof that does not verify included: nothing is let out then.
pub fn prove<C: Circuit<Fr>>(
    key: &CohortProvingKey,
    circuit: &C,
    instances: &[Vec<Fr>],
    columns: &[Column],
    context: &Keccak,
    progress: Progress<'_>,
) -> Result<LinkedProof, ProveError> {
    let instance_columns: Vec<&[Fr]> = instances.iter().map(Vec::as_slice).collect();
    let seed = entropy::bytes::<32>()?;
    let task = Task { key, instances: &instance_columns, circuit };
    let proof = key.backend().prove(&task, Blinding::from_seed(*seed))?;
    tell(progress, Step::Linking)?;
    let link = link(key, &mut Blinding::from_seed(*seed), &proof, columns, context)?;
    tell(progress, Step::Verifying)?;
    let proof = LinkedProof { key: key.verifying().digest(), proof, link };
    let commitments: Vec<G1Affine> = columns.iter().map(|column| column.commitment).collect();
    verify_linked(key.verifying(), instances, &proof, &commitments, context).map_err(|error| {
        let circuit = key.verifying().circuit();
        key.backend().refused(format!("a finished {circuit} proof was refused: {error}"))
    })?;
    Ok(proof)
}

/// The link of a proof; `replay` draws what the proof's blinding was drawn from.
fn link(
    key: &CohortProvingKey,
    replay: &mut Blinding,
    proof: &[u8],
    columns: &[Column],
    context: &Keccak,
) -> Result<Link, ProveError> {
    let slots = CohortKey::slots(proof, columns.len())
        .map_err(|error| key.backend().refused(format!("a finished proof cannot be read: {error}")))?;
    let pairs = slots
        .into_iter()
        .zip(columns)
        .map(|(slot, column)| Pair { slot, column: column.commitment })
        .collect();
    let claim = Claim::new(key.verifying().circuit(), key.verifying().k(), context, proof, pairs);
    let blinded = key.proving().get_vk().cs().blinding_factors() + 1;
    let rho = claim.weight();
    let mut power = Fr::ONE;
    let mut difference = [Fr::ZERO; Layout::SALT];
    for column in columns {
        let values = difference.iter_mut().zip(column.salt.values()).enumerate();
        for (row, (difference, salt)) in values {
            // The rows of salt that halo2 does not blind are zero in a slot.
            let blinding = if row + blinded < Layout::SALT { Fr::ZERO } else { Fr::random(&mut *replay) };
            *difference += power * (blinding - salt);
        }
        power *= rho;
    }
    let mut nonces = [Fr::ZERO; Layout::SALT];
    for nonce in &mut nonces {
        *nonce = entropy::scalar()?;
    }
    let span = &key.srs().points().span;
    let commitment: G1 = span.iter().zip(&nonces).map(|(point, nonce)| *point * nonce).sum();
    let commitment = commitment.to_affine();
    let challenge = claim.challenge(&commitment);
    let mut responses = [Fr::ZERO; Layout::SALT];
    for ((response, nonce), difference) in responses.iter_mut().zip(&nonces).zip(&difference) {
        *response = *nonce + challenge * difference;
    }
    entropy::erase(&mut nonces);
    entropy::erase(&mut difference);
    Ok(Link { commitment, responses })
}
