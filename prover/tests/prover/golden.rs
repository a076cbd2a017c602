//! The verifier's golden files: requests, proofs, explanations and keys that this prover made and must make again.
//!
//! `NIGHTINGALE_BLESS=1 cargo test --release -p nightingale-prover golden` writes them anew after the statement or a
//! format has changed; without it the test compares.

use super::{claims, system::rng};
use nightingale_circuits::claim::{Request, SizeClass, adjudicate};
use nightingale_prover::ClaimProver;
use nightingale_records::{explain, request};
use nightingale_verifier::key::file_name;
use std::{
    fs,
    path::{Path, PathBuf},
};

const CASES: [(SizeClass, bool); 3] =
    [(SizeClass::Two, true), (SizeClass::Two, false), (SizeClass::Eight, true)];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../verifier/tests/golden")
}

fn name((class, approved): (SizeClass, bool)) -> String {
    format!("{}-{}", class.name(), if approved { "approve" } else { "deny" })
}

/// The files that a request leads to, by name.
fn files(case: (SizeClass, bool), request: &Request, prover: &ClaimProver) -> Vec<(String, Vec<u8>)> {
    let name = name(case);
    let outcome = adjudicate(request).unwrap();
    let proof = prover.prove(request, &mut rng(2026)).unwrap();
    let key = prover.key().verifying();
    vec![
        (format!("{name}.proof.json"), proof.to_json().into_bytes()),
        (format!("{name}.proof.bin"), proof.to_bytes()),
        (format!("{name}.explain.json"), explain::to_json(&outcome).into_bytes()),
        (format!("keys/{}", file_name(key.class(), key.digest())), key.to_bytes()),
    ]
}

#[test]
fn golden_files_are_what_this_prover_makes() {
    let (directory, bless) = (directory(), std::env::var_os("NIGHTINGALE_BLESS").is_some());
    if bless {
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(directory.join("keys")).unwrap();
    }
    for case in CASES {
        let path = directory.join(format!("{}.request.json", name(case)));
        if bless {
            fs::write(&path, request::to_json(claims::request(case.0, case.1)).as_bytes()).unwrap();
        }
        let request = request::from_json(&fs::read(&path).unwrap()).unwrap();
        for (name, bytes) in files(case, &request, &claims::prover(case.0)) {
            let path = directory.join(&name);
            if bless {
                fs::write(&path, &bytes).unwrap();
            }
            assert!(
                fs::read(&path).unwrap_or_default() == bytes,
                "{name} is stale: see the head of this file"
            );
        }
    }
}
