//! Proven statements, kept in a file: proofs are random, and gas is to be the same in each run.
//! `NIGHTINGALE_BLESS=1` makes them where the file is missing or of another key.

use super::case::{self, Sponsor, Statement};
use alloy_primitives::{Address, B256, Bytes, U256};
use anyhow::{Context, Result};
use nightingale_circuits::cohort::Keccak;
use nightingale_contracts::calldata::cohort::{query_words, schema_words};
use nightingale_verifier::cohort::point::point_to_words;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, OnceLock},
};

/// Deploys the log, and nothing else, so that the log is where the proofs say.
pub(crate) const LOGGER: Address = Address::repeat_byte(0x10);
pub(crate) const CHAIN: u64 = 31337;

/// All of it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Fixture {
    pub(crate) key: B256,
    pub(crate) identity: [U256; 2],
    pub(crate) span: Vec<U256>,
    pub(crate) tables: BTreeMap<String, Registered>,
    pub(crate) statements: BTreeMap<String, Entry>,
}

/// A table as it is registered.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Registered {
    pub(crate) digest: B256,
    pub(crate) schema: Vec<U256>,
    pub(crate) k: u32,
    pub(crate) rows: u32,
    pub(crate) commitments: Vec<U256>,
    pub(crate) consents: Vec<[U256; 2]>,
}

/// A statement as it is logged.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) table: String,
    pub(crate) query: Vec<U256>,
    pub(crate) digest: B256,
    pub(crate) version: u32,
    pub(crate) threshold: u32,
    pub(crate) packed: Vec<U256>,
    pub(crate) instances: Vec<U256>,
    pub(crate) columns: Vec<U256>,
    pub(crate) proof: Bytes,
    pub(crate) link: Bytes,
}

/// Where the log is.
pub(crate) fn log() -> Address {
    LOGGER.create(0)
}

pub(crate) fn numbers(words: &[Keccak]) -> Vec<U256> {
    words.iter().map(|word| U256::from_be_bytes(*word)).collect()
}

fn points(points: &[[Keccak; 2]]) -> Vec<U256> {
    numbers(points.as_flattened())
}

fn registered(sponsor: &Sponsor) -> Registered {
    Registered {
        digest: sponsor.digest().into(),
        schema: schema_words(sponsor.table.schema()),
        k: case::LAYOUT.k,
        rows: u32::try_from(sponsor.table.rows()).unwrap_or_default(),
        commitments: points(&sponsor.commitments()),
        consents: sponsor.consents().iter().map(|point| point.map(U256::from_be_bytes)).collect(),
    }
}

fn make() -> Result<Fixture> {
    let setup = case::key()?.srs().points();
    let sponsors = BTreeMap::from([("trial", Sponsor::new(1)?), ("other", Sponsor::new(2)?)]);
    let main = main()?;
    let with = |change: &dyn Fn(&mut Statement)| {
        let mut statement = main.clone();
        change(&mut statement);
        statement
    };
    let (everybody, dose, site) = (case::everybody()?, case::dose_by_arm()?, case::age_by_site()?);
    let statements = [
        ("main", "trial", main.clone()),
        ("other", "other", main.clone()),
        ("newer", "trial", with(&|it| it.version = 1)),
        ("raised", "trial", with(&|it| it.threshold = 20)),
        ("lowered", "trial", with(&|it| it.threshold = 10)),
        ("elsewhere", "trial", with(&|it| it.contract.0 = [0x66; 20])),
        ("abroad", "trial", with(&|it| it.chain = 1)),
        ("exact", "trial", with(&|it| (it.mode, it.threshold) = (1, 1))),
        ("dose", "trial", with(&|it| it.query = dose.clone())),
        ("sites", "trial", with(&|it| it.query = site.clone())),
        ("everybody", "trial", with(&|it| it.query = everybody.clone())),
        ("smuggled noise", "trial", with(&|it| it.smuggled = Some((6, 1)))),
        ("smuggled value", "trial", with(&|it| (it.query, it.smuggled) = (everybody.clone(), Some((3, 7))))),
    ];
    let statements = statements.into_iter().map(|(name, table, statement)| {
        let sponsor = sponsors.get(table).context("table")?;
        let proven = statement.prove(sponsor).with_context(|| name.to_owned())?;
        let entry = Entry {
            table: table.to_owned(),
            query: query_words(&statement.query),
            digest: statement.query.digest(&sponsor.digest()).into(),
            version: u32::try_from(statement.version)?,
            threshold: statement.threshold,
            packed: numbers(&proven.packed),
            instances: numbers(&proven.instances),
            columns: points(&proven.columns),
            proof: proven.proof.into(),
            link: proven.link.into(),
        };
        Ok((name.to_owned(), entry))
    });
    Ok(Fixture {
        key: case::key()?.verifying().digest().0.into(),
        identity: point_to_words(&setup.identity).map(U256::from_be_bytes),
        span: points(&setup.span.map(|point| point_to_words(&point))),
        statements: statements.collect::<Result<_>>()?,
        tables: sponsors.iter().map(|(name, sponsor)| ((*name).to_owned(), registered(sponsor))).collect(),
    })
}

/// The statement that the others change.
pub(crate) fn main() -> Result<Statement> {
    Ok(Statement {
        query: case::age_by_arm()?,
        version: 0,
        threshold: 11,
        mode: 2,
        chain: CHAIN,
        contract: nightingale_circuits::claim::Address(log().into_array()),
        smuggled: None,
    })
}

fn file() -> PathBuf {
    super::super::tools::contracts().join("tests/fixtures/cohort.json")
}

/// The file, made anew first where that is asked for.
pub(crate) fn fixture() -> Result<&'static Fixture> {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().ok();
    if let Some(fixture) = FIXTURE.get() {
        return Ok(fixture);
    }
    let bless = std::env::var_os("NIGHTINGALE_BLESS").is_some();
    let kept = std::fs::read_to_string(file()).map_err(anyhow::Error::from);
    let kept = kept.and_then(|text| Ok(serde_json::from_str::<Fixture>(&text)?));
    let fixture = match kept {
        Ok(kept) if !bless || kept.key.0 == case::key()?.verifying().digest().0 => kept,
        Err(error) if !bless => {
            return Err(error).context("tests/fixtures/cohort.json: run it with NIGHTINGALE_BLESS=1");
        }
        _ => {
            let made = make()?;
            std::fs::create_dir_all(file().parent().context("folder")?)?;
            std::fs::write(file(), serde_json::to_string_pretty(&made)? + "\n")?;
            made
        }
    };
    Ok(FIXTURE.get_or_init(|| fixture))
}

#[test]
fn the_kept_proofs_are_of_the_circuit_as_it_is() -> Result<()> {
    let fixture = fixture()?;
    let key = case::key()?.verifying();
    let stale = "run NIGHTINGALE_BLESS=1 cargo test --release -p nightingale-contracts cohort";
    anyhow::ensure!(fixture.key == B256::from(key.digest().0), "the fixture is of another key; {stale}");
    Ok(())
}
