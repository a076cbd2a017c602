//! The plan: which proofs a table needs, what their slots are linked to, and instances that follow from public data alone.

use nightingale_circuits::cohort::{
    Column, Committed, Kind, Layout, Schema, Unit,
    registration::{Part, Source, Statement, plan},
};

/// 208 codes a lookup.
const LAYOUT: Layout = Layout { k: 8, head: 32 };

fn schema(unit: Unit, subjects: u32, bounds: &[i64]) -> Schema {
    let number = |(place, &maximum): (usize, &i64)| Column {
        name: format!("c{place}"),
        kind: Kind::Integer { minimum: 1, maximum, scale: 0 },
    };
    let mut columns = vec![Column { name: "id".to_owned(), kind: Kind::Key { count: subjects } }];
    columns.extend(bounds.iter().enumerate().map(number));
    Schema::new("t".to_owned(), columns, 0, unit, 11).unwrap()
}

fn committed(statement: &Statement) -> Vec<Committed> {
    let column = |source: &Source| match source {
        Source::Column(committed) => *committed,
        Source::Predecessor => panic!("only the frame has a predecessor"),
    };
    statement.sources().iter().map(column).collect()
}

#[test]
fn the_frame_links_to_the_key_and_to_two_versions_of_the_consents() {
    let [Source::Column(present), Source::Column(subject), Source::Column(dimension), consent, predecessor] =
        *plan(&schema(Unit::Subject, 9, &[5]), LAYOUT)[0].sources()
    else {
        panic!("five slots, the first three of columns");
    };
    assert_eq!([present, subject, dimension], [Committed::Present, Committed::Codes(0), Committed::Zero]);
    assert_eq!([consent, predecessor], [Source::Column(Committed::Consent), Source::Predecessor]);
    let with_dimension = plan(&schema(Unit::SubjectAnd(1), 9, &[5]), LAYOUT);
    assert_eq!(with_dimension[0].sources()[2], Source::Column(Committed::Codes(1)));
    assert_eq!(with_dimension[0].numbers(77), [77]);
}

#[test]
fn narrow_columns_go_eight_at_a_time_and_empty_places_are_zero() {
    let plan = plan(&schema(Unit::Subject, 9, &[1, 2, 3, 4, 5, 6, 7, 8, 207]), LAYOUT);
    let parts: Vec<Part> = plan.iter().map(Statement::part).collect();
    assert_eq!(parts, [Part::Frame, Part::Columns, Part::Columns]);
    assert_eq!(plan[1].numbers(77), [9, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(plan[2].numbers(77), [8, 207, 0, 0, 0, 0, 0, 0]);
    let first = committed(&plan[1]);
    // A key's flag is `present`.
    assert_eq!(first[..3], [Committed::Present, Committed::Codes(0), Committed::Present]);
    assert_eq!(first[3..5], [Committed::Codes(1), Committed::Flag(1)]);
    let second = committed(&plan[2]);
    assert_eq!(
        second[..5],
        [
            Committed::Present,
            Committed::Codes(8),
            Committed::Flag(8),
            Committed::Codes(9),
            Committed::Flag(9),
        ]
    );
    assert!(second[5..].iter().all(|&column| column == Committed::Zero));
    assert_eq!([first.len(), second.len()], [17, 17]);
}

#[test]
fn columns_beyond_one_lookup_have_a_proof_each() {
    let plan = plan(&schema(Unit::Subject, 208, &[208, 207]), LAYOUT);
    let parts: Vec<Part> = plan.iter().map(Statement::part).collect();
    assert_eq!(parts, [Part::Frame, Part::Columns, Part::Keys, Part::Dictionary]);
    assert_eq!(committed(&plan[2]), [Committed::Present, Committed::Codes(0)]);
    let dictionary = [
        Committed::Present,
        Committed::Codes(1),
        Committed::Flag(1),
        Committed::Rank(1),
        Committed::Dictionary(1),
    ];
    assert_eq!(committed(&plan[3]), dictionary);
    assert_eq!([plan[2].numbers(77), plan[3].numbers(77)], [[208], [208]]);
}

#[test]
fn a_plan_covers_every_committed_column_and_no_other() {
    let schema = schema(Unit::SubjectAnd(2), 300, &[1, 20, 300, 4_000, 50_000, 6, 7, 8, 9, 10, 11, 12]);
    let mut linked: Vec<Committed> = plan(&schema, LAYOUT)
        .iter()
        .flat_map(|statement| statement.sources().to_vec())
        .filter_map(|source| match source {
            Source::Column(column) => Some(column),
            Source::Predecessor => None,
        })
        .filter(|column| !matches!(column, Committed::Zero | Committed::Consent))
        .collect();
    linked.sort_unstable();
    linked.dedup();
    let mut committed = nightingale_circuits::cohort::columns::committed(&schema, LAYOUT);
    committed.sort_unstable();
    assert_eq!(linked, committed);
}
