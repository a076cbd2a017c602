//! The library's encoders, against the kept words and against files that the prover wrote.

use super::{
    case,
    fixture::{CHAIN, log},
    world::{self, SPONSOR, World, answer, entry, sponsor, sponsor_key},
};
use crate::contracts::tools::contracts;
use alloy_primitives::{Address, B256, U256, hex};
use anyhow::{Context, Result, ensure};
use nightingale_circuits::{
    claim,
    cohort::{Answer, Cell, Class, Figures, Interval, Mode, Query, Schema, Size, Term, Unit, ValueFigures},
};
use nightingale_contracts::{
    Error,
    bindings::Registry::{DatasetRegistered, QueryPlanned},
    calldata::cohort::{self, LeftOutReason, confirm_consents, publish_consents, registration},
};
use nightingale_verifier::{
    KeyDigest, KeyKind,
    cohort::{
        Commitment, ConsentVersion, Dataset, Link, LinkedProof, QueryProof, TableRecord, Venue,
        point::words_to_point,
    },
};

const PLAN: [&str; 3] = ["main", "sites", "everybody"];

fn query(name: &str) -> Result<Query> {
    match name {
        "sites" => case::age_by_site(),
        "everybody" => case::everybody(),
        _ => case::age_by_arm(),
    }
}

fn commitment(words: &[U256]) -> Result<Commitment> {
    let [x, y] = words else { anyhow::bail!("{} words", words.len()) };
    let point = words_to_point(&[x.to_be_bytes(), y.to_be_bytes()]);
    point.and_then(Commitment::new).context("no commitment")
}

fn linked(name: &str) -> Result<LinkedProof> {
    let (key, entry) = (world::answer(name)?.key, entry(name)?);
    Ok(LinkedProof {
        key: KeyDigest(key.0),
        proof: entry.proof.to_vec(),
        link: Link::from_bytes(&entry.link)?,
    })
}

/// The kept trial, of any schema and size with as many commitments, for its sponsor. Nobody looks at the frames of its consents here.
fn table(schema: Schema, size: Size) -> Result<TableRecord> {
    table_of(schema, size, Some(sponsor()))
}

fn table_of(schema: Schema, size: Size, sponsor: Option<claim::Address>) -> Result<TableRecord> {
    let kept = super::fixture::fixture()?.tables.get("trial").context("trial")?;
    let commitments = kept.commitments.chunks(2).map(commitment).collect::<Result<_>>()?;
    let mut table = TableRecord::new(schema, size, kept.rows as usize, commitments, sponsor)?;
    for words in &kept.consents {
        let (commitment, frame) = (commitment(words)?, linked("main")?);
        table.consents.push(ConsentVersion { commitment, frame, signature: None });
    }
    Ok(table)
}

fn trial() -> Result<TableRecord> {
    table(case::schema()?, Size::Small)
}

/// Signed, where the table has a sponsor.
fn dataset(table: TableRecord, queries: Vec<Query>, modes: &[Mode]) -> Result<Dataset> {
    let plan = queries.into_iter().map(|query| ("adsl".to_owned(), query)).collect();
    let mut dataset = Dataset::new(vec![table], plan, modes.to_vec())?;
    if dataset.sponsor().is_some() {
        dataset.sign(sponsor(), &mut world::sign)?;
    }
    Ok(dataset)
}

fn planned() -> Result<Dataset> {
    dataset(trial()?, PLAN.into_iter().map(query).collect::<Result<_>>()?, &[Mode::Exact, Mode::Plan])
}

/// A packed cell, read as the page says.
fn cell(query: &Query, packed: U256) -> Cell {
    if packed.bit(0) {
        return Cell::Hidden;
    }
    let field = |low: usize, bits: usize| (packed >> low) & ((U256::ONE << bits) - U256::ONE);
    let value = || ValueFigures {
        nonmissing: field(22, 21).saturating_to(),
        codes: field(43, 52).saturating_to(),
        squared_codes: field(95, 84).saturating_to(),
    };
    let values = query.values().iter().map(|_| value()).collect();
    Cell::Shown(Figures { count: field(1, 21).saturating_to(), values, pair: None })
}

/// A kept statement about the trial, as the prover's file says it.
fn proof(dataset: &Dataset, name: &str) -> Result<QueryProof> {
    let (entry, query) = (entry(name)?, query(name)?);
    Ok(QueryProof {
        dataset: *dataset.digest(),
        table: "adsl".to_owned(),
        mode: if name == "exact" { Mode::Exact } else { Mode::Plan },
        threshold: entry.threshold,
        consent_version: entry.version as usize,
        venue: cohort::venue(CHAIN, log()),
        class: Class::Narrow,
        answer: Answer { cells: entry.packed.iter().map(|packed| cell(&query, *packed)).collect() },
        proof: linked(name)?,
        key_kind: KeyKind::Development,
        query,
    })
}

