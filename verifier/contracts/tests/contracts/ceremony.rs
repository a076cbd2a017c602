//! A key from a ceremony with snarkjs, on-chain: its proof is accepted, an altered one is not, and a public chain registers it, which it
//! does not do with a development key.

use super::{
    business::refused as refused_by,
    proofs::SMALL,
    single::refused,
    tools::{run, tools},
    world::{DEPLOYER, NOON, STRANGER, registry_arguments, root},
};
use alloy_primitives::U256;
use anyhow::{Context, Result, ensure};
use ark_bn254::Fr;
use nightingale_circuits::{claim::SizeClass, r1cs::R1cs};
use nightingale_contracts::{
    artefacts,
    bindings::{
        ClaimVerifier::ProofRejected,
        Registry::{KeyForges, keyCall, registerKeyCall},
    },
    calldata,
    chain::Chain,
};
use nightingale_prover::{
    ceremony::{self, Beacon, CheckedPowers, FileDigest, Imported, Terms},
    device::Cpu,
    groth16::{Blinding, Prover},
};
use nightingale_verifier::{KeyKind, VerifyingKey};
use std::{fs, ops::ControlFlow, path::Path, process::Command, sync::Arc};

const PRODUCTION: u8 = 1;
const BEACON: &str = "00112233445566778899aabbccddeeff";

/// Public inputs that are squared: each is constrained, and all may have any value.
fn squares() -> (R1cs, Vec<Fr>) {
    let inputs: Vec<Fr> = (1..=SMALL as u64).map(|i| Fr::from(i * 1_000_003)).collect();
    let one = Fr::from(1u64);
    let column = |i: usize| vec![(one, i)];
    let r1cs = R1cs {
        public: SMALL,
        variables: 1 + 2 * SMALL,
        a: (1..=SMALL).map(column).collect(),
        b: (1..=SMALL).map(column).collect(),
        c: (1..=SMALL).map(|i| column(SMALL + i)).collect(),
        ..R1cs::default()
    };
    let squared = inputs.iter().map(|x| *x * x);
    let values = [one].into_iter().chain(inputs.iter().copied()).chain(squared).collect();
    (r1cs, values)
}

/// Holds the ceremony that docs/ceremony.md describes, and imports its key.
fn hold(tool: &Path, at: &Path, r1cs: &R1cs) -> Result<Imported> {
    fs::write(at.join("circuit.r1cs"), ceremony::r1cs(r1cs))?;
    for command in [
        "powersoftau new bn128 6 p0.ptau".to_owned(),
        "powersoftau contribute p0.ptau p1.ptau --name=first -e=one".to_owned(),
        "powersoftau prepare phase2 p1.ptau p.ptau".to_owned(),
        "groth16 setup circuit.r1cs p.ptau 0.zkey".to_owned(),
        "zkey contribute 0.zkey 1.zkey --name=hospital -e=two".to_owned(),
        "zkey contribute 1.zkey 2.zkey --name=insurer -e=three".to_owned(),
        format!("zkey beacon 2.zkey final.zkey {BEACON} 10 -n=beacon"),
        "zkey verify circuit.r1cs p.ptau final.zkey".to_owned(),
    ] {
        run(Command::new("node").arg(tool).args(command.split_whitespace()).current_dir(at))?;
    }
    let read = |name: &str| fs::read(at.join(name));
    let (ptau, mut random) = (read("p.ptau")?, rand::rng());
    let powers = CheckedPowers::check(&ptau, &FileDigest::of(&ptau), &mut random)?;
    let mut kept = |name: &str| anyhow::Ok(ceremony::check(r1cs, &read(name)?, &powers, &mut random)?);
    let previous = vec![kept("1.zkey")?, kept("2.zkey")?];
    let terms = Terms {
        minimum: 2,
        beacon: Beacon { value: alloy_primitives::hex::decode(BEACON)?, iterations: 10 },
        published: Vec::new(),
        previous,
    };
    Ok(ceremony::import(r1cs, &read("final.zkey")?, &powers, &terms, &mut random)?)
}

#[test]
fn a_ceremonys_key_verifies_on_chain_and_a_public_chain_takes_it() -> Result<()> {
    let Some(folder) = tools(&["snarkjs"])? else { return Ok(()) };
    let directory = tempfile::tempdir()?;
    let (r1cs, values) = squares();
    let imported = hold(&folder.join("node_modules/snarkjs/build/cli.cjs"), directory.path(), &r1cs)?;
    let key = Arc::new(imported.key);
    let prover = Prover::new(Arc::clone(&key), &Cpu::new(0))?;
    let proof =
        prover.prove(&values, &Blinding::random(&mut rand::rng()), &mut |_| ControlFlow::Continue(()))?;
    let inputs = &values[1..=SMALL];

    // Ethereum's main chain.
    let mut chain = Chain::new(1, NOON);
    let code = calldata::verifier_creation_code(key.verifying())?;
    let verifier = chain.deploy(DEPLOYER, code)?;
    let entry = calldata::entry(&proof, inputs);
    let receipt = chain.call(STRANGER, verifier, entry.clone().into())?;
    ensure!(receipt.output == U256::ONE.to_be_bytes_vec());
    let mut altered = entry;
    altered[8 * 32 + 31] ^= 1;
    let _: ProofRejected =
        refused(chain.call(STRANGER, verifier, altered.into()).map(|receipt| receipt.output))?;

    let production = VerifyingKey::new(SizeClass::Two, KeyKind::Production, key.verifying().clone())?;
    let code = [artefacts::registry()?.bytecode.to_vec(), registry_arguments()?].concat();
    let registry = chain.deploy(DEPLOYER, code.into())?;
    let digest = production.digest().0.into();
    chain.send(DEPLOYER, registry, &registerKeyCall { digest, kind: PRODUCTION, verifier })?;
    let found = chain.ask(registry, &keyCall { digest })?;
    ensure!(found.verifier == verifier && found.kind == PRODUCTION && usize::from(found.inputs) == SMALL);

    // The same key before anybody contributed: gamma is delta, and no registry takes it.
    let mut forging = calldata::constants(key.verifying())?;
    forging.copy_within(192..320, 320);
    let code = [artefacts::claim_verifier()?.bytecode.as_ref(), &forging].concat();
    let verifier = chain.deploy(DEPLOYER, code.into()).context("deploying")?;
    let call = registerKeyCall { digest: root("forging"), kind: PRODUCTION, verifier };
    let _: KeyForges = refused_by(chain.send(DEPLOYER, registry, &call))?;
    Ok(())
}
