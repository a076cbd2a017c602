//! Ranges around a column's values, wider than they are.

use crate::trial::{Content, Day, Decimal};

/// Decimals that are proposed at most: what laboratories and scores report.
const MOST_SCALE: u8 = 4;
/// The most values of a range: codes have 32 bits.
const WIDEST: i128 = u32::MAX as i128 - 2;

/// Whole years around days.
pub(super) fn of_days(days: impl Iterator<Item = Day> + Clone) -> Result<Content, String> {
    let (Some(first), Some(last)) = (days.clone().min(), days.max()) else {
        return Err("all its cells are missing".to_owned());
    };
    let minimum = Day::from_calendar(first.calendar().0, 1, 1).unwrap_or(first);
    let maximum = Day::from_calendar(last.calendar().0, 12, 31).unwrap_or(last);
    Ok(Content::Date { minimum, maximum })
}

/// A range of round numbers around numbers, with the decimals that they have, and a note where some are rounded away.
pub(super) fn of_numbers(
    numbers: impl Iterator<Item = Decimal> + Clone,
) -> Result<(Content, Option<String>), String> {
    let Some(finest) = numbers.clone().map(Decimal::scale).max() else {
        return Err("all its cells are missing".to_owned());
    };
    for scale in (0..=finest.min(MOST_SCALE)).rev() {
        let mut units = numbers.clone().map(|number| number.rounded(scale));
        let bounds = units.try_fold(None, |bounds, units| {
            let units = units?;
            Some(match bounds {
                None => Some((units, units)),
                Some((low, high)) => Some((units.min(low), units.max(high))),
            })
        });
        let Some(Some((low, high))) = bounds else { continue };
        let (minimum, maximum) = widened(i128::from(low), i128::from(high));
        if maximum - minimum > WIDEST {
            continue;
        }
        let decimal = |units| Decimal::new(units, scale).map_err(|problem| problem.to_string());
        let content = Content::Number {
            minimum: decimal(minimum)?,
            maximum: decimal(maximum)?,
            scale,
            round: scale < finest,
        };
        let note = (scale < finest).then(|| {
            format!("its cells have up to {finest} decimals, and are rounded to {scale}; raise scale to keep more, within 4,294,967,294 values")
        });
        return Ok((content, note));
    }
    Err("its numbers span more than 4,294,967,294 whole values".to_owned())
}

/// The bounds moved outwards to multiples of 1, 2 or 5 times a power of ten, at most a third of the span.
fn widened(low: i128, high: i128) -> (i128, i128) {
    let third = (high - low) / 3;
    let mut step = 1;
    'steps: for power in 0..37 {
        for factor in [1, 2, 5] {
            let next = factor * 10i128.pow(power);
            if next > third {
                break 'steps;
            }
            step = next;
        }
    }
    (low.div_euclid(step) * step, -(-high).div_euclid(step) * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_moved_to_round_numbers() {
        for (given, expected) in [
            ((51, 89), (50, 90)),
            ((0, 1), (0, 1)),
            ((7, 7), (7, 7)),
            ((-13, 48), (-20, 60)),
            ((1, 1191), (0, 1200)),
            ((3, 8), (3, 8)),
            ((-31, -2), (-35, 0)),
        ] {
            assert_eq!(widened(given.0, given.1), expected, "{given:?}");
        }
    }

    #[test]
    fn a_scale_that_does_not_fit_is_lowered() -> Result<(), Box<dyn std::error::Error>> {
        let numbers = [Decimal::parse("0.12345")?, Decimal::parse("99999999.5")?];
        let (content, note) = of_numbers(numbers.into_iter())?;
        let Content::Number { minimum, maximum, scale, round } = content else {
            return Err("numbers".into());
        };
        assert_eq!(
            (minimum.to_string().as_str(), maximum.to_string().as_str(), scale, round),
            ("0", "100000000", 1, true)
        );
        assert!(note.is_some());
        Ok(())
    }
}
