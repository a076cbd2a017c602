//! One SQL model on two databases: statements with `$1` placeholders, typed values, rows, transactions.
//!
//! Only what both databases understand is said in the statements; where they differ, a [`Dialect`] says how.

use super::{
    rows::damaged,
    times::{Operation, Times},
};
use crate::{
    error::StoreError,
    turns::{Turn, Turns},
};
use sqlx::{AssertSqlSafe, Column, PgPool, Row as _, SqlitePool, TypeInfo, ValueRef};
use std::{borrow::Cow, future::Future, time::Duration};

/// How long one statement may take: a database that is cut off is an error, not a wait without end.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long what can be put off waits for a lock.
const BRIEFLY: Duration = Duration::from_secs(1);
/// The turn of transactions over all tenants: no tenant has this name.
const OF_ALL: &str = "";
/// The advisory lock of transactions over all tenants.
const ALL_TENANTS: i64 = 0x4e69_6768_7469_6e67;

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// One file, one writer.
    Sqlite,
    /// A server for several machines.
    Postgres,
}

impl Dialect {
    /// The end of a sub-select that takes a row which no other transaction holds.
    pub(super) const fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
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
        let mut query = sqlx::query(AssertSqlSafe(text));
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

/// How long a transaction that writes waits for its turn, and then for each lock. On SQLite there is no difference.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// As long as a statement may take.
    Patient,
    /// A second: what waits can be put off. It is one in the process at a time, and takes no turn there, so that a long queue does not put it
    /// off for ever.
    Brief,
}

/// The pools of connections.
pub(crate) enum Pools {
    /// One connection writes and a few read. It writes of leases too.
    Sqlite { write: SqlitePool, read: SqlitePool, leases: SqlitePool },
    /// Who writes waits for others of its tenant, in this process without a connection. Those that read, and those that write of leases, are
    /// apart: nobody waits to read, and no lease runs out because tenants wait.
    Postgres { write: PgPool, read: PgPool, leases: PgPool, turns: Turns },
}

/// Runs `$work` with `$executor` as the executor of either database.
macro_rules! on_either {
    ($self:expr, $pool:ident, $executor:ident => $work:expr) => {
        match $self {
            Self::Sqlite { $pool, .. } => {
                let $executor = $pool;
                $work
            }
            Self::Postgres { $pool, .. } => {
                let $executor = $pool;
                $work
            }
        }
    };
}

impl Pools {
    pub(super) const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite { .. } => Dialect::Sqlite,
            Self::Postgres { .. } => Dialect::Postgres,
        }
    }

    pub(super) async fn all(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        on_either!(self, read, pool => {
            let rows = in_time(query!(statement).fetch_all(pool)).await?;
            rows.iter().map(|row| read_row!(row)).collect()
        })
    }

    pub(super) async fn optional(&self, statement: Statement) -> Result<Option<Row>, StoreError> {
        on_either!(self, read, pool => {
            let row = in_time(query!(statement).fetch_optional(pool)).await?;
            row.map(|row| read_row!(&row)).transpose()
        })
    }

    pub(super) async fn execute(&self, statement: Statement) -> Result<u64, StoreError> {
        on_either!(self, write, pool => Ok(in_time(query!(statement).execute(pool)).await?.rows_affected()))
    }

    /// A statement that writes and gives rows.
    pub(super) async fn returning(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        on_either!(self, write, pool => {
            let rows = in_time(query!(statement).fetch_all(pool)).await?;
            rows.iter().map(|row| read_row!(row)).collect()
        })
    }

    /// As [`returning`](Self::returning), of a lease.
    pub(super) async fn of_lease(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        on_either!(self, leases, pool => {
            let rows = in_time(query!(statement).fetch_all(pool)).await?;
            rows.iter().map(|row| read_row!(row)).collect()
        })
    }

    /// A transaction that writes, alone among those of `tenant`, or of all tenants. On SQLite it is alone altogether.
    pub(super) async fn begin(
        &self,
        tenant: Option<&str>,
        wait: Wait,
        times: &Times,
    ) -> Result<Connection, StoreError> {
        let begun = async {
            match self {
                Self::Sqlite { write, .. } => {
                    Ok((Inner::Sqlite(in_time(write.begin_with("BEGIN IMMEDIATE")).await?), None))
                }
                Self::Postgres { write, turns, .. } => {
                    // Before a connection: those that wait for one tenant must not take everybody's.
                    let turn = match wait {
                        Wait::Patient => {
                            let turn = turns.turn(tenant.unwrap_or(OF_ALL));
                            let turn = tokio::time::timeout(PATIENCE, turn).await;
                            Some(turn.map_err(|_| StoreError::Busy)?)
                        }
                        Wait::Brief => None,
                    };
                    let mut begun = Inner::Postgres(in_time(write.begin()).await?);
                    if wait == Wait::Brief {
                        let brief = format!("{}ms", BRIEFLY.as_millis());
                        begun.execute(sql("SELECT set_config('lock_timeout', $1, TRUE)").bind(brief)).await?;
                    }
                    let lock = match tenant {
                        None => sql("SELECT pg_advisory_xact_lock($1)").bind(ALL_TENANTS),
                        Some(tenant) => {
                            sql("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))").bind(tenant)
                        }
                    };
                    begun.execute(lock).await?;
                    Ok((begun, turn))
                }
            }
        };
        let (inner, turn) = times.of(Operation::Begin, begun).await?;
        Ok(Connection { inner, times: times.clone(), _turn: turn })
    }

    /// A transaction that reads one state of the database.
    pub(super) async fn snapshot(&self, times: &Times) -> Result<Connection, StoreError> {
        let begun = async {
            match self {
                Self::Sqlite { read, .. } => Ok(Inner::Sqlite(in_time(read.begin()).await?)),
                Self::Postgres { read, .. } => {
                    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                    Ok(Inner::Postgres(in_time(read.begin_with(begin)).await?))
                }
            }
        };
        let inner = times.of(Operation::Begin, begun).await?;
        Ok(Connection { inner, times: times.clone(), _turn: None })
    }

    /// Has the database forget what it keeps of `tenant_keys` beside its present rows: SQLite's journal, PostgreSQL's dead rows. `false` when somebody
    /// reads an older state all the while.
    pub(super) async fn sweep_keys(&self) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite { write, .. } => {
                // Freed space is zeroed already (`secure_delete`); what the journal has of it goes into the file, and the journal is cut to nothing.
                for _ in 0..50 {
                    let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(write);
                    let busy: i64 = in_time(checkpoint).await?.try_get(0)?;
                    if busy == 0 {
                        return Ok(true);
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Ok(false)
            }
            Self::Postgres { write, .. } => super::postgres::sweep_keys(&write.connect_options()).await,
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { write, read, .. } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres { write, read, leases, .. } => {
                read.close().await;
                leases.close().await;
                write.close().await;
            }
        }
    }
}

