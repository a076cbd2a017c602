//! `nightingale-verify cohort` and `row`: answers about a registered dataset, and one opened row of it.

use super::{exit_code, one_line, print, read};
use anyhow::Result;
use clap::Args;
use nightingale_circuits::{claim::Address, cohort::Mode};
use nightingale_verifier::{
    KeyKind, VerifyError,
    cohort::{
        CohortKeys, Commitment, ConsentExpectation, Dataset, Expectation, QueryProof, RowProof, SetupDigest,
        Venue, VerifiedQuery, VerifiedRegistration, answer::AnswerFile, proof::role, text, verify_query,
        verify_registration, verify_row,
    },
    expectation::parse_address,
    statistics::{Source, Statistics},
};
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The dataset and the keys.
#[derive(Args)]
struct About {
    /// The dataset's public directory, or its `dataset.json`.
    #[arg(long, value_name = "DIR|FILE")]
    dataset: PathBuf,
    /// A directory of verifying keys (`<circuit>.<k>.vk`) instead of the development keys of this program.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// Accept keys of this setup only: 64 digits, as `nightingale keys list` prints them and the ceremony's publisher tells by
    /// another way than the keys came; may be repeated, once for each size.
    #[arg(long, value_name = "DIGEST", requires = "keys")]
    setup_digest: Vec<SetupDigest>,
}

impl About {
    fn dataset(&self) -> Result<Dataset, VerifyError> {
        let inside = self.dataset.join("dataset.json");
        let path: &Path = if self.dataset.is_dir() { &inside } else { &self.dataset };
        Dataset::from_json(&read(path)?)
    }

    fn keys(&self) -> CohortKeys {
        let keys = self.keys.as_ref().map_or_else(CohortKeys::development, CohortKeys::directory);
        keys.pinned(self.setup_digest.clone())
    }
}

/// What is expected of the dataset, whatever is asked of it.
#[derive(Args)]
struct Trust {
    /// Do not verify the dataset's own proofs and signatures. Without them a valid proof says nothing of how the table was made.
    #[arg(long)]
    skip_registration: bool,
    /// Expect this sponsor's signature of the dataset and of all versions of its consents.
    #[arg(long, value_name = "0xADDRESS", value_parser = address)]
    sponsor: Option<Address>,
    /// Expect this version of the consents, from 0, instead of the dataset's newest.
    #[arg(long, value_name = "NUMBER")]
    consent_version: Option<usize>,
    /// Expect the consents with this commitment, 128 digits: what the registry on-chain or the sponsor says.
    #[arg(long, value_name = "0xPOINT", value_parser = commitment, conflicts_with = "consent_version")]
    consents: Option<Commitment>,
    /// Accept no development key: anybody can forge proofs under those.
    #[arg(long)]
    production: bool,
}

fn commitment(text: &str) -> Result<Commitment, VerifyError> {
    Commitment::from_hex(text, "value")
}

impl Trust {
    fn registration(
        &self,
        dataset: &Dataset,
        keys: &CohortKeys,
    ) -> Option<Result<VerifiedRegistration, VerifyError>> {
        (!self.skip_registration).then(|| verify_registration(dataset, keys, self.production))
    }

    fn expectation(&self) -> Expectation {
        Expectation {
            consent: match (self.consents, self.consent_version) {
                (Some(commitment), _) => ConsentExpectation::Commitment(commitment),
                (None, Some(version)) => ConsentExpectation::Version(version),
                (None, None) => ConsentExpectation::Newest,
            },
            sponsor: self.sponsor,
            production_only: self.production,
            ..Expectation::default()
        }
    }
}

#[derive(Args)]
pub(super) struct Cohort {
    /// Proof files.
    #[arg(required = true)]
    proofs: Vec<PathBuf>,
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    trust: Trust,
    /// Derive statistics from the proven integers: tables, tests, survival.
    #[arg(long)]
    stats: bool,
    /// Say it as JSON: `registration`, `proofs` and `statistics`.
    #[arg(long)]
    json: bool,
    /// Accept answers in this mode only: `exact` (regulator) or `plan` (researcher).
    #[arg(long, value_name = "MODE", value_parser = mode)]
    mode: Option<Mode>,
    /// Refuse a disclosure threshold below this, in mode `plan`.
    #[arg(long, value_name = "COUNT")]
    threshold: Option<u32>,
    /// Expect a proof for this chain; needs `--contract`.
    #[arg(long, value_name = "ID", requires = "contract")]
    chain_id: Option<u64>,
    /// Expect a proof for this contract; needs `--chain-id`.
    #[arg(long, value_name = "0xADDRESS", requires = "chain_id", value_parser = address)]
    contract: Option<Address>,
}

