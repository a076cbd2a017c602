//! The pools of connections, and how a transaction begins: after those of its tenant before it.

use super::{
    Dialect, PATIENCE, Row, Statement, Value,
    connection::{Connection, Inner},
    in_time, sql,
};
use crate::{
    error::StoreError,
    store::{
        rows::damaged,
        times::{Operation, Times},
    },
    turns::{Turn, Turns},
};
use sqlx::{Column, PgPool, Row as _, SqlitePool, TypeInfo, ValueRef};
use std::time::Duration;

/// The turn of transactions over all tenants: no tenant has this name.
const OF_ALL: &str = "";
/// The advisory lock of transactions over all tenants.
const ALL_TENANTS: i64 = 0x4e69_6768_7469_6e67;

/// How long a transaction that writes waits for its turn, and then for each lock. On SQLite there is no difference.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// As long as a statement may take.
    Patient,
    /// A second: what waits can be put off. It is one in the process at a time, and takes no turn there, so that a long queue does not put it
    /// off for ever.
    Brief,
}

/// The pools of connections. What is asked to see whether the database answers goes where no call of a tenant does.
#[derive(Clone)]
pub(crate) enum Pools {
    /// One connection writes and a few read. It writes of leases too.
    Sqlite { write: SqlitePool, read: SqlitePool, leases: SqlitePool, pulse: SqlitePool },
    /// Who writes waits for others of its tenant, in this process without a connection. Those that read, and those that write of leases, are
    /// apart: who reads waits for no transaction, and no lease runs out because tenants wait.
    Postgres { write: PgPool, read: PgPool, leases: PgPool, pulse: PgPool, turns: Turns },
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
    pub(crate) const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite { .. } => Dialect::Sqlite,
            Self::Postgres { .. } => Dialect::Postgres,
        }
    }

    pub(crate) async fn all(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        on_either!(self, read, pool => {
            let rows = in_time(query!(statement).fetch_all(pool)).await?;
            rows.iter().map(|row| read_row!(row)).collect()
        })
    }

    pub(crate) async fn optional(&self, statement: Statement) -> Result<Option<Row>, StoreError> {
        on_either!(self, read, pool => {
            let row = in_time(query!(statement).fetch_optional(pool)).await?;
            row.map(|row| read_row!(&row)).transpose()
        })
    }

    /// How many read.
    pub(crate) fn readers(&self) -> u32 {
        on_either!(self, read, pool => pool.options().get_max_connections())
    }

    /// Whether the database answers at all.
    pub(crate) async fn answers(&self) -> Result<(), StoreError> {
        on_either!(self, pulse, pool => in_time(sqlx::query("SELECT 1").execute(pool)).await.map(drop))
    }

    pub(crate) async fn execute(&self, statement: Statement) -> Result<u64, StoreError> {
        on_either!(self, write, pool => Ok(in_time(query!(statement).execute(pool)).await?.rows_affected()))
    }

    /// A statement that writes of a lease and gives rows.
    pub(crate) async fn of_lease(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        on_either!(self, leases, pool => {
            let rows = in_time(query!(statement).fetch_all(pool)).await?;
            rows.iter().map(|row| read_row!(row)).collect()
        })
    }

    /// A transaction that writes, alone among those of `tenant`, or of all tenants. On SQLite it is alone altogether.
    pub(crate) async fn begin(
        &self,
        tenant: Option<&str>,
        wait: Wait,
        times: &Times,
    ) -> Result<Connection, StoreError> {
        let begun = async {
            match self {
                Self::Sqlite { write, .. } => {
                    let begun = in_time(write.begin_with("BEGIN IMMEDIATE")).await?;
                    Ok(Connection::of(Inner::Sqlite(begun), times, None))
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
                    let (write, tenant, times) = (write.clone(), tenant.map(str::to_owned), times.clone());
                    // Of its own: when whoever asked gives up, the connection goes on waiting for the lock, and the turn stays with it.
                    let locked =
                        tokio::spawn(
                            async move { lock(&write, tenant.as_deref(), wait, turn, &times).await },
                        );
                    locked.await.map_err(|_| StoreError::Io("a transaction was not begun".into()))?
                }
            }
        };
        times.of(Operation::Begin, begun).await
    }

    /// A transaction that reads one state of the database.
    pub(crate) async fn snapshot(&self, times: &Times) -> Result<Connection, StoreError> {
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
        Ok(Connection::of(inner, times, None))
    }

    /// Has the database forget what it keeps of `tenant_keys` beside its present rows: SQLite's journal, PostgreSQL's dead rows. `false` when somebody
    /// reads an older state all the while.
    pub(crate) async fn sweep_keys(&self) -> Result<bool, StoreError> {
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
            Self::Postgres { write, .. } => {
                crate::store::postgres::sweep_keys(&write.connect_options()).await
            }
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { write, read, pulse, .. } => {
                pulse.close().await;
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

/// Begins a transaction on PostgreSQL, and waits for its lock.
async fn lock(
    write: &PgPool,
    tenant: Option<&str>,
    wait: Wait,
    turn: Option<Turn>,
    times: &Times,
) -> Result<Connection, StoreError> {
    let begun = in_time(write.begin()).await?;
    let mut begun = Connection::of(Inner::Postgres(begun), times, turn);
    match tenant {
        None => begun.lock(sql("SELECT pg_advisory_xact_lock($1)").bind(ALL_TENANTS), wait).await?,
        Some(tenant) => begun.lock_tenant(tenant, wait).await?,
    }
    Ok(begun)
}
