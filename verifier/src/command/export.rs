//! `nightingale-verify export`: other formats, only ever of a proof that verifies.

use super::{Subject, print, read};
use anyhow::{Context as _, Result};
use clap::Args;
use nightingale_circuits::field::to_be_bytes;
use nightingale_verifier::{ClaimProof, Explanation, VerifyingKey, fhir, snarkjs, x12};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Args)]
pub(super) struct Export {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    target: Target,
    /// The custodian's line-by-line explanation (`nightingale claim explain --json`), for --fhir and --x12. It must
    /// agree with what is proven.
    #[arg(long, value_name = "FILE")]
    explain: Option<PathBuf>,
    /// The claim's id with its provider, for --x12 (CLP01). Without it, the start of the claim commitment.
    #[arg(long, value_name = "ID")]
    claim_id: Option<String>,
}

/// Where to.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// Writes verification_key.json, proof.json and public.json, which `snarkjs groth16 verify` reads.
    #[arg(long, value_name = "DIR")]
    snarkjs: Option<PathBuf>,
    /// Writes the compact binary proof file.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Writes the JSON proof file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Prints the decision as a FHIR R4 ClaimResponse.
    #[arg(long)]
    fhir: bool,
    /// Prints the decision as X12 835 CLP, SVC and CAS segments.
    #[arg(long)]
    x12: bool,
}

impl Export {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let (proof, key) = self.subject.read()?;
        let verified = self.subject.verify(&proof, &key)?;
        let explanation = self
            .explain
            .as_deref()
            .map(|path| Explanation::from_json(&read(path)?, &verified))
            .transpose()?;
        // Not every format has a place for it, and whoever sees an export may see nothing else of the proof.
        if let Some(warning) = verified.kind.warning() {
            let _ = writeln!(io::stderr(), "nightingale-verify: under a {} key: {warning}", verified.kind);
        }
        let target = &self.target;
        if let Some(directory) = &target.snarkjs {
            write_snarkjs(directory, &proof, &key)?;
        } else if let Some(path) = &target.binary {
            write(path, &proof.to_bytes())?;
        } else if let Some(path) = &target.json {
            write(path, proof.to_json().as_bytes())?;
        } else if target.fhir {
            print(&fhir::claim_response(&proof, &verified, explanation.as_ref()))?;
        } else {
            let commitment = hex::encode(to_be_bytes(&proof.public.claim_commitment));
            let id = self.claim_id.clone().unwrap_or_else(|| commitment.chars().take(38).collect());
            print(&x12::remittance(&proof, &verified, explanation.as_ref(), &id)?)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("{}: cannot be written", path.display()))
}

fn write_snarkjs(directory: &Path, proof: &ClaimProof, key: &VerifyingKey) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("{}: cannot be made", directory.display()))?;
    let files = [
        ("verification_key.json", snarkjs::verification_key(key)),
        ("proof.json", snarkjs::proof(proof)),
        ("public.json", snarkjs::public(proof)),
    ];
    for (name, value) in files {
        write(&directory.join(name), serde_json::to_string_pretty(&value)?.as_bytes())?;
    }
    Ok(())
}
