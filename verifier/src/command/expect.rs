//! What the caller knows of the claim, from a file and from flags; a flag overrules the file.

use super::read;
use clap::Args;
use nightingale_circuits::{
    Fr,
    claim::{Address, Date},
};
use nightingale_verifier::{
    ConsentEpochs, ConsentRule, Context, KeyDigest, KeyKind, VerifyError,
    consent::parse_time,
    expectation::{parse_address, parse_date, parse_root},
};
use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

fn root(text: &str) -> Result<Fr, VerifyError> {
    parse_root(text, "value")
}

fn time(text: &str) -> Result<u64, VerifyError> {
    parse_time(text, "value")
}

fn address(text: &str) -> Result<Address, VerifyError> {
    parse_address(text, "value")
}

/// Expectations; the proof is invalid where it differs.
#[derive(Args)]
pub(super) struct Expect {
    /// A JSON file of what is expected: epoch_root or epoch (payer, venue, roots, number), consent_root, account_root,
    /// claim_commitment, payee, received, key_digest, key_kind; each optional.
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
    /// The consent epochs that the consent authority published, as `nightingale consent publish --out` writes them. The proof's consent root
    /// must be among them, and recent when the proof is read.
    #[arg(long, value_name = "FILE", requires = "max_consent_age")]
    consents: Option<PathBuf>,
    /// How long ago the proof's consent root may have been published for the last time.
    #[arg(long, value_name = "DAYS", requires = "consents", value_parser = clap::value_parser!(u32).range(1..=36_600))]
    max_consent_age: Option<u32>,
    /// How long ago it may have been superseded by another root.
    #[arg(long, value_name = "HOURS", requires = "consents", default_value_t = 1)]
    consent_grace: u32,
    /// Judge the age of the consent root as of this time, for proofs that were read before. Without it: now.
    #[arg(long, value_name = "YYYY-MM-DDThh:mm:ssZ", requires = "consents", value_parser = time)]
    at: Option<u64>,
    /// The key's digest, 64 digits, told by another way than the key came.
    #[arg(long, value_name = "DIGEST")]
    key_digest: Option<KeyDigest>,
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
            consents: self.consents()?,
            key: self.key_digest.or(file.key),
            key_kind: if self.production { Some(KeyKind::Production) } else { file.key_kind },
        })
    }

    fn consents(&self) -> Result<Option<ConsentRule>, VerifyError> {
        let (Some(path), Some(days)) = (&self.consents, self.max_consent_age) else { return Ok(None) };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Ok(Some(ConsentRule {
            epochs: ConsentEpochs::from_json(&read(path)?)?,
            greatest_age: u64::from(days) * 86_400,
            grace: u64::from(self.consent_grace) * 3_600,
            now: self.at.unwrap_or(since),
            in_hindsight: self.at.is_some(),
        }))
    }
}
