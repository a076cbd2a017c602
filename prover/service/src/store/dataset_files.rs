//! Which artefacts hold the files of a registered dataset.
//!
//! A dataset's files come and go together: a new revision replaces the one before in one transaction. What nothing names, any more or yet, is on a list
//! before it is anywhere else, and deleted from the artefact store later: whoever reads it just now, or is about to name it, is not disturbed.

mod collection;

use super::{
    Store, audit,
    consents::versions::{TableVersion, advance, is_superseded},
    datasets::DatasetRow,
    jobs::leave_room,
    rows,
    sql::{Connection, Row, sql},
};
use crate::{
    artefacts::{ArtefactError, ArtefactId, Artefacts},
    audit::Draft,
    error::StoreError,
    jobs::{Instant, Tenant},
};
use nightingale_circuits::cohort::Keccak;
use std::{collections::BTreeMap, sync::Arc};

/// Lists an artefact; one that is listed has its time anew.
const LIST: &str = "INSERT INTO dropped_artefacts (artefact, dropped) VALUES ($1, $2) \
                    ON CONFLICT (artefact) DO UPDATE SET dropped = excluded.dropped";

/// A file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetFile {
    /// Its name in the folder.
    pub name: String,
    /// Where its bytes are.
    pub artefact: ArtefactId,
    /// How long its content is.
    pub bytes: u64,
    /// Whether it is sealed under a data key of its tenant.
    pub sealed: bool,
}

/// The files of a dataset at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetFiles {
    /// From 1.
    pub revision: i64,
    /// All of them.
    pub files: Vec<DatasetFile>,
}

/// What an import puts in the place of a dataset's files.
#[derive(Clone, Copy)]
pub struct Revision<'a> {
    /// All of its files.
    pub files: &'a [DatasetFile],
    /// The newest consents of each table, as they are in the files.
    pub consents: &'a [TableVersion],
    /// The number of the revision that it replaces; 0 where there is none.
    pub after: i64,
}

/// What became of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// These are the dataset's files now.
    Imported(DatasetFiles),
    /// Another import came between, or newer consents were recorded, and nothing was changed.
    Overtaken,
    /// A file is not in the artefact store any more: it was on its way out when it was put, and a purge deleted it. Nothing was changed; put
    /// the files again.
    Missing,
}

fn artefact(row: &Row) -> Result<ArtefactId, StoreError> {
    let bytes: &[u8] = rows::column(row, "artefact")?;
    bytes.try_into().map(ArtefactId).map_err(|_| rows::damaged("artefact"))
}

fn file(row: &Row) -> Result<DatasetFile, StoreError> {
    Ok(DatasetFile {
        name: rows::column(row, "name")?,
        artefact: artefact(row)?,
        bytes: rows::column(row, "bytes")?,
        sealed: rows::column(row, "sealed")?,
    })
}

