//! What the caller knows of the claim, from a file and from flags; a flag overrules the file.

use super::read;
use clap::Args;
use nightingale_circuits::{
    Fr,
    claim::{Address, Date},
};
use nightingale_verifier::{
    Context, VerifyError,
    expectation::{parse_address, parse_date, parse_root},
};
use std::path::PathBuf;

fn root(text: &str) -> Result<Fr, VerifyError> {
    parse_root(text, "value")
}

fn address(text: &str) -> Result<Address, VerifyError> {
    parse_address(text, "value")
}

/// Expectations; the proof is invalid where it differs.
#[derive(Args)]
pub(super) struct Expect {
    /// A JSON file of what is expected: epoch_root or epoch (payer, venue, roots, number), consent_root, account_root,
    /// claim_commitment, payee, received, key_kind; each optional.
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// The payer's epoch root: its identity, chain, settlement contract and registers.
    #[arg(long, value_name = "0xHEX", value_parser = root)]
    epoch_root: Option<Fr>,
    /// The consent register's root.
    #[arg(long, value_name = "0xHEX", value_parser = root)]
    consent_root: Option<Fr>,
    /// The account register's root.
    #[arg(long, value_name = "0xHEX", value_parser = root)]
    account_root: Option<Fr>,
    /// The claim's commitment.
    #[arg(long, value_name = "0xHEX", value_parser = root)]
    claim_commitment: Option<Fr>,
    /// Who must be paid.
    #[arg(long, value_name = "0xADDRESS", value_parser = address)]
    payee: Option<Address>,
    /// The day on which the claim was received.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_date)]
    received: Option<Date>,
    /// Accept no development key: anybody can forge proofs under those.
    #[arg(long)]
    production: bool,
}

impl Expect {
    pub(super) fn context(&self) -> Result<Context, VerifyError> {
        let file = self.expect.as_deref().map(|path| Context::from_json(&read(path)?)).transpose()?;
        let file = file.unwrap_or_default();
        Ok(Context {
            epoch_root: self.epoch_root.or(file.epoch_root),
            consent_root: self.consent_root.or(file.consent_root),
            account_root: self.account_root.or(file.account_root),
            claim_commitment: self.claim_commitment.or(file.claim_commitment),
            payee: self.payee.or(file.payee),
            received: self.received.or(file.received),
            production_only: self.production || file.production_only,
        })
    }
}
