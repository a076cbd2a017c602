//! Registered datasets: which folder holds which, per tenant.

use super::{
    Store, rows,
    sql::{Row, sql},
};
use crate::{
    error::StoreError,
    jobs::{Instant, Tenant},
};
use nightingale_circuits::cohort::Keccak;

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

fn dataset(row: &Row) -> Result<DatasetRow, StoreError> {
    let digest: &[u8] = rows::column(row, "dataset")?;
    Ok(DatasetRow {
        dataset: digest.try_into().map_err(|_| rows::damaged("dataset"))?,
        path: rows::column(row, "path")?,
        registered: Instant(rows::column(row, "registered")?),
    })
}

impl Store {
    /// A tenant's dataset.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn dataset(&self, tenant: &Tenant, digest: &Keccak) -> Result<Option<DatasetRow>, StoreError> {
        let row = self
            .optional(
                sql("SELECT dataset, path, registered FROM datasets WHERE tenant = $1 AND dataset = $2")
                    .bind(tenant.as_str())
                    .bind(digest.as_slice()),
            )
            .await?;
        row.as_ref().map(dataset).transpose()
    }

    /// All datasets of a tenant, the newest first.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn datasets(&self, tenant: &Tenant) -> Result<Vec<DatasetRow>, StoreError> {
        let text = "SELECT dataset, path, registered FROM datasets WHERE tenant = $1 ORDER BY sequence DESC";
        let rows = self.all(sql(text).bind(tenant.as_str())).await?;
        rows.iter().map(dataset).collect()
    }
}
