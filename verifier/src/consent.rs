//! The consent roots that an authority published, and whether a proof's root is recent enough.
//!
//! A proof says that a consent stood in the register under its root, and nothing of what was revoked since. So a reader keeps the
//! authority's list of epochs and says how old a root may be *when the proof is read*: the day of receipt is fixed by the claim, and a root that
//! was new then may miss a year of revocations now. The rule is the contract's: a root counts while it is the newest or was superseded less than a
//! grace ago, and never longer than its greatest age after its last publication.

use crate::{
    VerifyError,
    encoding::{scalar_from_hex, scalar_to_hex},
    json::{self, Object},
};
use nightingale_circuits::Fr;
use serde::{Deserialize, Serialize};

/// The first member of every file.
pub const FORMAT: &str = "nightingale consent epochs 1";
/// How far clocks that are right may differ, in seconds.
pub const AHEAD: u64 = 300;
/// The latest time that is read: 9999-12-31T23:59:59Z.
const LATEST: u64 = 253_402_300_799;

/// A root at the time of its publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsentEpoch {
    /// Its number, from 1, one more each time.
    pub number: u64,
    /// The root of the consent register.
    pub root: Fr,
    /// When it was published, in seconds since 1970-01-01 UTC.
    pub published: u64,
}

/// An authority's epochs, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentEpochs(Vec<ConsentEpoch>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EpochsFile {
    format: String,
    epochs: Vec<Object<EpochFile>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EpochFile {
    number: u64,
    root: String,
    /// `YYYY-MM-DDThh:mm:ssZ`.
    published: String,
}

/// What a reader asks of the consent root of a proof.
#[derive(Clone, Debug)]
pub struct ConsentRule {
    /// What the authority published.
    pub epochs: ConsentEpochs,
    /// How long after its last publication a root counts, in seconds.
    pub greatest_age: u64,
    /// How long a superseded root counts, in seconds.
    pub grace: u64,
    /// When the proof is read, in seconds since 1970-01-01 UTC.
    pub now: u64,
    /// Whether that is a time long ago, for which what was published later was not known. Otherwise what the list has is known, and a date
    /// that has not come is of a clock that was ahead.
    pub in_hindsight: bool,
}

impl ConsentEpochs {
    /// A list of epochs.
    ///
    /// # Errors
    /// None at all; a number that does not follow the one before it, without which a root would seem to have been superseded later than it was;
    /// times that go back.
    pub fn new(epochs: Vec<ConsentEpoch>) -> Result<Self, VerifyError> {
        let rises = |pair: &[ConsentEpoch]| match pair {
            [before, after] => {
                before.number.checked_add(1) == Some(after.number) && before.published <= after.published
            }
            _ => true,
        };
        if epochs.is_empty() {
            return Err(VerifyError::malformed("epochs", "must hold at least one"));
        }
        if !epochs.windows(2).all(rises) {
            return Err(VerifyError::malformed(
                "epochs",
                "must have numbers that follow one another and times that never go back",
            ));
        }
        Ok(Self(epochs))
    }

    /// All, the oldest first.
    #[must_use]
    pub fn epochs(&self) -> &[ConsentEpoch] {
        &self.0
    }

    /// The newest.
    #[must_use]
    pub fn newest(&self) -> Option<&ConsentEpoch> {
        self.0.last()
    }

    /// Reads a file of epochs.
    ///
    /// # Errors
    /// Text that is none; an element that is not canonical; what [`ConsentEpochs::new`] refuses.
    pub fn from_json(bytes: &[u8]) -> Result<Self, VerifyError> {
        let unreadable =
            |problem: String| VerifyError::Unreadable { what: "file of consent epochs", problem };
        let file: EpochsFile = json::read(bytes).map_err(|e| unreadable(e.to_string()))?;
        if file.format != FORMAT {
            return Err(unreadable(format!("its format is not \"{FORMAT}\"")));
        }
        let each = file.epochs.iter().enumerate().map(|(i, Object(epoch))| {
            Ok(ConsentEpoch {
                number: epoch.number,
                root: scalar_from_hex(&epoch.root, &format!("epochs[{i}].root"))?,
                published: parse_time(&epoch.published, &format!("epochs[{i}].published"))?,
            })
        });
        Self::new(each.collect::<Result<_, VerifyError>>()?)
    }

    /// Writes the file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let epochs = self.0.iter().map(|epoch| {
            Object(EpochFile {
                number: epoch.number,
                root: scalar_to_hex(&epoch.root),
                published: time_text(epoch.published),
            })
        });
        let file = EpochsFile { format: FORMAT.to_owned(), epochs: epochs.collect() };
        // Strings and integers: nothing that JSON cannot hold.
        serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
    }
}

