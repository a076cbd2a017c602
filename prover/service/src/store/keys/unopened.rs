//! Tenants whose keys this process asks for, or could not open a moment ago: it leases nothing of theirs meanwhile, so that others' jobs get
//! their turn.

use crate::{
    error::StoreError,
    jobs::Tenant,
    store::{Store, seal::Seal},
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long after a key could not be had, at least. A service that takes longer to say so is left alone for as long as it took.
const LEFT_OUT: Duration = Duration::from_secs(2);
/// How long a question may last: longer than a key service may take.
const ASKED: Duration = Duration::from_secs(60);

/// Until when each is left out.
#[derive(Default)]
pub(in crate::store) struct Unopened(Mutex<HashMap<Tenant, Instant>>);

/// A question for a tenant's key; over when it is dropped, be it that nobody waits for the answer any more.
struct Question<'a> {
    of: &'a Unopened,
    tenant: &'a Tenant,
    asked: Instant,
    /// It cannot be had now.
    failed: bool,
}

impl Unopened {
    fn until(&self) -> MutexGuard<'_, HashMap<Tenant, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<'a>(&'a self, tenant: &'a Tenant) -> Question<'a> {
        let asked = Instant::now();
        self.until().insert(tenant.clone(), asked + ASKED);
        Question { of: self, tenant, asked, failed: false }
    }

    fn tenants(&self) -> Vec<Tenant> {
        let (mut until, now) = (self.until(), Instant::now());
        until.retain(|_, until| now < *until);
        until.keys().cloned().collect()
    }
}

impl Question<'_> {
    /// Only a key that another process may have, or this one later, is a reason to leave jobs to others.
    fn answered(mut self, seal: &Result<Seal, StoreError>) {
        self.failed = matches!(seal, Err(StoreError::KeyService(_)));
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        let mut until = self.of.until();
        if self.failed {
            let left_out = Instant::now() + self.asked.elapsed().max(LEFT_OUT);
            until.insert(self.tenant.clone(), left_out);
        } else {
            until.remove(self.tenant);
        }
    }
}

impl Store {
    /// A tenant's seal, with a new data key where the tenant has none yet.
    ///
    /// # Errors
    /// [`StoreError::TenantErased`]; the database or the key service does not answer; a wrapped key that does not open.
    pub async fn seal(&self, tenant: &Tenant) -> Result<Seal, StoreError> {
        let asking = self.keyring.opened(tenant).is_none().then(|| self.keyring.unopened.ask(tenant));
        let seal = self.seal_or_make(tenant).await;
        match asking {
            Some(question) => question.answered(&seal),
            // Another version than the one that is open.
            None if matches!(seal, Err(StoreError::KeyService(_))) => {
                self.keyring.unopened.ask(tenant).answered(&seal);
            }
            None => {}
        }
        seal
    }

    /// Whose jobs are left to other processes for now.
    pub(in crate::store) fn left_out(&self) -> Vec<Tenant> {
        self.keyring.unopened.tenants()
    }
}
