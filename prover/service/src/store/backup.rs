//! A copy of the SQLite database while it is in use, and its way back into a data folder. The master key is in neither: a copy
//! without it opens nothing.

use super::{owner, path_error, restored, schema, sqlite};
use crate::{
    config::Config,
    error::{ServiceError, StoreError},
    jobs::Instant,
};
use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a copy waits for a writer.
const BUSY: Duration = Duration::from_secs(30);

/// What a copy holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its schema.
    pub schema: i64,
    /// Jobs.
    pub jobs: i64,
    /// Of them, those that have not ended: after a restore they are proven.
    pub open: i64,
    /// Its size.
    pub bytes: u64,
    /// When its newest statement of a consent was made.
    pub statement: Option<Instant>,
    /// When its newest epoch of consents was published.
    pub consent_epoch: Option<Instant>,
    /// When the newest entry of its audit logs was made.
    pub entry: Option<Instant>,
}

/// Copies the database of `config` to the file `out`, as it is at one moment; servers and workers go on meanwhile. The copy is checked
/// page by page and on disk before this returns, and readable for its owner only.
///
/// # Errors
/// PostgreSQL, which has its own tools; no database; a file that exists already; a disk without room; a damaged database.
pub async fn backup(config: &Config, out: &Path) -> Result<Copied, ServiceError> {
    let database = local(config)?;
    if !database.is_file() {
        return Err(path_error(&database, "there is no database to copy".into()));
    }
    create(out)?;
    let copied = copy(&database, out).await;
    if copied.is_err() {
        // Half a copy helps nobody. The first error says why.
        let _ = fs::remove_file(out);
    }
    copied
}

/// Puts a copy into the data folder of `config`, which has no database yet, with a mark by which the first start puts it on record. What the server
/// checks at its start, the master key above all, is left to that.
///
/// # Errors
/// As [`backup`]; a data folder that has a database, or that is another user's where root asks; a copy of a newer release.
pub async fn restore(config: &Config, from: &Path) -> Result<Copied, ServiceError> {
    let database = local(config)?;
    owner::refuse_strange_root(&config.data_dir)?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&config.data_dir)
        .map_err(|error| path_error(&config.data_dir, format!("cannot be created: {error}")))?;
    if let Some(there) = sqlite::files(&config.data_dir).into_iter().find(|file| file.exists()) {
        let problem = "exists; a restore never overwrites: stop the server and move the old files away first";
        return Err(path_error(&there, problem.into()));
    }
    let found = inspect(from).await?;
    // Written under another name and renamed when it is whole: whatever happens, the folder has a database or none.
    let partial = config.data_dir.join("jobs.sqlite.restoring");
    let _ = fs::remove_file(&partial);
    let mut file = create(&partial)?;
    // The bytes alone: whoever kept the copy may have given it a mode that is no database's.
    let unwritten = |error: io::Error| path_error(&database, format!("cannot be written: {error}"));
    io::copy(&mut fs::File::open(from).map_err(unwritten)?, &mut file).map_err(unwritten)?;
    mark(&partial).await.map_err(StoreError::from)?;
    let finish = || {
        file.sync_all()?;
        fs::rename(&partial, &database)?;
        sync(&config.data_dir)
    };
    finish().map_err(unwritten)?;
    Ok(found)
}

/// Says in a copy that it is one.
async fn mark(file: &Path) -> Result<(), sqlx::Error> {
    // Nobody else has it, and half of it is never used: no journal, and no file beside it.
    let options = SqliteConnectOptions::new().filename(file).journal_mode(SqliteJournalMode::Memory);
    let mut connection = options.connect().await?;
    let insert = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    let marked =
        sqlx::query(insert).bind(restored::NAME).bind([0; 0].as_slice()).execute(&mut connection).await;
    connection.close().await?;
    marked.map(drop)
}

