//! An invented trial of any size: subjects in three arms with laboratory values, response and time to event, and their adverse events.
//!
//! The same seed and size give the same bytes. Integers only, so that every machine agrees.

mod schema;

use crate::trial::{
    self, Cells, Decimal, NotDecimal, RawColumn, RawTable, SchemaFile, TextsBuilder, TrialError,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::path::{Path, PathBuf};

/// An invented trial's tables and what is registered of them.
pub struct Trial {
    /// One row a subject.
    pub subjects: RawTable,
    /// One row for each subject and adverse-event term.
    pub events: RawTable,
    /// Their schema file.
    pub schema: SchemaFile,
}

/// Where an invented trial was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialFiles {
    /// The subjects.
    pub subjects: PathBuf,
    /// The adverse events.
    pub events: PathBuf,
    /// The schema file.
    pub schema: PathBuf,
}

/// An arm, and what the drug does there.
struct Arm {
    name: &'static str,
    /// Tenths by which the value changes on average.
    change: i64,
    /// Events in a hundred thousand days.
    hazard: u64,
    /// Chance in a hundred of each possible adverse event.
    adverse: u32,
}

const ARMS: [Arm; 3] = [
    Arm { name: "Placebo", change: -1, hazard: 420, adverse: 14 },
    Arm { name: "Low dose", change: -6, hazard: 330, adverse: 19 },
    Arm { name: "High dose", change: -11, hazard: 240, adverse: 26 },
];
const SITES: [&str; 8] = ["S01", "S02", "S03", "S04", "S05", "S06", "S07", "S08"];
/// Terms, and how much more often than rare ones they happen.
const TERMS: [(&str, u32); 12] = [
    ("Application site pruritus", 8),
    ("Headache", 7),
    ("Nausea", 6),
    ("Dizziness", 6),
    ("Rash", 4),
    ("Diarrhoea", 4),
    ("Fatigue", 3),
    ("Cough", 3),
    ("Vomiting", 2),
    ("Syncope", 1),
    ("Atrial fibrillation", 1),
    ("Pneumonia", 1),
];
const SEVERITIES: [&str; 3] = ["MILD", "MODERATE", "SEVERE"];
/// The last day of observation.
const LAST_DAY: i64 = 182;
/// The most adverse events of one subject.
const MOST_EVENTS: usize = 4;

/// Invents a trial of `rows` subjects, at least 1: the tables `trial` and `trial_events`.
///
/// # Errors
/// None for any number of rows that memory holds; an error would be a bug of the generator.
pub fn trial(seed: u64, rows: usize) -> Result<Trial, TrialError> {
    invent("trial", seed, rows)
}

/// Invents a trial and writes it: subjects to `out` (`.parquet`, `.csv` or `.xpt`), adverse events beside it as `STEM_events`, the schema file
/// as `STEM.toml`. The tables are named after the stem.
///
/// # Errors
/// A stem that is no SQL name, an unknown extension, or a file that cannot be written.
pub fn write_trial(seed: u64, rows: usize, out: &Path) -> Result<TrialFiles, TrialError> {
    let stem = trial::table_name(out)?;
    let invented = invent(&stem, seed, rows)?;
    let extension = out.extension().unwrap_or_default();
    let events = out.with_file_name(format!("{stem}_events")).with_extension(extension);
    let files = TrialFiles { subjects: out.to_owned(), events, schema: out.with_extension("toml") };
    trial::write(&invented.subjects, &files.subjects)?;
    trial::write(&invented.events, &files.events)?;
    std::fs::write(&files.schema, invented.schema.to_string())
        .map_err(|source| TrialError::Unreadable { path: files.schema.clone(), source })?;
    Ok(files)
}

fn invent(stem: &str, seed: u64, rows: usize) -> Result<Trial, TrialError> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let (mut subjects, mut events) = (Subjects::default(), Events::default());
    let survival = ARMS.map(|arm| survival(arm.hazard));
    for number in 1..=rows.max(1) {
        let key = format!("NGT-{number:07}");
        let which = rng.random_range(0..ARMS.len());
        let day = subjects.push(&mut rng, &key, &ARMS[which], &survival[which]);
        events.push(&mut rng, &key, &ARMS[which], day);
    }
    // A table has at least one row.
    if events.key.rows() == 0 {
        events.row("NGT-0000001", ARMS[0].name, TERMS[0].0, SEVERITIES[0], 0, 1);
    }
    let events_name = format!("{stem}_events");
    Ok(Trial {
        subjects: RawTable::new(stem.to_owned(), stem.to_owned(), subjects.columns())?,
        events: RawTable::new(events_name.clone(), events_name.clone(), events.columns())?,
        schema: schema::schema(stem, &events_name),
    })
}

/// A number around 0 with a spread of about `spread`: the sum of four uniform ones.
fn around_zero(rng: &mut ChaCha20Rng, spread: i64) -> i64 {
    (0..4).map(|_| rng.random_range(-spread..=spread)).sum::<i64>() * 7 / 8
}

fn percent(rng: &mut ChaCha20Rng, chance: u32) -> bool {
    rng.random_range(0..100) < chance
}

/// For each day, how many of 2^32 are still without event at its start.
fn survival(hazard: u64) -> Vec<u64> {
    let mut left = 1u64 << 32;
    let day = |_| {
        let now = left;
        left -= left * hazard / 100_000;
        now
    };
    (1..=LAST_DAY).map(day).collect()
}

