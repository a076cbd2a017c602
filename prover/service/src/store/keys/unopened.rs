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
use tokio::{sync::Notify, time::timeout};

/// How long after a key could not be had, at least. A service that takes longer to say so is left alone for as long as it took.
const LEFT_OUT: Duration = Duration::from_secs(2);
/// How long a job waits for the answer to somebody else's question: longer than a file or a service that is well takes.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of a tenant whose key is not opened. One that nobody asks for and that may be tried is not here.
#[derive(Default)]
struct Key {
    /// How many ask for it now.
    asked: usize,
    /// It could not be had, and is left alone until then.
    until: Option<Instant>,
}

impl Key {
    fn is_left_out(&self, now: Instant) -> bool {
        self.asked > 0 || self.until.is_some_and(|until| now < until)
    }
}

#[derive(Default)]
pub(in crate::store) struct Unopened {
    keys: Mutex<HashMap<Tenant, Key>>,
    answered: Notify,
}

/// A question for a tenant's key; over when it is dropped, be it that nobody waits for the answer any more.
struct Question<'a> {
    of: &'a Unopened,
    tenant: &'a Tenant,
    since: Instant,
    /// It cannot be had now.
    failed: bool,
}

impl Unopened {
    fn keys(&self) -> MutexGuard<'_, HashMap<Tenant, Key>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn question<'a>(&'a self, tenant: &'a Tenant, key: &mut Key) -> Question<'a> {
        key.asked += 1;
        Question { of: self, tenant, since: Instant::now(), failed: false }
    }

    fn ask<'a>(&'a self, tenant: &'a Tenant) -> Question<'a> {
        self.question(tenant, self.keys().entry(tenant.clone()).or_default())
    }

    /// Asks when nobody else does; not at all where it could not be had a moment ago.
    async fn ask_alone<'a>(&'a self, tenant: &'a Tenant) -> Option<Question<'a>> {
        loop {
            let answered = self.answered.notified();
            {
                let mut keys = self.keys();
                let key = keys.entry(tenant.clone()).or_default();
                if !key.is_left_out(Instant::now()) {
                    return Some(self.question(tenant, key));
                }
                if key.asked == 0 {
                    return None;
                }
            }
            answered.await;
        }
    }

    fn tenants(&self) -> Vec<Tenant> {
        let (mut keys, now) = (self.keys(), Instant::now());
        keys.retain(|_, key| key.is_left_out(now));
        keys.keys().cloned().collect()
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
        let now = Instant::now();
        let mut keys = self.of.keys();
        if let Some(key) = keys.get_mut(self.tenant) {
            key.asked -= 1;
            key.until = self.failed.then(|| now + self.since.elapsed().max(LEFT_OUT));
            if !key.is_left_out(now) {
                keys.remove(self.tenant);
            }
        }
        drop(keys);
        self.of.answered.notify_waiters();
    }
}

impl Store {
    /// A tenant's seal, with a new data key where the tenant has none yet.
    ///
    /// # Errors
    /// [`StoreError::TenantErased`]; the database or the key service does not answer; a wrapped key that does not open.
    pub async fn seal(&self, tenant: &Tenant) -> Result<Seal, StoreError> {
        let asking = self.keyring.opened(tenant).is_none().then(|| self.keyring.unopened.ask(tenant));
        self.seal_as(tenant, asking).await
    }

    /// As [`Store::seal`] for a job that was leased in the moment in which somebody else began to ask for the same key: one that
    /// takes its time is not waited for by all lanes at once.
    ///
    /// # Errors
    /// As [`Store::seal`]; [`StoreError::KeyService`] where somebody still asks for the key.
    pub(in crate::store) async fn seal_in_turn(&self, tenant: &Tenant) -> Result<Seal, StoreError> {
        let mut asking = None;
        if self.keyring.opened(tenant).is_none() {
            asking = timeout(PATIENCE, self.keyring.unopened.ask_alone(tenant)).await.ok().flatten();
            if asking.is_none() {
                return Err(StoreError::KeyService("another job waits for it, or could not have it".into()));
            }
        }
        self.seal_as(tenant, asking).await
    }

    async fn seal_as(&self, tenant: &Tenant, asking: Option<Question<'_>>) -> Result<Seal, StoreError> {
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
