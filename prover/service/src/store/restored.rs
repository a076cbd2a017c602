//! A database that was put back from a copy says so: in the log of each tenant, before anything else is put there.
//!
//! Nothing else shows it. What was revoked since the copy stands again, and what was in the audit logs since is not there any more.

use super::{Store, audit, meta, rows, sql::sql};
use crate::{
    audit::{Draft, Event},
    error::StoreError,
    jobs::{Instant, Tenant},
};

/// Held by `meta` from the restore to the first start after it.
pub(super) const NAME: &str = "restored";

impl Store {
    /// Whether there was a restore that no server has put on record.
    pub(super) async fn is_restore_untold(&self) -> Result<bool, StoreError> {
        let select = "SELECT name FROM meta WHERE name = $1";
        Ok(self.optional(sql(select).bind(NAME)).await?.is_some())
    }

    /// Puts a restore on record, where there was one since the last start.
    ///
    /// # Errors
    /// The database refuses; the next start does it.
    pub(super) async fn tell_of_restore(&self) -> Result<(), StoreError> {
        if !self.is_restore_untold().await? {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        // Another server may have been quicker.
        if !meta::removed(&mut tx, NAME).await? {
            return Ok(());
        }
        let all = "SELECT tenant FROM audit_logs WHERE tenant <> $1 UNION SELECT tenant FROM tenant_keys";
        let of = tx.all(sql(all).bind(Tenant::operator().as_str())).await?;
        let mut of = of.iter().map(rows::tenant).collect::<Result<Vec<_>, _>>()?;
        of.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        let (now, entry) = (Instant::now(), Draft::by_service(Event::Restored));
        let tenants = u64::try_from(of.len()).unwrap_or(u64::MAX);
        // The operator's comes first, by its name as well.
        audit::append(&mut tx, &Tenant::operator(), vec![entry.clone().number("tenants", tenants)], now)
            .await?;
        for tenant in of {
            let mut told = entry.clone();
            for (name, newest) in [
                (
                    "statement",
                    "SELECT COALESCE(MAX(number), 0) AS newest FROM consent_statements WHERE tenant = $1",
                ),
                (
                    "consent_epoch",
                    "SELECT COALESCE(MAX(number), 0) AS newest FROM consent_epochs WHERE tenant = $1",
                ),
            ] {
                let row = tx.one(sql(newest).bind(tenant.as_str())).await?;
                told = told.number(name, rows::column::<i64>(&row, "newest")?.unsigned_abs());
            }
            audit::append(&mut tx, &tenant, vec![told], now).await?;
        }
        tx.commit().await?;
        tracing::warn!(
            tenants,
            "the database was restored from a copy: consents that were revoked since stand again, and entries of the audit logs since are gone; \
             docs/operations.md, \"What a restore loses\", says what to do"
        );
        Ok(())
    }
}