#[derive(Args)]
pub(super) struct Row {
    /// The row file.
    row: PathBuf,
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    trust: Trust,
}

fn address(text: &str) -> Result<Address, VerifyError> {
    parse_address(text, "value")
}

fn mode(text: &str) -> Result<Mode, String> {
    let named = [Mode::Exact, Mode::Plan].into_iter().find(|mode| mode.name() == text);
    named.ok_or_else(|| "must be `exact` or `plan`".to_owned())
}

/// Everything that was checked, as JSON.
#[derive(Serialize)]
struct Report {
    registration: RegistrationVerdict,
    proofs: Vec<Verdict>,
    statistics: Option<Statistics>,
}

#[derive(Serialize)]
struct RegistrationVerdict {
    /// Null where it was skipped.
    valid: Option<bool>,
    error: Option<String>,
    proofs: Option<usize>,
    key_kind: Option<&'static str>,
    /// Who signed, if anybody.
    sponsor: Option<String>,
}

/// One proof; what is not known is null.
#[derive(Default, Serialize)]
struct Verdict {
    file: String,
    valid: bool,
    error: Option<String>,
    query: Option<String>,
    dataset: Option<String>,
    table: Option<String>,
    role: Option<&'static str>,
    mode: Option<&'static str>,
    threshold: Option<u32>,
    consent_version: Option<usize>,
    #[serde(flatten)]
    answer: AnswerVerdict,
    key_digest: Option<String>,
    key_kind: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct AnswerVerdict {
    scales: Option<serde_json::Value>,
    groups: Option<serde_json::Value>,
}

impl Cohort {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let (dataset, keys) = (self.about.dataset()?, self.about.keys());
        let expectation = self.expectation();
        let registration = self.trust.registration(&dataset, &keys);
        let results: Vec<_> =
            self.proofs.iter().map(|path| (path, judge(path, &dataset, &expectation, &keys))).collect();
        let errors = results.iter().filter_map(|(_, result)| result.as_ref().err());
        let errors: Vec<&VerifyError> =
            errors.chain(registration.iter().filter_map(|result| result.as_ref().err())).collect();
        // Something wrong outweighs something unreadable: both are there to be read in the output.
        let wrong = errors.iter().find(|error| !error.is_unreadable()).or(errors.first());
        let code = wrong.map_or(ExitCode::SUCCESS, |error| exit_code(error));
        let statistics = if self.stats && errors.is_empty() { Some(statistics(&results)?) } else { None };
        if self.json {
            let proofs = results
                .iter()
                .map(|(path, result)| Verdict::of(path, result, &dataset))
                .collect::<Result<_>>()?;
            let report =
                Report { registration: RegistrationVerdict::of(registration.as_ref()), proofs, statistics };
            print(&serde_json::to_string_pretty(&report)?)?;
            return Ok(code);
        }
        let mut lines = vec![registration_line(registration.as_ref())];
        lines.extend(results.iter().map(|(path, result)| match result {
            Ok(verified) => line(path, verified),
            Err(error) if error.is_unreadable() => format!("{}: unreadable: {error}", path.display()),
            Err(error) => format!("{}: invalid: {error}", path.display()),
        }));
        let mut lines: Vec<String> = lines.iter().map(|line| one_line(line)).collect();
        lines.extend(statistics.map(|statistics| format!("\n{statistics}")));
        print(&lines.join("\n"))?;
        Ok(code)
    }

    fn expectation(&self) -> Expectation {
        let venue = self.chain_id.zip(self.contract).map(|(chain_id, contract)| Venue { chain_id, contract });
        Expectation { mode: self.mode, threshold: self.threshold, venue, ..self.trust.expectation() }
    }
}

