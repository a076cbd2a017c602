//! A tenant is erased by destroying its keys: whatever was sealed for it, here or in a copy of the database that is taken from now on, is
//! noise.
//!
//! What a copy from before holds is not out of the world: it has the wrapped keys, and opens with the master key of its time
//! (docs/secrets.md).

use super::{newest, newest_of};
use crate::{
    audit::{Draft, Event},
    error::StoreError,
    jobs::{Failure, FailureCode, Instant, JobId, Tenant},
    store::{Store, audit, rows, sql::sql},
};
use rand::RngCore;

/// What an erasure did.
pub struct Erased {
    /// Data keys that were destroyed now; none when it was done before.
    pub keys: u64,
    /// Jobs that it ended.
    pub jobs: Vec<JobId>,
    /// Whether the database's journal and free space hold no copy of the keys either. Not where somebody reads an older state of it all the while.
    pub is_swept: bool,
}

impl Store {
    /// Destroys a tenant's data keys, ends its open jobs and drops its datasets, all in one transaction, and then has the database forget
    /// what it kept of the keys beside its tables. The name is never served again. May be called again: it ends what was left.
    ///
    /// # Errors
    /// The database refuses: nothing was changed, or everything but the last step, which a second call does.
    pub async fn erase_tenant(
        &self,
        tenant: &Tenant,
        reason: &str,
        now: Instant,
    ) -> Result<Erased, StoreError> {
        let name = tenant.as_str();
        let mut tx = self.begin_even_erased(tenant).await?;
        let held = sql("SELECT version, wrapped FROM tenant_keys WHERE tenant = $1").bind(name);
        for row in tx.all(held).await? {
            // In its own place first: deleting alone may leave the bytes in the page.
            let mut noise = vec![0; rows::column::<&[u8]>(&row, "wrapped")?.len()];
            rand::rng().fill_bytes(&mut noise);
            let text = "UPDATE tenant_keys SET wrapped = $1 WHERE tenant = $2 AND version = $3";
            let version: i64 = rows::column(&row, "version")?;
            tx.execute(sql(text).bind(noise).bind(name).bind(version)).await?;
        }
        let keys = tx.execute(sql("DELETE FROM tenant_keys WHERE tenant = $1").bind(name)).await?;
        let note = "INSERT INTO erased_tenants (tenant, erased, reason, keys) VALUES ($1, $2, $3, $4) \
                    ON CONFLICT DO NOTHING";
        let counted = i64::try_from(keys).unwrap_or(i64::MAX);
        tx.execute(sql(note).bind(name).bind(now.0).bind(reason).bind(counted)).await?;
        let failure = Failure::new(FailureCode::TenantErased);
        let end = "UPDATE jobs SET state = 'failed', failure_code = $1, failure_message = $2, ended = $3, \
                   lease_until = NULL, waiting = NULL, witness = NULL WHERE tenant = $4 AND ended IS NULL RETURNING id";
        let end = sql(end).bind(failure.code.name()).bind(failure.message).bind(now.0).bind(name);
        let jobs = tx.all(end).await?;
        self.drop_tenant_files(&mut tx, tenant, now).await?;
        let jobs = jobs.iter().map(rows::id).collect::<Result<Vec<_>, _>>()?;
        let code = FailureCode::TenantErased.name();
        let mut entries: Vec<Draft> =
            jobs.iter().map(|id| Draft::by_service(Event::Failed).job(id).reason(code)).collect();
        entries.push(Draft::by_service(Event::Erased).number("keys", keys).stated(reason));
        audit::append(&mut tx, tenant, entries, now).await?;
        tx.commit().await?;
        self.keyring.forget(tenant);
        let is_swept = self.pools.sweep_keys().await?;
        Ok(Erased { keys, jobs, is_swept })
    }

    /// Whether a tenant was erased.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn is_erased(&self, tenant: &Tenant) -> Result<bool, StoreError> {
        match newest(self.optional(newest_of(tenant)).await?.as_ref()) {
            Err(StoreError::TenantErased) => Ok(true),
            other => other.map(|_| false),
        }
    }
}
