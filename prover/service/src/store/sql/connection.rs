//! A transaction, and what it keeps until its connection is free.

use super::{Dialect, Row, Statement, Value, Wait, in_time, sql};
use crate::{
    error::StoreError,
    store::{
        rows::damaged,
        times::{Operation, Times},
    },
    turns::Turn,
};
use sqlx::{Column, Row as _, TypeInfo, ValueRef};
use std::time::Duration;

/// How long what can be put off waits for a lock.
const BRIEFLY: Duration = Duration::from_secs(1);

/// A transaction. Dropped without a commit, it changes nothing.
pub(crate) struct Connection {
    /// Until it is committed.
    inner: Option<Inner>,
    dialect: Dialect,
    times: Times,
    /// Among the transactions of its tenant in this process.
    turn: Option<Turn>,
}

pub(super) enum Inner {
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
    const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

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

    async fn rollback(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => in_time(tx.rollback()).await,
            Self::Postgres(tx) => in_time(tx.rollback()).await,
        }
    }
}

fn over() -> StoreError {
    StoreError::Bug("a transaction that is over".into())
}

impl Connection {
    /// A transaction that was begun, by whoever has this turn.
    pub(super) fn of(inner: Inner, times: &Times, turn: Option<Turn>) -> Self {
        Self { dialect: inner.dialect(), inner: Some(inner), times: times.clone(), turn }
    }

    fn inner(&mut self) -> Result<&mut Inner, StoreError> {
        self.inner.as_mut().ok_or_else(over)
    }

    /// Takes a lock until the transaction ends.
    pub(super) async fn lock(&mut self, lock: Statement, wait: Wait) -> Result<(), StoreError> {
        if wait == Wait::Brief {
            let brief = format!("{}ms", BRIEFLY.as_millis());
            let set = sql("SELECT set_config('lock_timeout', $1, TRUE)").bind(brief);
            self.inner()?.execute(set).await?;
        }
        self.inner()?.execute(lock).await.map(drop)
    }

    /// Waits until it is alone among the transactions of this tenant.
    pub(super) async fn lock_tenant(&mut self, tenant: &str, wait: Wait) -> Result<(), StoreError> {
        self.lock(sql("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))").bind(tenant), wait).await
    }

    /// Has a transaction that is alone among those that span tenants be alone among those of this tenant as well. It takes no turn for that:
    /// it has a connection already, which whoever has the turn may be waiting for.
    ///
    /// All tenants' wait for it meanwhile, so it waits a second and no longer.
    ///
    /// # Errors
    /// [`StoreError::Busy`] then; the database refuses.
    pub(crate) async fn and_for(&mut self, tenant: &str) -> Result<(), StoreError> {
        if self.dialect == Dialect::Sqlite {
            return Ok(());
        }
        self.lock_tenant(tenant, Wait::Brief).await?;
        // What it waits for from here on is held by those of its own tenant, or for a moment.
        self.inner()?.execute(sql("SELECT set_config('lock_timeout', '0', TRUE)")).await.map(drop)
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64, StoreError> {
        let Self { inner, times, .. } = self;
        let inner = inner.as_mut().ok_or_else(over)?;
        times.of(Operation::Statement, inner.execute(statement)).await
    }

    pub(crate) async fn all(&mut self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let Self { inner, times, .. } = self;
        let inner = inner.as_mut().ok_or_else(over)?;
        times.of(Operation::Statement, inner.all(statement)).await
    }

    pub(crate) async fn optional(&mut self, statement: Statement) -> Result<Option<Row>, StoreError> {
        let Self { inner, times, .. } = self;
        let inner = inner.as_mut().ok_or_else(over)?;
        times.of(Operation::Statement, inner.optional(statement)).await
    }

    pub(crate) async fn one(&mut self, statement: Statement) -> Result<Row, StoreError> {
        let row = self.optional(statement).await?;
        row.ok_or_else(|| StoreError::Bug("a statement gave no row".into()))
    }

    /// Makes it durable. Begun, it ends, whether or not anybody waits for that.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let inner = self.inner.take().ok_or_else(over)?;
        let turn = self.turn.take();
        let committed = async {
            let Some(turn) = turn else { return inner.commit().await };
            let committed = tokio::spawn(async move {
                let committed = inner.commit().await;
                drop(turn);
                committed
            });
            committed.await.map_err(|_| StoreError::Io("a commit was not heard to end".into()))?
        };
        self.times.of(Operation::Commit, committed).await
    }
}

impl Drop for Connection {
    /// Whoever gave up while PostgreSQL was at a statement of theirs leaves a connection that is not free before that statement ends. Nobody else of
    /// this tenant takes another one until then.
    fn drop(&mut self) {
        let (Some(inner), Some(turn)) = (self.inner.take(), self.turn.take()) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // A connection that is broken is found out by the pool.
                let _ = inner.rollback().await;
                drop(turn);
            });
        }
    }
}
