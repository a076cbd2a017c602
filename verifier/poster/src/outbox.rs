//! The outbox: everything that was signed, written down before it is sent. SQLite in WAL mode, synced on every commit.
//!
//! One row stands for one nonce. What was sent can always be sent again from here, byte for byte, and nothing that is not
//! here was ever sent.

mod claims;
mod file;
mod row;
mod write;

pub use row::{Attempt, ClaimRow, Mined, State, Transaction};
pub(crate) use write::Draft;

use crate::PosterError;
use alloy_primitives::{Address, B256};
use row::{damaged, transaction};
use sqlx::{
    SqlSafeStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};
use std::{
    fs::{self, File},
    path::Path,
    sync::Arc,
    time::Duration,
};

/// An open outbox, for one chain, held for this process alone.
#[derive(Clone)]
pub struct Outbox {
    pool: SqlitePool,
    chain: i64,
    _held: Arc<File>,
}

impl Outbox {
    /// Opens an outbox for a chain and creates what is missing. Chains of one id are told apart by their first block where one is given: that is for
    /// local chains. What is signed counts on every chain of its id, so elsewhere no node's word about block 0 may make it forgotten.
    ///
    /// # Errors
    /// It cannot be written, another poster holds it, its lock is a link, its log is there without it, or it is damaged.
    pub async fn open(path: &Path, chain_id: u64, genesis: Option<B256>) -> Result<Self, PosterError> {
        let path = &file::prepare(path)?;
        let held = file::hold(path)?;
        let pool = connect(path, false).await?;
        migrations().run(&pool).await.map_err(|error| PosterError::Outbox(error.to_string()))?;
        let chain_id = number(chain_id)?;
        let known = "SELECT MIN(id) FROM chains WHERE chain_id = ?1 AND (?2 IS NULL OR genesis = ?2)";
        let genesis = genesis.as_ref().map(|genesis| genesis.as_slice());
        let known: Option<i64> =
            sqlx::query_scalar(known).bind(chain_id).bind(genesis).fetch_one(&pool).await?;
        let chain = match known {
            Some(chain) => chain,
            None => {
                let first = genesis.unwrap_or(B256::ZERO.as_slice());
                sqlx::query_scalar("INSERT INTO chains (chain_id, genesis) VALUES (?, ?) RETURNING id")
                    .bind(chain_id)
                    .bind(first)
                    .fetch_one(&pool)
                    .await?
            }
        };
        Ok(Self { pool, chain, _held: Arc::new(held) })
    }