impl Store {
    /// The files of a tenant's dataset at its newest revision; `None` when none were imported.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn dataset_files(
        &self,
        tenant: &Tenant,
        dataset: &Keccak,
    ) -> Result<Option<DatasetFiles>, StoreError> {
        let text = "SELECT revision, name, artefact, bytes, sealed FROM dataset_files WHERE tenant = $1 AND dataset = $2 \
                    AND revision = (SELECT MAX(revision) FROM dataset_files WHERE tenant = $1 AND dataset = $2) ORDER BY name";
        let found = self.all(sql(text).bind(tenant.as_str()).bind(dataset.as_slice())).await?;
        let Some(first) = found.first() else { return Ok(None) };
        let revision = rows::column(first, "revision")?;
        Ok(Some(DatasetFiles { revision, files: found.iter().map(file).collect::<Result<_, _>>()? }))
    }

    /// Lists an artefact that is about to be put, before it is: a purge deletes what nothing names by its time.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn list_artefact(&self, id: &ArtefactId, now: Instant) -> Result<(), StoreError> {
        self.execute(sql(LIST).bind(id.0).bind(now.0)).await.map(drop)
    }

    /// Registers a dataset with its files, which is put on record, or puts them in the place of an earlier revision, and records their consents as the
    /// newest: all of it or nothing. Each file is in the artefact store when this ends, and stays there as long as it is named.
    ///
    /// # Errors
    /// The tenant was erased meanwhile; the database refuses, or the artefact store.
    pub async fn import_dataset(
        &self,
        tenant: &Tenant,
        row: &DatasetRow,
        artefacts: &Arc<dyn Artefacts>,
        Revision { files, consents, after }: Revision<'_>,
        entry: Draft,
        now: Instant,
    ) -> Result<ImportOutcome, StoreError> {
        // Alone among all tenants': what is deleted from the artefact store is deleted between two of these.
        let mut tx = self.begin_with(tenant).await?;
        self.refuse_erased_within(&mut tx, tenant).await?;
        let (name, digest) = (tenant.as_str(), row.dataset.as_slice());
        let newest = "SELECT COALESCE(MAX(revision), 0) AS revision FROM dataset_files WHERE tenant = $1 AND dataset = $2";
        let newest: i64 = rows::column(&tx.one(sql(newest).bind(name).bind(digest)).await?, "revision")?;
        if newest != after {
            return Ok(ImportOutcome::Overtaken);
        }
        for table in consents {
            if is_superseded(&mut tx, tenant, &row.dataset, table).await? {
                return Ok(ImportOutcome::Overtaken);
            }
            // No answer under older ones ends from here on, however soon its worker opens these files.
            advance(&mut tx, tenant, &row.dataset, table, now).await?;
        }
        // What was put may have been on the list, and gone before this transaction began. From here on nothing is deleted before it ends.
        if !are_stored(artefacts.clone(), files).await? {
            return Ok(ImportOutcome::Missing);
        }
        let register = "INSERT INTO datasets (tenant, dataset, path, registered) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let register = sql(register).bind(name).bind(digest).bind(&row.path).bind(now.0);
        if tx.execute(register).await? == 1 {
            audit::append(&mut tx, tenant, vec![entry.dataset(&row.dataset)], now).await?;
        }
        for file in files {
            let text = "INSERT INTO dataset_files (tenant, dataset, revision, name, artefact, bytes, sealed) \
                        VALUES ($1, $2, $3, $4, $5, $6, $7)";
            let bytes = i64::try_from(file.bytes).map_err(|_| StoreError::Bug("a file above 2^63".into()))?;
            let insert = sql(text).bind(name).bind(digest).bind(after + 1).bind(&file.name);
            tx.execute(insert.bind(file.artefact.0).bind(bytes).bind(file.sealed)).await?;
        }
        let before = "tenant = $1 AND dataset = $2 AND revision <= $3";
        drop_files(&mut tx, before, files, now, |statement| statement.bind(name).bind(digest).bind(after))
            .await?;
        // A revision takes the place of the one before, and may be a revocation.
        if after == 0 {
            leave_room(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(ImportOutcome::Imported(DatasetFiles { revision: after + 1, files: files.to_vec() }))
    }

    /// Drops a tenant's datasets and their files, within the caller's transaction.
    pub(super) async fn drop_tenant_files(
        &self,
        tx: &mut Connection,
        tenant: &Tenant,
        now: Instant,
    ) -> Result<(), StoreError> {
        drop_files(tx, "tenant = $1", &[], now, |statement| statement.bind(tenant.as_str())).await?;
        tx.execute(sql("DELETE FROM datasets WHERE tenant = $1").bind(tenant.as_str())).await.map(drop)
    }

    /// Drops datasets that were registered before `before`, and their files, each in a transaction of its tenant. Returns how many.
    ///
    /// # Errors
    /// The database refuses, or a tenant was busy: the others' are dropped.
    pub async fn expire_datasets(&self, before: Instant, now: Instant) -> Result<u64, StoreError> {
        let due = sql("SELECT tenant, dataset FROM datasets WHERE registered < $1 ORDER BY sequence");
        let (mut dropped, mut problem) = (0, None);
        for row in self.all(due.bind(before.0)).await? {
            let tenant = rows::tenant(&row)?;
            match self.expire_dataset(&tenant, rows::column(&row, "dataset")?, before, now).await {
                Ok(is_dropped) => dropped += u64::from(is_dropped),
                Err(error) => {
                    tracing::warn!(%error, tenant = tenant.as_str(), "dropping a dataset was put off");
                    problem.get_or_insert(error);
                }
            }
        }
        problem.map_or(Ok(dropped), Err)
    }

    async fn expire_dataset(
        &self,
        tenant: &Tenant,
        dataset: &[u8],
        before: Instant,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin_briefly(tenant).await?;
        let drop = "DELETE FROM datasets WHERE tenant = $1 AND dataset = $2 AND registered < $3";
        let drop = sql(drop).bind(tenant.as_str()).bind(dataset).bind(before.0);
        if tx.execute(drop).await? == 0 {
            return Ok(false);
        }
        let which = "tenant = $1 AND dataset = $2";
        drop_files(&mut tx, which, &[], now, |statement| statement.bind(tenant.as_str()).bind(dataset))
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Datasets that an earlier release registered by their folders alone.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn datasets_without_files(&self) -> Result<Vec<(Tenant, Keccak, String)>, StoreError> {
        let text = "SELECT tenant, dataset, path FROM datasets WHERE NOT EXISTS (SELECT 1 FROM dataset_files \
                    WHERE dataset_files.tenant = datasets.tenant AND dataset_files.dataset = datasets.dataset) ORDER BY sequence";
        let found = self.all(sql(text)).await?;
        let one = |row: &Row| {
            let digest: &[u8] = rows::column(row, "dataset")?;
            let digest = digest.try_into().map_err(|_| rows::damaged("dataset"))?;
            Ok((rows::tenant(row)?, digest, rows::column(row, "path")?))
        };
        found.iter().map(one).collect()
    }
}

/// Whether every file is in the artefact store.
async fn are_stored(artefacts: Arc<dyn Artefacts>, files: &[DatasetFile]) -> Result<bool, StoreError> {
    let ids: Vec<ArtefactId> = files.iter().map(|file| file.artefact).collect();
    of_store(move || {
        for id in ids {
            if !artefacts.exists(&id)? {
                return Ok(false);
            }
        }
        Ok(true)
    })
    .await
}

async fn of_store<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArtefactError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|_| StoreError::Bug("the artefact store panicked".into()))?;
    done.map_err(|error| StoreError::Io(error.to_string()))
}

/// Drops the file rows of a condition, and lists their artefacts, but those of `kept`: they come off the list. All in the order of their names: of two
/// transactions that change the list, one waits for the other and never both.
async fn drop_files(
    tx: &mut Connection,
    which: &str,
    kept: &[DatasetFile],
    now: Instant,
    bind: impl Fn(super::sql::Statement) -> super::sql::Statement,
) -> Result<(), StoreError> {
    let delete = sql(format!("DELETE FROM dataset_files WHERE {which} RETURNING artefact"));
    let mut is_listed = BTreeMap::new();
    for row in tx.all(bind(delete)).await? {
        is_listed.insert(artefact(&row)?, true);
    }
    is_listed.extend(kept.iter().map(|file| (file.artefact, false)));
    for (id, is_listed) in is_listed {
        let change = match is_listed {
            true => sql(LIST).bind(id.0).bind(now.0),
            false => sql("DELETE FROM dropped_artefacts WHERE artefact = $1").bind(id.0),
        };
        tx.execute(change).await?;
    }
    Ok(())
}
