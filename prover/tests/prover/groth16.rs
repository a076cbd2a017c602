//! Setup and proving against `ark-groth16`.

use super::system::{element, random, rng};
use ark_bn254::{Bn254, Fq, Fr, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::{Field, UniformRand};
use ark_groth16::{Groth16 as Arkworks, ProvingKey, prepare_verifying_key};
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, Result as Synthesis, Variable,
};
use ark_std::rand::{SeedableRng, rngs::StdRng};
use nightingale_circuits::r1cs::{R1cs, Row};
use nightingale_prover::{
    ProveError,
    arkworks::{CircomReduction, matrices},
    device::Reference,
    groth16::{Blinding, Key, Prover},
    reduction::System,
    setup::{Secrets, generate},
};
use std::{ops::ControlFlow, sync::Arc};

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

fn load(r1cs: &R1cs, key: &ProvingKey<Bn254>) -> Prover {
    Prover::new(Arc::new(Key::new(System::new(r1cs).unwrap(), key).unwrap()), &Reference).unwrap()
}

fn groth16(r1cs: &R1cs) -> Prover {
    load(r1cs, &generate(r1cs, &Secrets::development("test").unwrap()).unwrap())
}

fn prove(prover: &Prover, values: &[Fr], r: Fr, s: Fr) -> ark_groth16::Proof<Bn254> {
    prover.prove(values, &Blinding::fixed(r, s), &mut |_| ControlFlow::Continue(())).unwrap()
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
                &prover.key().to_arkworks(),
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
            let key = prepare_verifying_key(prover.key().verifying());
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
    let prover = load(&r1cs, &theirs);
    assert_eq!(prover.key().to_arkworks(), theirs);
    let proof = prove(&prover, &values, Fr::from(5u64), Fr::from(6u64));
    let key = prepare_verifying_key(prover.key().verifying());
    assert!(Arkworks::<Bn254>::verify_proof(&key, &proof, &values[1..=4]).unwrap());
}

#[test]
fn refuses_an_unsatisfied_constraint_and_binds_every_public_input() {
    let (r1cs, values) = random(3, 50, 2);
    let prover = groth16(&r1cs);
    let key = prepare_verifying_key(prover.key().verifying());
    let proof = prove(&prover, &values, Fr::from(11u64), Fr::from(12u64));
    let valid = |inputs: &[Fr]| Arkworks::<Bn254>::verify_proof(&key, &proof, inputs).unwrap();
    assert!(valid(&values[1..=3]));
    for i in 1..=3 {
        let mut other = values.clone();
        other[i] += Fr::ONE;
        assert!(!valid(&other[1..=3]), "public input {i} is not bound");
    }
    let blinding = Blinding::fixed(Fr::ONE, Fr::ONE);
    for column in [1, 5, values.len() - 1] {
        let mut broken = values.clone();
        broken[column] += Fr::ONE;
        let first = r1cs.first_unsatisfied(&broken).map(|(row, _)| row);
        let result = prover.prove(&broken, &blinding, &mut |_| ControlFlow::Continue(()));
        assert!(
            matches!(result, Err(ProveError::Unsatisfied { row }) if Some(row) == first),
            "column {column}"
        );
    }
    let short = prover.prove(&values[1..], &blinding, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(short, Err(ProveError::Bug(_))));
}

#[test]
fn refuses_a_key_for_another_system() {
    let (small, _) = random(2, 20, 3);
    let (large, _) = random(2, 40, 3);
    let key = generate(&small, &Secrets::development("test").unwrap()).unwrap();
    assert!(matches!(Key::new(System::new(&large).unwrap(), &key), Err(ProveError::Bug(_))));
}

#[test]
fn refuses_a_key_whose_proofs_would_not_hide_their_witness() {
    let (r1cs, _) = random(2, 20, 3);
    let good = generate(&r1cs, &Secrets::development("test").unwrap()).unwrap();
    let refused = |change: fn(&mut ProvingKey<Bn254>)| {
        let mut key = good.clone();
        change(&mut key);
        Key::new(System::new(&r1cs).unwrap(), &key).is_err()
    };
    assert!(!refused(|_| {}));
    assert!(refused(|key| key.delta_g1 = G1Affine::zero()));
    assert!(refused(|key| key.beta_g1 = G1Affine::zero()));
    assert!(refused(|key| key.delta_g1 = key.beta_g1));
    assert!(refused(|key| key.beta_g1 = -key.beta_g1));
    // Of order 3, on another curve.
    assert!(refused(|key| key.delta_g1 = G1Affine::new_unchecked(Fq::from(0u64), Fq::from(1u64))));
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
    let result = prover.prove(&values, &Blinding::fixed(Fr::ONE, Fr::ONE), &mut |_| {
        calls += 1;
        if calls == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(result, Err(ProveError::Cancelled)));
    assert_eq!(calls, 2);
}
