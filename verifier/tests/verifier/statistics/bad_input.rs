//! Answers that no table has are refused, by cell and with a reason.

use super::trial::{Trial, category, number};
use nightingale_circuits::cohort::{Answer, Cell, Figures, PairFigures, Query, Schema, ValueFigures};
use nightingale_verifier::{VerifyError, statistics::Source};

fn asked() -> (Schema, Query) {
    let columns = vec![category("ARM", &["a", "b"]), number("X", 10, 19), number("Y", 0, 9)];
    let schema = Trial::new("t", columns, vec![vec![Some(0), Some(10), Some(0)]]).schema;
    let query = Query::new(&schema, Vec::new(), vec![2, 3], vec![1]).unwrap();
    (schema, query)
}

/// Five rows, all values there.
fn good() -> Figures {
    let value = ValueFigures { nonmissing: 5, codes: 20, squared_codes: 100 };
    let pair = PairFigures { pairs: 5, first_codes: 20, second_codes: 20, product_codes: 90 };
    Figures { count: 5, values: vec![value; 2], pair: Some(pair) }
}

fn refusal(figures: Figures) -> Option<String> {
    let (schema, query) = asked();
    let cells = vec![Cell::Shown(good()), Cell::Hidden, Cell::Shown(figures)];
    let error = Source::new(schema, query, Answer { cells }, 11).err()?;
    let VerifyError::Malformed { element, problem } = &error else {
        return Some(error.to_string());
    };
    assert_eq!(element, "answer, cell 2");
    Some((*problem).to_owned())
}

#[test]
fn refuses_figures_that_no_rows_have() {
    assert_eq!(refusal(good()), None);
    let change = |change: fn(&mut Figures)| {
        let mut figures = good();
        change(&mut figures);
        refusal(figures).unwrap()
    };
    let sums = "has sums that no codes of its column have";
    let cross = "has cross sums that no codes of its columns have";
    assert_eq!(change(|f| f.count = 4), "has more values than rows");
    assert_eq!(change(|f| f.count = 1 << 31), "counts more than 2,147,483,647 rows");
    assert_eq!(change(|f| f.values[0].codes = 4), sums, "below one a row");
    assert_eq!(change(|f| f.values[0].codes = 51), sums, "above ten a row");
    assert_eq!(change(|f| f.values[0].codes = u128::MAX), sums);
    assert_eq!(change(|f| f.values[0].squared_codes = 79), sums, "against Cauchy and Schwarz");
    assert_eq!(change(|f| f.values[0].squared_codes = u128::MAX), sums);
    assert_eq!(change(|f| f.values.truncate(1)), "must have the figures of the query's value columns");
    assert_eq!(change(|f| f.pair = None), "must have the figures of the query's value columns");
    let pair = |change: fn(&mut PairFigures)| {
        let mut figures = good();
        change(figures.pair.as_mut().unwrap());
        refusal(figures).unwrap()
    };
    assert_eq!(pair(|p| p.pairs = 6), "has more pairs than values");
    assert_eq!(pair(|p| p.first_codes = 21), cross, "more than the sum of all values");
    assert_eq!(pair(|p| p.product_codes = 201), cross);
    assert_eq!(pair(|p| p.product_codes = u128::MAX), cross);
}

#[test]
fn refuses_an_answer_of_another_query() {
    let (schema, query) = asked();
    let few = Answer { cells: vec![Cell::Hidden; 2] };
    assert!(Source::new(schema.clone(), query.clone(), few, 11).is_err());
    let many = Figures {
        count: 2_147_483_647,
        values: vec![ValueFigures::default(); 2],
        pair: Some(PairFigures::default()),
    };
    let cells = vec![Cell::Shown(many.clone()), Cell::Shown(many), Cell::Hidden];
    assert!(Source::new(schema, query, Answer { cells }, 11).is_err(), "too many rows in all");
}
