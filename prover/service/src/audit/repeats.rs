//! What happens again and again is counted and put on record once in a while: the same refusal, the same result read by the same caller.
//!
//! The first of each is an entry of its own, so nothing that happened goes unmentioned. A count is kept until the entry that tells it is
//! committed; a crash loses at most a minute's counts of repetitions. Each tenant has room of its own: where it is full, each repetition
//! is an entry, and nobody else's counts go for it.

use super::{Draft, Event};
use crate::{
    engine::Engine,
    error::{ServiceError, StoreError},
    identity::Caller,
    jobs::{Instant, Tenant},
    server::status::reason,
    store::questions::LedgerLine,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle};
use tonic::{Code, Status};

/// How often counts are put on record.
const FLUSH: Duration = Duration::from_secs(60);
/// Different things that are counted of one tenant at once; beyond, each is an entry.
const MOST: usize = 4_096;
/// Tenants of which something is counted at once; beyond, each is an entry.
const TENANTS: usize = 4_096;
/// How long counts are tried to be put on record before the process ends, and how long after one another.
const LAST: Duration = Duration::from_secs(5);
const LAST_PAUSE: Duration = Duration::from_millis(500);

/// What was counted of one tenant.
type Counts = HashMap<Draft, u64>;
/// How it went with putting a first of its kind on record, once it is known.
type Recording = watch::Receiver<Option<Result<(), StoreError>>>;

/// A refusal that was not counted before.
#[derive(Clone)]
struct First {
    entry: Draft,
    /// Of a question: its line in the ledger.
    line: Option<Box<LedgerLine>>,
}

/// Counts that are not on record yet.
#[derive(Default)]
pub(crate) struct Repeats {
    counts: Mutex<HashMap<Tenant, Counts>>,
    /// The firsts that are being put on record, by what is counted after them. Locked before the counts.
    firsts: Mutex<HashMap<(Tenant, Draft), Recording>>,
    /// Nothing is counted any more.
    closed: watch::Sender<bool>,
}

impl Repeats {
    fn counts(&self) -> MutexGuard<'_, HashMap<Tenant, Counts>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn firsts(&self) -> MutexGuard<'_, HashMap<(Tenant, Draft), Recording>> {
        self.firsts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a repetition; `false` when there is no room to, and the caller puts it on record itself.
    pub(crate) fn count(&self, tenant: &Tenant, draft: Draft) -> bool {
        self.add(tenant, draft, 1).is_some()
    }

    /// Counts: what is new begins with `first`. Whether it is new; `None` without room.
    fn add(&self, tenant: &Tenant, draft: Draft, first: u64) -> Option<bool> {
        let mut all = self.counts();
        // Under the lock, so that who closes finds what was counted before.
        if *self.closed.borrow() || (all.len() >= TENANTS && !all.contains_key(tenant)) {
            return None;
        }
        let counts = all.entry(tenant.clone()).or_default();
        let full = counts.len() >= MOST;
        match counts.get_mut(&draft) {
            Some(count) => {
                *count += 1;
                Some(false)
            }
            None if full => None,
            None => {
                counts.insert(draft, first);
                Some(true)
            }
        }
    }

    /// The first of its kind was not put on record: the next one is first. Nobody heard of those that were counted meanwhile, either.
    fn was_not_recorded(&self, tenant: &Tenant, again: &Draft) {
        self.settle(tenant, &[(again.clone(), u64::MAX)]);
    }

    /// What was counted, by tenant. It stays counted until it is [settled](Self::settle); what was not repeated is forgotten.
    fn counted(&self) -> Vec<(Tenant, Vec<(Draft, u64)>)> {
        let mut all = self.counts();
        all.retain(|_, counts| {
            counts.retain(|_, times| *times > 0);
            !counts.is_empty()
        });
        let counted = |(tenant, counts): (&Tenant, &Counts)| {
            let counts = counts.iter().map(|(draft, times)| (draft.clone(), *times));
            (tenant.clone(), counts.collect())
        };
        all.iter().map(counted).collect()
    }

    /// Takes away what is on record by now.
    fn settle(&self, tenant: &Tenant, recorded: &[(Draft, u64)]) {
        let mut all = self.counts();
        let Some(counts) = all.get_mut(tenant) else { return };
        for (draft, times) in recorded {
            if let Some(count) = counts.get_mut(draft) {
                *count = count.saturating_sub(*times);
                if *count == 0 {
                    counts.remove(draft);
                }
            }
        }
        if counts.is_empty() {
            all.remove(tenant);
        }
    }

    fn close(&self) {
        let _all = self.counts();
        self.closed.send_replace(true);
    }
}

impl Engine {
    /// Puts a refusal on record before the caller hears of it. What only says that the server has no room or is broken is counted by the metrics alone: it says
    /// nothing about anybody's data, and must stay cheap. One that is counted waits for the first of its kind to be on record.
    ///
    /// # Errors
    /// The database does not take it: that is what the caller is told.
    pub(crate) async fn audit_refusal(
        self: &Arc<Self>,
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
        let first = First { entry: draft(Event::Refused), line: None };
        self.count_refusal(&tenant, first, draft(Event::RefusedAgain)).await
    }

