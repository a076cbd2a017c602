//! How much a tenant may ask for: a token bucket for the rate, a count of what is not answered yet, and of the bytes in it. One tenant's
//! excess is refused and costs the others nothing.

use crate::config::identity::{Rates, Share};
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Tenants that are remembered at most; above, those that ask for nothing now are forgotten.
const REMEMBERED: usize = 10_000;

/// Messages up to this size, in bytes, are bounded by the count of calls: they pass when large ones no longer do.
pub(crate) const SMALL: u64 = 64 << 10;

/// What each tenant uses.
pub(crate) struct Limits {
    rates: Rates,
    tenants: Mutex<HashMap<String, Arc<Tally>>>,
    /// Of all tenants.
    bytes: Arc<Bytes>,
}

/// Bytes of large messages.
struct Bytes {
    most: u64,
    held: AtomicU64,
}

impl Bytes {
    fn new(most: Option<u64>) -> Self {
        Self { most: most.unwrap_or(u64::MAX), held: AtomicU64::new(0) }
    }

    /// Takes so many, where there is room. One message alone has room, however large: it would have none ever.
    fn take(&self, bytes: u64) -> bool {
        let fits = |held: u64| {
            let with = held.saturating_add(bytes);
            (held == 0 || with <= self.most).then_some(with)
        };
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The bytes that one call holds, until it, and whoever works on what came in with it, is done.
pub(crate) struct Load {
    tally: Option<Arc<Tally>>,
    all: Arc<Bytes>,
    held: AtomicU64,
    /// What is held for each message that nobody has taken over yet, in their order.
    messages: Mutex<VecDeque<u64>>,
}

impl Load {
    fn new(tally: Option<Arc<Tally>>, all: Arc<Bytes>, held: u64) -> Self {
        Self { tally, all, held: AtomicU64::new(held), messages: Mutex::default() }
    }

    /// Holds so many bytes more; with an error none of them.
    pub(super) fn hold(&self, more: u64) -> Result<(), Excess> {
        let excess = |text| Excess { reason: "TOO_MANY_BYTES", text, retry: Duration::from_secs(1) };
        let own = self.tally.as_ref().map(|tally| &tally.bytes);
        if !own.is_none_or(|own| own.take(more)) {
            return Err(excess(
                "this tenant has as many bytes of large messages under way as it may; try again when some are answered",
            ));
        }
        if !self.all.take(more) {
            own.inspect(|own| own.give_back(more));
            return Err(excess(
                "the server has as many bytes of large messages under way as it may; try again",
            ));
        }
        self.held.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }

    /// A message begins, for which so many bytes are held before it is whole.
    pub(super) fn message(&self, bytes: u64) {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).push_back(bytes);
    }

    /// The last message does not become whole; where bytes `are_held` for it, they are given back.
    pub(super) fn forget_last(&self, are_held: bool) {
        let last = self.messages.lock().unwrap_or_else(PoisonError::into_inner).pop_back();
        drop(last.filter(|_| are_held).map(|bytes| self.part(bytes)));
    }

    /// What is held for the first message that nobody has taken over yet. It is whole.
    pub(crate) fn take_over(&self) -> Self {
        let bytes = self.messages.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or(0);
        self.part(bytes)
    }

    /// So many of the bytes that are held, held by themselves.
    fn part(&self, bytes: u64) -> Self {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
        Self::new(self.tally.clone(), self.all.clone(), bytes)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let bytes = self.held.load(Ordering::Relaxed);
        if let Some(tally) = &self.tally {
            tally.bytes.give_back(bytes);
        }
        self.all.give_back(bytes);
    }
}

/// What one tenant uses.
pub(crate) struct Tally {
    share: Share,
    bucket: Mutex<Bucket>,
    in_flight: AtomicU32,
    bytes: Bytes,
}

struct Bucket {
    /// Requests that may come at once; below zero, requests that came too early and are held back.
    left: f64,
    at: Instant,
}

/// Why a request is too much.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) reason: &'static str,
    pub(crate) text: &'static str,
    pub(crate) retry: Duration,
}

/// A request that is counted until it is answered.
pub(crate) struct Permit(Arc<Tally>);

