//! Constants of SQL as cuts in a column's codes, exactly: `12.34 < x` with one decimal is `x >= 12.4`.

use super::{SqlError, codes::Codes, near::near};
use crate::trial::Day;
use nightingale_circuits::cohort::{Column, Interval, Kind};
use sqlparser::ast::{BinaryOperator, DataType, Expr, UnaryOperator, Value};

/// How a column is compared with a constant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Comparison {
    pub(super) const fn of(operator: &BinaryOperator) -> Option<Self> {
        Some(match operator {
            BinaryOperator::Eq => Self::Equal,
            BinaryOperator::NotEq => Self::NotEqual,
            BinaryOperator::Lt => Self::Less,
            BinaryOperator::LtEq => Self::AtMost,
            BinaryOperator::Gt => Self::More,
            BinaryOperator::GtEq => Self::AtLeast,
            _ => return None,
        })
    }

    /// The same with its sides changed.
    pub(super) const fn flipped(self) -> Self {
        match self {
            Self::Less => Self::More,
            Self::AtMost => Self::AtLeast,
            Self::More => Self::Less,
            Self::AtLeast => Self::AtMost,
            same => same,
        }
    }
}

/// The codes of a column that compare so with a constant.
pub(super) fn compared(column: &Column, comparison: Comparison, constant: &Expr) -> Result<Codes, SqlError> {
    refuse_null(column, constant)?;
    let bound = column.bound();
    match &column.kind {
        Kind::Integer { minimum, maximum, scale } => {
            let cut = number(constant, *scale).ok_or_else(|| SqlError::Constant {
                column: column.name.clone(),
                given: constant.to_string(),
                expected: "a plain number of at most 18 digits before and after the point, without quotes",
            })?;
            Ok(cut.codes(comparison, *minimum, *maximum, bound))
        }
        Kind::Date { minimum, maximum } => {
            let cut = day(constant).ok_or_else(|| SqlError::Constant {
                column: column.name.clone(),
                given: constant.to_string(),
                expected: "a day as 'YYYY-MM-DD', in single quotes",
            })?;
            Ok(cut.codes(comparison, *minimum, *maximum, bound))
        }
        Kind::Category { dictionary } => {
            let code = word(column, dictionary, constant)?;
            let one = Codes::of([Interval { low: code, high: code }], bound);
            match comparison {
                Comparison::Equal => Ok(one),
                Comparison::NotEqual => Ok(one.not()),
                _ => Err(SqlError::unsupported(
                    format!("comparing the category {} by order", column.name),
                    format!("list the words: {} IN ('..', '..')", column.name),
                )),
            }
        }
        Kind::Key { .. } => Ok(Codes::none(bound)),
    }
}

fn refuse_null(column: &Column, constant: &Expr) -> Result<(), SqlError> {
    if matches!(value(constant), Some(Value::Null)) {
        let nearest = format!(
            "write {0} IS NOT NULL, or GROUP BY {0}, where missing is a group of its own",
            column.name
        );
        return Err(SqlError::unsupported("a comparison with NULL, which is never true,", nearest));
    }
    Ok(())
}

/// The greatest whole number of units that is not above a constant, and whether it is equal to it.
struct Cut {
    floor: i128,
    exact: bool,
}

impl Cut {
    fn codes(&self, comparison: Comparison, minimum: i64, maximum: i64, bound: u32) -> Codes {
        let (lowest, highest) = (i128::from(minimum), i128::from(maximum));
        let above = if self.exact { self.floor } else { self.floor + 1 };
        let (low, high) = match comparison {
            Comparison::Less => (lowest, above - 1),
            Comparison::AtMost => (lowest, self.floor),
            Comparison::More => (self.floor + 1, highest),
            Comparison::AtLeast => (above, highest),
            Comparison::Equal | Comparison::NotEqual => (above, self.floor),
        };
        let code = |units: i128| u32::try_from(units - lowest + 1).unwrap_or(0);
        let (low, high) = (low.max(lowest), high.min(highest));
        let codes = if low <= high {
            Codes::of([Interval { low: code(low), high: code(high) }], bound)
        } else {
            Codes::none(bound)
        };
        if comparison == Comparison::NotEqual { codes.not() } else { codes }
    }
}

const fn value(constant: &Expr) -> Option<&Value> {
    match constant {
        Expr::Value(value) => Some(&value.value),
        _ => None,
    }
}

/// A number with an optional sign, as units of `10^-scale`.
fn number(constant: &Expr, scale: u8) -> Option<Cut> {
    let (negative, digits) = match constant {
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => (true, &**expr),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } => (false, &**expr),
        plain => (false, plain),
    };
    let Some(Value::Number(text, _)) = value(digits) else { return None };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let plain = |part: &str| part.len() <= 18 && part.bytes().all(|digit| digit.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        return None;
    }
    let kept = fraction.len().min(usize::from(scale));
    let padding = std::iter::repeat_n(b'0', usize::from(scale) - kept);
    let units = whole.bytes().chain(fraction.bytes().take(kept)).chain(padding);
    let units = units.fold(0i128, |units, digit| units * 10 + i128::from(digit - b'0'));
    let exact = kept == fraction.len();
    Some(match (negative, exact) {
        (false, _) => Cut { floor: units, exact },
        (true, true) => Cut { floor: -units, exact },
        (true, false) => Cut { floor: -units - 1, exact },
    })
}

/// `'YYYY-MM-DD'` or `DATE 'YYYY-MM-DD'`.
fn day(constant: &Expr) -> Option<Cut> {
    let text = match constant {
        Expr::TypedString(typed) if typed.data_type == DataType::Date => &typed.value.value,
        other => value(other)?,
    };
    let Value::SingleQuotedString(text) = text else { return None };
    Day::parse(text).map(|day| Cut { floor: i128::from(day.number()), exact: true })
}

/// A word's code.
fn word(column: &Column, dictionary: &[String], constant: &Expr) -> Result<u32, SqlError> {
    let Some(Value::SingleQuotedString(word)) = value(constant) else {
        return Err(SqlError::Constant {
            column: column.name.clone(),
            given: constant.to_string(),
            expected: "a word of its dictionary in single quotes",
        });
    };
    let place =
        dictionary.iter().position(|known| known == word).and_then(|place| u32::try_from(place + 1).ok());
    place.ok_or_else(|| SqlError::NoWord {
        column: column.name.clone(),
        word: word.clone(),
        near: match near(word, dictionary.iter().map(String::as_str)) {
            none if none.is_empty() && dictionary.len() <= 12 => {
                format!("; it has {}", dictionary.join(", "))
            }
            near => near,
        },
    })
}