    /// Everything in an outbox, oldest first, with each one's chain id. Holds nothing and needs no node.
    ///
    /// # Errors
    /// There is no outbox, or it is damaged.
    pub async fn list(path: &Path) -> Result<Vec<(u64, Transaction)>, PosterError> {
        file::check_whole(path)?;
        if let Err(source) = fs::metadata(path) {
            return Err(PosterError::Io { path: path.to_owned(), source });
        }
        let pool = connect(path, true).await?;
        let rows: Vec<SqliteRow> = sqlx::query(
            "SELECT t.*, c.chain_id FROM transactions t JOIN chains c ON c.id = t.chain ORDER BY t.id",
        )
        .fetch_all(&pool)
        .await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let chain_id = row::whole(&row, "chain_id")?;
            all.push((chain_id, transaction(&pool, &row).await?));
        }
        pool.close().await;
        Ok(all)
    }

    /// Finishes what is in progress and closes, so that all of it is in its one file. What is in the log beside it, where that cannot be brought over,
    /// is found there the next time.
    pub async fn close(&self) {
        let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pool).await;
        self.pool.close().await;
    }

    /// What a sender still has to see through, in the order of nonces.
    pub(crate) async fn open_of(&self, sender: Address) -> Result<Vec<Transaction>, PosterError> {
        let rows = sqlx::query(
            "SELECT * FROM transactions WHERE chain = ? AND sender = ? AND state = 'open' ORDER BY nonce",
        )
        .bind(self.chain)
        .bind(sender.as_slice())
        .fetch_all(&self.pool)
        .await?;
        self.all(rows).await
    }

    /// The row with this number.
    pub(crate) async fn find(&self, id: i64) -> Result<Transaction, PosterError> {
        let row =
            sqlx::query("SELECT * FROM transactions WHERE id = ?").bind(id).fetch_one(&self.pool).await?;
        transaction(&self.pool, &row).await
    }

    /// An open row of this sender with the same receiver and data.
    pub(crate) async fn open_like(
        &self,
        sender: Address,
        to: Option<Address>,
        data: &[u8],
    ) -> Result<Option<i64>, PosterError> {
        let found = sqlx::query_scalar(
            "SELECT id FROM transactions WHERE chain = ? AND sender = ? AND receiver IS ? AND data = ? AND plan IS NULL \
             AND state = 'open' ORDER BY nonce LIMIT 1",
        )
        .bind(self.chain)
        .bind(sender.as_slice())
        .bind(to.as_ref().map(|to| to.as_slice()))
        .bind(data)
        .fetch_optional(&self.pool)
        .await?;
        Ok(found)
    }

    /// The steps of a sender's deployment or command that are under way or done, in order, the newest first where a step was sent again.
    pub(crate) async fn steps(&self, sender: Address, plan: B256) -> Result<Vec<Transaction>, PosterError> {
        let text = "SELECT * FROM transactions WHERE chain = ? AND sender = ? AND plan = ? AND state IN ('open', 'done') \
             ORDER BY step, id DESC";
        self.of_plan(text, sender, plan).await
    }

    /// The steps of a sender's command whose newest transaction failed or was lost, in order.
    pub(crate) async fn came_to_nothing(
        &self,
        sender: Address,
        plan: B256,
    ) -> Result<Vec<Transaction>, PosterError> {
        let text = "SELECT * FROM transactions t WHERE chain = ? AND sender = ? AND plan = ? AND state IN ('failed', 'lost') \
             AND NOT EXISTS (SELECT 1 FROM transactions o WHERE o.chain = t.chain AND o.sender = t.sender \
             AND o.plan = t.plan AND o.step = t.step AND (o.id > t.id OR o.state IN ('open', 'done'))) ORDER BY step";
        self.of_plan(text, sender, plan).await
    }

    /// Rows of a sender's deployment or command: what is selected by this chain, the sender and the plan, in that order.
    async fn of_plan(
        &self,
        text: &'static str,
        sender: Address,
        plan: B256,
    ) -> Result<Vec<Transaction>, PosterError> {
        let query = sqlx::query(text).bind(self.chain).bind(sender.as_slice()).bind(plan.as_slice());
        self.all(query.fetch_all(&self.pool).await?).await
    }

    /// The row of a sender's for which a transaction with this hash was signed.
    pub(crate) async fn of_attempt(
        &self,
        sender: Address,
        hash: B256,
    ) -> Result<Option<Transaction>, PosterError> {
        let row = sqlx::query(
            "SELECT t.* FROM transactions t JOIN attempts a ON a.transaction_id = t.id \
             WHERE t.chain = ? AND t.sender = ? AND a.hash = ? LIMIT 1",
        )
        .bind(self.chain)
        .bind(sender.as_slice())
        .bind(hash.as_slice())
        .fetch_optional(&self.pool)
        .await?;
        match row {
            Some(row) => Ok(Some(transaction(&self.pool, &row).await?)),
            None => Ok(None),
        }
    }

    /// What has ended under nonces from this one on, in the order of nonces; of what was lost, the newest of each nonce that nothing
    /// else in the outbox has, where it is known what took it.
    pub(crate) async fn ended_from(
        &self,
        sender: Address,
        nonce: u64,
    ) -> Result<Vec<Transaction>, PosterError> {
        let rows = sqlx::query(
            "SELECT * FROM transactions t WHERE chain = ? AND sender = ? AND nonce >= ? AND (state IN ('done', 'failed') \
             OR (state = 'lost' AND taken_hash IS NOT NULL AND NOT EXISTS (SELECT 1 FROM transactions o \
             WHERE o.chain = t.chain AND o.sender = t.sender AND o.nonce = t.nonce AND (o.state <> 'lost' OR o.id > t.id)))) \
             ORDER BY nonce",
        )
        .bind(self.chain)
        .bind(sender.as_slice())
        .bind(number(nonce)?)
        .fetch_all(&self.pool)
        .await?;
        self.all(rows).await
    }

    /// Whether the same step of the same command or deployment was signed again after a row that was not done. After one that was, both were in the chain.
    pub(crate) async fn is_superseded(&self, row: &Transaction) -> Result<bool, PosterError> {
        let later: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM transactions t JOIN transactions o ON o.chain = t.chain AND o.sender = t.sender \
             AND o.plan = t.plan AND o.step = t.step AND o.id > t.id WHERE t.id = ? AND t.state <> 'done'",
        )
        .bind(row.id)
        .fetch_one(&self.pool)
        .await?;
        Ok(later > 0)
    }

    /// The nonces from one on and below another that no row has that was not lost.
    pub(crate) async fn gaps(&self, sender: Address, from: u64, below: u64) -> Result<u64, PosterError> {
        let held: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM transactions WHERE chain = ? AND sender = ? AND state <> 'lost' AND nonce >= ? AND nonce < ?",
        )
        .bind(self.chain)
        .bind(sender.as_slice())
        .bind(number(from)?)
        .bind(number(below)?)
        .fetch_one(&self.pool)
        .await?;
        Ok(below.saturating_sub(from).saturating_sub(u64::try_from(held).map_err(|_| damaged("nonce"))?))
    }

    /// Whether a row that was not lost has a nonce.
    pub(crate) async fn has_nonce(&self, sender: Address, nonce: u64) -> Result<bool, PosterError> {
        Ok(self.gaps(sender, nonce, nonce.saturating_add(1)).await? == 0)
    }

    /// Whether every other row with a row's nonce was lost.
    pub(crate) async fn has_its_nonce_alone(&self, row: &Transaction) -> Result<bool, PosterError> {
        let others: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM transactions WHERE chain = ? AND sender = ? AND nonce = ? AND state <> 'lost' AND id <> ?",
        )
        .bind(self.chain)
        .bind(row.sender.as_slice())
        .bind(number(row.nonce)?)
        .bind(row.id)
        .fetch_one(&self.pool)
        .await?;
        Ok(others == 0)
    }

    /// The first nonce after everything that was not lost; none when there is nothing. What has ended counts as well: a
    /// node that lags gives its nonces a second time.
    pub(crate) async fn next_nonce(&self, sender: Address) -> Result<Option<u64>, PosterError> {
        let last: Option<i64> = sqlx::query_scalar(
            "SELECT MAX(nonce) FROM transactions WHERE chain = ? AND sender = ? AND state <> 'lost'",
        )
        .bind(self.chain)
        .bind(sender.as_slice())
        .fetch_one(&self.pool)
        .await?;
        last.map(|nonce| u64::try_from(nonce).map(|nonce| nonce + 1).map_err(|_| damaged("nonce")))
            .transpose()
    }

    async fn all(&self, rows: Vec<SqliteRow>) -> Result<Vec<Transaction>, PosterError> {
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            all.push(transaction(&self.pool, &row).await?);
        }
        Ok(all)
    }
}

