//! Groth16 provers side by side: ours on the devices that are asked for, arkworks' and TACEO's, each used as its
//! authors would.
//!
//! All run in parallel on rayon's pool and use the circom reduction, which the keys are made for.

use crate::{contest::Contestant, workload::Case};
use anyhow::{Result, anyhow, ensure};
use ark_bn254::{Bn254, Fr};
use ark_groth16::{Groth16, PreparedVerifyingKey, Proof, ProvingKey, prepare_verifying_key};
use ark_relations::utils::matrix::Matrix;
use nightingale_prover::{
    Device,
    arkworks::{CircomReduction, matrices},
    groth16::{Blinding, Prover},
};
use std::ops::ControlFlow;
use taceo_groth16::ConstraintMatrices;

/// A case with what each prover keeps between proofs.
pub struct Bench {
    case: Case,
    arkworks: [Matrix<Fr>; 3],
    taceo: ConstraintMatrices<Fr>,
    /// The key as both peers take it.
    proving: ProvingKey<Bn254>,
    prepared: PreparedVerifyingKey<Bn254>,
    /// Ours, by the name in the report.
    ours: Vec<(String, Prover)>,
}

/// How our prover is called in a report: `ours` on the first device, `ours@DEVICE` on others.
fn name(place: usize, device: &dyn Device) -> String {
    if place == 0 { "ours".to_owned() } else { format!("ours@{}", device.name()) }
}

impl Bench {
    /// Prepares all provers, ours on each of these devices.
    ///
    /// # Errors
    /// The devices'.
    pub fn new(case: Case, devices: &[&dyn Device]) -> Result<Self> {
        let terms = |rows: &Matrix<Fr>| rows.iter().map(Vec::len).sum();
        let [a, b, c] = matrices(&case.r1cs);
        let taceo = ConstraintMatrices {
            num_instance_variables: case.r1cs.public + 1,
            num_witness_variables: case.r1cs.variables - case.r1cs.public - 1,
            num_constraints: case.r1cs.a.len(),
            a_num_non_zero: terms(&a),
            b_num_non_zero: terms(&b),
            c_num_non_zero: terms(&c),
            a,
            b,
            c,
        };
        let ours = (devices.iter().enumerate())
            .map(|(place, device)| Ok((name(place, *device), Prover::new(case.key.clone(), *device)?)))
            .collect::<Result<_>>()?;
        let prepared = prepare_verifying_key(case.key.verifying());
        let (arkworks, proving) = (matrices(&case.r1cs), case.key.to_arkworks());
        Ok(Self { arkworks, taceo, proving, prepared, ours, case })
    }

    /// Its case.
    #[must_use]
    pub const fn case(&self) -> &Case {
        &self.case
    }

    /// All provers, ours first; a run is a proof and its verification.
    #[must_use]
    pub fn contestants(&self) -> Vec<Contestant<'_, ()>> {
        let mut all: Vec<Contestant<'_, ()>> = (self.ours.iter())
            .map(|(name, prover)| {
                Contestant::new(name.clone(), |round| self.verify(&[self.ours(prover, round, 1)?[0].clone()]))
            })
            .collect();
        all.push(Contestant::new("ark-groth16", |round| self.verify(&[self.arkworks(round)?])));
        all.push(Contestant::new("taceo-groth16", |round| self.verify(&[self.taceo(round)?])));
        all
    }

    /// Our provers on so many proofs in one call, all verified.
    #[must_use]
    pub fn batches(&self, size: u16) -> Vec<Contestant<'_, ()>> {
        (self.ours.iter())
            .map(|(name, prover)| {
                Contestant::new(name.clone(), move |round| self.verify(&self.ours(prover, round, size)?))
            })
            .collect()
    }

    fn ours(&self, prover: &Prover, round: u16, size: u16) -> Result<Vec<Proof<Bn254>>> {
        let blindings: Vec<Blinding> = (0..size)
            .map(|i| {
                let [r, s] = randomness(round + 1000 * i);
                Blinding::fixed(r, s)
            })
            .collect();
        let batch: Vec<(&[Fr], &Blinding)> =
            blindings.iter().map(|blinding| (self.case.values.as_slice(), blinding)).collect();
        Ok(prover.prove_batch(&batch, &mut |_| ControlFlow::Continue(()))?)
    }

    fn arkworks(&self, round: u16) -> Result<Proof<Bn254>> {
        let Case { r1cs, values, .. } = &self.case;
        let [r, s] = randomness(round);
        Groth16::<Bn254, CircomReduction>::create_proof_with_reduction_and_matrices(
            &self.proving,
            r,
            s,
            &self.arkworks,
            r1cs.public + 1,
            r1cs.a.len(),
            values,
        )
        .map_err(|error| anyhow!("{error}"))
    }

    fn taceo(&self, round: u16) -> Result<Proof<Bn254>> {
        let [r, s] = randomness(round);
        taceo_groth16::Groth16::<Bn254>::prove::<taceo_groth16::CircomReduction>(
            &self.proving,
            r,
            s,
            &self.taceo,
            &self.case.values,
        )
        .map_err(|error| anyhow!("{error}"))
    }

    fn verify(&self, proofs: &[Proof<Bn254>]) -> Result<()> {
        for proof in proofs {
            let valid = Groth16::<Bn254>::verify_proof(&self.prepared, proof, self.case.inputs());
            ensure!(valid.is_ok_and(|valid| valid), "a proof does not verify");
        }
        Ok(())
    }
}

/// The same for every prover in one round, another in each.
fn randomness(round: u16) -> [Fr; 2] {
    [Fr::from(1000 + u32::from(round)) / Fr::from(7u64), Fr::from(2000 + u32::from(round)) / Fr::from(11u64)]
}
