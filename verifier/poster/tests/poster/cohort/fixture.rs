//! The dataset and the proofs that the contracts' tests keep, as the files that prover and verifier share.

use super::super::world::account;
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use anyhow::{Context, Result};
use nightingale_circuits::{
    claim,
    cohort::{
        Answer, Cell, Class, Column, Figures, Interval, Kind, Mode, Query, Schema, Size, Term, Unit,
        ValueFigures,
    },
};
use nightingale_verifier::{
    KeyDigest, KeyKind,
    cohort::{
        Commitment, ConsentVersion, Dataset, Link, LinkedProof, QueryProof, Signature, TableRecord, Venue,
    },
};
use serde::Deserialize;
use std::{collections::BTreeMap, ops::Range, path::Path};

/// Deploys the log, and nothing else, so that the log is where the proofs say.
pub(super) const LOGGER: Address = Address::repeat_byte(0x10);

#[derive(Deserialize)]
struct Fixture {
    key: B256,
    tables: BTreeMap<String, Registered>,
    statements: BTreeMap<String, Statement>,
}

#[derive(Deserialize)]
struct Registered {
    digest: B256,
    rows: usize,
    commitments: Vec<U256>,
    consents: Vec<[U256; 2]>,
}

/// A statement as it was proven.
#[derive(Deserialize)]
pub(super) struct Statement {
    table: String,
    pub(super) digest: B256,
    version: usize,
    threshold: u32,
    pub(super) packed: Vec<U256>,
    proof: Bytes,
    link: Bytes,
}

fn fixture() -> Result<Fixture> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts/tests/fixtures/cohort.json");
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

pub(super) fn statement(name: &str) -> Result<Statement> {
    fixture()?.statements.remove(name).with_context(|| name.to_owned())
}

/// `case.rs` of the contracts' tests: subject, arm, age, dose, site, day.
fn schema() -> Result<Schema> {
    let column = |name: &str, kind| Column { name: name.to_owned(), kind };
    let category = |words: Vec<String>| Kind::Category { dictionary: words };
    let columns = vec![
        column("USUBJID", Kind::Key { count: 400 }),
        column("ARM", category(["Placebo", "Low", "High"].map(str::to_owned).to_vec())),
        column("AGE", Kind::Integer { minimum: 18, maximum: 90, scale: 0 }),
        column("DOSE", Kind::Integer { minimum: -500_000, maximum: 1_000_000, scale: 2 }),
        column("SITE", category((1..=15).map(|site| format!("Site {site}")).collect())),
        column("RFSTDTC", Kind::Date { minimum: 15_000, maximum: 16_000 }),
    ];
    Ok(Schema::new("adsl".to_owned(), columns, 0, Unit::Subject, 11)?)
}

fn query(name: &str) -> Result<Query> {
    let term = |column, ranges: &[(u32, u32)]| Term {
        column,
        intervals: ranges.iter().map(|&(low, high)| Interval { low, high }).collect(),
    };
    let (terms, values, groups) = match name {
        "sites" => (vec![term(2, &[(1, 73)])], vec![2], vec![4]),
        "everybody" => (Vec::new(), Vec::new(), Vec::new()),
        _ => (vec![term(2, &[(18, 73)])], vec![2], vec![1]),
    };
    Ok(Query::new(&schema()?, terms, values, groups)?)
}

/// A proof that is none of a registration's: the dataset is not verified where answers are logged.
fn no_frame() -> Result<LinkedProof> {
    let main = statement("main")?;
    Ok(LinkedProof {
        key: KeyDigest(fixture()?.key.0),
        proof: main.proof.to_vec(),
        link: Link::from_bytes(&main.link)?,
    })
}

/// A signed dataset of one table of the fixture, with so many versions of the consents and these queries as its plan.
pub(super) fn dataset(table: &str, versions: usize, plan: &[&str]) -> Result<Dataset> {
    dataset_from(table, 0..versions, plan)
}

