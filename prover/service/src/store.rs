//! The service's only state: one database, SQLite in the data folder or PostgreSQL, and the master key.
//!
//! Every statement that changes a job is guarded by the state that it expects, so whatever happened in between is seen as
//! "no row", never overwritten. On SQLite one connection writes; on PostgreSQL transactions of one tenant take turns.

pub mod accounts;
pub mod audit;
pub mod backup;
pub mod consents;
pub mod dataset_files;
pub mod datasets;
mod doubt;
pub mod epochs;
pub mod idempotency;
pub mod jobs;
pub mod keys;
pub mod ledger;
pub mod lifecycle;
pub mod master;
mod meta;
mod migrations;
mod owner;
mod postgres;
pub mod questions;
pub mod queue;
pub mod quotas;
mod restored;
pub mod retention;
pub mod rows;
mod rules;
pub mod seal;
mod served;
pub(crate) mod sql;
mod sqlite;
pub(crate) mod times;

use crate::{
    config::Config,
    error::{ServiceError, StoreError},
    jobs::Tenant,
};
use keys::Keyring;
use master::source::MasterSource;
use served::Served;
use sql::{Connection, Dialect, LongReads, Pools, Row, Statement, Wait, sql};
use std::{
    fs,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant as Moment},
};
use times::{Operation, Times};

/// Locked by each worker in another process, shared.
const WORKERS: &str = "workers.lock";
/// How long a busy tenant is asked for again, and how long after one another.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_secs(1);

/// The open database, and the lock on its folder while it is open.
pub struct Store {
    pools: Pools,
    keyring: Arc<Keyring>,
    consent_rules: consents::ConsentRules,
    times: Times,
    served: Served,
    long_reads: LongReads,
    folder: PathBuf,
    workers: fs::File,
    held: fs::File,
}

