//! The schema file's TOML: its keys as they are written, checked into [`SchemaFile`].

use super::{ColumnEntry, Content, Day, Decimal, Edge, Reduce, Role, SchemaFile, TableEntry};
use crate::trial::{TrialError, is_name};
use nightingale_circuits::cohort::Mode;
use serde::{Deserialize, Deserializer, de};
use std::{collections::BTreeMap, fmt};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    subject: Option<String>,
    threshold: Option<u32>,
    plan: Option<String>,
    roles: Option<Roles>,
    #[serde(default)]
    table: BTreeMap<String, Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Roles {
    regulator: Option<ModeName>,
    researcher: Option<ModeName>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ModeName {
    Exact,
    Plan,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    subject: Option<String>,
    threshold: Option<u32>,
    dimension: Option<String>,
    reduce: Option<ReduceName>,
    consent: Option<String>,
    #[serde(default)]
    missing: Vec<String>,
    #[serde(default)]
    keep: BTreeMap<String, Vec<String>>,
    columns: Vec<Column>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ReduceName {
    First,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    name: String,
    source: Option<String>,
    kind: KindName,
    minimum: Option<Bound>,
    maximum: Option<Bound>,
    scale: Option<u8>,
    round: Option<bool>,
    dictionary: Option<Vec<String>>,
    edges: Option<Vec<Bound>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindName {
    Integer,
    Date,
    Category,
    Key,
    Bins,
}

impl KindName {
    const fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Date => "date",
            Self::Category => "category",
            Self::Key => "key",
            Self::Bins => "bins",
        }
    }
}

/// A number or a day: 12, 12.5, "12.5" or "2014-07-02".
#[derive(Clone, Copy)]
enum Bound {
    Number(Decimal),
    Day(Day),
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl de::Visitor<'_> for Seen {
            type Value = Bound;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of at most 18 digits, or a day as \"YYYY-MM-DD\"")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Bound, E> {
                Ok(Bound::Number(Decimal::whole(number)))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Bound, E> {
                // Up to 15 digits come back as they were written; longer numbers are written in quotes.
                Decimal::from_binary(number).map(Bound::Number).map_err(E::custom)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bound, E> {
                let number = || Decimal::parse(text).ok().map(Bound::Number);
                Day::parse(text)
                    .map(Bound::Day)
                    .or_else(number)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

/// Parses and checks.
pub(super) fn parse(text: &str) -> Result<SchemaFile, TrialError> {
    let problem = |error: &toml::de::Error| error.message().replace('\n', " ");
    let toml = toml::Deserializer::parse(text).map_err(|error| {
        let line =
            error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        TrialError::key(format!("line {line}"), problem(&error))
    })?;
    let document: Document = serde_path_to_error::deserialize(toml)
        .map_err(|error| TrialError::key(error.path().to_string(), problem(error.inner())))?;
    let mut tables = BTreeMap::new();
    for (name, table) in document.table {
        let key = format!("table.{name}");
        if !is_name(&name) {
            return Err(TrialError::key(
                key,
                "a table's name is its file's stem: a letter or _ and then letters, digits or _",
            ));
        }
        let checked = table.check(&key)?;
        if tables.insert(name.to_ascii_lowercase(), checked).is_some() {
            return Err(TrialError::key(key, "the table is there twice; case does not matter"));
        }
    }
    if tables.is_empty() {
        return Err(TrialError::key("table", "there is none; describe each file in a section [table.STEM]"));
    }
    let roles = document.roles.map(Roles::check).transpose()?;
    Ok(SchemaFile {
        subject: document.subject,
        threshold: document.threshold,
        plan: document.plan,
        roles,
        tables,
    })
}

impl Roles {
    fn check(self) -> Result<BTreeMap<Role, Mode>, TrialError> {
        if matches!(self.researcher, Some(ModeName::Exact)) {
            let problem = "exact answers are a regulator's; a researcher gets \"plan\"";
            return Err(TrialError::key("roles.researcher", problem));
        }
        let named = [(Role::Regulator, self.regulator), (Role::Researcher, self.researcher)];
        let mode = |name| match name {
            ModeName::Exact => Mode::Exact,
            ModeName::Plan => Mode::Plan,
        };
        Ok(named.into_iter().filter_map(|(role, name)| Some((role, mode(name?)))).collect())
    }
}

impl Table {
    fn check(self, key: &str) -> Result<TableEntry, TrialError> {
        let columns = self.columns.into_iter().enumerate();
        Ok(TableEntry {
            subject: self.subject,
            threshold: self.threshold,
            dimension: self.dimension,
            reduce: self.reduce.map(|ReduceName::First| Reduce::First),
            consent: self.consent,
            missing: self.missing,
            keep: self.keep,
            columns: columns
                .map(|(at, column)| column.check(&format!("{key}.columns[{at}]")))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Column {
    fn check(self, key: &str) -> Result<ColumnEntry, TrialError> {
        let at = |name: &str| format!("{key}.{name}");
        let given = [
            ("minimum", self.minimum.is_some()),
            ("maximum", self.maximum.is_some()),
            ("scale", self.scale.is_some()),
            ("round", self.round.is_some()),
            ("dictionary", self.dictionary.is_some()),
            ("edges", self.edges.is_some()),
        ];
        let allowed: &[&str] = match self.kind {
            KindName::Integer => &["minimum", "maximum", "scale", "round"],
            KindName::Date => &["minimum", "maximum"],
            KindName::Category => &["dictionary"],
            KindName::Key => &[],
            KindName::Bins => &["edges"],
        };
        if let Some((name, _)) = given.iter().find(|(name, given)| *given && !allowed.contains(name)) {
            return Err(TrialError::key(
                at(name),
                format!("a column of kind \"{}\" has no such key", self.kind.name()),
            ));
        }
        let absent =
            |name: &str, example: &str| TrialError::key(at(name), format!("is needed: {name} = {example}"));
        let content = match self.kind {
            KindName::Integer => {
                let number = |name: &str, bound: Option<Bound>| match bound {
                    Some(Bound::Number(number)) => Ok(number),
                    Some(Bound::Day(_)) => {
                        Err(TrialError::key(at(name), "expected a number; days are of kind \"date\""))
                    }
                    None => Err(absent(name, "0")),
                };
                Content::Number {
                    minimum: number("minimum", self.minimum)?,
                    maximum: number("maximum", self.maximum)?,
                    scale: self.scale.unwrap_or(0),
                    round: self.round.unwrap_or(false),
                }
            }
            KindName::Date => {
                let day = |name: &str, bound: Option<Bound>| match bound {
                    Some(Bound::Day(day)) => Ok(day),
                    Some(Bound::Number(_)) => {
                        Err(TrialError::key(at(name), "expected a day as \"YYYY-MM-DD\""))
                    }
                    None => Err(absent(name, "\"2020-01-01\"")),
                };
                Content::Date {
                    minimum: day("minimum", self.minimum)?,
                    maximum: day("maximum", self.maximum)?,
                }
            }
            KindName::Category => Content::Category {
                dictionary: self.dictionary.ok_or_else(|| absent("dictionary", "[\"F\", \"M\"]"))?,
            },
            KindName::Key => Content::Key,
            KindName::Bins => {
                let edges = self.edges.ok_or_else(|| absent("edges", "[40, 50, 65]"))?;
                Content::Bins {
                    edges: edges_of(edges).ok_or_else(|| {
                        TrialError::key(
                            at("edges"),
                            "expected one or more numbers, or days, each above the one before",
                        )
                    })?,
                }
            }
        };
        if self.kind == KindName::Bins && self.source.is_none() {
            return Err(absent("source", "\"AGE\""));
        }
        Ok(ColumnEntry { name: self.name, source: self.source, content })
    }
}

/// Edges of one type that rise strictly.
fn edges_of(bounds: Vec<Bound>) -> Option<Vec<Edge>> {
    let rise = |pair: &[Bound]| match (pair[0], pair[1]) {
        (Bound::Number(low), Bound::Number(high)) => low < high,
        (Bound::Day(low), Bound::Day(high)) => low < high,
        _ => false,
    };
    if bounds.is_empty() || !bounds.windows(2).all(rise) {
        return None;
    }
    let edge = |bound| match bound {
        Bound::Number(number) => Edge::Number(number),
        Bound::Day(day) => Edge::Day(day),
    };
    Some(bounds.into_iter().map(edge).collect())
}