impl Row {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let (dataset, keys) = (self.about.dataset()?, self.about.keys());
        let proof = RowProof::from_json(&read(&self.row)?, &dataset)?;
        verify_row(&dataset, &proof, &self.trust.expectation(), &keys)?;
        let registration = self.trust.registration(&dataset, &keys).transpose()?.map(Ok);
        let columns = dataset.table(&proof.table)?.schema().columns();
        let mut lines = vec![registration_line(registration.as_ref())];
        lines.push(format!(
            "valid: row {} of {}, consent version {}: {}",
            proof.row,
            proof.table,
            proof.consent_version,
            if proof.consent { "may be used" } else { "may not be used" },
        ));
        lines.extend(columns.iter().zip(&proof.codes).map(|(column, code)| {
            format!("{}: {}", column.name, text::value(column, *code).unwrap_or_else(|| "missing".to_owned()))
        }));
        let lines: Vec<String> = lines.iter().map(|line| one_line(line)).collect();
        print(&lines.join("\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn judge(
    path: &Path,
    dataset: &Dataset,
    expectation: &Expectation,
    keys: &CohortKeys,
) -> Result<VerifiedQuery, VerifyError> {
    let proof = QueryProof::from_json(&read(path)?, dataset)?;
    verify_query(dataset, &proof, expectation, keys)
}

fn statistics(results: &[(&PathBuf, Result<VerifiedQuery, VerifyError>)]) -> Result<Statistics, VerifyError> {
    let verified = results.iter().filter_map(|(_, result)| result.as_ref().ok());
    Ok(Statistics::of(&verified.map(Source::of).collect::<Result<Vec<_>, _>>()?))
}

fn registration_line(result: Option<&Result<VerifiedRegistration, VerifyError>>) -> String {
    match result {
        None => "registration: not verified".to_owned(),
        Some(Ok(verified)) => format!(
            "registration: valid, {} proofs ({}), {}",
            verified.proofs,
            kind(verified.kind),
            match verified.sponsor {
                Some(sponsor) => format!("signed by 0x{}", hex::encode(sponsor.0)),
                None => "signed by nobody".to_owned(),
            }
        ),
        Some(Err(error)) => format!("registration: invalid: {error}"),
    }
}

const fn kind(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Development => "development keys: anybody can forge such proofs",
        KeyKind::Production => "production keys",
    }
}

fn line(path: &Path, verified: &VerifiedQuery) -> String {
    let hidden = verified.answer.cells.iter().filter(|cell| cell.figures().is_none()).count();
    format!(
        "{}: valid: {}; {} of {} cells hidden, threshold {}, for the {}, consent version {}, key {} ({})",
        path.display(),
        text::sql(&verified.schema, &verified.query),
        hidden,
        verified.answer.cells.len(),
        verified.threshold,
        role(verified.mode),
        verified.consent_version,
        verified.key,
        kind(verified.kind),
    )
}

impl RegistrationVerdict {
    fn of(result: Option<&Result<VerifiedRegistration, VerifyError>>) -> Self {
        match result {
            None => Self { valid: None, error: None, proofs: None, key_kind: None, sponsor: None },
            Some(Ok(verified)) => Self {
                valid: Some(true),
                error: None,
                proofs: Some(verified.proofs),
                key_kind: Some(verified.kind.name()),
                sponsor: verified.sponsor.map(|sponsor| format!("0x{}", hex::encode(sponsor.0))),
            },
            Some(Err(error)) => Self {
                valid: Some(false),
                error: Some(error.to_string()),
                proofs: None,
                key_kind: None,
                sponsor: None,
            },
        }
    }
}

impl Verdict {
    fn of(path: &Path, result: &Result<VerifiedQuery, VerifyError>, dataset: &Dataset) -> Result<Self> {
        let file = path.display().to_string();
        let verified = match result {
            Ok(verified) => verified,
            Err(error) => return Ok(Self { file, error: Some(error.to_string()), ..Self::default() }),
        };
        let answer = AnswerFile::new(&verified.schema, &verified.query, &verified.answer);
        Ok(Self {
            file,
            valid: true,
            error: None,
            query: Some(text::sql(&verified.schema, &verified.query)),
            dataset: Some(format!("0x{}", hex::encode(dataset.digest()))),
            table: Some(verified.schema.table().to_owned()),
            role: Some(role(verified.mode)),
            mode: Some(verified.mode.name()),
            threshold: Some(verified.threshold),
            consent_version: Some(verified.consent_version),
            answer: AnswerVerdict {
                scales: Some(serde_json::to_value(&answer.scales)?),
                groups: Some(serde_json::to_value(&answer.groups)?),
            },
            key_digest: Some(verified.key.to_string()),
            key_kind: Some(verified.kind.name()),
        })
    }
}
