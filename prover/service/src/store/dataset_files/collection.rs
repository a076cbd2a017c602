//! What is on the list goes from the artefact store, in the order in which it was dropped, some in each transaction.
//!
//! A file that the store does not delete goes to the end of the list, and does not keep the rest: not now, nor the next time, however many there are.

use super::{artefact, of_store};
use crate::{
    artefacts::{ArtefactId, Artefacts},
    error::StoreError,
    jobs::Instant,
    store::{
        Store, rows,
        sql::{Statement, sql},
    },
};
use std::{
    sync::Arc,
    time::{Duration, Instant as Moment},
};

/// Artefacts that are deleted in one transaction, at most.
const AT_ONCE: i64 = 64;
/// Artefacts in succession that the store may not delete before the rest is left for the next time.
const PATIENCE: usize = 64;
/// How long after its begin a transaction deletes: well below the time after which PostgreSQL ends one that is idle, and lets an import begin.
const DELETING: Duration = Duration::from_secs(2);

/// A place on the list: when an artefact was dropped, and which.
type Place = (i64, ArtefactId);

/// What one transaction did.
#[derive(Default)]
struct Batch {
    /// What comes off the list.
    done: Vec<ArtefactId>,
    /// How many of them the store had.
    deleted: u64,
    /// What the store did not delete, and why the first of them.
    kept: Vec<ArtefactId>,
    problem: Option<String>,
    /// How far it came.
    end: Option<Place>,
}

/// A statement about what is due and behind a place on the list.
fn due(what: &str, before: Instant, (dropped, id): Place) -> Statement {
    let behind = "dropped <= $1 AND (dropped > $2 OR (dropped = $2 AND artefact > $3))";
    let text =
        format!("SELECT {what} FROM dropped_artefacts WHERE {behind} ORDER BY dropped, artefact LIMIT $4");
    sql(text).bind(before.0).bind(dropped).bind(id.0).bind(AT_ONCE)
}

impl Store {
    /// Deletes artefacts that were dropped before `before` and that nothing names, for as long as `goes_on`. Returns how many.
    ///
    /// # Errors
    /// The database refuses, or the artefact store; what was not deleted is on the list as if it were dropped `now`.
    pub async fn collect_artefacts(
        &self,
        artefacts: Arc<dyn Artefacts>,
        (before, now): (Instant, Instant),
        goes_on: impl Fn() -> bool + Send,
    ) -> Result<u64, StoreError> {
        let (mut deleted, mut kept, mut in_succession, mut problem) = (0, 0, 0, None);
        let mut place = (i64::MIN, ArtefactId([0; 32]));
        while goes_on() && in_succession < PATIENCE {
            // Without the lock first: mostly there is nothing.
            if self.optional(due("artefact", before, place)).await?.is_none() {
                break;
            }
            let batch = self.collect_some(artefacts.clone(), (before, now), place).await?;
            deleted += batch.deleted;
            let unchanged = batch.kept.len();
            kept += unchanged;
            in_succession = if batch.done.is_empty() { in_succession + unchanged } else { 0 };
            problem = problem.or(batch.problem);
            let Some(end) = batch.end else {
                tracing::warn!("a purge was held up before it deleted anything; the next one does");
                break;
            };
            place = end;
        }
        match problem {
            None => Ok(deleted),
            Some(problem) => Err(StoreError::Io(format!(
                "{kept} artefacts were not deleted, and {deleted} were: {problem}"
            ))),
        }
    }

    /// Takes some behind a place off the list.
    async fn collect_some(
        &self,
        artefacts: Arc<dyn Artefacts>,
        (before, now): (Instant, Instant),
        place: Place,
    ) -> Result<Batch, StoreError> {
        let mut tx = self.begin().await?;
        // From before the list is read: PostgreSQL ends a transaction that is idle for long, and an import names then what is deleted after.
        let begun = Moment::now();
        let what = "artefact, dropped, \
                    (SELECT COUNT(*) FROM dataset_files WHERE dataset_files.artefact = dropped_artefacts.artefact) AS named";
        let mut listed = Vec::new();
        for row in tx.all(due(what, before, place)).await? {
            let place = (rows::column(&row, "dropped")?, artefact(&row)?);
            listed.push((place, rows::column::<i64>(&row, "named")? > 0));
        }
        // While the transaction holds, so that no import names one of them meanwhile.
        let store = artefacts.clone();
        let delete = move || {
            let mut batch = Batch::default();
            for ((dropped, id), is_named) in listed {
                if begun.elapsed() > DELETING {
                    break;
                }
                let gone = if is_named { Ok(false) } else { store.delete(&id) };
                match gone {
                    Ok(was_there) => {
                        batch.deleted += u64::from(was_there);
                        batch.done.push(id);
                    }
                    Err(error) => {
                        batch.kept.push(id);
                        batch.problem.get_or_insert_with(|| error.to_string());
                    }
                }
                batch.end = Some((dropped, id));
            }
            Ok(batch)
        };
        let batch = of_store(delete).await?;
        let mut looked_at: Vec<_> = batch.done.iter().map(|id| (id, true)).collect();
        looked_at.extend(batch.kept.iter().map(|id| (id, false)));
        looked_at.sort_unstable();
        let taken_off = async {
            for (id, is_gone) in looked_at {
                // One that was dropped again meanwhile is due later.
                let which = "artefact = $1 AND dropped <= $2";
                let change = match is_gone {
                    true => {
                        sql(format!("DELETE FROM dropped_artefacts WHERE {which}")).bind(id.0).bind(before.0)
                    }
                    false => sql(format!("UPDATE dropped_artefacts SET dropped = $3 WHERE {which}"))
                        .bind(id.0)
                        .bind(before.0)
                        .bind(now.0),
                };
                tx.execute(change).await?;
            }
            tx.commit().await
        };
        match taken_off.await {
            Ok(()) => Ok(batch),
            Err(error) => {
                self.say_what_is_lost(artefacts, batch.done).await?;
                Err(error)
            }
        }
    }

    /// Says which datasets name an artefact that is not in the store: the transaction in which it was deleted had ended before.
    async fn say_what_is_lost(
        &self,
        artefacts: Arc<dyn Artefacts>,
        deleted: Vec<ArtefactId>,
    ) -> Result<(), StoreError> {
        for id in deleted {
            let naming = "SELECT tenant, dataset FROM dataset_files WHERE artefact = $1";
            let named = self.all(sql(naming).bind(id.0)).await?;
            let store = artefacts.clone();
            if named.is_empty() || of_store(move || store.exists(&id)).await? {
                continue;
            }
            for row in named {
                let dataset = hex::encode(rows::column::<&[u8]>(&row, "dataset")?);
                let tenant = rows::tenant(&row)?;
                tracing::error!(
                    tenant = tenant.as_str(), dataset, artefact = %id,
                    "a purge that was held up deleted a file that an import named meanwhile; register the dataset again"
                );
            }
        }
        Ok(())
    }
}
