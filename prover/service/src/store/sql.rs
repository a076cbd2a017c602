//! One SQL model on two databases: statements with `$1` placeholders, typed values, rows, transactions.
//!
//! Only what both databases understand is said in the statements; where they differ, a [`Dialect`] says how.

use crate::error::StoreError;
use std::{borrow::Cow, future::Future, time::Duration};

/// How long one statement may take: a database that is cut off is an error, not a wait without end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// One file, one writer.
    Sqlite,
    /// A server for several machines.
    Postgres,
}

impl Dialect {
    /// The end of a sub-select that takes a row of `q` which no other transaction holds.
    pub(super) const fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE OF q SKIP LOCKED",
        }
    }

    /// A select of the names of a list, a parameter that holds them in JSON, each as `name` with its `place` in the list.
    pub(super) fn listed(self, parameter: &str) -> String {
        match self {
            Self::Sqlite => format!("SELECT value AS name, key AS place FROM json_each({parameter})"),
            Self::Postgres => format!(
                "SELECT name, place FROM json_array_elements_text({parameter}::text::json) WITH ORDINALITY AS l (name, place)"
            ),
        }
    }

    /// The end of a select of rows that nobody changes before this transaction ends.
    pub(super) const fn held_still(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR SHARE",
        }
    }
}

/// A value of a row, or for a placeholder.
#[derive(Clone)]
pub(crate) enum Value {
    /// A number or nothing.
    Integer(Option<i64>),
    /// Text or nothing.
    Text(Option<String>),
    /// Bytes or nothing.
    Bytes(Option<Vec<u8>>),
}

macro_rules! bindable {
    ($($type:ty => $variant:ident $convert:expr;)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(Some($convert(value)))
            }
        }

        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value.map($convert))
            }
        }
    )*};
}

bindable! {
    i64 => Integer std::convert::identity;
    i32 => Integer i64::from;
    u32 => Integer i64::from;
    bool => Integer i64::from;
    &str => Text str::to_owned;
    &String => Text String::clone;
    String => Text std::convert::identity;
    &[u8] => Bytes <[u8]>::to_vec;
    Vec<u8> => Bytes std::convert::identity;
    &Vec<u8> => Bytes Vec::clone;
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Self::Bytes(Some(value.to_vec()))
    }
}

/// A statement with its values, the first for `$1`.
pub(crate) struct Statement {
    text: Cow<'static, str>,
    values: Vec<Value>,
}

/// A statement. Text that is put together holds nothing that a caller said.
pub(crate) fn sql(text: impl Into<Cow<'static, str>>) -> Statement {
    Statement { text: text.into(), values: Vec::new() }
}

impl Statement {
    /// Gives the next placeholder its value.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }
}

macro_rules! query {
    ($statement:expr) => {{
        let Statement { text, values } = $statement;
        let mut query = sqlx::query(sqlx::AssertSqlSafe(text));
        for value in values {
            query = match value {
                Value::Integer(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::Bytes(value) => query.bind(value),
            };
        }
        query
    }};
}

/// A row: its columns by name.
pub(crate) struct Row(Vec<(String, Value)>);

impl Row {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(column, _)| column == name).map(|(_, value)| value)
    }
}

/// What a column can be read as.
pub(crate) trait FromColumn<'r>: Sized {
    fn from_column(value: &'r Value) -> Option<Self>;
}

impl<'r> FromColumn<'r> for Option<i64> {
    fn from_column(value: &'r Value) -> Option<Self> {
        match value {
            Value::Integer(value) => Some(*value),
            // SQLite does not know the type of nothing.
            Value::Text(None) | Value::Bytes(None) => Some(None),
            _ => None,
        }
    }
}

impl<'r> FromColumn<'r> for Option<&'r str> {
    fn from_column(value: &'r Value) -> Option<Self> {
        match value {
            Value::Text(value) => Some(value.as_deref()),
            Value::Integer(None) | Value::Bytes(None) => Some(None),
            _ => None,
        }
    }
}

impl<'r> FromColumn<'r> for Option<&'r [u8]> {
    fn from_column(value: &'r Value) -> Option<Self> {
        match value {
            Value::Bytes(value) => Some(value.as_deref()),
            Value::Integer(None) | Value::Text(None) => Some(None),
            _ => None,
        }
    }
}

macro_rules! readable {
    ($($type:ty, $from:ty, $convert:expr;)*) => {$(
        impl<'r> FromColumn<'r> for $type {
            fn from_column(value: &'r Value) -> Option<Self> {
                <Option<$from>>::from_column(value)?.and_then($convert)
            }
        }
    )*};
}

readable! {
    i64, i64, Some;
    i32, i64, |value| value.try_into().ok();
    u32, i64, |value| value.try_into().ok();
    u64, i64, |value| value.try_into().ok();
    bool, i64, |value| match value { 0 => Some(false), 1 => Some(true), _ => None };
    &'r str, &'r str, Some;
    String, &'r str, |value| Some(value.to_owned());
    &'r [u8], &'r [u8], Some;
    Vec<u8>, &'r [u8], |value| Some(value.to_vec());
}

impl<'r> FromColumn<'r> for Option<String> {
    fn from_column(value: &'r Value) -> Option<Self> {
        Some(<Option<&str>>::from_column(value)?.map(str::to_owned))
    }
}

impl<'r> FromColumn<'r> for Option<Vec<u8>> {
    fn from_column(value: &'r Value) -> Option<Self> {
        Some(<Option<&[u8]>>::from_column(value)?.map(<[u8]>::to_vec))
    }
}

macro_rules! read_row {
    ($row:expr) => {{
        let row = $row;
        let value = |index: usize| -> Result<Value, StoreError> {
            let raw = row.try_get_raw(index)?;
            Ok(match raw.type_info().name() {
                "INTEGER" | "INT8" => Value::Integer(row.try_get(index)?),
                "INT4" => Value::Integer(row.try_get::<Option<i32>, _>(index)?.map(i64::from)),
                "TEXT" | "VARCHAR" | "NAME" => Value::Text(row.try_get(index)?),
                "BLOB" | "BYTEA" => Value::Bytes(row.try_get(index)?),
                "NULL" => Value::Integer(None),
                _ => return Err(damaged(row.column(index).name())),
            })
        };
        let named = |column: &_| {
            let column: &_ = column;
            Ok((Column::name(column).to_owned(), value(Column::ordinal(column))?))
        };
        row.columns().iter().map(named).collect::<Result<_, StoreError>>().map(Row)
    }};
}

async fn in_time<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(StoreError::Io("the database does not answer".into())),
    }
}

// Below the macros, which they use.
mod connection;
mod long_reads;
mod pools;

pub(crate) use connection::Connection;
pub(crate) use long_reads::LongReads;
pub(crate) use pools::{Pools, Wait};
