//! Categories that are intervals of numbers, such as `<65`, `65-80` or `[10,20)`: what makes a binned column.

use nightingale_circuits::cohort::{Column, Kind};

/// One category, read as an interval. Its ends are ordered as (number of billionths, 1 if just above it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bin {
    low: Option<(i128, bool)>,
    high: Option<(i128, bool)>,
}

/// The column's codes in ascending order of their intervals; `None` unless every category is an interval and none overlaps
/// another.
pub(super) fn ascending_bins(column: &Column) -> Option<Vec<u32>> {
    let Kind::Category { dictionary } = &column.kind else {
        return None;
    };
    let mut bins: Vec<(u32, Bin)> = (1u32..)
        .zip(dictionary)
        .map(|(code, word)| Some((code, Bin::parse(word)?)))
        .collect::<Option<_>>()?;
    // An open end below is None, which is the least; there the upper ends decide.
    bins.sort_by_key(|(_, bin)| (bin.low, bin.high.is_none(), bin.high));
    let apart = bins.iter().zip(bins.iter().skip(1)).all(|((_, left), (_, right))| left.is_below(*right));
    (bins.len() > 1 && apart).then(|| bins.into_iter().map(|(code, _)| code).collect())
}

impl Bin {
    /// `<a`, `<=a`, `>a`, `>=a`, `a+`, `a-b`, `a-<b`, `a to b`, `[a,b)` and the like; units behind the number are ignored.
    fn parse(word: &str) -> Option<Self> {
        let text: String = word.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
        let text = text.replace('≤', "<=").replace('≥', ">=").replace('–', "-");
        if let Some(rest) = text.strip_prefix("<=") {
            return Some(Self { low: None, high: Some((number(rest)?, true)) });
        }
        if let Some(rest) = text.strip_prefix('<') {
            return Some(Self { low: None, high: Some((number(rest)?, false)) });
        }
        if let Some(rest) = text.strip_prefix(">=").or_else(|| text.strip_suffix('+')) {
            return Some(Self { low: Some((number(rest)?, false)), high: None });
        }
        if let Some(rest) = text.strip_prefix('>') {
            return Some(Self { low: Some((number(rest)?, true)), high: None });
        }
        Self::bracketed(&text).or_else(|| Self::ranged(&text))
    }

    /// `[a,b)` and its three kin.
    fn bracketed(text: &str) -> Option<Self> {
        let (open, rest) = text.split_at_checked(1)?;
        let (inside, close) = rest.split_at_checked(rest.len().checked_sub(1)?)?;
        let (low, high) = inside.split_once(',').or_else(|| inside.split_once(';'))?;
        let above = match open {
            "[" => false,
            "(" | "]" => true,
            _ => return None,
        };
        let included = match close {
            "]" => true,
            ")" | "[" => false,
            _ => return None,
        };
        Self::between((number(low)?, above), (number(high)?, included))
    }

    /// `a-b`, `a-<b`, `a to b`: the hyphen is the first one behind a digit.
    fn ranged(text: &str) -> Option<Self> {
        let (low, high) = text.split_once("to").or_else(|| {
            let digit = text.find(|c: char| c.is_ascii_digit())?;
            let hyphen = digit.checked_add(text.get(digit..)?.find('-')?)?;
            Some((text.get(..hyphen)?, text.get(hyphen.checked_add(1)?..)?))
        })?;
        let (high, included) = high.strip_prefix('<').map_or((high, true), |rest| (rest, false));
        Self::between((number(low)?, false), (number(high)?, included))
    }

    fn between(low: (i128, bool), high: (i128, bool)) -> Option<Self> {
        (low < high).then_some(Self { low: Some(low), high: Some(high) })
    }

    fn is_below(self, other: Self) -> bool {
        matches!((self.high, other.low), (Some(high), Some(low)) if high <= low)
    }
}

/// A decimal number in billionths, with letters behind it ignored.
fn number(text: &str) -> Option<i128> {
    let text = text.trim_end_matches(|c: char| c.is_alphabetic() || c == '%');
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    if whole.is_empty() || whole.len() > 18 || fraction.len() > 9 || !plain(whole) || !plain(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<9}").parse::<i128>().ok().map(|billionths| sign * billionths)
}
