//! Where a story happens: a folder, a database of either kind, a configuration, and an oracle that sees every end of a job.
//!
//! The oracle is a trigger of the test's own in the database. It writes down each change to a job that has ended, whoever
//! makes it, so that a second end is seen even where it looks like the first.

use crate::{postgres::Cluster, running::database_of};
use anyhow::{Context, Result};
use nightingale::{Config, store::Store};
use sqlx::{AssertSqlSafe, Executor, PgPool, SqlitePool, postgres::PgPoolOptions, sqlite::SqlitePoolOptions};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Runs each story on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($($story:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $story() -> anyhow::Result<()> {
                super::$story($crate::site::Site::sqlite()?).await
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $story() -> anyhow::Result<()> {
                match $crate::site::Site::postgres().await? {
                    Some(site) => super::$story(site).await,
                    None => Ok(()),
                }
            })+
        }
    };
}
pub(crate) use on_both;

/// How large a story is: `quick` in the checks of every change, and what NIGHTINGALE_STORY_JOBS says for the record.
pub(crate) fn jobs(quick: usize) -> usize {
    std::env::var("NIGHTINGALE_STORY_JOBS").ok().and_then(|text| text.parse().ok()).unwrap_or(quick)
}

/// Adds a line to the file that NIGHTINGALE_STORY_RECORD names: the figures of a run at full size.
pub(crate) fn record(line: &str) -> Result<()> {
    let Some(file) = std::env::var_os("NIGHTINGALE_STORY_RECORD") else { return Ok(()) };
    let mut file = fs::OpenOptions::new().create(true).append(true).open(file)?;
    Ok(writeln!(file, "{line}")?)
}

/// A folder and a database.
pub(crate) struct Site {
    folder: TempDir,
    /// PostgreSQL's address; SQLite in the data folder without one.
    pub(crate) url: Option<String>,
    /// Lines of `[work]`.
    work: Vec<String>,
    /// Lines of `[limits]`.
    limits: Vec<String>,
}

impl Site {
    /// With SQLite.
    pub(crate) fn sqlite() -> Result<Self> {
        Self::with(None)
    }

    /// With a database of the shared cluster; `None` where PostgreSQL is missing.
    pub(crate) async fn postgres() -> Result<Option<Self>> {
        let Some(cluster) = Cluster::shared().await? else { return Ok(None) };
        Self::with(Some(cluster.database().await?)).map(Some)
    }

    /// With the database at this address.
    pub(crate) fn with(url: Option<String>) -> Result<Self> {
        let work = ["workers = 2", "lease_seconds = 2", "max_losses = 1000"].map(str::to_owned).to_vec();
        Ok(Self { folder: tempfile::tempdir()?, url, work, limits: Vec::new() })
    }

    /// With a line of `[work]` in place of the one with the same key.
    pub(crate) fn work(mut self, line: &str) -> Self {
        put(&mut self.work, line);
        self
    }

    /// With a line of `[limits]` in place of the one with the same key.
    pub(crate) fn limits(mut self, line: &str) -> Self {
        put(&mut self.limits, line);
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where processes write their logs.
    pub(crate) fn log(&self) -> PathBuf {
        self.path().join("log")
    }

    /// The configuration file of server and workers here.
    pub(crate) fn file(&self) -> Result<PathBuf> {
        self.file_with_keys(Path::new("keys"))
    }

    /// The same with keys that lie elsewhere.
    pub(crate) fn file_with_keys(&self, keys: &Path) -> Result<PathBuf> {
        let file = self.path().join("config.toml");
        let store = self.url.as_ref().map(|url| format!("[store]\nurl = '{url}'\n")).unwrap_or_default();
        let text = format!(
            "data_dir = 'data'\nkeys_dir = '{}'\n[listen]\naddress = '127.0.0.1:0'\n[metrics]\naddress = '127.0.0.1:0'\n\
             {store}[work]\n{}\n[limits]\n{}\n",
            keys.display(),
            self.work.join("\n"),
            self.limits.join("\n"),
        );
        fs::write(&file, text)?;
        Ok(file)
    }

    /// Makes the database, and the oracle in it.
    pub(crate) async fn oracle(&self) -> Result<Oracle> {
        let config = Config::read(&self.file()?)?;
        Store::open(&config).await?.close().await;
        Oracle::place(&config, self.url.as_deref()).await
    }

    /// The oracle of a database that a store has made and has open.
    pub(crate) async fn oracle_beside(&self) -> Result<Oracle> {
        Oracle::place(&Config::read(&self.file()?)?, self.url.as_deref()).await
    }
}

fn put(lines: &mut Vec<String>, line: &str) {
    let key = |line: &str| line.split('=').next().map(|key| key.trim().to_owned());
    lines.retain(|held| key(held) != key(line));
    lines.push(line.to_owned());
}

/// A second look into the database, which no code of the service has a hand in.
pub(crate) enum Oracle {
    /// On SQLite.
    Sqlite(SqlitePool),
    /// On PostgreSQL.
    Postgres(PgPool),
}

const ON_SQLITE: &str = "CREATE TABLE story_ends (job TEXT NOT NULL, state TEXT NOT NULL); \
     CREATE TRIGGER story_ends AFTER UPDATE ON jobs WHEN NEW.ended IS NOT NULL \
     BEGIN INSERT INTO story_ends VALUES (lower(hex(NEW.id)), NEW.state); END";
const ON_POSTGRES: &str = "CREATE TABLE story_ends (job TEXT NOT NULL, state TEXT NOT NULL); \
     CREATE FUNCTION story_ends() RETURNS trigger LANGUAGE plpgsql AS \
     'BEGIN INSERT INTO story_ends VALUES (encode(NEW.id, ''hex''), NEW.state); RETURN NEW; END'; \
     CREATE TRIGGER story_ends AFTER UPDATE ON jobs FOR EACH ROW WHEN (NEW.ended IS NOT NULL) \
     EXECUTE FUNCTION story_ends()";

impl Oracle {
    /// Of a story that is configured by [`crate::running::config`]; no trigger comes into its database.
    pub(crate) async fn of(folder: &Path) -> Result<Self> {
        Self::connect(&folder.join("data"), database_of(folder).as_deref()).await
    }

