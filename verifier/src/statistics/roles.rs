//! Which columns mean what: treatment arms, time, and whether an event happened.
//!
//! What is not said is guessed from names as CDISC and common practice write them; a finding names the columns that it used.

use super::{Source, interval::ascending_bins, words::value};
use nightingale_circuits::cohort::{Column, Kind};

/// What the codes of an event column say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// 1 is an event, 0 is censored, anything else unknown.
    OneIsEvent,
    /// 0 is an event and anything else is censored: CDISC's CNSR (ADaM Basic Data Structure for Time-to-Event Analyses 1.0).
    ZeroIsEvent,
    /// These words are events, other words are censored.
    Words(Vec<String>),
}

/// A column that says whether a subject's time ended with the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The column's name.
    pub column: String,
    /// How it reads.
    pub meaning: Meaning,
}

/// Roles of columns, by name; `None` is found by convention.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// The groups that tests compare, such as treatment arms.
    pub arm: Option<String>,
    /// The arm that others are compared with; by convention one whose name says placebo or control.
    pub reference: Option<String>,
    /// The time of the event or of censoring.
    pub time: Option<String>,
    /// Whether it was an event.
    pub event: Option<Event>,
}

const ARMS: [&str; 14] = [
    "ARM",
    "ARMCD",
    "ACTARM",
    "ACTARMCD",
    "TRTA",
    "TRTP",
    "TRT01A",
    "TRT01P",
    "TRTAN",
    "TRTPN",
    "TRT01AN",
    "TRT01PN",
    "TRT",
    "TREATMENT",
];
const TIMES: [&str; 8] = ["TTE", "OS", "PFS", "DAY", "DAYS", "WEEKS", "MONTHS", "SURVTIME"];
const TIME_PREFIXES: [&str; 2] = ["AVAL", "TIME"];
const ZERO_IS_EVENT: [&str; 3] = ["CNSR", "CENSOR", "CENSORED"];
const ONE_IS_EVENT: [&str; 6] = ["EVENT", "EVNT", "STATUS", "DEATH", "DIED", "DEAD"];
const EVENT_WORDS: [&str; 8] = ["EVENT", "DEATH", "DEAD", "DIED", "Y", "YES", "TRUE", "1"];
const OUTCOME_WORDS: [&str; 9] =
    ["Y", "YES", "TRUE", "1", "EVENT", "RESPONDER", "RESPONSE", "POSITIVE", "PRESENT"];

/// The most groups that tests compare pair by pair.
pub(super) const MOST_COMPARED: u32 = 8;

fn named(name: &str, list: &[&str]) -> bool {
    list.iter().any(|other| other.eq_ignore_ascii_case(name))
}

impl Roles {
    /// The position, among the group columns of `source`, of the one whose groups are compared.
    pub(super) fn arm(&self, source: &Source) -> Option<usize> {
        let axes = source.axes();
        if let Some(name) = &self.arm {
            return axes.iter().position(|axis| axis.name.eq_ignore_ascii_case(name));
        }
        let event = self.event(source);
        let other = |axis: &Column| {
            let is_event = event.as_ref().is_some_and(|event| event.column.eq_ignore_ascii_case(&axis.name));
            is_event || self.is_time(axis)
        };
        let by_name = axes.iter().position(|axis| named(&axis.name, &ARMS));
        let category = |axis: &&Column| {
            matches!(axis.kind, Kind::Category { .. }) && !other(axis) && ascending_bins(axis).is_none()
        };
        by_name
            .or_else(|| axes.iter().position(category))
            .or_else(|| axes.iter().position(|axis| axis.bound() <= MOST_COMPARED && !other(axis)))
    }

    /// Whether a column is one whose groups are compared: by the name given, or by convention.
    pub(super) fn is_arm(&self, column: &Column) -> bool {
        self.arm
            .as_ref()
            .map_or_else(|| named(&column.name, &ARMS), |arm| arm.eq_ignore_ascii_case(&column.name))
    }

    /// Whether an arm is the one that others are compared with.
    pub(super) fn is_reference(&self, word: &str) -> bool {
        self.reference.as_ref().map_or_else(
            || {
                let word = word.to_lowercase();
                word.contains("placebo") || word.contains("control")
            },
            |reference| reference == word,
        )
    }

    /// Whether a column is the time: by the name given, or by convention.
    pub(super) fn is_time(&self, column: &Column) -> bool {
        let name = column.name.to_ascii_uppercase();
        let by_convention =
            || named(&name, &TIMES) || TIME_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        self.time.as_ref().map_or_else(by_convention, |time| time.eq_ignore_ascii_case(&name))
    }

    /// Whether an answer with this event column is about survival even if no column is called a time: a CDISC censoring flag, or a
    /// column that was said to be the event.
    pub(super) fn is_surely_survival(&self, event: &Event) -> bool {
        self.time.is_none() && (self.event.is_some() || named(&event.column, &ZERO_IS_EVENT))
    }

    /// The event column, among those that the answer groups by or sums.
    pub(super) fn event(&self, source: &Source) -> Option<Event> {
        let used = || source.axes().into_iter().chain(source.values());
        if let Some(event) = &self.event {
            return used()
                .any(|column| column.name.eq_ignore_ascii_case(&event.column))
                .then(|| event.clone());
        }
        let column = |names: &[&str]| used().find(|column| named(&column.name, names));
        if let Some(column) = column(&ZERO_IS_EVENT) {
            return Some(Event { column: column.name.clone(), meaning: Meaning::ZeroIsEvent });
        }
        let column = column(&ONE_IS_EVENT)?;
        let meaning = match &column.kind {
            Kind::Category { dictionary } => {
                let words = dictionary.iter().filter(|word| named(word.trim(), &EVENT_WORDS));
                Meaning::Words(words.cloned().collect())
            }
            _ => Meaning::OneIsEvent,
        };
        // A status without a word for the event is something else.
        let is_event = !matches!(&meaning, Meaning::Words(words) if words.is_empty());
        is_event.then(|| Event { column: column.name.clone(), meaning })
    }
}

impl Event {
    /// Whether a code of the column is an event; `None` where it is missing or unknown.
    pub(super) fn happened(&self, column: &Column, code: u32) -> Option<bool> {
        let index = usize::try_from(code.checked_sub(1)?).ok()?;
        let word = match &column.kind {
            Kind::Category { dictionary } => Some(dictionary.get(index)?.as_str()),
            _ => None,
        };
        let number = || match word {
            Some(word) => word.trim().parse::<i64>().ok(),
            None => value(column, code),
        };
        match &self.meaning {
            Meaning::Words(words) => word.map(|word| words.iter().any(|event| event == word)),
            Meaning::ZeroIsEvent => number().map(|number| number == 0),
            Meaning::OneIsEvent => match number()? {
                1 => Some(true),
                0 => Some(false),
                _ => None,
            },
        }
    }
}

/// For a column of two categories, or of the numbers 0 and 1: the code of the outcome and the other one. The outcome is a word
/// that affirms, else the second one.
pub(super) fn outcome(column: &Column) -> Option<(u32, u32)> {
    match &column.kind {
        Kind::Category { dictionary } => {
            let [first, second] = dictionary.as_slice() else {
                return None;
            };
            let affirms = |word: &str| named(word.trim(), &OUTCOME_WORDS);
            Some(if affirms(first) && !affirms(second) { (1, 2) } else { (2, 1) })
        }
        Kind::Integer { minimum: 0, maximum: 1, scale: 0 } => Some((2, 1)),
        _ => None,
    }
}
