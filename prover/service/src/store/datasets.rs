//! Registered datasets: which folder holds which, per tenant.

use super::{Store, rows};
use crate::{
    error::StoreError,
    jobs::{Instant, Tenant},
};
use nightingale_circuits::cohort::Keccak;
use sqlx::sqlite::SqliteRow;

/// A registered dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetRow {
    /// Its digest.
    pub dataset: Keccak,
    /// Its folder, below the tenant's.
    pub path: String,
    /// When it was registered here.
    pub registered: Instant,
}

fn dataset(row: &SqliteRow) -> Result<DatasetRow, StoreError> {
    let digest: &[u8] = rows::column(row, "dataset")?;
    Ok(DatasetRow {
        dataset: digest.try_into().map_err(|_| rows::damaged("dataset"))?,
        path: rows::column(row, "path")?,
        registered: Instant(rows::column(row, "registered")?),
    })
}

impl Store {
    /// Registers a dataset, or gives its earlier registration, whose path may be another.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn register_dataset(
        &self,
        tenant: &Tenant,
        digest: &Keccak,
        path: &str,
        now: Instant,
    ) -> Result<DatasetRow, StoreError> {
        sqlx::query("INSERT INTO datasets (tenant, dataset, path, registered) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(tenant.as_str())
            .bind(digest.as_slice())
            .bind(path)
            .bind(now.0)
            .execute(&self.write)
            .await?;
        let row = self.dataset(tenant, digest).await?;
        row.ok_or_else(|| StoreError::Bug("a registered dataset is gone".into()))
    }

    /// A tenant's dataset.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn dataset(&self, tenant: &Tenant, digest: &Keccak) -> Result<Option<DatasetRow>, StoreError> {
        let row =
            sqlx::query("SELECT dataset, path, registered FROM datasets WHERE tenant = ? AND dataset = ?")
                .bind(tenant.as_str())
                .bind(digest.as_slice())
                .fetch_optional(&self.read)
                .await?;
        row.as_ref().map(dataset).transpose()
    }

    /// All datasets of a tenant, the newest first.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn datasets(&self, tenant: &Tenant) -> Result<Vec<DatasetRow>, StoreError> {
        let sql = "SELECT dataset, path, registered FROM datasets WHERE tenant = ? ORDER BY sequence DESC";
        let rows = sqlx::query(sql).bind(tenant.as_str()).fetch_all(&self.read).await?;
        rows.iter().map(dataset).collect()
    }
}
