//! What the answers tell: findings, each a small table, as JSON (`verifier/schemas/statistics.schema.json`) and as text.

mod text;

use super::{Roles, Source, derive, number::to_ten_digits, source::HiddenCell};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// Everything that the given answers allow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// The answers, in the order given; findings refer to them by their place, from 0.
    pub sources: Vec<SourceSummary>,
    /// What follows from them.
    pub findings: Vec<Finding>,
}

/// One answer in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceSummary {
    /// The table.
    pub table: String,
    /// The query, as SQL would write it.
    pub query: String,
    /// Whether the rows of a cell are different subjects.
    pub counts_subjects: bool,
    /// Cells that the disclosure rule hides.
    pub hidden_cells: usize,
}

/// Which statistic a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Rows and percentages by group.
    Counts,
    /// Non-missing values, mean and standard deviation by group.
    Summary,
    /// Welch's t test of two groups.
    WelchT,
    /// The 2x2 table of two groups.
    Fourfold,
    /// Subjects with an event, of all subjects.
    Incidence,
    /// Rows by number, day or interval.
    Histogram,
    /// Where quantiles lie.
    Quantiles,
    /// From one category to another.
    Shift,
    /// Covariance and correlation.
    Covariance,
    /// A survival curve.
    KaplanMeier,
    /// Its median.
    MedianSurvival,
    /// The comparison of survival curves.
    LogRank,
    /// The interval life table.
    LifeTable,
}

impl Kind {
    /// Its heading in text.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Counts => "Counts",
            Self::Summary => "Summary",
            Self::WelchT => "Welch's t test",
            Self::Fourfold => "2x2 table",
            Self::Incidence => "Incidence",
            Self::Histogram => "Histogram",
            Self::Quantiles => "Quantiles",
            Self::Shift => "Shift table",
            Self::Covariance => "Covariance",
            Self::KaplanMeier => "Kaplan-Meier",
            Self::MedianSurvival => "Median survival",
            Self::LogRank => "Log-rank test",
            Self::LifeTable => "Life table",
        }
    }
}

/// One statistic with all its rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Which statistic.
    pub kind: Kind,
    /// What it is of: a value column, an outcome, a time; absent for counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The answers that it is from.
    pub sources: Vec<usize>,
    /// Its rows.
    pub rows: Vec<Row>,
    /// What a reader has to know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One row: which groups, and their figures by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Group columns and what they are here; a column that is not there is taken whole.
    pub key: Vec<(String, Word)>,
    /// Figures by name.
    pub figures: Vec<(&'static str, Figure)>,
}

/// A group, or two that are compared, the first with the second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Word {
    /// One group.
    One(String),
    /// Two groups.
    Versus(String, String),
}

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// A whole number, exact.
    Count(u64),
    /// A number, printed with ten significant digits.
    Number(f64),
    /// A day, a number in decimals or a group, exact.
    Word(String),
    /// It needs this cell, which is hidden.
    Hidden(String),
    /// Answers that are shown tell it, but it would be one that no answer may show, for this reason.
    Withheld(&'static str),
    /// It does not exist, for this reason.
    Undefined(&'static str),
}

impl Statistics {
    /// Derives whatever `sources`, answers of one dataset, allow, with the roles of columns found by convention.
    #[must_use]
    pub fn of(sources: &[Source]) -> Self {
        Self::with(sources, &Roles::default())
    }

    /// Derives whatever `sources` allow, with roles as said.
    #[must_use]
    pub fn with(sources: &[Source], roles: &Roles) -> Self {
        let summaries = sources.iter().map(|source| SourceSummary {
            table: source.schema().table().to_owned(),
            query: source.sql(),
            counts_subjects: source.counts_subjects(),
            hidden_cells: source.hidden_cells(),
        });
        Self { sources: summaries.collect(), findings: derive::findings(sources, roles) }
    }
}

impl Row {
    pub(super) fn new(key: Vec<(String, Word)>) -> Self {
        Self { key, figures: Vec::new() }
    }

    pub(super) fn with(mut self, name: &'static str, figure: impl Into<Figure>) -> Self {
        self.figures.push((name, figure.into()));
        self
    }

    /// The figure of this name.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|(other, _)| *other == name).map(|(_, figure)| figure)
    }
}

impl Figure {
    /// A number that may not exist.
    pub(super) fn or(value: Option<f64>, reason: &'static str) -> Self {
        value.filter(|value| value.is_finite()).map_or(Self::Undefined(reason), Self::Number)
    }
}

impl From<u64> for Figure {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<String> for Figure {
    fn from(word: String) -> Self {
        Self::Word(word)
    }
}

impl From<HiddenCell> for Figure {
    fn from(HiddenCell(cell): HiddenCell) -> Self {
        Self::Hidden(cell)
    }
}

impl<T: Into<Self>> From<Result<T, HiddenCell>> for Figure {
    fn from(figure: Result<T, HiddenCell>) -> Self {
        figure.map_or_else(Self::from, Into::into)
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("key", &Pairs(&self.key))?;
        map.serialize_entry("figures", &Pairs(&self.figures))?;
        map.end()
    }
}

/// Pairs as a JSON object, in their order.
struct Pairs<'a, N, T>(&'a [(N, T)]);

impl<N: Serialize, T: Serialize> Serialize for Pairs<'_, N, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reason = |serializer: S, name: &'static str, reason: &str| {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(name, reason)?;
            map.end()
        };
        match self {
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Number(number) => serializer.serialize_f64(to_ten_digits(*number)),
            Self::Word(word) => serializer.serialize_str(word),
            Self::Hidden(cell) => reason(serializer, "hidden", cell),
            Self::Withheld(why) => reason(serializer, "withheld", why),
            Self::Undefined(why) => reason(serializer, "undefined", why),
        }
    }
}
