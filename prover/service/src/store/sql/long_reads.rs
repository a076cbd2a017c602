//! Turns of reads that may take long: one of a tenant at a time, and of all one fewer than there are connections that read, where there are several. So
//! what is quick finds a connection, however many lists somebody asks for.

use super::PATIENCE;
use crate::{
    error::StoreError,
    jobs::Tenant,
    turns::{Turn, Turns},
};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Where the turns are taken.
pub(crate) struct LongReads {
    turns: Turns,
    places: Arc<Semaphore>,
}

/// A turn, until it is dropped.
pub(crate) struct LongRead {
    _place: OwnedSemaphorePermit,
    _turn: Turn,
}

impl LongReads {
    /// Beside so many connections that read.
    pub(crate) fn beside(connections: u32) -> Self {
        let places = usize::try_from(connections.saturating_sub(1).max(1)).unwrap_or(1);
        Self { turns: Turns::default(), places: Arc::new(Semaphore::new(places)) }
    }

    /// Waits for a turn of the tenant's.
    ///
    /// # Errors
    /// [`StoreError::Busy`]: it does not come in time.
    pub(crate) async fn turn(&self, tenant: &Tenant) -> Result<LongRead, StoreError> {
        self.turn_of(tenant.as_str()).await
    }

    /// The same for a publication, which waits for none of the tenant's lists.
    ///
    /// # Errors
    /// As [`LongReads::turn`].
    pub(crate) async fn turn_to_publish(&self, tenant: &Tenant) -> Result<LongRead, StoreError> {
        // No tenant's name has a slash.
        self.turn_of(&format!("{}/publish", tenant.as_str())).await
    }

    async fn turn_of(&self, name: &str) -> Result<LongRead, StoreError> {
        let turn = async {
            let turn = self.turns.turn(name).await;
            let place = self.places.clone().acquire_owned().await.map_err(|_| StoreError::Busy)?;
            Ok(LongRead { _place: place, _turn: turn })
        };
        tokio::time::timeout(PATIENCE, turn).await.map_err(|_| StoreError::Busy)?
    }
}