impl Permit {
    pub(crate) fn tally(&self) -> Arc<Tally> {
        self.0.clone()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Limits {
    pub(crate) fn new(rates: Rates) -> Self {
        let bytes = Arc::new(Bytes::new(Some(rates.all_bytes_in_flight)));
        Self { rates, tenants: Mutex::default(), bytes }
    }

    /// What a call may hold: a tenant's, with a tally.
    pub(crate) fn load(&self, tally: Option<Arc<Tally>>) -> Load {
        Load::new(tally, self.bytes.clone(), 0)
    }

    /// Counts a request, or says that it is too much.
    pub(crate) fn enter(&self, tenant: &str, now: Instant) -> Result<Permit, Excess> {
        let tally = self.tally(tenant, now);
        let most = tally.share.in_flight.unwrap_or(u32::MAX);
        let entered = tally
            .in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < most).then(|| open + 1));
        if entered.is_err() {
            return Err(Excess {
                reason: "TOO_MANY_IN_FLIGHT",
                text: "this tenant has as many unanswered requests as it may; try again when some are answered",
                retry: Duration::from_secs(1),
            });
        }
        let permit = Permit(tally);
        match permit.0.take(now) {
            None => Ok(permit),
            Some(retry) => Err(Excess {
                reason: "RATE_EXCEEDED",
                text: "this tenant asks more often than it may; try again later",
                retry,
            }),
        }
    }

    fn tally(&self, tenant: &str, now: Instant) -> Arc<Tally> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tally) = tenants.get(tenant) {
            return tally.clone();
        }
        if tenants.len() >= REMEMBERED {
            tenants.retain(|_, tally| Arc::strong_count(tally) > 1 || !tally.is_rested(now));
        }
        let share = self.rates.share(tenant);
        let tally = Arc::new(Tally {
            share,
            bucket: Mutex::new(Bucket { left: burst(&share), at: now }),
            in_flight: AtomicU32::new(0),
            bytes: Bytes::new(share.bytes_in_flight),
        });
        tenants.insert(tenant.to_owned(), tally.clone());
        tally
    }
}

fn burst(share: &Share) -> f64 {
    f64::from(share.burst.or(share.requests_per_second).unwrap_or(1)).max(1.0)
}

impl Tally {
    /// Takes one request from the bucket, or says when there is one.
    fn take(&self, now: Instant) -> Option<Duration> {
        self.with_bucket(now, |bucket, rate| {
            if bucket.left >= 1.0 {
                bucket.left -= 1.0;
                return None;
            }
            Some(Duration::from_secs_f64((1.0 - bucket.left) / rate))
        })
    }

    /// Takes so many requests from the bucket even when it is empty; says for how long to hold back what comes after them.
    pub(crate) fn borrow(&self, requests: u64, now: Instant) -> Option<Duration> {
        if requests == 0 {
            return None;
        }
        self.with_bucket(now, |bucket, rate| {
            bucket.left -= f64::from(u32::try_from(requests).unwrap_or(u32::MAX));
            (bucket.left < 0.0).then(|| Duration::from_secs_f64(-bucket.left / rate))
        })
    }

    fn with_bucket(
        &self,
        now: Instant,
        work: impl FnOnce(&mut Bucket, f64) -> Option<Duration>,
    ) -> Option<Duration> {
        let rate = f64::from(self.share.requests_per_second?);
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.left = passed.mul_add(rate, bucket.left).min(burst(&self.share));
        bucket.at = bucket.at.max(now);
        work(&mut bucket, rate)
    }

    /// Whether forgetting it gives its tenant nothing.
    fn is_rested(&self, now: Instant) -> bool {
        let mut full = true;
        self.with_bucket(now, |bucket, _| {
            full = bucket.left >= burst(&self.share);
            None
        });
        full && self.in_flight.load(Ordering::Relaxed) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(share: Share) -> Limits {
        let own = Share { requests_per_second: None, ..share };
        let tenants = HashMap::from([("free".to_owned(), own)]);
        Limits::new(Rates { every: share, tenants, ..Rates::default() })
    }

    fn reason(answer: Result<Permit, Excess>) -> &'static str {
        answer.map_or_else(|excess| excess.reason, |_| "let in")
    }

