//! The reference and the circuit agree on generated tables and queries, in both classes.

use super::trial::{AGE, ARM, CHANGE, COST, NARROW, SEX, WIDE, between, table};
use halo2_proofs::{dev::MockProver, halo2curves::bn256::Fr};
use nightingale_circuits::cohort::{
    Answer, Cell, Class, Interval, Layout, Query, QueryCircuit, QueryError, Table, Term, instances::instances,
};

fn accepted(class: Class, layout: Layout, table: &Table, query: &Query, threshold: u32) -> Answer {
    let (circuit, answer) =
        QueryCircuit::new(class, layout, query, table, threshold).expect("the query fits");
    let instances: Vec<Vec<Fr>> =
        instances(class, table.schema(), query, threshold, &answer).expect("an answer of the query's shape");
    let prover = MockProver::run(layout.k, &circuit, instances).expect("a circuit of this size");
    if let Err(failures) = prover.verify() {
        panic!("{} failures, the first: {}", failures.len(), failures[0]);
    }
    answer
}

pub(crate) fn query(table: &Table, terms: Vec<Term>, values: &[usize], groups: &[usize]) -> Query {
    Query::new(table.schema(), terms, values.to_vec(), groups.to_vec()).expect("a query of this table")
}

#[test]
fn narrow_queries_of_every_shape() {
    let table = table(700, 1);
    let within = |column, low, high| vec![between(column, low, high)];
    let several = vec![Term {
        column: AGE,
        intervals: vec![
            Interval { low: 1, high: 1 },
            Interval { low: 9, high: 12 },
            Interval { low: 80, high: 82 },
        ],
    }];
    let never = vec![Term { column: AGE, intervals: vec![] }];
    for (terms, values, groups) in [
        (within(AGE, 23, 48), vec![CHANGE], vec![ARM]),
        (within(COST, 1_000_000_000, 3_000_000_000), vec![COST], vec![SEX]),
        (within(COST, 1, u32::MAX), vec![AGE], vec![]),
        (several, vec![], vec![ARM]),
        (never, vec![AGE], vec![ARM]),
        (vec![], vec![CHANGE], vec![ARM]),
    ] {
        let query = query(&table, terms, &values, &groups);
        assert_eq!(query.class(table.schema()), Class::Narrow);
        for threshold in [1, 11, 200] {
            accepted(Class::Narrow, NARROW, &table, &query, threshold);
        }
    }
}

#[test]
fn wide_queries_of_every_shape() {
    let table = table(900, 2);
    for (terms, values, groups) in [
        (
            vec![
                between(AGE, 5, 60),
                between(COST, 7, 3_999_999_999),
                between(SEX, 1, 1),
                between(ARM, 2, 3),
            ],
            vec![CHANGE, COST],
            vec![ARM, SEX],
        ),
        (vec![between(CHANGE, 1, 1001)], vec![AGE], vec![ARM, AGE]),
        (vec![], vec![AGE, CHANGE], vec![AGE]),
    ] {
        let query = query(&table, terms, &values, &groups);
        for threshold in [1, 11] {
            accepted(Class::Wide, WIDE, &table, &query, threshold);
        }
    }
}

#[test]
fn small_tables_and_full_ones() {
    for rows in [1, 2, 12, NARROW.capacity()] {
        let table = table(rows, rows as u64);
        let query = query(&table, vec![between(AGE, 1, 40)], &[CHANGE], &[ARM]);
        accepted(Class::Narrow, NARROW, &table, &query, 11);
    }
}

/// Rows by arm such that exactly the named cells are hidden.
#[test]
fn hides_by_the_rule_at_its_edges() {
    for (counts, expected) in [
        // Nothing is small.
        ([11, 12, 13], [false, false, false]),
        // One small cell takes the smallest other with it.
        ([3, 20, 12], [true, false, true]),
        // Two small cells that hold enough together.
        ([6, 7, 30], [true, true, false]),
        // Two small cells that do not: the third follows.
        ([2, 3, 30], [true, true, true]),
        // A tie goes to the lower index.
        ([4, 15, 15], [true, true, false]),
        // An empty cell is shown and hides nobody.
        ([4, 0, 40], [true, false, true]),
        // The only cell that is not empty: all of them are hidden.
        ([4, 0, 0], [true, false, false]),
    ] {
        let table = by_arm(counts);
        let query = query(&table, vec![], &[], &[ARM]);
        let answer = accepted(Class::Narrow, NARROW, &table, &query, 11);
        let hidden: Vec<bool> = answer.cells[1..].iter().map(|cell| *cell == Cell::Hidden).collect();
        assert_eq!(hidden, expected, "{counts:?}");
    }
}

/// A table of women with so many rows in each arm.
fn by_arm(counts: [usize; 3]) -> Table {
    let arms: Vec<u32> = (1..).zip(counts).flat_map(|(arm, count)| std::iter::repeat_n(arm, count)).collect();
    let rows = arms.len();
    let mut columns = vec![vec![1; rows]; 6];
    columns[super::trial::SUBJECT] = (1..).take(rows).collect();
    columns[ARM] = arms;
    Table::new(super::trial::schema(), columns, vec![true; rows]).expect("codes that fit")
}

#[test]
fn a_rest_that_is_small_takes_a_cell_with_it() {
    let table = by_arm([40, 50, 60]);
    // All but the three rows whose change is missing... here: nobody's is, so filter by arm instead.
    let query = query(&table, vec![between(ARM, 2, 3)], &[], &[ARM]);
    let all = accepted(Class::Narrow, NARROW, &table, &query, 11);
    assert!(all.cells.iter().all(|cell| *cell != Cell::Hidden), "a rest of 40 is no small cell");
    let few = by_arm([4, 50, 60]);
    let hidden = accepted(Class::Narrow, NARROW, &few, &query, 11);
    assert_eq!(hidden.cells[2], Cell::Hidden, "the smallest cell covers the rest of 4");
    assert_ne!(hidden.cells[3], Cell::Hidden);
}

/// In the order of the tables' columns, whatever the order of the question: ties go to the cell of the lower index, and one question with
/// two orders of cells would have two answers which together tell more than the rule lets either tell.
#[test]
fn a_question_has_one_order() {
    let table = table(300, 4);
    let one = query(&table, vec![between(AGE, 1, 60)], &[CHANGE, COST], &[ARM, SEX]);
    let other = query(&table, vec![between(AGE, 1, 60)], &[COST, CHANGE], &[SEX, ARM]);
    assert_eq!(one, other);
    assert_eq!(one.digest(&[7; 32]), other.digest(&[7; 32]));
    assert_eq!((other.values(), other.groups()), (&[CHANGE, COST][..], &[ARM, SEX][..]));
    assert_eq!(other.key(table.schema(), 1), [0, 1], "the last group column runs fastest");
    assert_eq!(
        accepted(Class::Wide, WIDE, &table, &one, 11),
        accepted(Class::Wide, WIDE, &table, &other, 11)
    );
    // Neither order lets a column in twice.
    let twice = Query::new(table.schema(), vec![], vec![], vec![SEX, ARM, SEX]);
    assert_eq!(twice, Err(QueryError::Twice("sex".to_owned())));
}
