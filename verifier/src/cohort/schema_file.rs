//! A table's schema and its queries as JSON: column names instead of indices, everything else as the domain types have it.

use crate::VerifyError;
use nightingale_circuits::cohort::{Column, Interval, Kind, Mode, Query, Schema, Term, Unit};
use serde::{Deserialize, Serialize};

/// A [`Schema`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaFile {
    table: String,
    subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dimension: Option<String>,
    threshold: u32,
    columns: Vec<ColumnFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum ColumnFile {
    Integer {
        name: String,
        minimum: i64,
        maximum: i64,
        scale: u8,
    },
    /// In days since 1970-01-01.
    Date {
        name: String,
        minimum: i64,
        maximum: i64,
    },
    Category {
        name: String,
        dictionary: Vec<String>,
    },
    Key {
        name: String,
        count: u32,
    },
}

impl ColumnFile {
    fn new(column: &Column) -> Self {
        let name = column.name.clone();
        match &column.kind {
            Kind::Integer { minimum, maximum, scale } => {
                Self::Integer { name, minimum: *minimum, maximum: *maximum, scale: *scale }
            }
            Kind::Date { minimum, maximum } => Self::Date { name, minimum: *minimum, maximum: *maximum },
            Kind::Category { dictionary } => Self::Category { name, dictionary: dictionary.clone() },
            Kind::Key { count } => Self::Key { name, count: *count },
        }
    }

    fn column(&self) -> Column {
        let (name, kind) = match self {
            Self::Integer { name, minimum, maximum, scale } => {
                (name, Kind::Integer { minimum: *minimum, maximum: *maximum, scale: *scale })
            }
            Self::Date { name, minimum, maximum } => {
                (name, Kind::Date { minimum: *minimum, maximum: *maximum })
            }
            Self::Category { name, dictionary } => (name, Kind::Category { dictionary: dictionary.clone() }),
            Self::Key { name, count } => (name, Kind::Key { count: *count }),
        };
        Column { name: name.clone(), kind }
    }
}

impl SchemaFile {
    /// The file of a schema.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        let name = |index: usize| schema.columns().get(index).map(|column| column.name.clone());
        Self {
            table: schema.table().to_owned(),
            subject: name(schema.subject()).unwrap_or_default(),
            dimension: match schema.unit() {
                Unit::Subject => None,
                Unit::SubjectAnd(dimension) => name(dimension),
            },
            threshold: schema.threshold(),
            columns: schema.columns().iter().map(ColumnFile::new).collect(),
        }
    }

    /// The schema, checked.
    ///
    /// # Errors
    /// A column that is not there, or what a schema refuses.
    pub fn schema(&self) -> Result<Schema, VerifyError> {
        let columns: Vec<Column> = self.columns.iter().map(ColumnFile::column).collect();
        let find = |name: &str, element: &str| {
            let found = columns.iter().position(|column| column.name == name);
            found.ok_or_else(|| VerifyError::malformed(element, "names a column that is not there"))
        };
        let subject = find(&self.subject, "schema.subject")?;
        let unit = match &self.dimension {
            None => Unit::Subject,
            Some(name) => Unit::SubjectAnd(find(name, "schema.dimension")?),
        };
        Schema::new(self.table.clone(), columns, subject, unit, self.threshold)
            .map_err(|error| VerifyError::Cohort(format!("schema: {error}")))
    }
}

/// A [`Query`]: its canonical SQL, which is made from the rest, and its normal form. Intervals are of codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryFile {
    sql: String,
    terms: Vec<TermFile>,
    values: Vec<String>,
    groups: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TermFile {
    column: String,
    intervals: Vec<[u32; 2]>,
}

impl QueryFile {
    /// The file of a query of a table with this schema.
    #[must_use]
    pub fn new(schema: &Schema, query: &Query) -> Self {
        let name =
            |index: usize| schema.columns().get(index).map(|column| column.name.clone()).unwrap_or_default();
        let names = |indices: &[usize]| indices.iter().map(|&index| name(index)).collect();
        let term = |term: &Term| TermFile {
            column: name(term.column),
            intervals: term.intervals.iter().map(|interval| [interval.low, interval.high]).collect(),
        };
        Self {
            sql: super::text::sql(schema, query),
            terms: query.terms().iter().map(term).collect(),
            values: names(query.values()),
            groups: names(query.groups()),
        }
    }

    /// Its canonical SQL.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The query.
    ///
    /// # Errors
    /// A query that the table cannot be asked, that is not in normal form, or whose SQL says something else.
    pub fn query(&self, schema: &Schema) -> Result<Query, VerifyError> {
        let find = |name: &String| {
            let found = schema.columns().iter().position(|column| column.name == *name);
            found
                .ok_or_else(|| VerifyError::malformed("query", "names a column that the table does not have"))
        };
        let find_all = |names: &[String]| names.iter().map(find).collect::<Result<Vec<_>, _>>();
        let terms = self.terms.iter().map(|term| {
            let intervals = term.intervals.iter().map(|&[low, high]| Interval { low, high }).collect();
            Ok::<_, VerifyError>(Term { column: find(&term.column)?, intervals })
        });
        let query = Query::new(
            schema,
            terms.collect::<Result<_, _>>()?,
            find_all(&self.values)?,
            find_all(&self.groups)?,
        )
        .map_err(|error| VerifyError::Cohort(format!("query: {error}")))?;
        if Self::new(schema, &query) != *self {
            return Err(VerifyError::malformed(
                "query",
                "is not in normal form, or its SQL is not that of its terms",
            ));
        }
        Ok(query)
    }
}

/// The mode with this name.
pub(crate) fn mode_from_name(name: &str) -> Result<Mode, VerifyError> {
    let named = [Mode::Exact, Mode::Plan].into_iter().find(|mode| mode.name() == name);
    named.ok_or_else(|| VerifyError::malformed("mode", "must be `exact` or `plan`"))
}