impl ConsentRule {
    /// Whether a proof under `root` may be relied on.
    ///
    /// # Errors
    /// The authority has not published the root by then, has superseded it too long ago, or has not published it for too long.
    pub fn check(&self, root: &Fr) -> Result<(), VerifyError> {
        // What was published later is not known to whoever reads at that time.
        let known = || self.epochs.epochs().iter().filter(|epoch| epoch.published <= self.now);
        // Read now, it is known, and supersedes what is before it. Of itself nobody knows how old it is.
        let listed =
            || self.epochs.epochs().iter().filter(|epoch| !self.in_hindsight || epoch.published <= self.now);
        let found = known().rfind(|epoch| epoch.root == *root);
        let Some(found) = found else {
            return Err(VerifyError::Consent(format!(
                "the authority had not published the proof's consent root {} by {}; get its newest list, or have it proven again",
                scalar_to_hex(root),
                time_text(self.now)
            )));
        };
        let age = self.now.saturating_sub(found.published);
        if age > self.greatest_age {
            return Err(VerifyError::Consent(format!(
                "the proof's consent root was published {} ago, as epoch {}, at most {} are allowed; have it proven under a newer one",
                span_text(age),
                found.number,
                span_text(self.greatest_age)
            )));
        }
        // A later publication of the same root would have been found, or does not supersede it.
        let next = listed().find(|epoch| epoch.number > found.number && epoch.root != *root);
        let Some(next) = next else { return Ok(()) };
        if next.published > self.now.saturating_add(AHEAD) {
            return Err(VerifyError::Consent(format!(
                "the proof's consent root was superseded by epoch {}, whose date {} has not come: the authority's clock was ahead, and nobody knows since when; have it proven again, and get a list with the right dates",
                next.number,
                time_text(next.published)
            )));
        }
        let superseded = self.now.saturating_sub(next.published);
        if superseded > self.grace {
            return Err(VerifyError::Consent(format!(
                "the proof's consent root was superseded {} ago, by epoch {}, at most {} are allowed; have it proven under a newer one",
                span_text(superseded),
                next.number,
                span_text(self.grace)
            )));
        }
        Ok(())
    }
}

fn span_text(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, 0, _) => format!("{days} days"),
        _ => format!("{days} days {hours} h"),
    }
}