/// The same, with these of the fixture's consents as its versions from 0 on.
pub(super) fn dataset_from(table: &str, consents: Range<usize>, plan: &[&str]) -> Result<Dataset> {
    let kept = fixture()?.tables.remove(table).context("table")?;
    let point = |words: &[U256]| {
        let bytes: Vec<u8> = words.iter().flat_map(U256::to_be_bytes::<32>).collect();
        Commitment::from_hex(&hex::encode_prefixed(bytes), "commitment")
    };
    let commitments = kept.commitments.chunks(2).map(point).collect::<Result<Vec<_>, _>>()?;
    let account = account("sponsor")?;
    let sponsor = claim::Address(account.address().into_array());
    let mut record = TableRecord::new(schema()?, Size::Small, kept.rows, commitments, Some(sponsor))?;
    anyhow::ensure!(
        B256::from(*record.digest()) == kept.digest,
        "schema or sponsor is another than the fixture's"
    );
    for words in kept.consents.get(consents).context("consents")? {
        let commitment = point(words)?;
        record.consents.push(ConsentVersion { commitment, frame: no_frame()?, signature: None });
    }
    let plan = plan.iter().map(|name| Ok(("adsl".to_owned(), query(name)?)));
    let modes = vec![Mode::Exact, Mode::Plan];
    let mut dataset = Dataset::new(vec![record], plan.collect::<Result<_>>()?, modes)?;
    let mut sign = |digest: &[u8; 32]| anyhow::Ok(Signature(account.sign_digest(B256::from(*digest))?));
    dataset.sign(sponsor, &mut sign)?;
    Ok(dataset)
}

/// Both versions of the trial's consents, and everything that a researcher may ask.
pub(super) fn trial(versions: usize) -> Result<Dataset> {
    dataset("trial", versions, &["main", "sites", "everybody"])
}

/// A proof of the fixture about a dataset.
pub(super) fn proof(dataset: &Dataset, name: &str) -> Result<QueryProof> {
    let (kept, query) = (statement(name)?, query(name)?);
    let mode = if name == "exact" { Mode::Exact } else { Mode::Plan };
    let mut venue = Venue { chain_id: 31337, contract: claim::Address(LOGGER.create(0).into_array()) };
    match name {
        "elsewhere" => venue.contract.0 = [0x66; 20],
        "abroad" => venue.chain_id = 1,
        _ => {}
    }
    let values = query.values().len();
    Ok(QueryProof {
        dataset: *dataset.digest(),
        table: "adsl".to_owned(),
        query,
        mode,
        threshold: kept.threshold,
        consent_version: kept.version,
        venue,
        class: Class::Narrow,
        answer: Answer { cells: kept.packed.iter().map(|packed| cell(*packed, values)).collect() },
        proof: LinkedProof {
            key: KeyDigest(fixture()?.key.0),
            proof: kept.proof.to_vec(),
            link: Link::from_bytes(&kept.link)?,
        },
        key_kind: KeyKind::Development,
    })
}

/// `AnswerLogged`: bit 0 hidden, count (21 bits), non-missing (21), sum (52), squares (84).
fn cell(packed: U256, values: usize) -> Cell {
    if packed.bit(0) {
        return Cell::Hidden;
    }
    let field = |from: usize, bits: usize| (packed >> from) & ((U256::ONE << bits) - U256::ONE);
    let value = ValueFigures {
        nonmissing: field(22, 21).to(),
        codes: field(43, 52).to(),
        squared_codes: field(95, 84).to(),
    };
    Cell::Shown(Figures { count: field(1, 21).to(), values: vec![value; values], pair: None })
}

/// What the fixture says of a table.
pub(super) fn table_of(name: &str) -> Result<B256> {
    let kept = fixture()?;
    let table = &kept.statements.get(name).with_context(|| name.to_owned())?.table;
    Ok(kept.tables.get(table).context("table")?.digest)
}
