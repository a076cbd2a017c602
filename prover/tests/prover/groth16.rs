//! Setup and proving against `ark-groth16`.

use super::system::{element, random, rng};
use ark_bn254::{Bn254, Fr};
use ark_ff::{Field, UniformRand};
use ark_groth16::{Groth16 as Arkworks, prepare_verifying_key};
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, Result as Synthesis, Variable,
};
use ark_std::rand::{SeedableRng, rngs::StdRng};
use nightingale_circuits::r1cs::{R1cs, Row};
use nightingale_prover::{
    ProveError,
    arkworks::{CircomReduction, matrices},
    device::Cpu,
    groth16::{Blinding, Groth16},
    reduction::System,
    setup::{Secrets, generate},
};
use std::ops::ControlFlow;

/// Replays a constraint system into arkworks' own.
struct Replay<'a>(&'a R1cs);

impl ConstraintSynthesizer<Fr> for Replay<'_> {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Synthesis<()> {
        let mut columns = vec![Variable::One];
        for _ in 0..self.0.public {
            columns.push(cs.new_input_variable(|| Ok(Fr::ONE))?);
        }
        for _ in columns.len()..self.0.variables {
            columns.push(cs.new_witness_variable(|| Ok(Fr::ONE))?);
        }
        let form = |row: &Row| LinearCombination(row.iter().map(|(k, i)| (*k, columns[*i])).collect());
        for ((a, b), c) in self.0.a.iter().zip(&self.0.b).zip(&self.0.c) {
            let (a, b, c) = (form(a), form(b), form(c));
            cs.enforce_r1cs_constraint(|| a, || b, || c)?;
        }
        Ok(())
    }
}

fn groth16(r1cs: &R1cs) -> Groth16 {
    let key = generate(r1cs, &Secrets::development("test").unwrap()).unwrap();
    Groth16::new(System::new(r1cs).unwrap(), key).unwrap()
}

fn prove(prover: &Groth16, values: &[Fr], r: Fr, s: Fr) -> ark_groth16::Proof<Bn254> {
    prover.prove(&Cpu, values, &Blinding::fixed(r, s), &mut |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn gives_the_bytes_of_ark_groth16_for_equal_randomness() {
    for (public, constraints) in [(1, 3), (3, 60), (12, 500), (5, 2042)] {
        let (r1cs, values) = random(public, constraints, constraints as u64);
        let prover = groth16(&r1cs);
        let mut rng = rng(9);
        for (r, s) in [(element(&mut rng), element(&mut rng)), (Fr::from(0u64), Fr::from(3u64))] {
            let ours = prove(&prover, &values, r, s);
            let matrices = matrices(&r1cs);
            let theirs = Arkworks::<Bn254, CircomReduction>::create_proof_with_reduction_and_matrices(
                prover.key(),
                r,
                s,
                &matrices,
                public + 1,
                constraints,
                &values,
            )
            .unwrap();
            // With r = 0 arkworks leaves out the multiplication that r would cancel; the proof is the same.
            assert_eq!(ours, theirs);
            let key = prepare_verifying_key(&prover.key().vk);
            assert!(Arkworks::<Bn254>::verify_proof(&key, &ours, &values[1..=public]).unwrap());
        }
    }
}

#[test]
fn makes_the_key_of_arkworks_generator_for_equal_secrets() {
    let (r1cs, values) = random(4, 100, 1);
    let mut rng = StdRng::seed_from_u64(7);
    let [alpha, beta, gamma, delta] = std::array::from_fn(|_| Fr::rand(&mut rng));
    // The generator draws tau from the random source that it is given: draw the same.
    let tau = Fr::rand(&mut rng.clone());
    let ours = generate(&r1cs, &Secrets::new(tau, alpha, beta, gamma, delta).unwrap()).unwrap();
    let theirs = Arkworks::<Bn254, CircomReduction>::generate_parameters_with_qap(
        Replay(&r1cs),
        alpha,
        beta,
        gamma,
        delta,
        ark_ec::AffineRepr::into_group(<ark_bn254::G1Affine as ark_ec::AffineRepr>::generator()),
        ark_ec::AffineRepr::into_group(<ark_bn254::G2Affine as ark_ec::AffineRepr>::generator()),
        &mut rng,
    )
    .unwrap();
    assert_eq!(ours, theirs);
    let prover = Groth16::new(System::new(&r1cs).unwrap(), theirs).unwrap();
    let proof = prove(&prover, &values, Fr::from(5u64), Fr::from(6u64));
    let key = prepare_verifying_key(&prover.key().vk);
    assert!(Arkworks::<Bn254>::verify_proof(&key, &proof, &values[1..=4]).unwrap());
}

#[test]
fn an_unsatisfied_constraint_or_another_input_gives_no_valid_proof() {
    let (r1cs, values) = random(3, 50, 2);
    let prover = groth16(&r1cs);
    let key = prepare_verifying_key(&prover.key().vk);
    let valid = |values: &[Fr], inputs: &[Fr]| {
        let proof = prove(&prover, values, Fr::from(11u64), Fr::from(12u64));
        Arkworks::<Bn254>::verify_proof(&key, &proof, inputs).unwrap()
    };
    assert!(valid(&values, &values[1..=3]));
    let mut broken = values.clone();
    *broken.last_mut().unwrap() += Fr::ONE;
    assert!(r1cs.first_unsatisfied(&broken).is_some());
    assert!(!valid(&broken, &broken[1..=3]));
    for i in 1..=3 {
        let mut other = values.clone();
        other[i] += Fr::ONE;
        assert!(!valid(&values, &other[1..=3]), "public input {i} is not bound");
    }
}

#[test]
fn refuses_a_key_for_another_system() {
    let (small, _) = random(2, 20, 3);
    let (large, _) = random(2, 40, 3);
    let key = generate(&small, &Secrets::development("test").unwrap()).unwrap();
    assert!(matches!(Groth16::new(System::new(&large).unwrap(), key), Err(ProveError::Bug(_))));
}

#[test]
fn refuses_secrets_with_which_anybody_can_forge() {
    let [t, a, b, g] = [2u64, 3, 4, 5].map(Fr::from);
    assert!(Secrets::new(t, a, b, g, g).is_err());
    assert!(Secrets::new(t, a, b, g, -g).is_err());
    assert!(Secrets::new(t, a, b, g, Fr::from(0u64)).is_err());
}

#[test]
fn stops_when_the_callback_says_so() {
    let (r1cs, values) = random(2, 20, 4);
    let prover = groth16(&r1cs);
    let mut calls = 0;
    let result = prover.prove(&Cpu, &values, &Blinding::fixed(Fr::ONE, Fr::ONE), &mut |_| {
        calls += 1;
        if calls == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(result, Err(ProveError::Cancelled)));
    assert_eq!(calls, 3);
}