    #[test]
    fn a_burst_is_let_in_and_then_the_rate() {
        let limits = limits(Share { requests_per_second: Some(2), burst: Some(3), ..Share::default() });
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(reason(limits.enter("north", start)), "let in");
        }
        let refused = limits.enter("north", start).err();
        assert_eq!(refused.map(|excess| excess.retry), Some(Duration::from_millis(500)));
        // Another tenant's bucket is another one, and who has no rate has none.
        assert_eq!(reason(limits.enter("south", start)), "let in");
        for _ in 0..100 {
            assert_eq!(reason(limits.enter("free", start)), "let in");
        }
        let later = start + Duration::from_millis(500);
        assert_eq!(reason(limits.enter("north", later)), "let in");
        assert_eq!(reason(limits.enter("north", later)), "RATE_EXCEEDED");
        // Rest fills no more than the burst, and a clock that stands still or goes back gives nothing.
        let rested = start + Duration::from_secs(3600);
        let let_in = (0..100).filter(|_| limits.enter("north", rested).is_ok()).count();
        assert_eq!(let_in, 3);
        assert_eq!(reason(limits.enter("north", start)), "RATE_EXCEEDED");
    }

    #[test]
    fn an_answered_request_makes_room_for_the_next() {
        let limits = limits(Share { in_flight: Some(2), ..Share::default() });
        let now = Instant::now();
        let (first, second) = (limits.enter("north", now), limits.enter("north", now));
        assert_eq!(reason(limits.enter("north", now)), "TOO_MANY_IN_FLIGHT");
        assert_eq!(reason(limits.enter("south", now)), "let in");
        drop(first);
        assert_eq!(reason(limits.enter("north", now)), "let in");
        drop(second);
    }

    #[test]
    fn a_refused_request_is_not_counted_as_open() {
        let limits = limits(Share {
            requests_per_second: Some(1),
            burst: Some(1),
            in_flight: Some(1),
            ..Share::default()
        });
        let now = Instant::now();
        assert_eq!(reason(limits.enter("north", now)), "let in");
        for _ in 0..10 {
            assert_eq!(reason(limits.enter("north", now)), "RATE_EXCEEDED");
        }
    }

    #[test]
    fn messages_of_a_stream_are_held_back_and_not_lost() {
        let limits = limits(Share { requests_per_second: Some(10), burst: Some(2), ..Share::default() });
        let now = Instant::now();
        let Ok(permit) = limits.enter("north", now) else { return assert_eq!("refused", "let in") };
        let tally = permit.tally();
        assert_eq!(tally.borrow(1, now), None);
        assert_eq!(tally.borrow(0, now), None);
        assert_eq!(tally.borrow(1, now), Some(Duration::from_millis(100)));
        assert_eq!(tally.borrow(3, now), Some(Duration::from_millis(400)));
    }

    #[test]
    fn bytes_are_counted_for_a_tenant_and_for_all_and_given_back() -> Result<(), Excess> {
        let every = Share { bytes_in_flight: Some(100), ..Share::default() };
        let limits = Limits::new(Rates { every, all_bytes_in_flight: 150, ..Rates::default() });
        let now = Instant::now();
        let load = |tenant: &str| limits.enter(tenant, now).map(|permit| limits.load(Some(permit.tally())));
        let refused =
            |held: Result<(), Excess>| held.err().map(|excess| excess.text.starts_with("this tenant"));
        let (first, second) = (load("north")?, load("north")?);
        first.hold(60)?;
        assert_eq!(refused(second.hold(60)), Some(true));
        second.hold(40)?;
        // The others' share of all is what is left of it; what was refused holds nothing.
        let (other, third) = (load("south")?, load("west")?);
        assert_eq!(refused(other.hold(60)), Some(false));
        other.hold(50)?;
        assert_eq!(refused(third.hold(1)), Some(false));
        drop(first);
        third.hold(50)?;
        drop((second, other, third));
        // One alone passes, however large, and nothing beside it.
        let (alone, beside) = (load("north")?, load("south")?);
        alone.hold(1000)?;
        assert_eq!(refused(beside.hold(1)), Some(false));
        drop(alone);
        beside.hold(100)
    }

    #[test]
    fn what_a_message_holds_goes_over_to_who_works_on_it() -> Result<(), Excess> {
        let limits = Limits::new(Rates { all_bytes_in_flight: 150, ..Rates::default() });
        let stream = limits.load(None);
        for bytes in [60, 0, 90] {
            stream.hold(bytes)?;
            stream.message(bytes);
        }
        let held = |load: &Load| load.held.load(Ordering::Relaxed);
        let parts = [stream.take_over(), stream.take_over(), stream.take_over(), stream.take_over()];
        assert_eq!(parts.each_ref().map(held), [60, 0, 90, 0]);
        assert_eq!(held(&stream), 0);
        // It outlives the stream.
        drop(stream);
        let other = limits.load(None);
        assert!(other.hold(1).is_err());
        drop(parts);
        other.hold(150)
    }

    #[test]
    fn tenants_that_rest_are_forgotten_and_others_are_not() {
        let limits = limits(Share { requests_per_second: Some(1), burst: Some(1), ..Share::default() });
        let start = Instant::now();
        for number in 0..REMEMBERED {
            let _ = limits.enter(&format!("t{number}"), start);
        }
        // All have used what they may: none is forgotten, so that no new name is a way around the rate.
        assert_eq!(reason(limits.enter("new", start)), "let in");
        assert_eq!(reason(limits.enter("t0", start)), "RATE_EXCEEDED");
        let rested = start + Duration::from_secs(5);
        assert_eq!(reason(limits.enter("newer", rested)), "let in");
        let held = limits.tenants.lock().map(|tenants| tenants.len()).unwrap_or_default();
        assert!(held < 10, "{held}");
    }
}
