//! The real circuit of two lines with 2^16 powers: minutes of snarkjs, so only when it is asked for.
//!
//!     NIGHTINGALE_REQUIRE_TOOLS=1 cargo test --release --workspace --test prover -- --ignored --nocapture comes_from_a_ceremony

use super::{
    super::{claims, system::rng},
    snarkjs::{modules, run},
    stage::{beacon, contribute, finish, powers},
};
use nightingale_circuits::claim::{SizeClass, circuit};
use nightingale_prover::{
    ClaimProver, KeyStore,
    ceremony::{self, CheckedPowers, FileDigest, Published, Terms},
    device::{Cpu, Reference},
};
use nightingale_verifier::{Context, KeyDirectory, KeyKind, snarkjs, verify_claim};
use std::{
    fs,
    time::{Duration, Instant},
};

const TWO: SizeClass = SizeClass::Two;

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    eprintln!("{what}: {:.1} s", begun.elapsed().as_secs_f64());
    done
}

#[test]
#[ignore = "minutes of snarkjs"]
fn claims_key_of_two_lines_comes_from_a_ceremony() {
    let Some(_) = modules() else { return };
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let read = |name: &str| fs::read(at.join(name)).unwrap();
    fs::write(at.join("circuit.r1cs"), ceremony::r1cs(&circuit::r1cs(TWO))).unwrap();
    // Just as many powers as the circuit's domain has rows, which is where the circuit hash reads behind them.
    timed("snarkjs: 2^16 powers", || powers(at, 16, "powers"));
    timed("snarkjs: setup", || run(at, "groth16 setup circuit.r1cs powers.ptau 0.zkey"));
    let names = ["hospital", "insurer"];
    let published = names.iter().enumerate().map(|(i, name)| {
        let made = || contribute(at, &format!("{i}.zkey"), &format!("{}.zkey", i + 1), name);
        let hash = timed("snarkjs: contribution", made);
        Published { hash: hash.parse().unwrap(), name: Some((*name).to_owned()) }
    });
    let published = published.collect();
    finish(at, "2.zkey", "final.zkey");
    let said = timed("snarkjs: verify", || run(at, "zkey verify circuit.r1cs powers.ptau final.zkey"));
    assert!(said.contains("ZKey Ok!"));

    let (ptau, zkey) = (read("powers.ptau"), read("final.zkey"));
    let terms = Terms { minimum: 2, beacon: beacon(), published, previous: Vec::new() };
    let keys = at.join("keys");
    let powers =
        timed("powers checked", || CheckedPowers::check(&ptau, &FileDigest::of(&ptau), &mut rng(1)).unwrap());
    let store =
        timed("key imported", || KeyStore::import(&keys, TWO, &zkey, &powers, &terms, &mut rng(2)).unwrap());
    let entry = *store.entry(TWO).unwrap();
    assert_eq!(entry.kind, KeyKind::Production);
    assert_eq!(store.manifest(entry.digest).unwrap().contributions.len(), 3);

    let verifying = KeyDirectory::new(&keys).key(TWO, entry.digest).unwrap();
    let context = Context { key_kind: Some(KeyKind::Production), ..Context::default() };
    let request = claims::request(TWO, true);
    let cpu = ClaimProver::new(store.claim_key(TWO).unwrap(), &Cpu::new(0)).unwrap();
    let development = ClaimProver::new(claims::store().claim_key(TWO).unwrap(), &Cpu::new(0)).unwrap();
    let proof = cpu.prove(request, &mut rng(3)).unwrap();
    verify_claim(&verifying, &proof, &context).unwrap();
    let reference = ClaimProver::new(store.claim_key(TWO).unwrap(), &Reference).unwrap();
    verify_claim(&verifying, &reference.prove(request, &mut rng(3)).unwrap(), &context).unwrap();
    let best = |prover: &ClaimProver| {
        let once = |_| {
            let begun = Instant::now();
            prover.prove(request, &mut rng(4)).unwrap();
            begun.elapsed()
        };
        (0..5).map(once).min().unwrap_or(Duration::MAX)
    };
    eprintln!(
        "a proof: {:?} with the ceremony's key, {:?} with the development key",
        best(&cpu),
        best(&development)
    );

    fs::write(at.join("key.json"), snarkjs::verification_key(&verifying).to_string()).unwrap();
    fs::write(at.join("proof.json"), snarkjs::proof(&proof).to_string()).unwrap();
    fs::write(at.join("public.json"), snarkjs::public(&proof).to_string()).unwrap();
    assert!(run(at, "groth16 verify key.json public.json proof.json").contains("OK!"));
    let (_, assignment) = circuit::assign(request).unwrap();
    fs::write(at.join("values.wtns"), &*ceremony::wtns(&assignment.values)).unwrap();
    timed("snarkjs: proof", || {
        run(at, "groth16 prove final.zkey values.wtns theirs.json theirs.public.json")
    });
    assert!(run(at, "groth16 verify key.json theirs.public.json theirs.json").contains("OK!"));
}
