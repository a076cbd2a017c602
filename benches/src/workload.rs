//! One invented claim for each size class, ready to prove.

use anyhow::{Context, Result};
use nightingale_circuits::{
    Fr,
    claim::{SizeClass, circuit},
    r1cs::R1cs,
};
use nightingale_prover::{ClaimKey, KeyStore};
use nightingale_records::synth;
use std::{path::Path, sync::Arc};

const SEED: u64 = 20_260_101;

/// The claim circuit of one class with an approval's assignment and the key.
pub struct Case {
    /// The class.
    pub class: SizeClass,
    /// The constraints.
    pub r1cs: R1cs,
    /// `[1, public.., witness..]`.
    pub values: Vec<Fr>,
    /// The key.
    pub key: Arc<ClaimKey>,
}

impl Case {
    /// The public inputs of its assignment.
    #[must_use]
    pub fn inputs(&self) -> &[Fr] {
        &self.values[1..=self.r1cs.public]
    }
}

/// A case for each class, with development keys that are made in `keys` where absent.
///
/// # Errors
/// Keys that cannot be written or read; a generator that yields no approval.
pub fn cases(keys: &Path) -> Result<Vec<Case>> {
    let store = KeyStore::development(keys, &mut |_| {})?;
    let requests = synth::requests(SEED, 60)?;
    let case = |class| {
        let approved =
            requests.iter().filter(|request| request.size_class() == Ok(class)).find_map(|request| {
                circuit::assign(request).ok().filter(|(adjudication, _)| adjudication.approved)
            });
        let (_, assignment) = approved.context("the generator made no approval of this class")?;
        let values = assignment.values.clone();
        Ok(Case { class, r1cs: circuit::r1cs(class), values, key: store.claim_key(class)? })
    };
    SizeClass::ALL.into_iter().map(case).collect()
}
