//! What approvals have used up: account versions, lines and prior authorisations, per tenant.
//!
//! A decision and everything that it uses up are committed in one transaction, so a crash leaves both or neither.

use super::{
    Store, audit,
    queue::Lease,
    rows,
    sql::{Connection, sql},
};
use crate::{
    audit::{Draft, Event},
    error::StoreError,
    jobs::{Decision, Failure, FailureCode, Instant, Tenant},
};
use nightingale_circuits::{
    Fr,
    claim::{Account, PublicInputs},
    field::to_be_bytes,
};
use sha2::{Digest, Sha256};
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
    /// The consent that the claim relies on is not in force on its day of receipt.
    ConsentRevoked,
    /// The ledger of consents, which must know it, does not.
    ConsentUnknown,
    /// The consent root is none that may still be relied on.
    ConsentRootOld,
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
            Self::ConsentRevoked => Some(Failure::new(FailureCode::ConsentRevoked)),
            Self::ConsentUnknown => Some(Failure::new(FailureCode::ConsentUnknown)),
            Self::ConsentRootOld => Some(Failure::new(FailureCode::ConsentRootOld)),
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
    connection: &mut Connection,
    select: &'static str,
    tenant: &Tenant,
    value: &[u8; 32],
) -> Result<bool, StoreError> {
    let found = connection.optional(sql(select).bind(tenant.as_str()).bind(value.as_slice())).await?;
    Ok(found.is_some())
}

/// A line that was billed before is said first: it stays so on every account version.
async fn standing(
    connection: &mut Connection,
    tenant: &Tenant,
    effects: &Effects,
) -> Result<Standing, StoreError> {
    let mut duplicates = effects.repeated();
    for (line, nullifier) in &effects.lines {
        let select = "SELECT 1 FROM nullifiers WHERE tenant = $1 AND nullifier = $2";
        if !duplicates.contains(line) && is_used(connection, select, tenant, nullifier).await? {
            duplicates.push(*line);
        }
    }
    if !duplicates.is_empty() {
        duplicates.sort_unstable();
        return Ok(Standing::Duplicate(duplicates));
    }
    if let Some(tag) = &effects.authorisation {
        let select = "SELECT 1 FROM authorisation_uses WHERE tenant = $1 AND tag = $2";
        if is_used(connection, select, tenant, tag).await? {
            return Ok(Standing::AuthorisationUsed);
        }
    }
    if let Some(tag) = &effects.spend {
        let select = "SELECT 1 FROM spends WHERE tenant = $1 AND tag = $2";
        if is_used(connection, select, tenant, tag).await? {
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
        let mut connection = self.snapshot().await?;
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
        clock: impl Fn() -> Instant + Send,
    ) -> Result<Finish, StoreError> {
        let effects = Effects::of(&decision.public);
        let seal = self.seal(&lease.tenant).await?;
        let sealed = rows::seal_decision(&seal, &lease.id, decision)?;
        let (tenant, job) = (lease.tenant.as_str(), lease.id.0.as_slice());
        let mut tx = self.begin_for(&lease.tenant).await?;
        // Its turn may have been long in coming: a deadline that passed meanwhile has passed.
        let now = clock();
        if !lease.conclude(&mut tx, sealed, now).await? {
            return Ok(Finish::Stale);
        }
        // First what cannot be put right: a revocation that was committed before this wins.
        match self.concluded_standing(&mut tx, lease, &decision.public, now).await? {
            Standing::Clear => {}
            revoked => return Ok(Finish::Conflict(revoked)),
        }
        match standing(&mut tx, &lease.tenant, &effects).await? {
            Standing::Clear => {}
            used => return Ok(Finish::Conflict(used)),
        }
        let one =
            |table: &'static str, value: [u8; 32]| sql(table).bind(tenant).bind(value.to_vec()).bind(job);
        for (_, nullifier) in effects.lines {
            let insert = "INSERT INTO nullifiers (tenant, nullifier, job) VALUES ($1, $2, $3)";
            tx.execute(one(insert, nullifier)).await?;
        }
        if let Some(tag) = effects.authorisation {
            let insert = "INSERT INTO authorisation_uses (tenant, tag, job) VALUES ($1, $2, $3)";
            tx.execute(one(insert, tag)).await?;
        }
        if let Some(tag) = effects.spend {
            tx.execute(one("INSERT INTO spends (tenant, tag, job) VALUES ($1, $2, $3)", tag)).await?;
            if let (Some(lock), Some(account)) = (&lease.account_lock, account) {
                self.keep_account(&mut tx, &seal, lease, lock, account).await?;
            }
        }
        let entry = Draft::by_service(Event::Decided)
            .job(&lease.id)
            .digest("key", &decision.key_digest)
            .digest("proof", &Sha256::digest(&decision.proof_json))
            .digest("epoch_root", &to_be_bytes(&decision.public.epoch_root))
            .digest("consent_root", &to_be_bytes(&decision.public.consent_root));
        audit::append(&mut tx, &lease.tenant, vec![entry], now).await?;
        tx.commit().await?;
        Ok(Finish::Committed)
    }
}