impl Store {
    /// Takes the data folder for a server, the only one, creates what is missing in it and brings the database up to date.
    ///
    /// # Errors
    /// A folder that cannot be written, that another server holds, or that is not root's where root asks; a master key that does not belong to the
    /// database, a damaged database.
    pub async fn open(config: &Config) -> Result<Self, ServiceError> {
        let folder = &config.data_dir;
        owner::refuse_strange_root(folder)?;
        // Sealed or not, what is in it is nobody else's: the ledger of questions is in clear.
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| path_error(folder, format!("cannot be created: {error}")))?;
        let held = hold(folder)?;
        let workers = lock_file(folder, WORKERS)?;
        let pools = match &config.database {
            Some(url) => postgres::open(config, url, true).await?,
            None => {
                let database = sqlite::path(folder);
                if !database.exists() {
                    sqlite::create(&database)?;
                }
                sqlite::open(config, &database, true).await?
            }
        };
        let keyring = Keyring::open(&pools, master_source(config), true).await?;
        let store = Self::assemble(config, pools, folder, keyring, workers, held).await?;
        store.tell_of_restore().await?;
        Ok(store)
    }

    /// Opens the database of a server, running or not, for a worker in another process. Several may.
    ///
    /// # Errors
    /// As [`Store::open`]; no server has made the database yet, or one of another release has.
    pub async fn attach(config: &Config) -> Result<Self, ServiceError> {
        let folder = &config.data_dir;
        owner::refuse_strange_root(folder)?;
        let pools = match &config.database {
            Some(url) => postgres::open(config, url, false).await?,
            None => {
                let database = sqlite::path(folder);
                if !database.is_file() {
                    let problem = "holds no database; start the server, which makes it, and then the worker";
                    return Err(path_error(folder, problem.into()));
                }
                sqlite::open(config, &database, false).await?
            }
        };
        if !postgres::is_made(&pools).await? {
            let problem = "is empty; start the server, which makes what is in it, and then the worker";
            return Err(ServiceError::Config { key: "store.url".into(), problem: problem.into() });
        }
        let workers = lock_file(folder, WORKERS)?;
        // A server that is starting takes back the leases of processes that are gone: a moment.
        let held = workers.try_clone().map_err(|error| path_error(folder, error.to_string()))?;
        let taken = tokio::task::spawn_blocking(move || held.lock_shared().map(|()| held)).await;
        let taken = taken.map_err(|_| ServiceError::Bug("waiting for a lock panicked"))?;
        let held = taken.map_err(|error| path_error(folder, format!("cannot be locked: {error}")))?;
        if !is_of_this_release(&pools).await? {
            let problem =
                "the database is of another release than this worker; run server and workers of one release";
            return Err(path_error(folder, problem.into()));
        }
        let keyring = Keyring::open(&pools, master_source(config), false).await?;
        let store = Self::assemble(config, pools, folder, keyring, workers, held).await?;
        if store.is_restore_untold().await? {
            let problem = "the database was restored from a copy, which the server puts on record first; start the server, and then this";
            return Err(path_error(folder, problem.into()));
        }
        Ok(store)
    }

    async fn assemble(
        config: &Config,
        pools: Pools,
        folder: &Path,
        keyring: Keyring,
        workers: fs::File,
        held: fs::File,
    ) -> Result<Self, ServiceError> {
        let times = Times::new(match pools.dialect() {
            Dialect::Sqlite => "sqlite",
            Dialect::Postgres => "postgres",
        })?;
        let (consent_rules, folder) = (config.consent.rules(), folder.to_owned());
        let (keyring, served) = (Arc::new(keyring), Served::default());
        let long_reads = LongReads::beside(pools.readers());
        let store = Self { pools, keyring, consent_rules, times, served, long_reads, folder, workers, held };
        store.follow_clock().await?;
        Ok(store)
    }

    /// Whether the database is as this release made it: another may have brought it up to date meanwhile.
    pub(crate) async fn is_of_this_release(&self) -> Result<bool, StoreError> {
        is_of_this_release(&self.pools).await
    }

    /// Keeps workers in other processes from attaching while it lives; `None` when one is attached.
    pub(crate) fn without_workers(&self) -> Option<Alone<'_>> {
        self.workers.try_lock().ok().map(|()| Alone(&self.workers))
    }

    /// What its operations took so far.
    pub(crate) const fn times(&self) -> &Times {
        &self.times
    }

    /// Whether the database answers at all.
    pub(crate) async fn answers(&self) -> Result<(), StoreError> {
        self.times.of(Operation::Read, self.pools.answers()).await
    }

    /// How large the database and its log are; 0 where it is not a file.
    pub(crate) async fn bytes(&self) -> i64 {
        let mut bytes = 0;
        for file in sqlite::files(&self.folder) {
            bytes += tokio::fs::metadata(file).await.map_or(0, |found| found.len());
        }
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }

    /// Finishes what is in progress and closes.
    pub async fn close(&self) {
        self.pools.close().await;
        // The folder is free for the next, though this value may live on.
        if let Err(error) = self.held.unlock() {
            tracing::warn!(%error, "the data folder stays locked until this process ends");
        }
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        self.pools.dialect()
    }

    /// A transaction that writes, alone among those that span tenants. Dropped, it changes nothing.
    pub(crate) async fn begin(&self) -> Result<Connection, StoreError> {
        self.pools.begin(None, Wait::Patient, &self.times).await
    }

    /// A transaction that writes, alone among those that span tenants and among those of this tenant. While the tenant is busy, it is asked for a
    /// second at a time, and between whoever waits for all tenants goes on.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when the tenant stays busy; the database refuses.
    pub(crate) async fn begin_with(&self, tenant: &Tenant) -> Result<Connection, StoreError> {
        let until = Moment::now() + PATIENCE;
        loop {
            let mut begun = self.begin().await?;
            match begun.and_for(tenant.as_str()).await {
                Ok(()) => return Ok(begun),
                Err(StoreError::Busy) if Moment::now() < until => drop(begun),
                Err(error) => return Err(error),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// A transaction that writes, alone among those of this tenant, whether or not it was erased.
    pub(crate) async fn begin_even_erased(&self, tenant: &Tenant) -> Result<Connection, StoreError> {
        self.pools.begin(Some(tenant.as_str()), Wait::Patient, &self.times).await
    }

    /// As [`begin_even_erased`](Self::begin_even_erased), of what can be put off: on PostgreSQL it waits a second for its turn, and no longer for
    /// whatever else is held: [`StoreError::Busy`] then. Not for what comes in numbers: each holds a connection while it waits.
    pub(crate) async fn begin_briefly(&self, tenant: &Tenant) -> Result<Connection, StoreError> {
        self.pools.begin(Some(tenant.as_str()), Wait::Brief, &self.times).await
    }

    /// A transaction that writes, alone among those of this tenant; refused for one that was erased.
    pub(crate) async fn begin_for(&self, tenant: &Tenant) -> Result<Connection, StoreError> {
        let mut begun = self.begin_even_erased(tenant).await?;
        // What is sealed under a key that was destroyed meanwhile must not be accepted.
        self.refuse_erased_within(&mut begun, tenant).await?;
        Ok(begun)
    }

    /// A transaction that reads one state of the database.
    pub(crate) async fn snapshot(&self) -> Result<Connection, StoreError> {
        self.pools.snapshot(&self.times).await
    }

    pub(crate) async fn all(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        self.times.of(Operation::Read, self.pools.all(statement)).await
    }

    /// The same of a statement that may read for long, in a turn of the tenant's. When whoever asked gives up, the turn stays with the read: the
    /// database goes on with it.
    pub(crate) async fn all_in_turn(
        &self,
        tenant: &Tenant,
        statement: Statement,
    ) -> Result<Vec<Row>, StoreError> {
        let (turn, pools) = (self.long_reads.turn(tenant).await?, self.pools.clone());
        let read = tokio::spawn(async move {
            let _turn = turn;
            pools.all(statement).await
        });
        let read = async { read.await.map_err(|_| StoreError::Io("a read was not ended".into()))? };
        self.times.of(Operation::Read, read).await
    }

    pub(crate) async fn optional(&self, statement: Statement) -> Result<Option<Row>, StoreError> {
        self.times.of(Operation::Read, self.pools.optional(statement)).await
    }

    /// One statement that writes: how many rows it changed.
    pub(crate) async fn execute(&self, statement: Statement) -> Result<u64, StoreError> {
        self.times.of(Operation::Write, self.pools.execute(statement)).await
    }

    /// One statement that writes of a lease and gives rows: on PostgreSQL on connections that are kept for that.
    pub(crate) async fn of_lease(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        self.times.of(Operation::Write, self.pools.of_lease(statement)).await
    }
}

/// The schema that this release writes.
pub(crate) fn schema() -> i64 {
    sqlite::migrations().iter().map(|migration| migration.version).max().unwrap_or_default()
}

async fn is_of_this_release(pools: &Pools) -> Result<bool, StoreError> {
    let newest = pools.optional(sql("SELECT MAX(version) AS version FROM _sqlx_migrations")).await?;
    let version: Option<i64> =
        newest.map(|row| rows::column::<Option<i64>>(&row, "version")).transpose()?.flatten();
    Ok(version == Some(schema()))
}

fn master_source(config: &Config) -> MasterSource {
    MasterSource::new(config.secrets.master_key_file.clone(), config.secrets.kms_command.clone())
}

/// No worker in another process has the database open, nor will while this lives.
pub(crate) struct Alone<'a>(&'a fs::File);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::error!(%error, "workers in other processes cannot attach");
        }
    }
}

/// A file that is there to be locked: the operating system lets the lock go when the process ends, however it ends.
fn lock_file(folder: &Path, name: &str) -> Result<fs::File, ServiceError> {
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join(name))
        .map_err(|error| path_error(folder, format!("cannot be written: {error}")))
}

fn hold(folder: &Path) -> Result<fs::File, ServiceError> {
    let file = lock_file(folder, owner::SERVER)?;
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

fn migration_error(error: sqlx::migrate::MigrateError) -> StoreError {
    match error {
        sqlx::migrate::MigrateError::Execute(inner)
        | sqlx::migrate::MigrateError::ExecuteMigration(inner, _) => inner.into(),
        sqlx::migrate::MigrateError::VersionMissing(version) => StoreError::Corrupt(format!(
            "it was written by a newer release (schema {version}); use that release"
        )),
        other => StoreError::Corrupt(other.to_string()),
    }
}
