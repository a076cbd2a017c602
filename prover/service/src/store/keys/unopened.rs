//! Tenants whose keys this process could not open a moment ago: it leases nothing of theirs meanwhile, so that others' jobs get their turn.

use crate::{
    error::StoreError,
    jobs::Tenant,
    store::{Store, seal::Seal},
};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long after a key could not be had. A tenant whose key is there again waits no longer than this.
const LEFT_OUT: Duration = Duration::from_secs(2);

/// When each was tried.
#[derive(Default)]
pub(in crate::store) struct Unopened(Mutex<HashMap<Tenant, Instant>>);

impl Unopened {
    /// Takes note of what became of a tenant's seal. Only a key that another process may have, or this one later, is a reason to leave jobs to others.
    fn note(&self, tenant: &Tenant, seal: &Result<Seal, StoreError>) {
        let mut tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seal {
            Ok(_) => drop(tried.remove(tenant)),
            Err(StoreError::KeyService(_)) => drop(tried.insert(tenant.clone(), Instant::now())),
            Err(_) => {}
        }
    }

    fn tenants(&self) -> Vec<Tenant> {
        let mut tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tried.retain(|_, tried| tried.elapsed() < LEFT_OUT);
        tried.keys().cloned().collect()
    }
}

impl Store {
    /// A tenant's seal, with a new data key where the tenant has none yet.
    ///
    /// # Errors
    /// [`StoreError::TenantErased`]; the database or the key service does not answer; a wrapped key that does not open.
    pub async fn seal(&self, tenant: &Tenant) -> Result<Seal, StoreError> {
        let seal = self.seal_or_make(tenant).await;
        self.keyring.unopened.note(tenant, &seal);
        seal
    }

    /// Whose jobs are left to other processes for now.
    pub(in crate::store) fn left_out(&self) -> Vec<Tenant> {
        self.keyring.unopened.tenants()
    }
}