#[test]
fn a_registration_is_made_of_the_kept_words() -> Result<()> {
    let made = registration(&planned()?, "ADSL", SPONSOR)?;
    ensure!(made.call.given == world::registration("trial", &PLAN)?);
    ensure!(made.table == answer("main")?.table && made.left_out.is_empty());
    let digests = PLAN.into_iter().map(|name| Ok(entry(name)?.digest)).collect::<Result<Vec<_>>>()?;
    ensure!(made.planned == digests);
    let newer = publish_consents(&trial()?, 1)?;
    let kept = answer("newer")?;
    ensure!((newer.table, newer.version, newer.consent) == (kept.table, U256::ONE, kept.consent));
    let sure = confirm_consents(&trial()?, 1)?;
    ensure!((sure.table, sure.version, sure.consent) == (kept.table, U256::ONE, kept.consent));
    Ok(())
}

#[test]
fn a_proof_file_becomes_the_kept_answer() -> Result<()> {
    let dataset = planned()?;
    for name in PLAN.into_iter().chain(["newer"]) {
        let made = cohort::answer(&dataset, &proof(&dataset, name)?, cohort::venue(CHAIN, log()))?;
        ensure!(made == answer(name)?, "{name}");
    }
    Ok(())
}

#[test]
fn an_answer_that_the_log_would_refuse_is_refused_with_what_to_do() -> Result<()> {
    let dataset = planned()?;
    let here = cohort::venue(CHAIN, log());
    let refuse = |what: &str, change: &dyn Fn(&mut QueryProof)| {
        let mut proof = proof(&dataset, "main")?;
        change(&mut proof);
        cohort::answer(&dataset, &proof, here).err().with_context(|| what.to_owned())
    };
    let exact = refuse("exact", &|it| (it.mode, it.threshold) = (Mode::Exact, 1))?;
    ensure!(
        matches!(exact, Error::AnswerNotForContracts(_)) && exact.to_string().contains("--role researcher")
    );
    let wide = refuse("wide", &|it| it.class = Class::Wide)?;
    ensure!(matches!(wide, Error::AnswerNotForContracts(_)), "{wide}");
    let flags = format!("--chain-id 31337 --contract {}", log());
    for venue in [Venue::NONE, cohort::venue(1, log()), cohort::venue(CHAIN, SPONSOR)] {
        let other = refuse("elsewhere", &|it| it.venue = venue)?;
        ensure!(matches!(other, Error::OtherVenue { .. }) && other.to_string().contains(&flags), "{other}");
    }
    for threshold in [1, 10, 12] {
        let other = refuse("another threshold", &|it| it.threshold = threshold)?;
        ensure!(matches!(other, Error::Dataset(_)), "{other}");
    }
    let foreign = refuse("another dataset", &|it| it.dataset[0] ^= 1)?;
    ensure!(foreign.to_string().contains("dataset.json"), "{foreign}");
    let unknown = refuse("no such consents", &|it| it.consent_version = 2)?;
    ensure!(matches!(unknown, Error::ConsentVersionUnknown { versions: 2, version: 2, .. }), "{unknown}");
    let term = Term { column: 2, intervals: vec![Interval { low: 1, high: 9 }] };
    let unplanned = Query::new(&case::schema()?, vec![term], vec![2], vec![1])?;
    let unplanned = refuse("not planned", &|it| it.query = unplanned.clone())?;
    ensure!(unplanned.to_string().contains("plan"), "{unplanned}");
    let impossible = refuse("figures that do not fit", &|it| {
        let figures = Figures { count: 1 << 21, values: vec![ValueFigures::default()], pair: None };
        it.answer.cells[1] = Cell::Shown(figures);
    })?;
    ensure!(impossible.to_string().contains("figures"), "{impossible}");
    Ok(())
}

#[test]
fn a_table_that_cannot_go_on_chain_is_refused_with_the_reason() -> Result<()> {
    let main = || Ok::<_, anyhow::Error>(vec![case::age_by_arm()?]);
    let refuse = |dataset: &Dataset, sponsor| registration(dataset, "adsl", sponsor).err().context("made");
    let nobody = refuse(&planned()?, Address::ZERO)?;
    ensure!(nobody == Error::SponsorMissing);
    let large = dataset(table(case::schema()?, Size::Medium)?, main()?, &[Mode::Plan])?;
    ensure!(refuse(&large, SPONSOR)? == Error::SizeWithoutVerifier { k: 17 });
    let planless = dataset(trial()?, Vec::new(), &[Mode::Plan])?;
    let exact = dataset(trial()?, main()?, &[Mode::Exact])?;
    for dataset in [planless, exact] {
        let error = refuse(&dataset, SPONSOR)?;
        ensure!(matches!(error, Error::NothingToLog { .. }), "{error}");
    }
    let mut bare = trial()?;
    bare.consents.clear();
    let error = refuse(&dataset(bare, main()?, &[Mode::Plan])?, SPONSOR)?;
    ensure!(matches!(error, Error::ConsentVersionUnknown { versions: 0, .. }), "{error}");
    ensure!(matches!(registration(&planned()?, "adae", SPONSOR), Err(Error::Dataset(_))));
    ensure!(matches!(publish_consents(&trial()?, 0), Err(Error::FirstConsents { .. })));
    ensure!(matches!(confirm_consents(&trial()?, 0), Err(Error::FirstConsents { .. })));
    ensure!(matches!(publish_consents(&trial()?, 2), Err(Error::ConsentVersionUnknown { .. })));
    Ok(())
}

