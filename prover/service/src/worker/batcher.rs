//! Between the lanes and the devices: claims that are ready to be proven wait here, and prover threads take them, several of
//! one size class at once where that pays.
//!
//! A lane keeps its job's lease, heartbeat and fence while the claim waits and is proven. What one claim of a batch does, be
//! refused, cancelled or kill its prover, is its own lane's affair: a batch that dies is proven again one by one.

use super::task::Checked;
use crate::{
    adjudicator::{Adjudicator, Batching, ProveFailure},
    jobs::Phase,
    process::wiping,
};
use nightingale_circuits::claim::{Request, SizeClass};
use nightingale_verifier::ClaimProof;
use prometheus::Histogram;
use std::{
    collections::VecDeque,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{OwnedMutexGuard, mpsc::UnboundedSender, oneshot};

/// A claim that is ready to be proven.
pub(super) struct Ticket {
    pub(super) class: SizeClass,
    pub(super) checked: Box<Checked>,
    /// Set when nobody wants the proof any more.
    pub(super) stop: Arc<AtomicBool>,
    pub(super) phases: UnboundedSender<(Phase, u8)>,
    pub(super) answer: oneshot::Sender<Answer>,
    /// Held until the proof has ended, whoever still waits for it.
    pub(super) busy: OwnedMutexGuard<()>,
}

/// What became of it.
pub(super) struct Answer {
    pub(super) proof: Result<ClaimProof, ProveFailure>,
    pub(super) checked: Box<Checked>,
    /// The time of its batch.
    pub(super) elapsed: Duration,
}

impl Ticket {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn answer(self, proof: Result<ClaimProof, ProveFailure>, elapsed: Duration) {
        // The lane may have gone.
        let _ = self.answer.send(Answer { proof, checked: self.checked, elapsed });
        drop(self.busy);
    }
}

/// The waiting claims, and the threads that prove them. The threads end when it is dropped.
pub(crate) struct Batcher {
    queue: Arc<Queue>,
}

struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    most: usize,
    delay: Duration,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Instant, Ticket)>,
    closed: bool,
}

impl Batcher {
    /// Starts so many prover threads. A batch waits `delay` for more claims where the adjudicator says that waiting pays.
    ///
    /// # Errors
    /// Not one of them can be started: claims would be taken, and proven by nobody.
    pub(crate) fn start(
        adjudicator: &Arc<dyn Adjudicator>,
        threads: usize,
        delay: Duration,
        sizes: &Histogram,
    ) -> std::io::Result<Self> {
        let Batching { most, waits } = adjudicator.batching();
        let delay = if waits { delay } else { Duration::ZERO };
        let queue = Queue { state: Mutex::default(), arrived: Condvar::new(), most: most.max(1), delay };
        let queue = Arc::new(queue);
        let mut started = 0;
        for number in 0..threads {
            let (queue, adjudicator, sizes) = (queue.clone(), adjudicator.clone(), sizes.clone());
            let body = move || {
                while let Some(batch) = queue.next() {
                    sizes.observe(batch.len() as f64);
                    wiping(|| prove(&*adjudicator, batch));
                }
            };
            let thread = std::thread::Builder::new().name(format!("prover-{number}")).spawn(body);
            match thread {
                Ok(_) => started += 1,
                Err(error) if started == 0 && number + 1 == threads => return Err(error),
                Err(error) => tracing::error!(%error, number, "a prover thread cannot be started"),
            }
        }
        Ok(Self { queue })
    }

    /// Hands a claim over.
    pub(super) fn push(&self, ticket: Ticket) {
        self.queue.state().waiting.push_back((Instant::now(), ticket));
        self.queue.arrived.notify_one();
    }
}

impl Drop for Batcher {
    fn drop(&mut self) {
        self.queue.state().closed = true;
        self.queue.arrived.notify_all();
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch: all of the class of the oldest claim, up to the most, once there are so many or the oldest has
    /// waited long enough. `None` when there will be none.
    fn next(&self) -> Option<Vec<Ticket>> {
        let mut state = self.state();
        loop {
            // Whoever was cancelled while it waited costs nothing.
            state.waiting.retain(|(_, ticket)| !ticket.is_stopped());
            let Some((since, oldest)) = state.waiting.front() else {
                if state.closed {
                    return None;
                }
                state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let class = oldest.class;
            let left = self.delay.saturating_sub(since.elapsed());
            let ready = state.waiting.iter().filter(|(_, ticket)| ticket.class == class).count();
            if ready >= self.most || left.is_zero() || state.closed {
                let batch = take(&mut state.waiting, class, self.most);
                if !state.waiting.is_empty() {
                    // Of another class: for another thread, which may have missed its arrival.
                    self.arrived.notify_one();
                }
                return Some(batch);
            }
            state = match self.arrived.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

fn take(waiting: &mut VecDeque<(Instant, Ticket)>, class: SizeClass, most: usize) -> Vec<Ticket> {
    let mut batch = Vec::new();
    for (since, ticket) in std::mem::take(waiting) {
        if ticket.class == class && batch.len() < most {
            batch.push(ticket);
        } else {
            waiting.push_back((since, ticket));
        }
    }
    batch
}

/// Proves a batch and answers each of its claims. One whose proving panics is dropped without an answer, and its lane sees
/// that as its worker's death.
fn prove(adjudicator: &dyn Adjudicator, batch: Vec<Ticket>) {
    let start = Instant::now();
    let proofs = catch_unwind(AssertUnwindSafe(|| attempt(adjudicator, &batch)));
    match proofs {
        Ok(proofs) => {
            let mut proofs = proofs.into_iter();
            for ticket in batch {
                let lost = || Err(ProveFailure::Bug("a prover lost a proof of its batch".to_owned()));
                ticket.answer(proofs.next().unwrap_or_else(lost), start.elapsed());
            }
        }
        Err(_) if batch.len() > 1 => {
            tracing::error!(claims = batch.len(), "a batch died; its claims are proven one by one");
            batch.into_iter().for_each(|ticket| prove(adjudicator, vec![ticket]));
        }
        Err(_) => {}
    }
}

fn attempt(adjudicator: &dyn Adjudicator, batch: &[Ticket]) -> Vec<Result<ClaimProof, ProveFailure>> {
    let mut progress = |phase, percent| {
        for ticket in batch {
            // The lane may have gone.
            let _ = ticket.phases.send((phase, percent));
        }
        // The others of a batch go on without those that nobody wants any more.
        if batch.iter().all(Ticket::is_stopped) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    match batch {
        [one] => vec![adjudicator.prove(&one.checked.request, &mut progress)],
        many => {
            let requests: Vec<&Request> = many.iter().map(|ticket| &ticket.checked.request).collect();
            adjudicator.prove_batch(&requests, &mut progress)
        }
    }
}
