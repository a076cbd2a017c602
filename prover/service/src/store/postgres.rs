//! The database as a PostgreSQL server, for more than one machine: read committed, synced on every commit.

use super::{
    migrations::migrations_of,
    rows,
    sql::{Dialect, Pools, sql},
};
use crate::{
    config::{Config, DatabaseUrl},
    error::{ServiceError, StoreError},
    turns::Turns,
};
use sqlx::{
    Connection,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions},
};
use std::{
    collections::HashSet,
    time::{Duration, Instant as Moment},
};

/// Version 12, the oldest that is still common.
const OLDEST: i32 = 120_000;

/// How long a migration waits for a lock, and then lets whoever waits behind it go first. And how long until it is tried again.
const LOCK: &str = "3s";
const AGAIN: Duration = Duration::from_secs(1);
/// How long the table of keys is asked for in a try: every call reads it, and waits behind who asks for it whole.
const BRIEFLY: &str = "100ms";
/// How long until it is asked for again, or looked whether older transactions have ended.
const PAUSE: Duration = Duration::from_millis(250);
/// How long all that may take.
const SWEEPING: Duration = Duration::from_secs(5);
/// Transactions of others that run: each holds a lock on itself, which everybody may see, and one that is prepared holds what it locked. Where `$1`,
/// those that write, in all databases; else all of this database.
const RUNNING: &str = "SELECT DISTINCT l.virtualtransaction FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid \
     WHERE l.pid IS DISTINCT FROM pg_backend_pid() AND l.granted AND CASE WHEN $1 THEN l.locktype = 'transactionid' \
     ELSE l.locktype = 'virtualxid' AND a.datname = current_database() \
     OR l.pid IS NULL AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) END";
/// SQLSTATE of a lock that was not had in time.
const NO_LOCK: &str = "55P03";

/// Connects, and brings the database up to date where asked. Servers that start at once migrate one after the other.
pub(super) async fn open(config: &Config, url: &DatabaseUrl, migrate: bool) -> Result<Pools, ServiceError> {
    let options: PgConnectOptions = url.expose().parse().map_err(|_| ServiceError::Config {
        key: "store.url".into(),
        problem: "is not postgres://USER@HOST/DATABASE".into(),
    })?;
    let options = options.application_name("nightingale").options([
        // What is acknowledged is on disk, whatever the server's default.
        ("synchronous_commit", "on"),
        ("default_transaction_isolation", "read committed"),
        ("statement_timeout", "15s"),
        // A transaction whose machine is gone lets its locks go.
        ("idle_in_transaction_session_timeout", "5s"),
        ("tcp_keepalives_idle", "10"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "3"),
    ]);
    let all = config.database_connections;
    let (reading, leasing) = ((all / 3).max(1), (all / 4).max(1));
    let write = pool(all - reading - leasing, options.clone()).await?;
    check(&write).await?;
    if migrate {
        bring_up_to_date(&options).await?;
    }
    // A lease whose row somebody holds for long is kept with the next heartbeat; the others' must not wait for it.
    let leases = pool(leasing, options.clone().options([("lock_timeout", "2s")])).await?;
    // What is done there takes a moment.
    let pulse = leases.clone();
    Ok(Pools::Postgres { write, read: pool(reading, options).await?, leases, pulse, turns: Turns::default() })
}

/// Migrates on a connection of its own, for as long as that takes: a large ledger's rows are not written anew in a statement's time. Whoever
/// migrates already, or uses a table, is waited for.
async fn bring_up_to_date(options: &PgConnectOptions) -> Result<(), StoreError> {
    let options = options.clone().options([("statement_timeout", "0"), ("lock_timeout", LOCK)]);
    loop {
        let mut connection = PgConnection::connect_with(&options).await?;
        let migrated = migrations().run(&mut connection).await;
        // The lock of who migrates goes with its session, however that ends.
        let _ = connection.close().await;
        match migrated {
            Ok(()) => return Ok(()),
            Err(error) if is_locked(&error) => {
                tracing::warn!(
                    "the database cannot be brought up to date while another process does that, or uses it; waiting for it"
                );
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) => return Err(super::migration_error(error)),
        }
    }
}