    /// As [`audit_refusal`](Self::audit_refusal), of a question that was read: its first is in the ledger of questions, too. Another question that is
    /// refused for the same reason is another refusal.
    ///
    /// # Errors
    /// As there.
    pub(crate) async fn audit_refused_question(
        self: &Arc<Self>,
        tenant: &Tenant,
        line: Box<LedgerLine>,
        entry: Draft,
    ) -> Result<(), StoreError> {
        let again = Draft::by(Event::RefusedAgain, entry.actor.clone(), entry.method);
        let again = again.dataset(&line.dataset).digest("query", &line.digest);
        let again =
            again.with("asked_as", line.role.clone()).reason(line.outcome.as_ref().err().map_or("", |r| r));
        self.count_refusal(tenant, First { entry, line: Some(line) }, again).await
    }

    async fn count_refusal(
        self: &Arc<Self>,
        tenant: &Tenant,
        first: First,
        again: Draft,
    ) -> Result<(), StoreError> {
        let recording = {
            let mut firsts = self.repeats.firsts();
            match self.repeats.add(tenant, again.clone(), 0) {
                None => None,
                Some(false) => match firsts.get(&(tenant.clone(), again)) {
                    Some(recording) => Some(recording.clone()),
                    None => return Ok(()),
                },
                Some(true) => {
                    let (told, recording) = watch::channel(None);
                    firsts.insert((tenant.clone(), again.clone()), recording.clone());
                    // Of its own: a caller who goes away must not leave repetitions without their first.
                    tokio::spawn(self.clone().record_first(tenant.clone(), first.clone(), again, told));
                    Some(recording)
                }
            }
        };
        let Some(mut recording) = recording else {
            return self.record_refusal(tenant, &first).await;
        };
        match recording.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Err(error))) => Err(error.again()),
            Ok(_) => Ok(()),
            Err(_) => Err(StoreError::Io("a refusal was not put on record".into())),
        }
    }

    async fn record_refusal(&self, tenant: &Tenant, First { entry, line }: &First) -> Result<(), StoreError> {
        match line {
            Some(line) => self.store.record_refusal(tenant, line, entry.clone(), Instant::now()).await,
            None => self.store.audit_where_room_is(tenant, vec![entry.clone()], Instant::now()).await,
        }
    }

    /// Puts a first of its kind on record, and tells whoever waits for that.
    async fn record_first(
        self: Arc<Self>,
        tenant: Tenant,
        first: First,
        again: Draft,
        told: watch::Sender<Option<Result<(), StoreError>>>,
    ) {
        let recorded = self.record_refusal(&tenant, &first).await;
        let mut firsts = self.repeats.firsts();
        if recorded.is_err() {
            self.repeats.was_not_recorded(&tenant, &again);
        }
        let key = (tenant, again);
        // A flush may have forgotten it meanwhile, and another one have begun.
        if firsts.get(&key).is_some_and(|recording| recording.same_channel(&told.subscribe())) {
            firsts.remove(&key);
        }
        drop(firsts);
        told.send_replace(Some(recorded));
    }

    /// Puts on record what was counted, every minute, until [`end_repeats`](Self::end_repeats).
    pub(crate) async fn keep_repeats(self: Arc<Self>) {
        let mut closed = self.repeats.closed.subscribe();
        loop {
            tokio::select! {
                () = tokio::time::sleep(FLUSH) => {}
                // The sender lives as long as the engine.
                _ = closed.wait_for(|closed| *closed) => return,
            }
            self.flush_repeats().await;
        }
    }

    /// Counts nothing any more, ends [`keep_repeats`](Self::keep_repeats), and puts on record what was counted, within five seconds in all.
    /// Whoever is still served puts each repetition on record.
    ///
    /// # Errors
    /// What was to end panicked; what was counted is on record all the same.
    pub(crate) async fn end_repeats(&self, mut keeping: JoinHandle<()>) -> Result<(), ServiceError> {
        self.repeats.close();
        let mut ended = Ok(());
        let trying = async {
            // Two at once would put the same counts on record.
            if (&mut keeping).await.is_err() {
                ended = Err(ServiceError::Bug("putting repetitions on record panicked"));
            }
            while !self.flush_repeats().await {
                tokio::time::sleep(LAST_PAUSE).await;
            }
        };
        if tokio::time::timeout(LAST, trying).await.is_err() {
            keeping.abort();
            let lost: u64 =
                self.repeats.counted().iter().flat_map(|(_, counts)| counts).map(|(_, times)| times).sum();
            tracing::error!(lost, "the process ends with counts of repetitions that are not on record");
        }
        ended
    }

    /// Puts on record what was counted; `false` when some of it was not: it stays counted. A commit of which nobody heard whether it
    /// went through is tried again, and what it held is then on record twice. A tenant that is busy is put off, and where the database does
    /// not answer, no other is tried.
    async fn flush_repeats(&self) -> bool {
        let mut is_all = true;
        for (tenant, counts) in self.repeats.counted() {
            let told = |(draft, times): &(Draft, u64)| draft.clone().number("times", *times);
            let drafts: Vec<Draft> = counts.iter().map(told).collect();
            match self.store.audit_briefly(&tenant, drafts, Instant::now()).await {
                Ok(()) => self.repeats.settle(&tenant, &counts),
                Err(error) => {
                    is_all = false;
                    tracing::error!(%error, kept = counts.len(), "counts of repetitions were not put on record, and are kept");
                    if self.store.answers().await.is_err() {
                        break;
                    }
                }
            }
        }
        is_all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Result<Tenant, &'static str> {
        Tenant::new(name).ok_or("no tenant")
    }

    /// Whether it is put on record, and not counted.
    fn is_first(repeats: &Repeats, tenant: &Tenant, again: Draft) -> bool {
        repeats.add(tenant, again, 0).is_none_or(|is_new| is_new)
    }

    fn again() -> Draft {
        Draft::by_service(Event::RefusedAgain).reason("INVALID")
    }

    fn read(job: u64) -> Draft {
        Draft::by_service(Event::ReleasedAgain).number("job", job)
    }

    #[test]
    fn the_first_is_an_entry_and_the_rest_are_counted() -> Result<(), &'static str> {
        let (repeats, tenant) = (Repeats::default(), named("north")?);
        assert!(is_first(&repeats, &tenant, again()));
        assert!(!is_first(&repeats, &tenant, again()));
        assert!(!is_first(&repeats, &tenant, again()));
        assert!(is_first(&repeats, &tenant, again().reason("NO_CONSENT")));
        let counted = repeats.counted();
        assert_eq!(counted, [(tenant.clone(), vec![(again(), 2)])]);
        repeats.settle(&tenant, &counted[0].1);
        assert!(repeats.counted().is_empty() && is_first(&repeats, &tenant, again()));
        Ok(())
    }

    #[test]
    fn what_is_not_on_record_yet_stays_counted() -> Result<(), &'static str> {
        let (repeats, tenant) = (Repeats::default(), named("north")?);
        assert!(repeats.count(&tenant, read(1)) && repeats.count(&tenant, read(1)));
        let flushed = repeats.counted();
        // Counted while those two are put on record, which fails; and again, which succeeds.
        assert!(repeats.count(&tenant, read(1)));
        assert_eq!(repeats.counted(), [(tenant.clone(), vec![(read(1), 3)])]);
        repeats.settle(&tenant, &flushed[0].1);
        assert_eq!(repeats.counted(), [(tenant.clone(), vec![(read(1), 1)])]);
        repeats.close();
        assert!(!repeats.count(&tenant, read(1)) && is_first(&repeats, &tenant, again()));
        assert_eq!(repeats.counted(), [(tenant, vec![(read(1), 1)])], "closed, it counts nothing more");
        Ok(())
    }

    #[test]
    fn a_noisy_tenant_takes_nobody_elses_room() -> Result<(), &'static str> {
        let (repeats, noisy, quiet) = (Repeats::default(), named("noisy")?, named("quiet")?);
        for job in 0..4_096 {
            assert!(repeats.count(&noisy, read(job)));
        }
        assert!(!repeats.count(&noisy, read(4_096)));
        assert!(repeats.count(&noisy, read(0)), "what is counted already goes on being");
        assert!(is_first(&repeats, &noisy, again()));
        assert!(is_first(&repeats, &noisy, again()), "without room each is an entry");
        assert!(repeats.count(&quiet, read(0)) && is_first(&repeats, &quiet, again()));
        assert!(!is_first(&repeats, &quiet, again()));
        Ok(())
    }

    #[test]
    fn a_first_that_was_not_put_on_record_is_followed_by_a_first() -> Result<(), &'static str> {
        let (repeats, tenant) = (Repeats::default(), named("north")?);
        assert!(is_first(&repeats, &tenant, again()));
        repeats.was_not_recorded(&tenant, &again());
        assert!(is_first(&repeats, &tenant, again()));
        assert!(!is_first(&repeats, &tenant, again()));
        repeats.was_not_recorded(&tenant, &again());
        assert!(repeats.counted().is_empty(), "nobody heard of the second, either");
        assert!(is_first(&repeats, &tenant, again()));
        Ok(())
    }
}
