//! What is registered of an invented trial.

use super::{ARMS, LAST_DAY, SEVERITIES, SITES, TERMS};
use crate::trial::{ColumnEntry, Content, Decimal, Edge, SchemaFile, TableEntry};
use std::collections::BTreeMap;

/// The schema file of both tables.
pub(super) fn schema(subjects: &str, events: &str) -> SchemaFile {
    SchemaFile {
        subject: Some("USUBJID".to_owned()),
        tables: BTreeMap::from([
            (subjects.to_owned(), TableEntry { columns: subject_columns(), ..TableEntry::default() }),
            (
                events.to_owned(),
                TableEntry {
                    dimension: Some("TERM".to_owned()),
                    columns: event_columns(),
                    ..TableEntry::default()
                },
            ),
        ]),
        ..SchemaFile::default()
    }
}

fn subject_columns() -> Vec<ColumnEntry> {
    vec![
        column("USUBJID", Content::Key),
        column("ARM", category(ARMS.iter().map(|arm| arm.name))),
        column("SEX", category(["F", "M"])),
        column("AGE", number(40, 90, 0)),
        bins("AGEGR", "AGE", &[50, 65, 75]),
        column("SITE", category(SITES)),
        column("BASE", number(5, 14, 1)),
        column("CHG", number(-6, 4, 1)),
        column("RESPONDER", number(0, 1, 0)),
        column("DAY", number(1, LAST_DAY, 0)),
        bins("DAYGR", "DAY", &[15, 29, 57, 85, 113, 141, 169]),
        column("EVENT", number(0, 1, 0)),
    ]
}

fn event_columns() -> Vec<ColumnEntry> {
    vec![
        column("USUBJID", Content::Key),
        column("ARM", category(ARMS.iter().map(|arm| arm.name))),
        column("TERM", category(TERMS.iter().map(|(term, _)| *term))),
        column("SEVERITY", category(SEVERITIES)),
        column("SERIOUS", number(0, 1, 0)),
        column("ONSET", number(1, LAST_DAY, 0)),
    ]
}

fn column(name: &str, content: Content) -> ColumnEntry {
    ColumnEntry { name: name.to_owned(), source: None, content }
}

fn category<'a>(words: impl IntoIterator<Item = &'a str>) -> Content {
    Content::Category { dictionary: words.into_iter().map(str::to_owned).collect() }
}

fn number(minimum: i64, maximum: i64, scale: u8) -> Content {
    Content::Number {
        minimum: Decimal::whole(minimum),
        maximum: Decimal::whole(maximum),
        scale,
        round: false,
    }
}

fn bins(name: &str, source: &str, edges: &[i64]) -> ColumnEntry {
    let edges = edges.iter().map(|&edge| Edge::Number(Decimal::whole(edge))).collect();
    ColumnEntry { name: name.to_owned(), source: Some(source.to_owned()), content: Content::Bins { edges } }
}
