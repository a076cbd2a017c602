//! The slots of a query circuit: its first advice columns, which are linked to committed columns.

use super::{
    Class, Layout, Query, Schema,
    columns::{Committed, is_wide},
};

/// The number of slots of a class: consent; rank and dictionary of each term; value and flag of each value; each group; noise.
#[must_use]
pub const fn number(class: Class) -> usize {
    1 + 2 * class.terms() + 2 * class.values() + class.groups() + 1
}

/// What each slot is linked to, in the order of the circuit's first advice columns.
///
/// A term that the query does not have asks "present = 1", which every consenting row passes. Values, flags and groups that it does
/// not have, and noise, are zero.
#[must_use]
pub fn sources(class: Class, layout: Layout, schema: &Schema, query: &Query) -> Vec<Committed> {
    let mut slots = vec![Committed::Consent];
    for place in 0..class.terms() {
        slots.extend(match query.terms().get(place).map(|term| term.column) {
            Some(column) if is_wide(schema, layout, column) => {
                [Committed::Rank(column), Committed::Dictionary(column)]
            }
            Some(column) => [Committed::Codes(column), Committed::Identity],
            None => [Committed::Present, Committed::Identity],
        });
    }
    for place in 0..class.values() {
        slots.extend(match query.values().get(place) {
            Some(&column) => [Committed::Codes(column), Committed::Flag(column)],
            None => [Committed::Zero, Committed::Zero],
        });
    }
    for place in 0..class.groups() {
        slots.push(query.groups().get(place).map_or(Committed::Zero, |&column| Committed::Codes(column)));
    }
    slots.push(Committed::Zero);
    slots
}
