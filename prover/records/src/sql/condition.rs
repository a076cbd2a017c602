//! WHERE into terms: one set of codes for each column, all of which must hold.
//!
//! NOT is pushed inwards by De Morgan's laws, which hold in SQL's three-valued logic; a row passes when the whole is true.

use super::{
    SqlError,
    codes::Codes,
    constant::{Comparison, compared},
    scope::Scope,
};
use nightingale_circuits::cohort::{ColumnIndex, Term};
use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value};
use std::collections::BTreeMap;

/// Nesting that is followed.
const DEEPEST: usize = 200;

type Sets = BTreeMap<ColumnIndex, Codes>;

/// The terms of a filter.
pub(super) fn terms(filter: &Expr, scope: &Scope<'_>) -> Result<Vec<Term>, SqlError> {
    let sets = Reader { scope }.read(filter, false, DEEPEST)?;
    Ok(sets.into_iter().map(|(column, codes)| Term { column, intervals: codes.into_intervals() }).collect())
}

struct Reader<'a> {
    scope: &'a Scope<'a>,
}

impl Reader<'_> {
    fn read(&self, condition: &Expr, negated: bool, deeper: usize) -> Result<Sets, SqlError> {
        let Some(deeper) = deeper.checked_sub(1) else {
            return Err(SqlError::unsupported(
                format!("a condition nested more than {DEEPEST} deep"),
                "use IN (..) for many values",
            ));
        };
        match condition {
            Expr::Nested(inner) => self.read(inner, negated, deeper),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => self.read(expr, !negated, deeper),
            Expr::BinaryOp { left, op: op @ (BinaryOperator::And | BinaryOperator::Or), right } => {
                let (left, right) = (self.read(left, negated, deeper)?, self.read(right, negated, deeper)?);
                if (*op == BinaryOperator::And) == negated {
                    self.either(left, right)
                } else {
                    Ok(both(left, right))
                }
            }
            Expr::BinaryOp { left, op, right } => {
                let Some(comparison) = Comparison::of(op) else {
                    return Err(SqlError::unsupported(format!("{op} in a condition"), FORMS));
                };
                self.comparison(left, comparison, right, negated)
            }
            Expr::Between { expr, negated: outside, low, high } => {
                let column = self.column(expr)?;
                let from = self.codes(column, Comparison::AtLeast, low)?;
                let to = self.codes(column, Comparison::AtMost, high)?;
                Ok(one(column, from.and(to), *outside != negated))
            }
            Expr::InList { expr, list, negated: outside } => {
                let column = self.column(expr)?;
                let mut codes = Codes::none(self.scope.describe(column).bound());
                for constant in list {
                    codes = codes.or(self.codes(column, Comparison::Equal, constant)?);
                }
                Ok(one(column, codes, *outside != negated))
            }
            Expr::IsNotNull(inner) if !negated => self.is_there(inner),
            Expr::IsNull(inner) if negated => self.is_there(inner),
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => {
                let name = self.scope.usable(self.column(inner)?)?.name.clone();
                let nearest =
                    format!("GROUP BY {name}: the rows where it is missing are a group of their own");
                Err(SqlError::unsupported(format!("asking for rows where {name} IS NULL"), nearest))
            }
            other => Err(refused(other)),
        }
    }

    fn column(&self, expression: &Expr) -> Result<ColumnIndex, SqlError> {
        let found = self.scope.column(expression).unwrap_or_else(|| {
            Err(SqlError::unsupported(
                format!("the expression {expression}"),
                "compare a column as it is with a constant",
            ))
        })?;
        self.scope.usable(found).map(|_| found)
    }

    fn codes(&self, column: ColumnIndex, comparison: Comparison, constant: &Expr) -> Result<Codes, SqlError> {
        if let Expr::Identifier(name) = constant
            && name.quote_style == Some('"')
        {
            let nearest = format!("write '{}': double quotes are for names", name.value);
            return Err(SqlError::unsupported(format!("the text {constant}"), nearest));
        }
        if self.scope.column(constant).is_some_and(|found| found.is_ok()) {
            let nearest = "compare each column with a constant";
            return Err(SqlError::unsupported(
                format!("comparing a column with the column {constant}"),
                nearest,
            ));
        }
        compared(self.scope.describe(column), comparison, constant)
    }

    fn comparison(
        &self,
        left: &Expr,
        comparison: Comparison,
        right: &Expr,
        negated: bool,
    ) -> Result<Sets, SqlError> {
        let (column, comparison, constant) = match (self.scope.column(left), self.scope.column(right)) {
            (None, Some(_)) => (self.column(right)?, comparison.flipped(), left),
            _ => (self.column(left)?, comparison, right),
        };
        Ok(one(column, self.codes(column, comparison, constant)?, negated))
    }

    fn is_there(&self, expression: &Expr) -> Result<Sets, SqlError> {
        let column = self.column(expression)?;
        Ok(one(column, Codes::all(self.scope.describe(column).bound()), false))
    }

    /// OR: one set, if both sides speak of one and the same column.
    fn either(&self, left: Sets, right: Sets) -> Result<Sets, SqlError> {
        let names = |sets: &Sets| {
            sets.keys().map(|&column| self.scope.describe(column).name.clone()).collect::<Vec<_>>()
        };
        if left.len() != 1 || right.len() != 1 || left.keys().ne(right.keys()) {
            let (mut all, other) = (names(&left), names(&right));
            all.extend(other.into_iter().filter(|name| !names(&left).contains(name)));
            return Err(SqlError::unsupported(
                format!("OR across the columns {}", all.join(", ")),
                "OR joins conditions on one column (or use IN); GROUP BY these columns instead and add the cells, or ask a query for each",
            ));
        }
        let mut joined = left;
        for (column, codes) in right {
            let earlier =
                joined.remove(&column).unwrap_or_else(|| Codes::none(self.scope.describe(column).bound()));
            joined.insert(column, earlier.or(codes));
        }
        Ok(joined)
    }
}

