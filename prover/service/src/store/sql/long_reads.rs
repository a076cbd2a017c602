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
        let turn = async {
            let turn = self.turns.turn(tenant.as_str()).await;
            let place = self.places.clone().acquire_owned().await.map_err(|_| StoreError::Busy)?;
            Ok(LongRead { _place: place, _turn: turn })
        };
        tokio::time::timeout(PATIENCE, turn).await.map_err(|_| StoreError::Busy)?
    }
}
