//! Requests to the ledger, known by their keys: the same one again is answered as before, and does nothing.

use super::super::{Store, idempotency::Space, rows, seal::Kind, sql::Connection, sql::sql};
use crate::{
    audit::{Draft, Event},
    error::StoreError,
    jobs::{Instant, JobId, Tenant},
};
use zeroize::Zeroizing;

/// A request's name, and everything that it asks for.
pub struct Naming<'a> {
    /// What kind of request it is: where the key counts.
    pub space: Space,
    /// The caller's key.
    pub key: &'a str,
    /// What is asked for, part by part.
    pub request: &'a [&'a [u8]],
    /// Who asks, for the audit log: of each entry the event and what it tells is added.
    pub entry: Draft,
}

impl Naming<'_> {
    /// An entry of the audit log about what is asked for.
    pub(super) fn entry(&self, event: Event) -> Draft {
        Draft { event, ..self.entry.clone() }
    }
}

/// What became of a request.
pub enum Asked<T> {
    /// It was done now.
    Done(T),
    /// It was done before.
    Known(T),
    /// The key names another request.
    KeyReused,
}

/// What is known under a key.
pub enum Answer {
    /// Another request.
    Reused,
    /// This request, with its outcome.
    Given(Zeroizing<Vec<u8>>),
}

impl Store {
    fn consent_request(
        &self,
        tenant: &Tenant,
        naming: &Naming<'_>,
    ) -> Result<([u8; 32], [u8; 32]), StoreError> {
        let seal = self.held_seal(tenant)?;
        let key = naming.space.digest(&seal, naming.key);
        Ok((key, seal.digest("consent request", naming.request)))
    }

    pub(super) async fn answered(
        &self,
        connection: &mut Connection,
        tenant: &Tenant,
        naming: &Naming<'_>,
    ) -> Result<Option<Answer>, StoreError> {
        let (key, request) = self.consent_request(tenant, naming)?;
        // A row of an earlier release does not say of which kind its request is: another one under its key is refused, as that release did.
        let earlier = naming.space.earlier(&self.held_seal(tenant)?, naming.key);
        let select =
            "SELECT id, request, outcome FROM consent_requests WHERE tenant = $1 AND idempotency = $2";
        let mut found = None;
        for key in [key, earlier] {
            if found.is_none() {
                found = connection.optional(sql(select).bind(tenant.as_str()).bind(key)).await?;
            }
        }
        let Some(row) = found else { return Ok(None) };
        if rows::column::<&[u8]>(&row, "request")? != request {
            return Ok(Some(Answer::Reused));
        }
        let plain = self.held_seal(tenant)?.open(
            Kind::ConsentRequest,
            &rows::id(&row)?,
            rows::column(&row, "outcome")?,
        )?;
        Ok(Some(Answer::Given(plain)))
    }

    pub(super) async fn remember(
        &self,
        tx: &mut Connection,
        tenant: &Tenant,
        naming: &Naming<'_>,
        outcome: &[u8],
        now: Instant,
    ) -> Result<(), StoreError> {
        let ((key, request), id) = (self.consent_request(tenant, naming)?, JobId::random());
        let sealed = self.held_seal(tenant)?.seal(Kind::ConsentRequest, &id, outcome)?;
        let insert = "INSERT INTO consent_requests (tenant, idempotency, request, id, answered, outcome) \
                      VALUES ($1, $2, $3, $4, $5, $6)";
        let remembered = sql(insert)
            .bind(tenant.as_str())
            .bind(key.as_slice())
            .bind(request.as_slice())
            .bind(id.0.as_slice())
            .bind(now.0)
            .bind(sealed);
        tx.execute(remembered).await.map(drop)
    }
}
