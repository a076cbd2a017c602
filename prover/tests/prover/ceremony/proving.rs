//! What an imported key is good for: proofs on the devices, which we, arkworks and snarkjs accept, and snarkjs' own proofs, which we accept.

use super::{
    super::system::rng,
    snarkjs::{run, try_run},
    stage::{PUBLIC, Stage, stage},
};
use ark_bn254::{Bn254, Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_groth16::{Groth16, Proof, prepare_verifying_key};
use nightingale_circuits::{
    claim::{SizeClass, circuit},
    r1cs::Origin,
};
use nightingale_prover::{
    Device, ceremony,
    device::{Cpu, Reference},
    groth16::{Blinding, Key, Prover},
};
use nightingale_verifier::{KeyKind, VerifyingKey, snarkjs};
use serde_json::{Value, json};
use std::{ops::ControlFlow, str::FromStr, sync::Arc};

fn prove(key: &Arc<Key>, device: &dyn Device, values: &[Fr], seed: u64) -> Proof<Bn254> {
    let prover = Prover::new(Arc::clone(key), device).unwrap();
    prover.prove(values, &Blinding::random(&mut rng(seed)), &mut |_| ControlFlow::Continue(())).unwrap()
}

fn g1_json(point: &G1Affine) -> Value {
    let (x, y) = point.xy().unwrap();
    json!([x.to_string(), y.to_string(), "1"])
}

fn proof_json(proof: &Proof<Bn254>) -> Value {
    let (x, y) = proof.b.xy().unwrap();
    let pair = |c: &Fq2| json!([c.c0.to_string(), c.c1.to_string()]);
    let b = json!([pair(&x), pair(&y), ["1", "0"]]);
    json!({"protocol": "groth16", "curve": "bn128", "pi_a": g1_json(&proof.a), "pi_b": b, "pi_c": g1_json(&proof.c)})
}

fn number(value: &Value) -> Fq {
    Fq::from_str(value.as_str().unwrap()).unwrap()
}

pub(super) fn proof_of_snarkjs(json: &Value) -> Proof<Bn254> {
    let g1 = |p: &Value| G1Affine::new(number(&p[0]), number(&p[1]));
    let pair = |c: &Value| Fq2::new(number(&c[0]), number(&c[1]));
    let b = &json["pi_b"];
    Proof { a: g1(&json["pi_a"]), b: G2Affine::new(pair(&b[0]), pair(&b[1])), c: g1(&json["pi_c"]) }
}

/// Whether snarkjs accepts a proof under the key that it exported itself.
pub(super) fn snarkjs_accepts(stage: &Stage, proof: &Proof<Bn254>, inputs: &[Fr], key: &str) -> bool {
    let public: Vec<String> = inputs.iter().map(Fr::to_string).collect();
    stage.write("ours.proof.json", proof_json(proof).to_string().as_bytes());
    stage.write("ours.public.json", &serde_json::to_vec(&public).unwrap());
    let (done, said) =
        try_run(stage.path(), &format!("groth16 verify {key} ours.public.json ours.proof.json"));
    done && said.contains("OK!")
}

#[test]
fn snarkjs_takes_our_circuit_and_assignment() {
    let Some(stage) = stage() else { return };
    let said = run(stage.path(), "r1cs info circuit.r1cs");
    for line in ["# of Wires: 127", "# of Constraints: 100", "# of Outputs: 0"] {
        assert!(said.contains(line), "{said}");
    }
    assert!(said.contains(&format!("# of Public Inputs: {PUBLIC}")), "{said}");
    assert!(run(stage.path(), "wtns check circuit.r1cs values.wtns").contains("WITNESS IS CORRECT"));
    // One value that breaks a constraint.
    let mut wrong = stage.values.clone();
    *wrong.last_mut().unwrap() += Fr::from(1u64);
    stage.write("wrong.wtns", &ceremony::wtns(&wrong));
    let (_, said) = try_run(stage.path(), "wtns check circuit.r1cs wrong.wtns");
    assert!(said.contains("WITNESS IS NOT CORRECT"), "{said}");
}

/// ADR 0002 and FACTS: snarkjs' order of wires, and no row that a reduction does not see.
#[test]
fn the_claim_circuits_have_snarkjs_wires_and_no_row_without_factors() {
    for class in SizeClass::ALL {
        let system = circuit::r1cs(class);
        assert_eq!(ceremony::first_empty_row(&system), None);
        let kinds = system.origins.iter().map(|origin| match origin {
            Origin::One => 0,
            Origin::Public => 1,
            Origin::Input | Origin::Derived | Origin::Guess | Origin::Inverse => 2,
        });
        let kinds: Vec<u8> = kinds.collect();
        assert!(kinds.is_sorted() && kinds.iter().filter(|kind| **kind == 1).count() == system.public);
        for row in [&system.a, &system.b, &system.c].into_iter().flatten() {
            assert!(
                row.is_sorted_by(|(_, a), (_, b)| a < b) && row.iter().all(|(k, _)| *k != Fr::from(0u64))
            );
        }
    }
    let mut system = circuit::r1cs(SizeClass::Two);
    (system.a[5], system.b[5]) = (Vec::new(), Vec::new());
    assert_eq!(ceremony::first_empty_row(&system), Some(5));
}

#[test]
fn an_imported_key_proves_on_every_device_and_everybody_accepts() {
    let Some(stage) = stage() else { return };
    let said = run(stage.path(), "zkey verify circuit.r1cs powers.ptau final.zkey");
    assert!(said.contains("ZKey Ok!"), "{said}");
    let imported = stage.import(&stage.key).unwrap();
    let manifest = &imported.manifest;
    assert_eq!(manifest.circuit_hash, stage.circuit_hash);
    let parts: Vec<_> = manifest.contributions.iter().map(|p| (p.name.as_deref(), p.published)).collect();
    assert_eq!(parts, [(Some("hospital"), true), (Some("insurer"), true), (Some("final"), false)]);
    assert_eq!(manifest.contributions[0].hash, stage.published[0].hash.to_string());
    assert!(
        manifest.contributions[2]
            .beacon
            .as_ref()
            .is_some_and(|(value, n)| value == super::stage::BEACON && *n == 10)
    );

    let key = Arc::new(imported.key);
    let inputs = &stage.values[1..=PUBLIC];
    let ours = VerifyingKey::new(SizeClass::Two, KeyKind::Production, key.verifying().clone()).unwrap();
    stage.write("ours.key.json", snarkjs::verification_key(&ours).to_string().as_bytes());
    run(stage.path(), "zkey export verificationkey final.zkey theirs.key.json");
    let theirs = prepare_verifying_key(key.verifying());
    let devices: [&dyn Device; 2] = [&Cpu::new(0), &Reference];
    for (seed, device) in (1..).zip(devices) {
        let proof = prove(&key, device, &stage.values, seed);
        assert!(ours.accepts(&proof, inputs));
        assert!(Groth16::<Bn254>::verify_proof(&theirs, &proof, inputs).unwrap());
        for name in ["ours.key.json", "theirs.key.json"] {
            assert!(snarkjs_accepts(stage, &proof, inputs, name), "{name}");
        }
        let mut others = inputs.to_vec();
        others[3] += Fr::from(1u64);
        assert!(!ours.accepts(&proof, &others) && !snarkjs_accepts(stage, &proof, &others, "ours.key.json"));
    }
    // With equal randomness, both devices make one proof.
    assert_eq!(prove(&key, devices[0], &stage.values, 7), prove(&key, devices[1], &stage.values, 7));

    run(stage.path(), "groth16 prove final.zkey values.wtns proof.json public.json");
    let proof = proof_of_snarkjs(&serde_json::from_slice(&stage.read("proof.json")).unwrap());
    let public: Vec<String> = serde_json::from_slice(&stage.read("public.json")).unwrap();
    assert_eq!(public, inputs.iter().map(Fr::to_string).collect::<Vec<_>>());
    assert!(ours.accepts(&proof, inputs));
}