/// A number with `scale` decimals; the generator's numbers are far from any limit.
fn decimal(units: i64, scale: u8) -> Result<Decimal, NotDecimal> {
    Decimal::new(i128::from(units), scale)
}

fn whole(value: i64) -> Option<Decimal> {
    Some(Decimal::whole(value))
}

/// The subject table, column by column.
#[derive(Default)]
struct Subjects {
    key: TextsBuilder,
    arm: TextsBuilder,
    sex: TextsBuilder,
    age: Vec<Option<Decimal>>,
    site: TextsBuilder,
    base: Vec<Option<Decimal>>,
    change: Vec<Option<Decimal>>,
    responder: Vec<Option<Decimal>>,
    day: Vec<Option<Decimal>>,
    event: Vec<Option<Decimal>>,
}

impl Subjects {
    /// One subject; gives the last day of observation.
    fn push(&mut self, rng: &mut ChaCha20Rng, key: &str, arm: &Arm, survival: &[u64]) -> i64 {
        self.key.push(key);
        self.arm.push(arm.name);
        self.sex.push(if percent(rng, 56) { "F" } else { "M" });
        self.age.push(whole((66 + around_zero(rng, 9)).clamp(40, 89)));
        self.site.push(SITES[rng.random_range(0..SITES.len())]);
        let base = (82 + around_zero(rng, 9)).clamp(50, 140);
        let change = (arm.change + around_zero(rng, 6)).clamp(-60, 40);
        let has_base = !percent(rng, 2);
        let has_change = has_base && !percent(rng, 7);
        self.base.push(decimal(base, 1).ok().filter(|_| has_base));
        self.change.push(decimal(change, 1).ok().filter(|_| has_change));
        // Who has no measurement counts as not responding.
        self.responder.push(whole(i64::from(has_change && change <= -7)));
        let drawn = rng.random_range(0..1u64 << 32);
        let event_day = survival.partition_point(|&left| left > drawn) as i64;
        let leaves = if percent(rng, 15) { rng.random_range(1..=LAST_DAY) } else { LAST_DAY };
        let happens = event_day <= leaves && event_day < LAST_DAY;
        let day = event_day.min(leaves);
        self.day.push(whole(day));
        self.event.push(whole(i64::from(happens)));
        day
    }

    fn columns(self) -> Vec<RawColumn> {
        vec![
            RawColumn::new("USUBJID", Cells::Text(self.key.finish())),
            RawColumn::new("ARM", Cells::Text(self.arm.finish())),
            RawColumn::new("SEX", Cells::Text(self.sex.finish())),
            RawColumn::new("AGE", Cells::Decimal(self.age)),
            RawColumn::new("SITE", Cells::Text(self.site.finish())),
            RawColumn::new("BASE", Cells::Decimal(self.base)),
            RawColumn::new("CHG", Cells::Decimal(self.change)),
            RawColumn::new("RESPONDER", Cells::Decimal(self.responder)),
            RawColumn::new("DAY", Cells::Decimal(self.day)),
            RawColumn::new("EVENT", Cells::Decimal(self.event)),
        ]
    }
}

/// The adverse events, column by column.
#[derive(Default)]
struct Events {
    key: TextsBuilder,
    arm: TextsBuilder,
    term: TextsBuilder,
    severity: TextsBuilder,
    serious: Vec<Option<Decimal>>,
    onset: Vec<Option<Decimal>>,
}

impl Events {
    /// The adverse events of one subject, who is observed until `last`.
    fn push(&mut self, rng: &mut ChaCha20Rng, key: &str, arm: &Arm, last: i64) {
        let all: u32 = TERMS.iter().map(|(_, weight)| weight).sum();
        let mut had = [false; TERMS.len()];
        for _ in 0..MOST_EVENTS {
            if !percent(rng, arm.adverse) {
                continue;
            }
            let mut drawn = rng.random_range(0..all);
            let term = TERMS.iter().position(|(_, weight)| match drawn.checked_sub(*weight) {
                Some(rest) => {
                    drawn = rest;
                    false
                }
                None => true,
            });
            // A term again is the same adverse event.
            let Some(term) = term.filter(|&term| !had[term]) else { continue };
            had[term] = true;
            let severity = usize::from(percent(rng, 35)) + usize::from(percent(rng, 15));
            let serious = i64::from(severity == 2 || percent(rng, 3));
            let onset = rng.random_range(1..=last);
            self.row(key, arm.name, TERMS[term].0, SEVERITIES[severity], serious, onset);
        }
    }

    fn row(&mut self, key: &str, arm: &str, term: &str, severity: &str, serious: i64, onset: i64) {
        self.key.push(key);
        self.arm.push(arm);
        self.term.push(term);
        self.severity.push(severity);
        self.serious.push(whole(serious));
        self.onset.push(whole(onset));
    }

    fn columns(self) -> Vec<RawColumn> {
        vec![
            RawColumn::new("USUBJID", Cells::Text(self.key.finish())),
            RawColumn::new("ARM", Cells::Text(self.arm.finish())),
            RawColumn::new("TERM", Cells::Text(self.term.finish())),
            RawColumn::new("SEVERITY", Cells::Text(self.severity.finish())),
            RawColumn::new("SERIOUS", Cells::Decimal(self.serious)),
            RawColumn::new("ONSET", Cells::Decimal(self.onset)),
        ]
    }
}
