//! `nightingale-poster settle`.

use super::{Connection, show};
use alloy_primitives::B256;
use anyhow::Result;
use clap::Args;
use nightingale_contracts::deploy::Deployment;
use nightingale_poster::{Claim, EndorsementFile, PosterError, endorsement, report::SettlementReport};
use nightingale_verifier::ClaimProof;
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Settles proven claims, many in one transaction; each is settled or refused for itself.
///
/// Every proof is verified here first, under its key as the registry has it. Each needs its payee's endorsement of its amount: the file
/// P.endorsement.json beside the proof P.json, or one of those named by --endorsement. It exits with 0 when every claim is
/// paid on-chain, by this settlement or another of the same claim, and with 1 when one was refused.
#[derive(Args)]
pub(super) struct Settle {
    #[command(flatten)]
    connection: Connection,
    /// The deployment file.
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,
    /// An endorsement file, for whichever proof it belongs to; may be given many times.
    #[arg(long = "endorsement", value_name = "FILE")]
    endorsements: Vec<PathBuf>,
    /// Say it as JSON.
    #[arg(long)]
    json: bool,
    /// Proof files, JSON or binary.
    #[arg(required = true)]
    proofs: Vec<PathBuf>,
}

impl Settle {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let (poster, deployment) = self.connection.open_with(&self.deployment).await?;
        let claims = self.claims(&deployment)?;
        let settlement = poster.settle(&deployment, &claims).await?;
        let report = SettlementReport::from(&settlement);
        show(self.json, &report, || report.lines())?;
        Ok(ExitCode::from(u8::from(!settlement.all_paid())))
    }

    fn claims(&self, deployment: &Deployment) -> Result<Vec<Claim>, PosterError> {
        let mut named = HashMap::new();
        for path in &self.endorsements {
            let file = read_endorsement(path, deployment)?;
            named.insert((file.claim_commitment, file.cents), file);
        }
        let claim = |path: &PathBuf| {
            let proof = read_proof(path)?;
            let (commitment, cents): (B256, u64) =
                (endorsement::commitment(&proof), endorsement::cents(&proof));
            let beside = path.with_extension("endorsement.json");
            let file = match named.get(&(commitment, cents)) {
                Some(file) => Some(file.clone()),
                None if beside.is_file() => Some(read_endorsement(&beside, deployment)?),
                None => None,
            };
            if file.as_ref().is_some_and(|file| file.claim_commitment != commitment) {
                let problem = format!("belongs to another claim than {}", path.display());
                return Err(PosterError::Malformed { what: beside.display().to_string(), problem });
            }
            if let Some(file) = file.as_ref().filter(|file| file.cents != cents) {
                let problem = format!(
                    "is signed for {} cents, and {} pays {cents}: it belongs to another proof of the claim; have the payee endorse this one",
                    file.cents,
                    path.display()
                );
                return Err(PosterError::Malformed { what: beside.display().to_string(), problem });
            }
            Ok(Claim { proof, endorsement: file.map(|file| file.endorsement()).transpose()? })
        };
        self.proofs.iter().map(claim).collect()
    }
}

/// Reads a proof file.
pub(super) fn read_proof(path: &Path) -> Result<ClaimProof, PosterError> {
    let bytes = read(path)?;
    ClaimProof::from_file(&bytes).map_err(|source| PosterError::Unreadable { path: path.to_owned(), source })
}

fn read_endorsement(path: &Path, deployment: &Deployment) -> Result<EndorsementFile, PosterError> {
    let malformed = |problem: String| PosterError::Malformed { what: path.display().to_string(), problem };
    let file = EndorsementFile::from_json(&read(path)?).map_err(|error| malformed(error.to_string()))?;
    if (file.chain_id, file.settlement) != (deployment.chain_id, deployment.settlement) {
        let (chain, contract) = (file.chain_id, file.settlement);
        return Err(malformed(format!(
            "is for contract {contract} on chain {chain}; have the payee sign for this one"
        )));
    }
    Ok(file)
}

fn read(path: &Path) -> Result<Vec<u8>, PosterError> {
    fs::read(path).map_err(|source| PosterError::Io { path: path.to_owned(), source })
}
