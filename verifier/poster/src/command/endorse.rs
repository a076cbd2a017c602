//! `nightingale-poster endorse`.

use super::{settle::read_proof, show};
use alloy_primitives::Address;
use anyhow::Result;
use clap::Args;
use nightingale_contracts::PayerId;
use nightingale_poster::{Account, EndorsementFile, PosterError, deployment, payer};
use std::{fs, path::PathBuf, process::ExitCode};

/// Signs a proven claim, for the amount that the proof pays, as its payee. Needs no node.
///
/// The key is the payee's: the settlement address that the payer's provider register has.
#[derive(Args)]
pub(super) struct Endorse {
    /// The proof file, JSON or binary.
    proof: PathBuf,
    /// The deployment file.
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,
    /// Who is to pay: 0x and hex digits, a number, or name:NAME as in the payer's registers.
    #[arg(long, value_parser = payer::parse)]
    payer: PayerId,
    /// The consent authority whose root the proof names.
    #[arg(long, value_name = "ADDRESS")]
    authority: Address,
    /// A file with the payee's key, readable by nobody else. Without it: NIGHTINGALE_POSTER_KEY.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Where to write it. Without it: P.endorsement.json beside the proof P.json, where settle looks for it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the file, too.
    #[arg(long)]
    json: bool,
}

impl Endorse {
    pub(super) fn run(self) -> Result<ExitCode> {
        let deployment = deployment::read(&self.deployment)?;
        let proof = read_proof(&self.proof)?;
        let account = Account::find(self.key_file.as_deref())?;
        let (chain, contract) = (deployment.chain_id, deployment.settlement);
        let file = EndorsementFile::sign(&account, &proof, chain, contract, self.payer, self.authority)?;
        let path = self.out.unwrap_or_else(|| self.proof.with_extension("endorsement.json"));
        fs::write(&path, file.to_json()).map_err(|source| PosterError::Io { path: path.clone(), source })?;
        show(self.json, &file, || {
            let (claim, cents) = (file.claim_commitment, file.cents);
            vec![format!("claim {claim} endorsed for {cents} cents in {}", path.display())]
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