/// Seconds since 1970-01-01 UTC of `YYYY-MM-DDThh:mm:ssZ`.
///
/// # Errors
/// Another spelling, or a time that does not exist or is before 1970.
pub fn parse_time(text: &str, element: &str) -> Result<u64, VerifyError> {
    let bad = || VerifyError::malformed(element, "must be a time as YYYY-MM-DDThh:mm:ssZ from 1970 to 9999");
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if shape != "0000-00-00T00:00:00Z" {
        return Err(bad());
    }
    let number = |range: std::ops::Range<usize>| {
        text.get(range).and_then(|digits| digits.parse::<u64>().ok()).ok_or_else(bad)
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if year < 1970 || !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
        return Err(bad());
    }
    let days = days_before(year, month);
    let length = if month == 12 { 31 } else { days_before(year, month + 1) - days };
    if !(1..=length).contains(&day) {
        return Err(bad());
    }
    Ok((days + day - 1) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// `YYYY-MM-DDThh:mm:ssZ` of seconds since 1970-01-01 UTC; of the last second of 9999 for what is later.
#[must_use]
pub fn time_text(seconds: u64) -> String {
    let seconds = seconds.min(LATEST);
    let day = seconds / 86_400;
    // 400 years of 146,097 days: never too late a year, at most one too early.
    let mut year = 1970 + day * 400 / 146_097;
    while days_before(year, 1) > day {
        year -= 1;
    }
    while days_before(year + 1, 1) <= day {
        year += 1;
    }
    let month = (1..=12).rev().find(|month| days_before(year, *month) <= day).unwrap_or(1);
    let of_month = day - days_before(year, month) + 1;
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{of_month:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Days from 1970-01-01 to the first of a month of the Gregorian calendar.
fn days_before(year: u64, month: u64) -> u64 {
    let before = year.saturating_sub(1);
    let leap = |year: u64| year / 4 - year / 100 + year / 400;
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let of_year = match month {
        1 => 0,
        2 => 31,
        3 => 59,
        4 => 90,
        5 => 120,
        6 => 151,
        7 => 181,
        8 => 212,
        9 => 243,
        10 => 273,
        11 => 304,
        _ => 334,
    };
    let years = year.saturating_sub(1970) * 365 + leap(before) - leap(1969);
    years + of_year + u64::from(is_leap && month > 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), VerifyError>;

    /// Computed by Python's datetime.
    #[test]
    fn times_are_those_of_the_calendar() -> Outcome {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:34:56Z", 951_827_696),
            ("2026-11-28T23:59:59Z", 1_795_910_399),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", LATEST),
        ] {
            assert_eq!(parse_time(text, "t")?, seconds);
            assert_eq!(time_text(seconds), text);
        }
        for day in 0..100_000 {
            assert_eq!(parse_time(&time_text(day * 86_400 + 7), "t")?, day * 86_400 + 7);
        }
        for bad in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01",
            "1969-12-31T00:00:00Z",
            "2026-01-01T00:00:00+01:00",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
        ] {
            assert!(parse_time(bad, "t").is_err(), "{bad}");
        }
        Ok(())
    }

    fn rule(now: u64) -> Result<ConsentRule, VerifyError> {
        let epoch = |number: u64, root: u64, published| ConsentEpoch { number, root: root.into(), published };
        // Root 7 is published, superseded, published again, and renewed.
        let epochs = vec![epoch(1, 7, 1_000), epoch(2, 8, 2_000), epoch(3, 7, 3_000), epoch(4, 7, 5_000)];
        let epochs = ConsentEpochs::new(epochs)?;
        Ok(ConsentRule { epochs, greatest_age: 2_500, grace: 300, now, in_hindsight: true })
    }

    /// The clock was a year ahead for the second publication, and the third carries its date on.
    #[test]
    fn what_is_dated_ahead_supersedes_at_once() -> Outcome {
        const YEAR: u64 = 31_536_000;
        let rule = |third: u64, ahead, in_hindsight| {
            let epochs = [(1, 7, 1_000), (2, 8, 1_010 + ahead), (3, third, 1_010 + ahead)];
            let epoch = |(number, root, published): (u64, u64, u64)| ConsentEpoch {
                number,
                root: root.into(),
                published,
            };
            let epochs = ConsentEpochs::new(epochs.into_iter().map(epoch).collect())?;
            Ok::<_, VerifyError>(ConsentRule {
                epochs,
                greatest_age: 2_500,
                grace: 300,
                now: 1_000,
                in_hindsight,
            })
        };
        let counts = |rule: ConsentRule, root: u64| rule.check(&Fr::from(root)).is_ok();
        // Whoever has the list knows that the first is superseded, and not for how long. Nor how old the newest is.
        assert!(!counts(rule(9, YEAR, false)?, 7));
        assert!(!counts(rule(9, YEAR, false)?, 9));
        // As of then, it was the newest.
        assert!(counts(rule(9, YEAR, true)?, 7));
        // A clock that is right may be behind by a little: superseded, in its grace.
        assert!(counts(rule(9, 200, false)?, 7));
        // Superseded and published again, nobody knows when; but to publish the same again supersedes nothing.
        assert!(!counts(rule(7, YEAR, false)?, 7));
        let renewed = ConsentEpochs::new(vec![
            ConsentEpoch { number: 1, root: 7u64.into(), published: 1_000 },
            ConsentEpoch { number: 2, root: 7u64.into(), published: 1_000 + YEAR },
        ])?;
        assert!(counts(ConsentRule { epochs: renewed, ..rule(9, YEAR, false)? }, 7));
        Ok(())
    }

    #[test]
    fn a_root_counts_while_it_is_recent_and_not_long_superseded() -> Outcome {
        for (now, root, counts) in [
            (999, 7, false),
            (1_000, 7, true),
            (2_300, 7, true),
            (2_301, 7, false),
            (2_301, 8, true),
            // Published again, it is as good as new; the other one is in its grace, and then not.
            (3_100, 7, true),
            (3_300, 8, true),
            (3_301, 8, false),
            // The newest, too, grows old, from its renewal on.
            (5_500, 7, true),
            (7_500, 7, true),
            (7_501, 7, false),
            (5_500, 9, false),
        ] {
            assert_eq!(rule(now)?.check(&Fr::from(root)).is_ok(), counts, "{root} at {now}");
        }
        // A superseded root in its grace is no younger for that.
        let strict = ConsentRule { greatest_age: 900, grace: 10_000, ..rule(2_000)? };
        assert!(strict.check(&Fr::from(7u64)).is_err());
        Ok(())
    }

    #[test]
    fn a_file_is_read_as_it_was_written_and_never_otherwise() -> Outcome {
        let epochs = rule(0)?.epochs;
        let text = epochs.to_json();
        assert_eq!(ConsentEpochs::from_json(text.as_bytes())?, epochs);
        for (from, to) in [
            (FORMAT, "nightingale consent epochs 2"),
            ("\"number\": 2", "\"number\": 1"),
            ("T00:33:20Z", "T01:33:20Z"),
            ("\"published\"", "\"at\""),
            ("0x0", "0x"),
        ] {
            assert!(text.contains(from), "{from} is not in it");
            assert!(ConsentEpochs::from_json(text.replace(from, to).as_bytes()).is_err(), "{from} to {to}");
        }
        assert!(ConsentEpochs::new(Vec::new()).is_err());
        // Without the epoch that superseded it, a root would count for longer.
        let mut gap = epochs.epochs().to_vec();
        gap.remove(1);
        let later = epochs.epochs().iter().skip(1).copied().collect();
        assert!(ConsentEpochs::new(gap).is_err() && ConsentEpochs::new(later).is_ok());
        // Lists of members' values, and a key twice: other readers take neither, or read something else.
        for other in [
            format!(r#"["{FORMAT}", []]"#),
            format!(
                r#"{{"format": "{FORMAT}", "epochs": [[1, "{}", "2026-01-01T00:00:00Z"]]}}"#,
                scalar_to_hex(&Fr::from(7u64))
            ),
            text.replacen('{', r#"{"format": "none", "#, 1),
        ] {
            assert!(ConsentEpochs::from_json(other.as_bytes()).is_err(), "{other}");
        }
        Ok(())
    }
}
