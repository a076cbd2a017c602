//! Which columns a table commits to, and their values: codes, and what is derived from codes once so that queries are cheap.
//!
//! A column of `n = 2^k` rows is zero in the head, holds records from [`Layout::head`] on, and uniform salt in the last
//! [`Layout::SALT`] rows (added by whoever commits). Dictionaries fill all record rows; everything else is zero after the last record.

use super::{Layout, Schema, Table, schema::Kind};

/// A committed column of a table, or one that everybody can commit to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Committed {
    /// All zero, without salt: the commitment is the identity.
    Zero,
    /// `j` in record row `j`, without salt: the dictionary of a column whose codes are their own ranks.
    Identity,
    /// 1 in the rows that hold a record.
    Present,
    /// 1 in the rows that may be used, under one version of the consents.
    Consent,
    /// The codes of a column.
    Codes(usize),
    /// 1 where the column is not missing.
    Flag(usize),
    /// The place of each code of a wide column in its dictionary.
    Rank(usize),
    /// A wide column's distinct codes, ascending from 0; then `2^32 + j` in row `j`, so that it ascends to the end.
    Dictionary(usize),
}

/// Whether a column has more codes than one lookup tells apart, so that it needs ranks and a dictionary.
#[must_use]
pub fn is_wide(schema: &Schema, layout: Layout, column: usize) -> bool {
    schema.columns().get(column).is_some_and(|column| column.bound() as usize >= layout.capacity())
}

/// The committed columns of a table, in the order in which its digest takes them: [`Committed::Present`], then for each column its codes;
/// unless it is a key, its flags; if it is wide and not a key, its ranks and its dictionary. Consent has versions and stands apart.
#[must_use]
pub fn committed(schema: &Schema, layout: Layout) -> Vec<Committed> {
    let mut columns = vec![Committed::Present];
    for (index, column) in schema.columns().iter().enumerate() {
        columns.push(Committed::Codes(index));
        if matches!(column.kind, Kind::Key { .. }) {
            continue;
        }
        columns.push(Committed::Flag(index));
        if is_wide(schema, layout, index) {
            columns.extend([Committed::Rank(index), Committed::Dictionary(index)]);
        }
    }
    columns
}

/// The values of a column in the record rows, [`Layout::capacity`] of them.
#[must_use]
pub fn values(table: &Table, layout: Layout, column: Committed) -> Vec<u64> {
    let capacity = layout.capacity();
    let padded = |values: &mut dyn Iterator<Item = u64>| {
        let mut column: Vec<u64> = values.take(capacity).collect();
        column.resize(capacity, 0);
        column
    };
    match column {
        Committed::Zero => vec![0; capacity],
        Committed::Identity => (0..capacity as u64).collect(),
        Committed::Present => padded(&mut std::iter::repeat_n(1, table.rows())),
        Committed::Consent => padded(&mut table.consent().iter().map(|&consent| u64::from(consent))),
        Committed::Codes(index) => padded(&mut table.codes(index).iter().map(|&code| u64::from(code))),
        Committed::Flag(index) => padded(&mut table.codes(index).iter().map(|&code| u64::from(code != 0))),
        Committed::Rank(index) => {
            let distinct = distinct(table.codes(index));
            let rank = |code: &u32| distinct.binary_search(code).map_or(0, |rank| rank as u64);
            padded(&mut table.codes(index).iter().map(rank))
        }
        Committed::Dictionary(index) => {
            let distinct = distinct(table.codes(index));
            let code = |j: usize| distinct.get(j).map_or((1 << 32) + j as u64, |&code| u64::from(code));
            (0..capacity).map(code).collect()
        }
    }
}

/// 0 and the distinct codes, ascending.
fn distinct(codes: &[u32]) -> Vec<u32> {
    let mut distinct: Vec<u32> = std::iter::once(0).chain(codes.iter().copied()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    distinct
}