fn local(config: &Config) -> Result<PathBuf, ServiceError> {
    match config.database {
        None => Ok(sqlite::path(&config.data_dir)),
        Some(_) => Err(ServiceError::Config {
            key: "store.url".into(),
            problem: "the database is PostgreSQL's: use pg_dump and pg_restore, as docs/operations.md shows"
                .into(),
        }),
    }
}

/// A new file, nobody else's.
fn create(path: &Path) -> Result<fs::File, ServiceError> {
    let created = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    created.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => path_error(path, "exists already; name a file that does not".into()),
        _ => path_error(path, format!("cannot be created: {error}")),
    })
}

fn sync(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

async fn copy(database: &Path, out: &Path) -> Result<Copied, ServiceError> {
    let target = out.to_str().ok_or_else(|| path_error(out, "is not text; name another file".into()))?;
    let options = SqliteConnectOptions::new().filename(database).busy_timeout(BUSY);
    let mut connection = options.connect().await.map_err(StoreError::from)?;
    // One read transaction: the copy is the database at its start, and writers go on in the log.
    let copied = sqlx::query("VACUUM INTO $1").bind(target).execute(&mut connection).await;
    let closed = connection.close().await;
    copied.map_err(StoreError::from)?;
    closed.map_err(StoreError::from)?;
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync(out)
        .and_then(|()| sync(folder))
        .map_err(|error| path_error(out, format!("cannot be written: {error}")))?;
    inspect(out).await
}

/// Reads a copy through, page by page.
async fn inspect(file: &Path) -> Result<Copied, ServiceError> {
    let bytes =
        fs::metadata(file).map_err(|error| path_error(file, format!("cannot be read: {error}")))?.len();
    // Nobody else has it: no lock, no log, no file beside it.
    let options =
        SqliteConnectOptions::new().filename(file).immutable(true).journal_mode(SqliteJournalMode::Off);
    let mut connection = options.read_only(true).connect().await.map_err(StoreError::from)?;
    let found = read(&mut connection).await;
    connection.close().await.map_err(StoreError::from)?;
    let (whole, copied) = found.map_err(StoreError::from)?;
    if whole != "ok" {
        return Err(StoreError::Corrupt("the copy does not hold together".into()).into());
    }
    if copied.schema > schema() {
        let problem =
            format!("it was written by a newer release (schema {}); use that release", copied.schema);
        return Err(StoreError::Corrupt(problem).into());
    }
    Ok(Copied { bytes, ..copied })
}

async fn read(connection: &mut SqliteConnection) -> Result<(String, Copied), sqlx::Error> {
    let whole = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut *connection).await?;
    let version = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";
    let version = sqlx::query_scalar(version).fetch_one(&mut *connection).await?;
    let jobs = sqlx::query_scalar("SELECT COUNT(*) FROM jobs").fetch_one(&mut *connection).await?;
    let open = "SELECT COUNT(*) FROM jobs WHERE ended IS NULL";
    let open = sqlx::query_scalar(open).fetch_one(&mut *connection).await?;
    let mut newest = [None; 3];
    for (newest, (table, select)) in newest.iter_mut().zip([
        ("consent_statements", "SELECT MAX(stated) FROM consent_statements"),
        ("consent_epochs", "SELECT MAX(published) FROM consent_epochs"),
        ("audit_entries", "SELECT MAX(at) FROM audit_entries"),
    ]) {
        // A copy of an earlier release may have no such table.
        let is_there = "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = $1";
        let is_there: i64 = sqlx::query_scalar(is_there).bind(table).fetch_one(&mut *connection).await?;
        if is_there == 1 {
            let at: Option<i64> = sqlx::query_scalar(select).fetch_one(&mut *connection).await?;
            *newest = at.map(Instant);
        }
    }
    let [statement, consent_epoch, entry] = newest;
    Ok((whole, Copied { schema: version, jobs, open, bytes: 0, statement, consent_epoch, entry }))
}