/// A transaction. Dropped without a commit, it changes nothing.
pub(crate) struct Connection {
    inner: Inner,
    times: Times,
    /// Among the transactions of its tenant in this process. Dropped last.
    _turn: Option<Turn>,
}

enum Inner {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

macro_rules! within {
    ($self:expr, $executor:ident => $work:expr) => {
        match $self {
            Self::Sqlite(tx) => {
                let $executor = &mut **tx;
                $work
            }
            Self::Postgres(tx) => {
                let $executor = &mut **tx;
                $work
            }
        }
    };
}

impl Inner {
    async fn execute(&mut self, statement: Statement) -> Result<u64, StoreError> {
        within!(self, tx => Ok(in_time(query!(statement).execute(tx)).await?.rows_affected()))
    }

    async fn all(&mut self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        within!(self, tx => {
            let rows = in_time(query!(statement).fetch_all(tx)).await?;
            rows.iter().map(|row| read_row!(row)).collect()
        })
    }

    async fn optional(&mut self, statement: Statement) -> Result<Option<Row>, StoreError> {
        within!(self, tx => {
            let row = in_time(query!(statement).fetch_optional(tx)).await?;
            row.map(|row| read_row!(&row)).transpose()
        })
    }

    async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => in_time(tx.commit()).await,
            Self::Postgres(tx) => in_time(tx.commit()).await,
        }
    }
}

impl Connection {
    /// Has a transaction that is alone among those that span tenants be alone among those of this tenant as well. It takes no turn for that:
    /// it has a connection already, which whoever has the turn may be waiting for.
    pub(super) async fn and_for(&mut self, tenant: &str) -> Result<(), StoreError> {
        match self.dialect() {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => {
                let lock = sql("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))").bind(tenant);
                self.execute(lock).await.map(drop)
            }
        }
    }

    pub(super) const fn dialect(&self) -> Dialect {
        match self.inner {
            Inner::Sqlite(_) => Dialect::Sqlite,
            Inner::Postgres(_) => Dialect::Postgres,
        }
    }

    pub(super) async fn execute(&mut self, statement: Statement) -> Result<u64, StoreError> {
        self.times.of(Operation::Statement, self.inner.execute(statement)).await
    }

    pub(super) async fn all(&mut self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        self.times.of(Operation::Statement, self.inner.all(statement)).await
    }

    pub(super) async fn optional(&mut self, statement: Statement) -> Result<Option<Row>, StoreError> {
        self.times.of(Operation::Statement, self.inner.optional(statement)).await
    }

    pub(super) async fn one(&mut self, statement: Statement) -> Result<Row, StoreError> {
        let row = self.optional(statement).await?;
        row.ok_or_else(|| StoreError::Bug("a statement gave no row".into()))
    }

    /// Makes it durable.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.times.of(Operation::Commit, self.inner.commit()).await
    }
}