fn is_locked(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    is_no_lock(error)
}

fn is_no_lock(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == NO_LOCK)
}

/// Writes the table of keys anew without the rows that were deleted before, on a connection of its own; the old file is unlinked. The server's own
/// journal is its operator's (docs/secrets.md). `false` where it could not be done in a few seconds: somebody may still see those rows, so that
/// they would be copied, or has the table in use.
pub(super) async fn sweep_keys(options: &PgConnectOptions) -> Result<bool, StoreError> {
    let options = options.clone().options([("lock_timeout", BRIEFLY)]);
    let mut connection = PgConnection::connect_with(&options).await?;
    let swept = rewrite_keys(&mut connection).await;
    let _ = connection.close().await;
    swept
}

async fn rewrite_keys(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let end = Moment::now() + SWEEPING;
    // PostgreSQL keeps a row for whoever began before it was deleted, and goes by the oldest transaction that ran when a snapshot was made. So first all
    // end that may have written before, and then all that may have looked while one of those ran.
    for of_writers in [true, false] {
        let mut older = running(connection, of_writers).await?;
        while !older.is_empty() {
            if Moment::now() > end {
                return Ok(false);
            }
            tokio::time::sleep(PAUSE).await;
            let running = running(connection, of_writers).await?;
            older.retain(|transaction| running.contains(transaction));
        }
    }
    loop {
        match sqlx::query("VACUUM (FULL) tenant_keys").execute(&mut *connection).await {
            Ok(_) => return Ok(true),
            Err(error) if is_no_lock(&error) && Moment::now() < end => tokio::time::sleep(PAUSE).await,
            Err(error) if is_no_lock(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The transactions of others that run now.
async fn running(connection: &mut PgConnection, of_writers: bool) -> Result<HashSet<String>, StoreError> {
    let found: Vec<String> = sqlx::query_scalar(RUNNING).bind(of_writers).fetch_all(connection).await?;
    Ok(found.into_iter().collect())
}

async fn pool(connections: u32, options: PgConnectOptions) -> Result<PgPool, StoreError> {
    let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(10));
    Ok(pool.connect_with(options).await?)
}

/// Refuses a server that acknowledges what it may lose.
async fn check(pool: &PgPool) -> Result<(), ServiceError> {
    let setting = async |name: &'static str| {
        let row: Result<String, sqlx::Error> =
            sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(pool).await;
        row.map_err(StoreError::from)
    };
    let refuse = |problem: String| Err(ServiceError::Config { key: "store.url".into(), problem });
    let version = setting("server_version_num").await?;
    if version.parse::<i32>().is_ok_and(|version| version < OLDEST) {
        return refuse("the server is older than PostgreSQL 12; upgrade it".into());
    }
    for name in ["fsync", "full_page_writes"] {
        if setting(name).await? != "on" {
            return refuse(format!(
                "the server runs with {name} = off and would lose accepted jobs; turn it on"
            ));
        }
    }
    Ok(())
}

/// Whether a server has made the database.
pub(super) async fn is_made(pools: &Pools) -> Result<bool, StoreError> {
    if pools.dialect() == Dialect::Sqlite {
        return Ok(true);
    }
    let ask = "SELECT COUNT(*) AS made FROM pg_tables WHERE tablename = '_sqlx_migrations' AND schemaname = current_schema()";
    let row = pools.optional(sql(ask)).await?.ok_or_else(|| rows::damaged("made"))?;
    Ok(rows::column::<i64>(&row, "made")? > 0)
}

pub(super) fn migrations() -> Migrator {
    migrations_of!("postgres")
}