#[test]
fn a_dataset_is_registered_for_the_sponsor_who_signed_it() -> Result<()> {
    ensure!(sponsor_key()?.address() == SPONSOR);
    let signed = planned()?;
    ensure!(registration(&signed, "adsl", SPONSOR)?.call.given.sponsor == SPONSOR);
    let other = registration(&signed, "adsl", Address::repeat_byte(0x5b)).err().context("another sponsor")?;
    ensure!(
        other.to_string().contains("sponsor") && other.to_string().contains(&hex::encode(SPONSOR)),
        "{other}"
    );
    let plan = vec![("adsl".to_owned(), case::age_by_arm()?)];
    let unsigned = Dataset::new(vec![trial()?], plan, vec![Mode::Plan])?;
    let refused = registration(&unsigned, "adsl", SPONSOR).err().context("not signed")?;
    ensure!(refused.to_string().contains("sponsor.signature"), "{refused}");
    let nobodys = table_of(case::schema()?, Size::Small, None)?;
    let nobodys = dataset(nobodys, vec![case::age_by_arm()?], &[Mode::Plan])?;
    ensure!(registration(&nobodys, "adsl", SPONSOR) == Err(Error::DatasetUnsigned));
    Ok(())
}

#[test]
fn queries_that_no_log_takes_stay_behind_by_name() -> Result<()> {
    let plain = case::schema()?;
    // A subject has a row in each arm, so that cells without an arm count rows.
    let events = Schema::new("adsl".to_owned(), plain.columns().to_vec(), 0, Unit::SubjectAnd(1), 11)?;
    let wide = Query::new(&events, Vec::new(), Vec::new(), vec![1, 4])?;
    let known = Query::new(&events, vec![case::term(2, &[(1, 73)])], vec![2], vec![1])?;
    let queries = vec![wide, case::age_by_site()?, case::dose_by_arm()?, known];
    let dataset = dataset(table(events, Size::Small)?, queries, &[Mode::Plan])?;
    let made = registration(&dataset, "adsl", SPONSOR)?;
    let digests: Vec<B256> = dataset.plan().iter().map(|planned| planned.digest.into()).collect();
    ensure!(made.planned == digests[3..] && made.call.given.plan.len() == 1);
    let left: Vec<B256> = made.left_out.iter().map(|left| left.query).collect();
    ensure!(left == digests[..3] && made.left_out[0].reason == LeftOutReason::NotNarrow);
    let told = made.left_out[1].reason.to_string();
    ensure!(told.contains("group by ARM"), "{told}");
    let told = made.left_out[2].reason.to_string();
    ensure!(told.contains("one range") && told.contains("DOSE"), "{told}");
    Ok(())
}

#[test]
fn a_dataset_that_the_prover_wrote_is_registered_as_the_contract_reads_it() -> Result<()> {
    let read = |name: &str| std::fs::read(contracts().join("../tests/cohort").join(name));
    let dataset = Dataset::from_json(&read("dataset.json")?)?;
    let made = registration(&dataset, "adsl", SPONSOR)?;
    ensure!(made.left_out.len() == 1 && made.left_out[0].reason == LeftOutReason::NotNarrow);
    let receipt = World::new()?.register(made.call.given)?;
    let registered: Vec<DatasetRegistered> = receipt.events().collect();
    ensure!(registered.len() == 1 && registered[0].table == made.table);
    let planned: Vec<B256> = receipt.events::<QueryPlanned>().map(|planned| planned.query).collect();
    ensure!(planned == made.planned && planned.len() == 1);
    let events = registration(&dataset, "adae", SPONSOR);
    ensure!(matches!(events, Err(Error::NothingToLog { .. })), "{events:?}");
    let here = cohort::venue(CHAIN, log());
    let answer = |name: &str| {
        Ok::<_, anyhow::Error>(cohort::answer(
            &dataset,
            &QueryProof::from_json(&read(name)?, &dataset)?,
            here,
        ))
    };
    ensure!(matches!(answer("narrow-plan.json")?, Err(Error::OtherVenue { .. })));
    ensure!(matches!(answer("wide-exact.json")?, Err(Error::AnswerNotForContracts(_))));
    Ok(())
}
