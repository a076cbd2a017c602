//! The reference and the circuit agree on generated tables and queries, in both classes.

use super::trial::{AGE, ARM, CHANGE, COST, NARROW, SEX, WIDE, between, table, women_and_men};
use halo2_proofs::{dev::MockProver, halo2curves::bn256::Fr};
use nightingale_circuits::cohort::{
    Answer, Cell, Class, Figures, Interval, Layout, Query, QueryCircuit, QueryError, Table, Term,
    disclosure::{self, Hidden},
    evaluate::Totals,
    instances::instances,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

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
        let table = women_and_men(known(counts), 0);
        let query = query(&table, vec![], &[], &[ARM]);
        let answer = accepted(Class::Narrow, NARROW, &table, &query, 11);
        assert_eq!(hidden(&answer), expected, "{counts:?}");
    }
}

fn known(counts: [usize; 3]) -> [(usize, usize); 3] {
    counts.map(|count| (count, count))
}

/// Which arms are hidden.
fn hidden(answer: &Answer) -> Vec<bool> {
    answer.cells[1..].iter().map(|cell| *cell == Cell::Hidden).collect()
}

/// Women by arm, and men, whom the filter leaves out.
#[test]
fn the_rest_calls_for_hidden_cells_and_is_none_of_them() {
    for (women, men, expected) in [
        // A rest that is not small: the second hidden cell is one that a reader does not know.
        ([5, 50, 50], 20, [true, true, false]),
        ([5, 50, 60], 11, [true, true, false]),
        // A small one is not the second hidden cell either.
        ([5, 50, 50], 8, [true, true, false]),
        // Nor does it count among the rows that hidden cells hold.
        ([3, 4, 50], 10, [true, true, true]),
        ([3, 4, 50], 20, [true, true, true]),
        ([6, 7, 50], 4, [true, true, false]),
        // A small rest alone: two cells cover it.
        ([40, 50, 60], 10, [true, true, false]),
        ([60, 50, 40], 1, [false, true, true]),
        ([40, 50, 60], 11, [false, false, false]),
        ([40, 50, 60], 0, [false, false, false]),
        // Or as many as there are.
        ([50, 0, 0], 8, [true, false, false]),
        ([0, 50, 0], 20, [false, false, false]),
        ([0, 5, 0], 20, [false, true, false]),
        ([0, 0, 0], 8, [false, false, false]),
    ] {
        let table = women_and_men(known(women), men);
        for values in [&[][..], &[CHANGE]] {
            let query = query(&table, vec![between(SEX, 1, 1)], values, &[ARM]);
            let answer = accepted(Class::Narrow, NARROW, &table, &query, 11);
            assert_eq!(hidden(&answer), expected, "{women:?} and {men}");
        }
        let query = query(&table, vec![between(SEX, 1, 1)], &[CHANGE], &[ARM]);
        let answer = accepted(Class::Wide, WIDE, &table, &query, 11);
        assert_eq!(hidden(&answer), expected, "{women:?} and {men}, wide");
    }
}

/// The rule as a reader wants it, for counts of any size: stated without the order in which it is applied.
#[test]
fn hides_enough_and_no_more() {
    let mut random = ChaCha20Rng::seed_from_u64(7);
    for _ in 0..20_000 {
        let most = [13, 30, 100][random.random_range(0..3)];
        let mut cells = vec![Figures::none(1); random.random_range(1..8)];
        for cell in &mut cells {
            cell.count = if random.random_ratio(1, 4) { 0 } else { random.random_range(0..most) };
            cell.values[0].nonmissing = cell.count - random.random_range(0..=cell.count.min(3));
        }
        let rest = if random.random_ratio(1, 2) { 0 } else { random.random_range(0..40) };
        let totals = Totals { cells, rest };
        let Hidden { primary, rest: small_rest, hidden } = disclosure::hidden(&totals, 11);

        let small = |count: u64| (1..11).contains(&count);
        assert_eq!(small_rest, small(rest));
        let counts: Vec<u64> = totals.cells.iter().map(|cell| cell.count).collect();
        let chosen = |wanted: &dyn Fn(usize) -> bool| -> Vec<u64> {
            (0..counts.len()).filter(|&cell| wanted(cell)).map(|cell| counts[cell]).collect()
        };
        let enough = |hidden: &[u64]| hidden.len() >= 2 && hidden.iter().sum::<u64>() >= 11;
        for (cell, figures) in totals.cells.iter().enumerate() {
            assert_eq!(primary[cell], small(figures.count) || small(figures.values[0].nonmissing));
            assert!(hidden[cell] || !primary[cell], "{totals:?}");
            assert!(counts[cell] > 0 || !hidden[cell], "an empty cell is shown: {totals:?}");
        }
        let all = chosen(&|cell| hidden[cell]);
        let called = small_rest || primary.contains(&true);
        let shown = (0..counts.len()).filter(|&cell| counts[cell] > 0 && !hidden[cell]);
        let place = |cell: usize| (counts[cell], cell);
        let next = shown.map(place).min();
        assert!(if called { enough(&all) || next.is_none() } else { all.is_empty() }, "{totals:?}");
        let followed = (0..counts.len()).filter(|&cell| hidden[cell] && !primary[cell]);
        if let Some(last) = followed.map(place).max() {
            assert!(next.is_none_or(|next| last < next), "the smallest first: {totals:?}");
            let before = chosen(&|cell| hidden[cell] && cell != last.1);
            assert!(!enough(&before), "one less would do: {totals:?}");
        }
    }
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
