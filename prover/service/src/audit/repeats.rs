//! What happens again and again is counted and put on record once in a while: the same refusal, the same result read by the same caller.
//!
//! The first of each is an entry of its own, so nothing that happened goes unmentioned; a crash loses at most a minute's counts of repetitions.

use super::{Draft, Event};
use crate::{
    engine::Engine,
    error::StoreError,
    identity::Caller,
    jobs::{Instant, Tenant},
    server::status::reason,
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tonic::{Code, Status};

/// How often counts are put on record.
pub(crate) const FLUSH: Duration = Duration::from_secs(60);
/// Different things that are counted at once; beyond, each is an entry.
const MOST: usize = 10_000;

/// Counts since the last flush.
#[derive(Default)]
pub(crate) struct Repeats(Mutex<HashMap<(Tenant, Draft), u64>>);

impl Repeats {
    fn counts(&self) -> MutexGuard<'_, HashMap<(Tenant, Draft), u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a repetition; `false` when there is no room to, and the caller puts it on record itself.
    pub(crate) fn count(&self, tenant: &Tenant, draft: Draft) -> bool {
        let mut counts = self.counts();
        let (key, full) = ((tenant.clone(), draft), counts.len() >= MOST);
        match counts.get_mut(&key) {
            Some(count) => *count += 1,
            None if full => return false,
            None => drop(counts.insert(key, 1)),
        }
        true
    }

    /// Whether this is the first of its kind since the last flush: it is put on record, and the next ones are counted.
    fn is_first(&self, tenant: &Tenant, again: Draft) -> bool {
        let mut counts = self.counts();
        let (key, full) = ((tenant.clone(), again), counts.len() >= MOST);
        match counts.get_mut(&key) {
            Some(count) => {
                *count += 1;
                false
            }
            None => {
                if !full {
                    counts.insert(key, 0);
                }
                true
            }
        }
    }

    /// What was counted since the last time, by tenant.
    fn take(&self) -> HashMap<Tenant, Vec<Draft>> {
        let counts = std::mem::take(&mut *self.counts());
        let mut all: HashMap<Tenant, Vec<Draft>> = HashMap::new();
        for ((tenant, draft), times) in counts.into_iter().filter(|(_, times)| *times > 0) {
            all.entry(tenant).or_default().push(draft.number("times", times));
        }
        all
    }
}

impl Engine {
    /// Puts a refusal on record before the caller hears of it. What only says that the server has no room or is broken is counted by the metrics alone: it says
    /// nothing about anybody's data, and must stay cheap.
    ///
    /// # Errors
    /// The database does not take it: that is what the caller is told.
    pub(crate) async fn audit_refusal(
        &self,
        caller: &Caller,
        named: &str,
        method: &'static str,
        status: &Status,
    ) -> Result<(), StoreError> {
        let server = [Code::ResourceExhausted, Code::Unavailable, Code::Internal, Code::DataLoss];
        if server.contains(&status.code()) {
            return Ok(());
        }
        // A caller that names another tenant than its own is its own tenant's matter; a name that is none is nobody's.
        let Some(tenant) = caller.tenant(named).ok().or_else(|| caller.tenant.clone()) else { return Ok(()) };
        let reason = reason(status);
        let draft = |event| Draft::new(event, caller, method).reason(&reason);
        if !self.repeats.is_first(&tenant, draft(Event::RefusedAgain)) {
            return Ok(());
        }
        self.store.audit(&tenant, vec![draft(Event::Refused)], Instant::now()).await
    }

    /// Puts on record what was counted.
    pub(crate) async fn flush_repeats(&self) {
        for (tenant, drafts) in self.repeats.take() {
            let many = drafts.len();
            if let Err(error) = self.store.audit(&tenant, drafts, Instant::now()).await {
                tracing::error!(%error, many, "counts of repetitions were not put on record");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_an_entry_and_the_rest_are_counted() {
        let (repeats, tenant) = (Repeats::default(), Tenant::new("north").into_iter().next());
        let Some(tenant) = tenant else { return };
        let draft = || Draft::by_service(Event::RefusedAgain).reason("INVALID");
        assert!(repeats.is_first(&tenant, draft()));
        assert!(!repeats.is_first(&tenant, draft()));
        assert!(!repeats.is_first(&tenant, draft()));
        assert!(repeats.is_first(&tenant, draft().reason("NO_CONSENT")));
        let taken = repeats.take();
        let drafts = taken.get(&tenant).map(Vec::as_slice).unwrap_or_default();
        assert_eq!(drafts, [draft().number("times", 2)]);
        assert!(repeats.take().is_empty() && repeats.is_first(&tenant, draft()));
    }

    #[test]
    fn there_is_room_for_so_many_only() {
        let (repeats, tenant) = (Repeats::default(), Tenant::new("north"));
        let Some(tenant) = tenant else { return };
        let draft = |n| Draft::by_service(Event::ReleasedAgain).number("job", n);
        for n in 0..10_000 {
            assert!(repeats.count(&tenant, draft(n)));
        }
        assert!(!repeats.count(&tenant, draft(10_000)));
        assert!(repeats.count(&tenant, draft(0)), "what is counted already goes on being");
        assert!(repeats.is_first(&tenant, Draft::by_service(Event::RefusedAgain)));
        assert!(
            repeats.is_first(&tenant, Draft::by_service(Event::RefusedAgain)),
            "without room each is an entry"
        );
    }
}
