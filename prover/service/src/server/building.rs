//! Work on publications: one of a tenant at a time, few in all, each in its place until it is done, whether or not somebody still waits
//! for it.

use super::status::typed;
use crate::{gate::limits::Load, jobs::Tenant, process::wiping, turns::Turns};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tonic::{Code, Extensions, Status};

/// How many are worked on at once. Each keeps a core busy.
const AT_ONCE: usize = 2;

/// Where they are worked on. Cheap to clone.
#[derive(Clone)]
pub(super) struct Building {
    turns: Turns,
    places: Arc<Semaphore>,
}

/// What a call holds of the bytes under way; nothing where it did not come through the gate.
pub(super) fn load(extensions: &Extensions) -> Option<Arc<Load>> {
    extensions.get().cloned()
}

impl Building {
    pub(super) fn new() -> Self {
        Self { turns: Turns::default(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Works for a tenant, after whatever of its came before. A caller that goes away before its turn gives it up; after that the work
    /// is done to its end, and until then it holds its turn, its place and the call's `load`.
    ///
    /// # Errors
    /// `INTERNAL`: it panicked.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        tenant: &Tenant,
        load: Option<Arc<Load>>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Status> {
        let failed = || typed(Code::Internal, "INTERNAL", "working on the publication failed; report it");
        let turn = self.turns.turn(tenant.as_str()).await;
        let place = self.places.clone().acquire_owned().await.map_err(|_| failed())?;
        let worked = tokio::task::spawn_blocking(move || {
            let _held = (turn, place, load);
            wiping(work)
        });
        worked.await.map_err(|_| failed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::mpsc,
        time::{Duration, Instant},
    };

    /// Long enough for whoever need not wait.
    const MOMENT: Duration = Duration::from_millis(100);
    const SOON: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn work_whose_caller_has_gone_keeps_its_place_until_it_is_done() -> Result<(), Status> {
        let building = Building::new();
        let tenant = |name: &str| Tenant::new(name).ok_or_else(|| Status::internal("no tenant"));
        let (north, south) = (tenant("north")?, tenant("south")?);
        let (end, ended) = mpsc::channel::<()>();
        let begun = Instant::now();
        let work = building.work(&north, None, move || ended.recv_timeout(SOON));
        // The caller goes while it is worked on.
        assert!(tokio::time::timeout(MOMENT, work).await.is_err());
        assert_eq!(building.places.available_permits(), AT_ONCE - 1);
        assert!(
            tokio::time::timeout(MOMENT, building.work(&north, None, || ())).await.is_err(),
            "two at once"
        );
        assert!(tokio::time::timeout(SOON, building.work(&south, None, || ())).await.is_ok());
        let _ = end.send(());
        assert!(tokio::time::timeout(SOON, building.work(&north, None, || ())).await.is_ok());
        assert!(begun.elapsed() < SOON);
        assert_eq!(building.places.available_permits(), AT_ONCE);
        Ok(())
    }
}
