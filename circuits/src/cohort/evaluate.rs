//! The query in plain Rust, row by row: what the circuit proves before anything is hidden.

use super::{ColumnIndex, Figures, Query, Table};

/// All cells with all figures, and the consenting rows that the filter left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    /// One entry a cell, in the order of [`Query::key`].
    pub cells: Vec<Figures>,
    /// Rows with consent that no cell counts.
    pub rest: u64,
}

/// Evaluates `query`, which was made for the table's schema.
#[must_use]
pub fn evaluate(query: &Query, table: &Table) -> Totals {
    let dimensions = query.dimensions(table.schema());
    let mut cells = vec![Figures::none(query.values().len()); query.cells(table.schema())];
    let mut rest = 0;
    for row in 0..table.rows() {
        if !table.consent()[row] {
            continue;
        }
        let code = |column: usize| table.codes(column)[row];
        let Some(cell) = cell_of(query, &dimensions, code) else {
            rest += 1;
            continue;
        };
        let figures = &mut cells[cell];
        figures.count += 1;
        for (value, &column) in figures.values.iter_mut().zip(query.values()) {
            let code = code(column);
            value.nonmissing += u64::from(code != 0);
            value.codes += u128::from(code);
            value.squared_codes += u128::from(code) * u128::from(code);
        }
        if let (Some(pair), [first, second]) = (&mut figures.pair, query.values()) {
            let (first, second) = (u128::from(code(*first)), u128::from(code(*second)));
            if first != 0 && second != 0 {
                pair.pairs += 1;
                pair.first_codes += first;
                pair.second_codes += second;
                pair.product_codes += first * second;
            }
        }
    }
    Totals { cells, rest }
}

/// The cell, in the order of [`Query::key`], of a row with these codes; `None` where the filter leaves it out. The dimensions are the query's.
pub(super) fn cell_of(
    query: &Query,
    dimensions: &[usize],
    code: impl Fn(ColumnIndex) -> u32,
) -> Option<usize> {
    let groups = query.groups().iter().zip(dimensions);
    let passes = query.terms().iter().all(|term| term.holds(code(term.column)));
    passes.then(|| groups.fold(0, |cell, (group, dimension)| cell * dimension + code(*group) as usize))
}
