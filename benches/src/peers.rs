//! Groth16 provers side by side: ours, arkworks' and TACEO's, each used as its authors would.
//!
//! All run in parallel on rayon's pool and use the circom reduction, which the keys are made for.

use crate::workload::Case;
use anyhow::{Result, anyhow};
use ark_bn254::{Bn254, Fr};
use ark_groth16::{Groth16, Proof};
use ark_relations::utils::matrix::Matrix;
use nightingale_prover::{
    arkworks::{CircomReduction, matrices},
    device::Cpu,
    groth16::Blinding,
};
use std::ops::ControlFlow;
use taceo_groth16::ConstraintMatrices;

/// A prover under comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// This project's.
    Ours,
    /// `ark-groth16`, matrices kept between proofs.
    Arkworks,
    /// `taceo-groth16`, matrices kept between proofs.
    Taceo,
}

impl Peer {
    /// All of them, ours first.
    pub const ALL: [Self; 3] = [Self::Ours, Self::Arkworks, Self::Taceo];

    /// Its name in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Arkworks => "ark-groth16",
            Self::Taceo => "taceo-groth16",
        }
    }
}

/// A case with what each prover keeps between proofs.
pub struct Bench {
    case: Case,
    arkworks: [Matrix<Fr>; 3],
    taceo: ConstraintMatrices<Fr>,
}

impl Bench {
    /// Prepares all provers.
    #[must_use]
    pub fn new(case: Case) -> Self {
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
        Self { arkworks: matrices(&case.r1cs), taceo, case }
    }

    /// Its case.
    #[must_use]
    pub const fn case(&self) -> &Case {
        &self.case
    }

    /// A proof by `peer` with this randomness.
    ///
    /// # Errors
    /// The prover's.
    pub fn prove(&self, peer: Peer, r: Fr, s: Fr) -> Result<Proof<Bn254>> {
        let Case { r1cs, values, key, .. } = &self.case;
        let groth16 = key.groth16();
        match peer {
            Peer::Ours => {
                let go_on = &mut |_| ControlFlow::Continue(());
                Ok(groth16.prove(&Cpu, values, &Blinding::fixed(r, s), go_on)?)
            }
            Peer::Arkworks => Groth16::<Bn254, CircomReduction>::create_proof_with_reduction_and_matrices(
                groth16.key(),
                r,
                s,
                &self.arkworks,
                r1cs.public + 1,
                r1cs.a.len(),
                values,
            )
            .map_err(|error| anyhow!("ark-groth16: {error}")),
            Peer::Taceo => taceo_groth16::Groth16::<Bn254>::prove::<taceo_groth16::CircomReduction>(
                groth16.key(),
                r,
                s,
                &self.taceo,
                values,
            )
            .map_err(|error| anyhow!("taceo-groth16: {error}")),
        }
    }

    /// Whether a proof verifies, by our verifier's pairing check.
    #[must_use]
    pub fn verifies(&self, proof: &Proof<Bn254>) -> bool {
        self.case.key.verifying().accepts(proof, self.case.inputs())
    }
}
