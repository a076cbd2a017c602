//! A small trial: 240 subjects with arm, sex, age and a dose so fine that it needs a dictionary; and their adverse events.

use k256::ecdsa::SigningKey;
use nightingale_circuits::{
    claim::Address,
    cohort::{Column, Interval, Keccak, Kind, Mode, Query, Schema, Table, Term, Unit},
};
use nightingale_prover::{CohortDataset, CohortKeyStore};
use nightingale_verifier::{
    VerifyError,
    cohort::{CohortKeys, Signature},
};
use std::{
    ops::ControlFlow,
    path::PathBuf,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

pub(super) const SUBJECTS: u32 = 240;

/// Setups are kept under `target`, so that they are made once.
pub(super) static KEYS: LazyLock<CohortKeyStore> = LazyLock::new(|| {
    LazyLock::force(&super::keys::BLESSED);
    CohortKeyStore::with_published(setups_directory(), verifying_keys())
});

pub(super) fn setups_directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/development-keys/cohort")
}

pub(super) fn keys_directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../verifier/keys/cohort")
}

/// The verifying keys as they lie in the verifier's sources, which the last build need not have seen yet.
pub(super) fn verifying_keys() -> CohortKeys {
    CohortKeys::directory(keys_directory())
}

/// One registration for all tests.
static DATASET: LazyLock<Mutex<CohortDataset>> = LazyLock::new(|| Mutex::new(register()));

pub(super) fn dataset() -> MutexGuard<'static, CohortDataset> {
    DATASET.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn register() -> CohortDataset {
    let plan = plan().into_iter().map(|(table, query)| (table.to_owned(), query)).collect();
    let modes = vec![Mode::Exact, Mode::Plan];
    let tables = vec![subjects(), events()];
    let mut dataset = CohortDataset::register(&KEYS, tables, plan, modes, Some(sponsor()), &mut go).unwrap();
    signed(&mut dataset);
    dataset
}

/// The sponsor's signature, in the 64 bytes of EIP-2098.
fn signature(digest: &Keccak) -> Signature {
    let key = SigningKey::from_slice(&[1; 32]).unwrap();
    let (signature, parity) = key.sign_prehash_recoverable(digest).unwrap();
    let mut bytes: [u8; 64] = signature.to_bytes().into();
    bytes[32] |= u8::from(parity.is_y_odd()) << 7;
    Signature(bytes)
}

/// Who answers for the trial.
pub(super) fn sponsor() -> Address {
    signature(&[7; 32]).signer(&[7; 32]).unwrap()
}

/// Signs what the sponsor has not signed yet.
pub(super) fn signed(dataset: &mut CohortDataset) {
    dataset.sign(sponsor(), &mut |digest| Ok::<_, VerifyError>(signature(digest))).unwrap();
}

pub(super) fn go(_: nightingale_prover::cohort::Step) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn column(name: &str, kind: Kind) -> Column {
    Column { name: name.to_owned(), kind }
}

fn category(words: &[&str]) -> Kind {
    Kind::Category { dictionary: words.iter().map(|&word| word.to_owned()).collect() }
}

pub(super) fn subject_schema() -> Schema {
    let columns = vec![
        column("USUBJID", Kind::Key { count: SUBJECTS }),
        column("ARM", category(&["Placebo", "Low", "High"])),
        column("SEX", category(&["F", "M"])),
        column("AGE", Kind::Integer { minimum: 18, maximum: 90, scale: 0 }),
        column("DOSE", Kind::Integer { minimum: -500_000, maximum: 1_000_000, scale: 2 }),
        column("RFSTDTC", Kind::Date { minimum: 15_000, maximum: 16_000 }),
    ];
    Schema::new("adsl".to_owned(), columns, 0, Unit::Subject, 11).unwrap()
}

pub(super) fn event_schema() -> Schema {
    let columns = vec![
        column("USUBJID", Kind::Key { count: SUBJECTS }),
        column("TERM", category(&["Headache", "Nausea", "Rash", "Cough"])),
        column("ARM", category(&["Placebo", "Low", "High"])),
    ];
    Schema::new("adae".to_owned(), columns, 0, Unit::SubjectAnd(1), 11).unwrap()
}

/// Numbers that look random and never change.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(bound)) as u32
    }
}

pub(super) fn subjects() -> Table {
    let mut numbers = Numbers(1);
    let mut columns = vec![Vec::new(); 6];
    for subject in 1..=SUBJECTS {
        let age = if numbers.below(20) == 0 { 0 } else { 1 + numbers.below(73) };
        let dose = if numbers.below(10) == 0 { 0 } else { 1 + numbers.below(1_500_001) };
        let row = [subject, 1 + numbers.below(3), 1 + numbers.below(2), age, dose, 1 + numbers.below(1001)];
        columns.iter_mut().zip(row).for_each(|(column, code)| column.push(code));
    }
    let consent = (0..SUBJECTS).map(|subject| subject % 17 != 3).collect();
    Table::new(subject_schema(), columns, consent).unwrap()
}

fn events() -> Table {
    let mut numbers = Numbers(2);
    let mut columns = vec![Vec::new(); 3];
    for subject in 1..=SUBJECTS {
        for term in 1..=4 {
            if numbers.below(3) == 0 {
                columns
                    .iter_mut()
                    .zip([subject, term, 1 + subject % 3])
                    .for_each(|(column, code)| column.push(code));
            }
        }
    }
    let consent = vec![true; columns[0].len()];
    Table::new(event_schema(), columns, consent).unwrap()
}

fn term(column: usize, ranges: &[(u32, u32)]) -> Term {
    Term { column, intervals: ranges.iter().map(|&(low, high)| Interval { low, high }).collect() }
}

/// `SELECT ARM, COUNT(*), AVG(AGE) FROM adsl WHERE AGE >= 35 GROUP BY ARM`
pub(super) fn age_by_arm() -> Query {
    Query::new(&subject_schema(), vec![term(3, &[(18, 73)])], vec![3], vec![1]).unwrap()
}

/// Two terms, one of them on the wide column, two values, two groups.
pub(super) fn dose_and_age() -> Query {
    let terms = vec![term(4, &[(1, 400_000), (900_000, 1_500_001)]), term(5, &[(100, 450)])];
    Query::new(&subject_schema(), terms, vec![3, 4], vec![1, 2]).unwrap()
}

/// Subjects by event and arm.
pub(super) fn events_by_arm() -> Query {
    Query::new(&event_schema(), Vec::new(), Vec::new(), vec![1, 2]).unwrap()
}

pub(super) fn plan() -> Vec<(&'static str, Query)> {
    vec![("adsl", age_by_arm()), ("adsl", dose_and_age()), ("adae", events_by_arm())]
}
