//! What approvals have used up: account versions, lines and prior authorisations, per tenant.
//!
//! A decision and everything that it uses up are committed in one transaction, so a crash leaves both or neither.

use super::{Store, queue::Lease, rows};
use crate::{
    error::StoreError,
    jobs::{Decision, Failure, FailureCode, Instant, Tenant},
};
use nightingale_circuits::{
    Fr,
    claim::{Account, PublicInputs},
    field::to_be_bytes,
};
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

/// What an approval uses up; empty for a denial.
#[derive(Clone, Default)]
pub struct Effects {
    spend: Option<[u8; 32]>,
    authorisation: Option<[u8; 32]>,
    /// Line, from 1, and its nullifier.
    lines: Vec<(u32, [u8; 32])>,
}

impl Effects {
    /// As the public inputs name them.
    #[must_use]
    pub fn of(public: &PublicInputs) -> Self {
        let used = |x: &Fr| (*x != Fr::from(0u64)).then(|| to_be_bytes(x));
        let lines = (1..).zip(&public.nullifiers).filter_map(|(line, x)| Some((line, used(x)?))).collect();
        Self { spend: used(&public.spend_tag), authorisation: used(&public.authorisation_tag), lines }
    }

    /// Lines of this claim that are the same service twice.
    fn repeated(&self) -> Vec<u32> {
        let mut by_nullifier: BTreeMap<&[u8; 32], Vec<u32>> = BTreeMap::new();
        for (line, nullifier) in &self.lines {
            by_nullifier.entry(nullifier).or_default().push(*line);
        }
        let mut lines: Vec<u32> =
            by_nullifier.into_values().filter(|same| same.len() > 1).flatten().collect();
        lines.sort_unstable();
        lines
    }
}

/// How effects stand against what was used up before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing of it was.
    Clear,
    /// The account version was.
    AccountSpent,
    /// These lines, from 1, were; or they are one service twice.
    Duplicate(Vec<u32>),
    /// The prior authorisation was.
    AuthorisationUsed,
}

impl Standing {
    /// The failure that it is, where it is one.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Clear => None,
            Self::AccountSpent => Some(Failure::new(FailureCode::AccountSpent)),
            Self::Duplicate(lines) => Some(Failure::new(FailureCode::Duplicate).with_lines(lines.clone())),
            Self::AuthorisationUsed => Some(Failure::new(FailureCode::AuthorisationUsed)),
        }
    }
}

/// What became of a finished proof.
#[derive(Debug, PartialEq, Eq)]
pub enum Finish {
    /// It is the job's result.
    Committed,
    /// The lease is no longer held: the proof is dropped.
    Stale,
    /// Something that it uses was used up meanwhile: the job is still leased.
    Conflict(Standing),
}

async fn is_used(
    connection: &mut SqliteConnection,
    sql: &'static str,
    tenant: &Tenant,
    value: &[u8; 32],
) -> Result<bool, StoreError> {
    let found =
        sqlx::query(sql).bind(tenant.as_str()).bind(value.as_slice()).fetch_optional(connection).await?;
    Ok(found.is_some())
}

/// A line that was billed before is said first: it stays so on every account version.
async fn standing(
    connection: &mut SqliteConnection,
    tenant: &Tenant,
    effects: &Effects,
) -> Result<Standing, StoreError> {
    let mut duplicates = effects.repeated();
    for (line, nullifier) in &effects.lines {
        let sql = "SELECT 1 FROM nullifiers WHERE tenant = ? AND nullifier = ?";
        if !duplicates.contains(line) && is_used(connection, sql, tenant, nullifier).await? {
            duplicates.push(*line);
        }
    }
    if !duplicates.is_empty() {
        duplicates.sort_unstable();
        return Ok(Standing::Duplicate(duplicates));
    }
    if let Some(tag) = &effects.authorisation {
        let sql = "SELECT 1 FROM authorisation_uses WHERE tenant = ? AND tag = ?";
        if is_used(connection, sql, tenant, tag).await? {
            return Ok(Standing::AuthorisationUsed);
        }
    }
    if let Some(tag) = &effects.spend {
        let sql = "SELECT 1 FROM spends WHERE tenant = ? AND tag = ?";
        if is_used(connection, sql, tenant, tag).await? {
            return Ok(Standing::AccountSpent);
        }
    }
    Ok(Standing::Clear)
}

impl Store {
    /// How effects stand now.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn standing(&self, tenant: &Tenant, effects: &Effects) -> Result<Standing, StoreError> {
        let mut connection = self.read.acquire().await?;
        standing(&mut connection, tenant, effects).await
    }

    /// Ends the job with its decision, and uses up what the decision uses, or changes nothing.
    ///
    /// `account` is the account after an approval.
    ///
    /// # Errors
    /// The database refuses; nothing was changed.
    pub async fn finish(
        &self,
        lease: &Lease,
        decision: &Decision,
        account: Option<&Account>,
        now: Instant,
    ) -> Result<Finish, StoreError> {
        let effects = Effects::of(&decision.public);
        let sealed = rows::seal_decision(&self.seal(&lease.tenant), &lease.id, decision)?;
        let (tenant, job) = (lease.tenant.as_str(), lease.id.0.as_slice());
        let mut tx = self.write.begin_with("BEGIN IMMEDIATE").await?;
        if !lease.conclude(&mut tx, sealed, now).await? {
            return Ok(Finish::Stale);
        }
        match standing(&mut tx, &lease.tenant, &effects).await? {
            Standing::Clear => {}
            used => return Ok(Finish::Conflict(used)),
        }
        let one = |table: &'static str, value: [u8; 32]| {
            sqlx::query(table).bind(tenant).bind(value.to_vec()).bind(job)
        };
        for (_, nullifier) in effects.lines {
            let sql = "INSERT INTO nullifiers (tenant, nullifier, job) VALUES (?, ?, ?)";
            one(sql, nullifier).execute(&mut *tx).await?;
        }
        if let Some(tag) = effects.authorisation {
            let sql = "INSERT INTO authorisation_uses (tenant, tag, job) VALUES (?, ?, ?)";
            one(sql, tag).execute(&mut *tx).await?;
        }
        if let Some(tag) = effects.spend {
            one("INSERT INTO spends (tenant, tag, job) VALUES (?, ?, ?)", tag).execute(&mut *tx).await?;
            if let (Some(lock), Some(account)) = (&lease.account_lock, account) {
                self.keep_account(&mut tx, lease, lock, account).await?;
            }
        }
        tx.commit().await?;
        Ok(Finish::Committed)
    }
}