async fn connect(path: &Path, read_only: bool) -> Result<SqlitePool, PosterError> {
    let mut options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(5));
    options = if read_only {
        options.read_only(true)
    } else {
        options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
    };
    let pool = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    Ok(pool.connect_with(options).await?)
}

fn migrations() -> Migrator {
    let step = |number, name: &'static str, sql: &'static str| {
        Migration::new(number, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let all = vec![
        step(1, "outbox", include_str!("outbox/schema.sql")),
        step(2, "problem", include_str!("outbox/problem.sql")),
        step(3, "evidence", include_str!("outbox/evidence.sql")),
    ];
    Migrator { migrations: all.into(), ..Migrator::DEFAULT }
}

/// A number as the database holds it.
fn number<T>(value: T) -> Result<i64, PosterError>
where
    T: TryInto<i64> + Copy + std::fmt::Display,
{
    let too_large = |_| PosterError::Outbox(format!("{value} is more than it can hold"));
    value.try_into().map_err(too_large)
}

#[cfg(test)]
mod tests {
    use super::{Address, B256, Migrator, Outbox, PosterError, connect, migrations};
    use tempfile::TempDir;

    const SENDER: Address = Address::repeat_byte(1);

    #[tokio::test]
    async fn an_older_outbox_remembers_a_public_chain_by_its_id_and_local_ones_by_their_first_blocks()
    -> Result<(), Box<dyn std::error::Error>> {
        let folder = TempDir::new()?;
        let path = folder.path().join("old.sqlite");
        let pool = connect(&path, false).await?;
        let before = migrations().migrations.iter().take(2).cloned().collect();
        Migrator { migrations: before, ..Migrator::DEFAULT }.run(&pool).await?;
        for (chain_id, genesis, nonce) in [(10, 1, 4), (10, 2, 6), (10, 2, 4), (31337, 1, 3), (31337, 2, 8)] {
            let genesis = B256::repeat_byte(genesis);
            sqlx::query("INSERT INTO chains (chain_id, genesis) VALUES (?, ?) ON CONFLICT DO NOTHING")
                .bind(chain_id)
                .bind(genesis.as_slice())
                .execute(&pool)
                .await?;
            sqlx::query(
                "INSERT INTO transactions (chain, sender, nonce, purpose, data, gas_limit, state) \
                 SELECT id, ?, ?, 'x', x'00', 1, 'open' FROM chains WHERE chain_id = ? AND genesis = ?",
            )
            .bind(SENDER.as_slice())
            .bind(nonce)
            .bind(chain_id)
            .bind(genesis.as_slice())
            .execute(&pool)
            .await?;
        }
        pool.close().await;
        let next = async |chain_id, genesis: Option<u8>| -> Result<Option<u64>, PosterError> {
            let outbox = Outbox::open(&path, chain_id, genesis.map(B256::repeat_byte)).await?;
            let next = outbox.next_nonce(SENDER).await?;
            outbox.close().await;
            Ok(next)
        };
        assert_eq!(next(10, None).await?, Some(7));
        assert_eq!((next(31337, Some(1)).await?, next(31337, Some(2)).await?), (Some(4), Some(9)));
        assert_eq!((next(31337, Some(3)).await?, next(11, None).await?), (None, None));
        assert_eq!(Outbox::list(&path).await?.len(), 5);
        Ok(())
    }
}