const FORMS: &str = "conditions are =, <>, <, <=, >, >=, BETWEEN, IN, IS NOT NULL on a column, joined by AND";

fn one(column: ColumnIndex, codes: Codes, negated: bool) -> Sets {
    BTreeMap::from([(column, if negated { codes.not() } else { codes })])
}

/// AND: sets of one column are intersected.
fn both(mut left: Sets, right: Sets) -> Sets {
    for (column, codes) in right {
        let codes = match left.remove(&column) {
            Some(earlier) => earlier.and(codes),
            None => codes,
        };
        left.insert(column, codes);
    }
    left
}

/// The part that is not supported, by its own name.
fn refused(condition: &Expr) -> SqlError {
    let (part, nearest) = match condition {
        Expr::Like { .. } | Expr::ILike { .. } | Expr::SimilarTo { .. } | Expr::RLike { .. } => {
            ("LIKE", "list the dictionary's words: column IN ('..', '..')")
        }
        Expr::InSubquery { .. }
        | Expr::Exists { .. }
        | Expr::Subquery(_)
        | Expr::AnyOp { .. }
        | Expr::AllOp { .. } => ("a subquery", "ask each query by itself, and use its answer as a constant"),
        Expr::IsTrue(_) | Expr::IsNotTrue(_) | Expr::IsFalse(_) | Expr::IsNotFalse(_) => {
            ("IS TRUE or IS FALSE", "write column = 1")
        }
        Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) => {
            ("IS DISTINCT FROM", "write = or <>; a missing value passes neither")
        }
        Expr::Case { .. } => {
            ("CASE", "declare a column of kind \"bins\" in the schema file, or ask a query for each case")
        }
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ("a column as a condition", "write column = 1"),
        Expr::Value(value) if matches!(value.value, Value::Boolean(_)) => {
            ("TRUE or FALSE as a condition", FORMS)
        }
        _ => return SqlError::unsupported(format!("the condition {condition}"), FORMS),
    };
    SqlError::unsupported(part, nearest)
}
