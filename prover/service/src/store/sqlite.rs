//! The database as one file in the data folder: WAL, synced on every commit; one connection writes and a few read.

use super::{migrations::migrations_of, path_error, sql::Pools};
use crate::{
    config::Config,
    error::{ServiceError, StoreError},
};
use sqlx::{
    Connection,
    migrate::Migrator,
    sqlite::{
        SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
    },
};
use std::{
    fs,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

const PAGE_BYTES: u32 = 4096;
const READERS: u32 = 4;
/// How long a statement waits for another connection, of this process or another.
const BUSY: Duration = Duration::from_secs(5);
const DATABASE: &str = "jobs.sqlite";

/// Where it is.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

/// It and the files that SQLite keeps beside it.
pub(super) fn files(folder: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| folder.join(format!("{DATABASE}{end}")))
}

/// Makes the file, empty and nobody else's. SQLite gives the files beside it the same mode.
pub(super) fn create(database: &Path) -> Result<(), ServiceError> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(database)
        .map(drop)
        .map_err(|error| path_error(database, format!("cannot be created: {error}")))
}

/// Opens it, and brings it up to date where asked.
pub(super) async fn open(config: &Config, database: &Path, migrate: bool) -> Result<Pools, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(database)
        .create_if_missing(true)
        .page_size(PAGE_BYTES)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // Freed pages are overwritten: a deleted witness does not linger, not even sealed.
        .pragma("secure_delete", "ON")
        .busy_timeout(BUSY);
    let options = match config.database_mebibytes {
        Some(limit) => options
            .pragma("max_page_count", (u64::from(limit) * (1 << 20) / u64::from(PAGE_BYTES)).to_string()),
        None => options,
    };
    let write = pool(1).connect_with(options).await?;
    if migrate {
        migrations().run(&write).await.map_err(super::migration_error)?;
    }
    let reading =
        SqliteConnectOptions::new().filename(database).pragma("query_only", "ON").busy_timeout(BUSY);
    let read = pool(READERS).connect_with(reading.clone()).await?;
    let pulse = pool(1).connect_with(reading).await?;
    Ok(Pools::Sqlite { leases: write.clone(), write, read, pulse })
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        // A full disk makes SQLite roll back by itself, and the driver goes on counting a transaction: such a connection begins
        // no other, so it is closed and opened anew.
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        .acquire_timeout(Duration::from_secs(30))
}

/// Each is as it was released: sqlx keeps its checksum.
pub(super) fn migrations() -> Migrator {
    migrations_of!("sqlite")
}
