//! What a claim relies on, and whether the ledger bears it: asked when the claim is accepted, before it is proven, and in the transaction that ends
//! it.

use super::{
    super::{Store, queue::Lease, rows, sql::Connection, sql::sql},
    Effect,
};
use crate::{
    error::StoreError,
    jobs::{Instant, Tenant},
    store::ledger::Standing,
};
use nightingale_circuits::{
    Fr,
    claim::{Consent, Date, PublicInputs, Request},
};
use std::time::Duration;

/// How consents are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsentRules {
    /// Whether a claim needs a consent in the tenant's ledger, and a root that this service published. Otherwise a ledger that is silent about
    /// a consent leaves it to the authority whose register the claim names.
    pub required: bool,
    /// How long a superseded root is accepted.
    pub grace: Duration,
    /// How long after its last publication any root is.
    pub greatest_age: Duration,
}

/// The consent that a claim relies on. No `Debug`.
#[derive(Clone)]
pub struct Reliance {
    /// Member, payer, purpose and data class; its period is the day of receipt.
    consent: Consent,
    /// The root under which it is shown.
    root: Fr,
}

impl Reliance {
    /// As the request names it.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let consent = Consent {
            member: request.claim.patient,
            payer: request.epoch.payer,
            purpose: Consent::PAYMENT,
            data_class: Consent::CLAIMS,
            from: request.received,
            to: request.received,
            permit: true,
        };
        Self { consent, root: request.consent_root }
    }
}

impl Store {
    /// The subject of a reliance, as jobs keep it.
    pub(crate) fn reliance_subject(
        &self,
        tenant: &Tenant,
        reliance: &Reliance,
    ) -> Result<[u8; 32], StoreError> {
        self.consent_subject(tenant, &reliance.consent)
    }

    /// How the ledger stands to a consent on the day of receipt.
    pub(crate) async fn consent_standing(
        &self,
        connection: &mut Connection,
        tenant: &Tenant,
        subject: &[u8],
        received: Date,
        root: &Fr,
        now: Instant,
    ) -> Result<Standing, StoreError> {
        let rules = self.consent_rules;
        match self.newest_statement(connection, tenant, subject).await? {
            Some(held) => {
                let permits = held.effect == Effect::Permit
                    && (held.consent.from..=held.consent.to).contains(&received);
                if !permits {
                    return Ok(Standing::ConsentRevoked);
                }
            }
            None if rules.required => return Ok(Standing::ConsentUnknown),
            None => {}
        }
        if rules.required && !self.counts_as_root(connection, tenant, root, now).await? {
            return Ok(Standing::ConsentRootOld);
        }
        Ok(Standing::Clear)
    }

    /// How the ledger stands to what a request relies on.
    pub(crate) async fn reliance_standing(
        &self,
        connection: &mut Connection,
        tenant: &Tenant,
        reliance: &Reliance,
        now: Instant,
    ) -> Result<Standing, StoreError> {
        let subject = self.reliance_subject(tenant, reliance)?;
        self.consent_standing(connection, tenant, &subject, reliance.consent.from, &reliance.root, now).await
    }

    /// Sees to it that a leased job names the consent that it relies on, and says how the ledger stands to it.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn rely(
        &self,
        lease: &Lease,
        reliance: &Reliance,
        now: Instant,
    ) -> Result<Standing, StoreError> {
        self.seal(&lease.tenant).await?;
        let subject = self.reliance_subject(&lease.tenant, reliance)?;
        let of_job = |text: &'static str| {
            sql(text).bind(lease.tenant.as_str()).bind(lease.id.0.as_slice()).bind(lease.fence)
        };
        // An older release accepted it without: before it is proven, it has one.
        let update = "UPDATE jobs SET consent = $4 \
                      WHERE tenant = $1 AND id = $2 AND state = 'leased' AND fence = $3 AND consent IS NULL";
        let select =
            "SELECT consent FROM jobs WHERE tenant = $1 AND id = $2 AND state = 'leased' AND fence = $3";
        if let Some(row) = self.optional(of_job(select)).await?
            && rows::column::<Option<&[u8]>>(&row, "consent")?.is_none()
        {
            self.execute(of_job(update).bind(subject.as_slice())).await?;
        }
        let mut connection = self.snapshot().await?;
        self.refuse_erased_within(&mut connection, &lease.tenant).await?;
        self.reliance_standing(&mut connection, &lease.tenant, reliance, now).await
    }

    /// How the ledger stands to what a job relies on, in the transaction that ends it.
    pub(in crate::store) async fn concluded_standing(
        &self,
        tx: &mut Connection,
        lease: &Lease,
        public: &PublicInputs,
        now: Instant,
    ) -> Result<Standing, StoreError> {
        let (_, received, _) = public.unpack_amount().ok_or_else(|| rows::damaged("result"))?;
        let root = &public.consent_root;
        let select = "SELECT consent FROM jobs WHERE tenant = $1 AND id = $2";
        let row = tx.one(sql(select).bind(lease.tenant.as_str()).bind(lease.id.0.as_slice())).await?;
        match rows::column::<Option<Vec<u8>>>(&row, "consent")? {
            Some(subject) => self.consent_standing(tx, &lease.tenant, &subject, received, root, now).await,
            // A worker proves nothing without `rely`.
            None if self.consent_rules.required => Ok(Standing::ConsentUnknown),
            None => Ok(Standing::Clear),
        }
    }
}
