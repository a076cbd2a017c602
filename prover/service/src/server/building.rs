//! Work that takes long or much memory, on publications and on datasets: one of a tenant at a time, few in all, each in its place until it is
//! done, whether or not somebody still waits for it.

use super::status::typed;
use crate::{
    gate::limits::Load,
    jobs::Tenant,
    process::wiping,
    turns::{Turn, Turns},
};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Extensions, Status};

/// How many publications are worked on at once. Each keeps a core busy.
const PUBLICATIONS: usize = 2;
/// How many datasets are registered, or their consents changed, at once, and how many are opened to be looked at. Each may be held whole.
const REGISTRATIONS: usize = 4;
const OPENINGS: usize = 4;

/// Where one kind of it is done. Cheap to clone.
#[derive(Clone)]
pub(super) struct Building {
    turns: Turns,
    places: Arc<Semaphore>,
}

/// A tenant's turn, a place, and the call's load, until they are dropped.
pub(super) struct Held {
    _turn: Turn,
    _place: OwnedSemaphorePermit,
    _load: Option<Arc<Load>>,
}

impl Held {
    /// Works in the place, and gives it back.
    ///
    /// # Errors
    /// `INTERNAL`: it panicked.
    pub(super) async fn work<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Status> {
        let worked = tokio::task::spawn_blocking(move || {
            let _held = self;
            wiping(work)
        });
        worked.await.map_err(|_| failed())
    }
}

/// What a call holds of the bytes under way; nothing where it did not come through the gate.
pub(super) fn load(extensions: &Extensions) -> Option<Arc<Load>> {
    extensions.get().cloned()
}

fn failed() -> Status {
    typed(Code::Internal, "INTERNAL", "the work for this call failed; report it")
}

impl Building {
    /// Of publications.
    pub(super) fn of_publications() -> Self {
        Self::of(PUBLICATIONS)
    }

    /// Of datasets that are taken in.
    pub(super) fn of_registrations() -> Self {
        Self::of(REGISTRATIONS)
    }

    /// Of consents that change, beside these registrations: in turn with those of the same tenant, and in places of their own, so that no
    /// revocation waits for what others take in.
    pub(super) fn of_revocations(&self) -> Self {
        Self { turns: self.turns.clone(), places: Arc::new(Semaphore::new(REGISTRATIONS)) }
    }

    /// Of datasets that are looked at. They do not wait for those that are taken in.
    pub(super) fn of_openings() -> Self {
        Self::of(OPENINGS)
    }

    fn of(at_once: usize) -> Self {
        Self { turns: Turns::default(), places: Arc::new(Semaphore::new(at_once)) }
    }

    /// A turn of the tenant and a place, for work that is not all done on one thread: whoever works keeps them to its end. A caller that goes
    /// away before gives its turn up.
    ///
    /// # Errors
    /// None in practice: the places are never closed.
    pub(super) async fn hold(&self, tenant: &Tenant, load: Option<Arc<Load>>) -> Result<Held, Status> {
        let turn = self.turns.turn(tenant.as_str()).await;
        let place = self.places.clone().acquire_owned().await.map_err(|_| failed())?;
        Ok(Held { _turn: turn, _place: place, _load: load })
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
        self.hold(tenant, load).await?.work(work).await
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
        let building = Building::of_publications();
        let tenant = |name: &str| Tenant::new(name).ok_or_else(|| Status::internal("no tenant"));
        let (north, south) = (tenant("north")?, tenant("south")?);
        let (end, ended) = mpsc::channel::<()>();
        let begun = Instant::now();
        let work = building.work(&north, None, move || ended.recv_timeout(SOON));
        // The caller goes while it is worked on.
        assert!(tokio::time::timeout(MOMENT, work).await.is_err());
        assert_eq!(building.places.available_permits(), PUBLICATIONS - 1);
        assert!(
            tokio::time::timeout(MOMENT, building.work(&north, None, || ())).await.is_err(),
            "two at once"
        );
        assert!(tokio::time::timeout(SOON, building.work(&south, None, || ())).await.is_ok());
        let _ = end.send(());
        assert!(tokio::time::timeout(SOON, building.work(&north, None, || ())).await.is_ok());
        assert!(begun.elapsed() < SOON);
        assert_eq!(building.places.available_permits(), PUBLICATIONS);
        Ok(())
    }
}