    async fn place(config: &Config, url: Option<&str>) -> Result<Self> {
        let oracle = Self::connect(&config.data_dir, url).await?;
        oracle.place_also(ON_SQLITE, ON_POSTGRES).await?;
        Ok(oracle)
    }

    async fn connect(data_dir: &Path, url: Option<&str>) -> Result<Self> {
        Ok(match url {
            Some(url) => Self::Postgres(PgPoolOptions::new().max_connections(2).connect(url).await?),
            None => {
                let file = format!("sqlite://{}", data_dir.join("jobs.sqlite").display());
                Self::Sqlite(SqlitePoolOptions::new().max_connections(2).connect(&file).await?)
            }
        })
    }

    /// Lets go of the database.
    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }

    /// Runs statements of the test's own, written for either database.
    pub(crate) async fn place_also(&self, sqlite: &'static str, postgres: &'static str) -> Result<()> {
        match self {
            Self::Sqlite(pool) => pool.execute(sqlx::raw_sql(sqlite)).await.map(drop)?,
            Self::Postgres(pool) => pool.execute(sqlx::raw_sql(postgres)).await.map(drop)?,
        }
        Ok(())
    }

    /// Rows of two texts.
    pub(crate) async fn pairs(&self, sql: &'static str) -> Result<Vec<(String, String)>> {
        Ok(match self {
            Self::Sqlite(pool) => sqlx::query_as(sql).fetch_all(pool).await?,
            Self::Postgres(pool) => sqlx::query_as(sql).fetch_all(pool).await?,
        })
    }

    /// One number.
    pub(crate) async fn number(&self, sql: impl Into<String>) -> Result<i64> {
        let sql = AssertSqlSafe(sql.into());
        Ok(match self {
            Self::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await?,
            Self::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await?,
        })
    }

    /// Every end of a job that was ever committed, and as what.
    pub(crate) async fn ends(&self) -> Result<Vec<(String, String)>> {
        self.pairs("SELECT job, state FROM story_ends").await
    }

    /// How many jobs are in this state.
    pub(crate) async fn count(&self, state: &str) -> Result<i64> {
        self.number(format!("SELECT COUNT(*) FROM jobs WHERE state = '{state}'")).await
    }

    /// Waits until so many jobs are in this state.
    pub(crate) async fn until(&self, state: &str, least: i64, patience: std::time::Duration) -> Result<()> {
        let wait = async {
            while self.count(state).await? < least {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(patience, wait)
            .await
            .with_context(|| format!("{least} jobs do not become {state}"))?
    }

    /// Keeps everybody from reading this table until it is dropped; `None` on SQLite, whose readers wait for nobody.
    pub(crate) async fn hold_reads(&self, table: &str) -> Result<Option<Hold>> {
        Ok(match self {
            Self::Sqlite(_) => None,
            Self::Postgres(pool) => {
                let mut held = pool.begin().await?;
                held.execute(AssertSqlSafe(format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))).await?;
                Some(Hold::Postgres(held))
            }
        })
    }

    /// Keeps everybody from writing about this tenant, on SQLite about any, until it is dropped or committed. It holds what a transaction
    /// of the service holds at its end: the tenant's lock and the lock of its audit log.
    pub(crate) async fn hold_tenant(&self, tenant: &str) -> Result<Hold> {
        Ok(match self {
            Self::Sqlite(pool) => Hold::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => {
                let mut held = pool.begin().await?;
                for lock in [0, 1] {
                    let take = "SELECT pg_advisory_xact_lock(hashtextextended($1, $2))";
                    sqlx::query(take).bind(tenant).bind(i64::from(lock)).execute(&mut *held).await?;
                }
                Hold::Postgres(held)
            }
        })
    }

    /// Keeps everybody from committing to the table of jobs until it is dropped.
    pub(crate) async fn hold(&self) -> Result<Hold> {
        Ok(match self {
            Self::Sqlite(pool) => Hold::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => {
                let mut held = pool.begin().await?;
                held.execute("LOCK TABLE jobs IN EXCLUSIVE MODE").await?;
                Hold::Postgres(held)
            }
        })
    }
}

/// A lock: what is under it can be read, and not written.
pub(crate) enum Hold {
    /// On SQLite.
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
    /// On PostgreSQL.
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Hold {
    /// Writes under the lock, and lets it go.
    pub(crate) async fn commit_with(self, statements: &'static str) -> Result<()> {
        match self {
            Self::Sqlite(mut held) => {
                held.execute(sqlx::raw_sql(statements)).await?;
                held.commit().await?;
            }
            Self::Postgres(mut held) => {
                held.execute(sqlx::raw_sql(statements)).await?;
                held.commit().await?;
            }
        }
        Ok(())
    }
}
