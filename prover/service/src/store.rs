//! The service's only state: one SQLite database in WAL mode, synced on every commit, and the master key beside it.
//!
//! One connection writes and a few read. Every statement that changes a job is guarded by the state that it expects,
//! so whatever happened in between is seen as "no row", never overwritten.

pub mod accounts;
pub mod datasets;
pub mod epochs;
pub mod jobs;
pub mod ledger;
pub mod lifecycle;
pub mod questions;
pub mod queue;
pub mod rows;
pub mod seal;

use crate::{
    config::Config,
    error::{ServiceError, StoreError},
    jobs::Tenant,
};
use seal::{MasterKey, Seal};
use sqlx::{
    SqlSafeStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{
        SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
    },
};
use std::{
    fs,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    time::Duration,
};

const PAGE_BYTES: u32 = 4096;
const READERS: u32 = 4;

/// The open database. Holds the data folder for itself until it is dropped.
pub struct Store {
    write: SqlitePool,
    read: SqlitePool,
    master: MasterKey,
    _folder: fs::File,
}

impl Store {
    /// Takes the data folder, creates what is missing in it and brings the database up to date.
    ///
    /// # Errors
    /// A folder that cannot be written or that another server holds, a master key that does not belong to the
    /// database, a damaged database.
    pub async fn open(config: &Config) -> Result<Self, ServiceError> {
        let folder = &config.data_dir;
        // Sealed or not, what is in it is nobody else's: the ledger of questions is in clear.
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| path_error(folder, format!("cannot be created: {error}")))?;
        let held = hold(folder)?;
        let database = folder.join("jobs.sqlite");
        let is_new = !database.exists();
        if is_new {
            // SQLite gives the files beside it the same mode.
            fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&database)
                .map_err(|error| path_error(&database, format!("cannot be created: {error}")))?;
        }
        let master = MasterKey::open(&folder.join("master.key"), is_new)?;
        let options = SqliteConnectOptions::new()
            .filename(&database)
            .create_if_missing(true)
            .page_size(PAGE_BYTES)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // Freed pages are overwritten: a deleted witness does not linger, not even sealed.
            .pragma("secure_delete", "ON")
            .busy_timeout(Duration::from_secs(5));
        let options = match config.database_mebibytes {
            Some(limit) => options
                .pragma("max_page_count", (u64::from(limit) * (1 << 20) / u64::from(PAGE_BYTES)).to_string()),
            None => options,
        };
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .idle_timeout(None)
                .max_lifetime(None)
                .acquire_timeout(Duration::from_secs(30))
        };
        let write = pool(1).connect_with(options.clone()).await.map_err(StoreError::from)?;
        migrations().run(&write).await.map_err(migration_error)?;
        let reading = SqliteConnectOptions::new()
            .filename(&database)
            .pragma("query_only", "ON")
            .busy_timeout(Duration::from_secs(5));
        let read = pool(READERS).connect_with(reading).await.map_err(StoreError::from)?;
        let store = Self { write, read, master, _folder: held };
        store.check_master().await?;
        Ok(store)
    }

    /// Finishes what is in progress and closes.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    /// A tenant's seal.
    #[must_use]
    pub fn seal(&self, tenant: &Tenant) -> Seal {
        self.master.tenant(tenant)
    }

    /// Remembers the master key's fingerprint, and refuses another one.
    async fn check_master(&self) -> Result<(), StoreError> {
        let fingerprint = self.master.fingerprint();
        sqlx::query("INSERT INTO meta (name, value) VALUES ('master', ?) ON CONFLICT DO NOTHING")
            .bind(fingerprint.as_slice())
            .execute(&self.write)
            .await?;
        let held: Vec<u8> =
            sqlx::query_scalar("SELECT value FROM meta WHERE name = 'master'").fetch_one(&self.read).await?;
        if held == fingerprint { Ok(()) } else { Err(StoreError::Sealed) }
    }
}

/// A lock that the operating system lets go when the process ends, however it ends.
fn hold(folder: &Path) -> Result<fs::File, ServiceError> {
    let path = folder.join("server.lock");
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| path_error(folder, format!("cannot be written: {error}")))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(path_error(
            folder,
            "another server uses this data folder; stop it or give this one its own".into(),
        )),
        Err(fs::TryLockError::Error(error)) => Err(path_error(folder, format!("cannot be locked: {error}"))),
    }
}

fn path_error(path: &Path, problem: String) -> ServiceError {
    ServiceError::Path { path: path.to_owned(), problem }
}

fn migrations() -> Migrator {
    let migration = |number, name: &'static str, sql: &'static str| {
        Migration::new(number, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let all = vec![
        migration(1, "jobs", include_str!("store/migrations/0001_jobs.sql")),
        migration(2, "cohorts", include_str!("store/migrations/0002_cohorts.sql")),
    ];
    Migrator { migrations: all.into(), ..Migrator::DEFAULT }
}

fn migration_error(error: sqlx::migrate::MigrateError) -> StoreError {
    match error {
        sqlx::migrate::MigrateError::Execute(inner) => inner.into(),
        sqlx::migrate::MigrateError::VersionMissing(version) => StoreError::Corrupt(format!(
            "it was written by a newer release (schema {version}); use that release"
        )),
        other => StoreError::Corrupt(other.to_string()),
    }
}
