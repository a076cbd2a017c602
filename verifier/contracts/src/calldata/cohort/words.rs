//! Schemas and queries in the words that their digests hash: contracts read these, and compute the digests themselves.

use alloy_primitives::U256;
use nightingale_circuits::cohort::{Column, Kind, Query, Schema, Unit, digest::keccak};

/// What a schema's digest hashes, behind the name of the digest.
#[must_use]
pub fn schema_words(schema: &Schema) -> Vec<U256> {
    let (unit, dimension) = match schema.unit() {
        Unit::Subject => (0, 0),
        Unit::SubjectAnd(dimension) => (1, dimension),
    };
    let mut words = vec![
        hash(schema.table()),
        U256::from(schema.subject()),
        U256::from(unit),
        U256::from(dimension),
        U256::from(schema.threshold()),
        U256::from(schema.columns().len()),
    ];
    schema.columns().iter().for_each(|column| describe(column, &mut words));
    words
}

fn describe(column: &Column, words: &mut Vec<U256>) {
    words.push(hash(&column.name.to_ascii_uppercase()));
    match &column.kind {
        Kind::Integer { minimum, maximum, scale } => {
            words.extend([U256::from(1), signed(*minimum), signed(*maximum), U256::from(*scale)]);
        }
        Kind::Date { minimum, maximum } => words.extend([U256::from(2), signed(*minimum), signed(*maximum)]),
        Kind::Category { dictionary } => {
            words.extend([U256::from(3), U256::from(dictionary.len())]);
            words.extend(dictionary.iter().map(|word| hash(word)));
        }
        Kind::Key { count } => words.extend([U256::from(4), U256::from(*count)]),
    }
}

/// What a query's digest hashes, behind the name of the digest and the table.
#[must_use]
pub fn query_words(query: &Query) -> Vec<U256> {
    let mut words = vec![U256::from(query.terms().len())];
    for term in query.terms() {
        words.extend([term.column, term.intervals.len()].map(U256::from));
        let ends = term.intervals.iter().flat_map(|interval| [interval.low, interval.high]);
        words.extend(ends.map(U256::from));
    }
    for list in [query.values(), query.groups()] {
        words.push(U256::from(list.len()));
        words.extend(list.iter().map(|&column| U256::from(column)));
    }
    words
}

fn hash(text: &str) -> U256 {
    U256::from_be_bytes(keccak(text.as_bytes()))
}

/// Two's complement of 128 bits, as digests take it.
fn signed(value: i64) -> U256 {
    U256::from(i128::from(value).cast_unsigned())
}
