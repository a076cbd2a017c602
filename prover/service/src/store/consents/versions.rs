//! The versions of the consents of datasets' tables: which is the newest, as the transaction that made it so has it.
//!
//! A version is in the dataset's folder before it is here. So whoever reads here first and opens the folder then finds what is here in the folder's own
//! history; a folder without it was brought back from somewhere.

use super::{
    super::{Store, audit, rows, sql::Connection, sql::Row, sql::sql},
    Answer, Asked, Naming,
};
use crate::{
    audit::Event,
    error::StoreError,
    jobs::{Instant, Tenant},
};
use nightingale_circuits::cohort::Keccak;

/// A version of a table's consents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableVersion {
    /// The table.
    pub table: String,
    /// Its number, from 0.
    pub version: u32,
    /// Its commitment, two words of 32 bytes.
    pub commitment: Vec<u8>,
}

impl Store {
    /// The newest version that was recorded of each table's consents, where any was.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn recorded_consents(
        &self,
        tenant: &Tenant,
        dataset: &Keccak,
    ) -> Result<Vec<TableVersion>, StoreError> {
        let select = "SELECT name, version, commitment FROM dataset_consents d WHERE tenant = $1 AND dataset = $2 \
                      AND NOT EXISTS (SELECT 1 FROM dataset_consents n WHERE n.tenant = d.tenant \
                      AND n.dataset = d.dataset AND n.name = d.name AND n.version > d.version) ORDER BY name";
        let rows = self.all(sql(select).bind(tenant.as_str()).bind(dataset.as_slice())).await?;
        let version = |row: &Row| {
            Ok(TableVersion {
                table: rows::column(row, "name")?,
                version: rows::column(row, "version")?,
                commitment: rows::column(row, "commitment")?,
            })
        };
        rows.iter().map(version).collect()
    }

    /// Records versions that a folder has and that nobody recorded, before anything is proven under them.
    ///
    /// # Errors
    /// The database refuses; nothing was changed.
    pub async fn note_consents(
        &self,
        tenant: &Tenant,
        dataset: &Keccak,
        tables: &[TableVersion],
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_for(tenant).await?;
        for table in tables {
            advance(&mut tx, tenant, dataset, table, now).await?;
        }
        tx.commit().await
    }

    /// Records versions as the newest, in one transaction with the request that made them.
    ///
    /// # Errors
    /// The database refuses; nothing was changed.
    pub async fn record_consents(
        &self,
        tenant: &Tenant,
        naming: &Naming<'_>,
        dataset: &Keccak,
        tables: &[TableVersion],
        now: Instant,
    ) -> Result<Asked<Vec<(String, u32)>>, StoreError> {
        self.seal(tenant).await?;
        let mut tx = self.begin_for(tenant).await?;
        if let Some(known) = self.known_versions(&mut tx, tenant, naming).await? {
            return Ok(known);
        }
        let mut entries = Vec::new();
        for table in tables {
            advance(&mut tx, tenant, dataset, table, now).await?;
            let entry = naming.entry(Event::Revoked).dataset(dataset).digest("commitment", &table.commitment);
            entries.push(entry.number("consent_version", table.version.into()));
        }
        audit::append(&mut tx, tenant, entries, now).await?;
        let told: Vec<(String, u32)> =
            tables.iter().map(|table| (table.table.clone(), table.version)).collect();
        let outcome = serde_json::to_vec(&told).map_err(|_| rows::damaged("outcome"))?;
        self.remember(&mut tx, tenant, naming, &outcome, now).await?;
        tx.commit().await?;
        Ok(Asked::Done(told))
    }

    /// What a revocation that was made before had for an answer.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn known_revocation(
        &self,
        tenant: &Tenant,
        naming: &Naming<'_>,
    ) -> Result<Option<Asked<Vec<(String, u32)>>>, StoreError> {
        self.seal(tenant).await?;
        let mut connection = self.snapshot().await?;
        self.known_versions(&mut connection, tenant, naming).await
    }

    async fn known_versions(
        &self,
        connection: &mut Connection,
        tenant: &Tenant,
        naming: &Naming<'_>,
    ) -> Result<Option<Asked<Vec<(String, u32)>>>, StoreError> {
        Ok(match self.answered(connection, tenant, naming).await? {
            None => None,
            Some(Answer::Reused) => Some(Asked::KeyReused),
            Some(Answer::Given(plain)) => {
                Some(Asked::Known(serde_json::from_slice(&plain).map_err(|_| rows::damaged("outcome"))?))
            }
        })
    }
}

/// The newest version that was recorded of a table's consents, and its commitment.
async fn newest(
    connection: &mut Connection,
    tenant: &Tenant,
    dataset: &Keccak,
    table: &str,
) -> Result<Option<(u32, Vec<u8>)>, StoreError> {
    let select = "SELECT version, commitment FROM dataset_consents \
                  WHERE tenant = $1 AND dataset = $2 AND name = $3 ORDER BY version DESC LIMIT 1";
    let select = sql(select).bind(tenant.as_str()).bind(dataset.as_slice()).bind(table);
    let row = connection.optional(select).await?;
    row.map(|row| Ok((rows::column(&row, "version")?, rows::column(&row, "commitment")?))).transpose()
}

/// Makes a version the newest where it is newer than what was recorded.
pub(in crate::store) async fn advance(
    tx: &mut Connection,
    tenant: &Tenant,
    dataset: &Keccak,
    table: &TableVersion,
    now: Instant,
) -> Result<(), StoreError> {
    if let Some((version, commitment)) = newest(tx, tenant, dataset, &table.table).await?
        && version >= table.version
    {
        // One of this number is there: the same, or of a folder that went another way, which must not pass for it.
        let is_another = version == table.version && commitment != table.commitment;
        return if is_another { Err(StoreError::Busy) } else { Ok(()) };
    }
    let insert = "INSERT INTO dataset_consents (tenant, dataset, name, version, commitment, recorded) \
                  VALUES ($1, $2, $3, $4, $5, $6)";
    let recorded = sql(insert)
        .bind(tenant.as_str())
        .bind(dataset.as_slice())
        .bind(&table.table)
        .bind(table.version)
        .bind(&table.commitment)
        .bind(now.0);
    tx.execute(recorded).await.map(drop)
}

/// Whether an answer under `consents` comes too late, in the transaction that would end it: a newer version was recorded, or another one of the
/// same number.
pub(in crate::store) async fn is_superseded(
    tx: &mut Connection,
    tenant: &Tenant,
    dataset: &Keccak,
    consents: &TableVersion,
) -> Result<bool, StoreError> {
    let held = newest(tx, tenant, dataset, &consents.table).await?;
    Ok(held.is_some_and(|(version, commitment)| {
        version > consents.version || (version == consents.version && commitment != consents.commitment)
    }))
}
