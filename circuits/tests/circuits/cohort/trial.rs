//! Made-up tables for the tests: a schema of every kind of column, rows from a seed.

use nightingale_circuits::cohort::{Column, Interval, Kind, Layout, Schema, Table, Term, Unit};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// The columns' places.
pub(crate) const SUBJECT: usize = 0;
pub(crate) const ARM: usize = 1;
pub(crate) const SEX: usize = 2;
pub(crate) const AGE: usize = 3;
pub(crate) const CHANGE: usize = 4;
pub(crate) const COST: usize = 5;

/// Enough rows for two terms' worth of codes, few enough for the mock prover.
pub(crate) const NARROW: Layout = Layout { k: 12, head: 256 };
pub(crate) const WIDE: Layout = Layout { k: 13, head: 2048 };

pub(crate) fn words(words: &[&str]) -> Kind {
    Kind::Category { dictionary: words.iter().map(|word| (*word).to_owned()).collect() }
}

pub(crate) fn schema() -> Schema {
    let column = |name: &str, kind| Column { name: name.to_owned(), kind };
    let columns = vec![
        column("usubjid", Kind::Key { count: 1 << 20 }),
        column("arm", words(&["Placebo", "Low", "High"])),
        column("sex", words(&["F", "M"])),
        column("age", Kind::Integer { minimum: 18, maximum: 99, scale: 0 }),
        column("change", Kind::Integer { minimum: -500, maximum: 500, scale: 1 }),
        column("cost", Kind::Integer { minimum: 0, maximum: 4_000_000_000, scale: 2 }),
    ];
    Schema::new("trial".to_owned(), columns, SUBJECT, Unit::Subject, 11).expect("a well-formed schema")
}

/// `rows` rows; about one cell in eight is missing, one row in sixteen has no consent.
pub(crate) fn table(rows: usize, seed: u64) -> Table {
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let schema = schema();
    let mut columns = vec![Vec::with_capacity(rows); schema.columns().len()];
    for row in 0..rows {
        columns[SUBJECT].push(2 * row as u32 + 1);
        for (column, codes) in columns.iter_mut().enumerate().skip(1) {
            let bound = schema.columns()[column].bound();
            let missing = column > SEX && random.random_ratio(1, 8);
            codes.push(if missing { 0 } else { random.random_range(1..=bound) });
        }
    }
    let consent = (0..rows).map(|_| !random.random_ratio(1, 16)).collect();
    Table::new(schema, columns, consent).expect("codes that fit")
}

pub(crate) fn between(column: usize, low: u32, high: u32) -> Term {
    Term { column, intervals: vec![Interval { low, high }] }
}

/// Women by arm, so many rows and so many of them with a known change, and men in the first arm.
pub(crate) fn women_and_men(women: [(usize, usize); 3], men: usize) -> Table {
    let mut rows: Vec<[u32; 3]> = Vec::new();
    for (arm, (count, known)) in (1..).zip(women) {
        rows.extend((0..count).map(|row| [arm, 1, u32::from(row < known)]));
    }
    rows.extend(std::iter::repeat_n([1, 2, 1], men));
    let mut columns = vec![vec![1; rows.len()]; 6];
    columns[SUBJECT] = (1..).take(rows.len()).collect();
    for (place, column) in [ARM, SEX, CHANGE].into_iter().enumerate() {
        columns[column] = rows.iter().map(|row| row[place]).collect();
    }
    Table::new(schema(), columns, vec![true; rows.len()]).expect("codes that fit")
}
