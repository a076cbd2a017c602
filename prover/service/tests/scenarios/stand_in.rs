//! A prover that the test steers: it adjudicates by the rules, takes as long as it is told, and fails on demand. Its
//! proofs verify nowhere; everything around them is real.

use nightingale::{
    adjudicator::{Adjudicator, Batching, Progress, ProveFailure},
    jobs::Phase,
};
use nightingale_circuits::claim::{Request, adjudicate};
use nightingale_prover::device::failover::{Report, State};
use nightingale_verifier::{ClaimProof, KeyDigest, OutcomeOpening, VerifyingKey};
use std::{
    collections::HashSet,
    io::Write,
    ops::ControlFlow,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How it behaves.
#[derive(Default)]
pub(crate) struct StandIn {
    /// How long a proof takes.
    pub(crate) takes: Duration,
    /// Whether no proof ends: what a test does meanwhile may take as long as it takes.
    pub(crate) held: AtomicBool,
    /// Attempts that panic before one succeeds.
    pub(crate) panics: Mutex<u32>,
    /// Whether it looks at requests to stop.
    pub(crate) stops: bool,
    /// Accounts whose claims are being proven.
    pub(crate) in_hand: Mutex<HashSet<Vec<u8>>>,
    /// Whether two claims of one account were ever in hand at once.
    pub(crate) overlapped: Mutex<bool>,
    /// Claim commitments in the order in which their proofs began.
    pub(crate) order: Mutex<Vec<nightingale_circuits::Fr>>,
    /// How many claims it takes at once; one when unset.
    pub(crate) batching: Option<Batching>,
    /// The lengths of the batches that it was given.
    pub(crate) batches: Mutex<Vec<usize>>,
    /// The commitment of a claim that kills whoever proves it.
    pub(crate) poison: Mutex<Option<nightingale_circuits::Fr>>,
    /// The commitment of a claim that ends the process.
    pub(crate) deadly: Option<nightingale_circuits::Fr>,
    /// The phase in which it stays for ever, once it has said so on standard output.
    pub(crate) stalls: Option<String>,
    /// Whether it reports one device, which is out of use.
    pub(crate) retired: bool,
    /// Whether it says on standard output when it has proven.
    pub(crate) tells: bool,
}

impl StandIn {
    /// Whose proofs take so long.
    pub(crate) fn slow(milliseconds: u64) -> Self {
        Self { takes: Duration::from_millis(milliseconds), ..Self::default() }
    }

    /// Whose proofs take until they are let go.
    pub(crate) fn held() -> Self {
        Self { held: AtomicBool::new(true), ..Self::default() }
    }

    /// Lets all proofs end.
    pub(crate) fn let_go(&self) {
        self.held.store(false, Ordering::Relaxed);
    }

    fn stall(&self, phase: Phase) {
        if self.stalls.as_deref() != Some(name(phase)) {
            return;
        }
        // Whoever waits for it may have gone.
        let _ = writeln!(std::io::stdout(), "stalled {}", name(phase));
        loop {
            std::thread::park();
        }
    }

    fn take_in_hand(&self, request: &Request) -> Vec<u8> {
        let account =
            request.enrolled().map(|e| nightingale_circuits::field::to_be_bytes(&e.nullifier_key_hash));
        let account = account.map(|bytes| bytes.to_vec()).unwrap_or_default();
        if !self.in_hand.lock().unwrap_or_else(PoisonError::into_inner).insert(account.clone()) {
            *self.overlapped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        }
        account
    }
}

const fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Checking => "checking",
        Phase::Assigning => "assigning",
        Phase::Proving => "proving",
        Phase::Verifying => "verifying",
    }
}

impl Adjudicator for StandIn {
    fn keys(&self) -> Vec<VerifyingKey> {
        Vec::new()
    }

    fn devices(&self) -> Vec<Report> {
        let retired = Report {
            device: "stand-in".to_owned(),
            state: State::Retired,
            batches: 0,
            proofs: 0,
            failures: 1,
            busy: Duration::ZERO,
        };
        self.retired.then_some(retired).into_iter().collect()
    }

    fn batching(&self) -> Batching {
        self.batching.unwrap_or(Batching { most: 1, waits: false })
    }

    fn prove_batch(
        &self,
        requests: &[&Request],
        progress: Progress<'_>,
    ) -> Vec<Result<ClaimProof, ProveFailure>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).push(requests.len());
        requests.iter().map(|request| self.prove(request, progress)).collect()
    }

    #[expect(clippy::panic, reason = "a worker's death is what is being told")]
    fn prove(&self, request: &Request, progress: Progress<'_>) -> Result<ClaimProof, ProveFailure> {
        let commitment = request.claim.commitment(&request.claim_salt);
        self.order.lock().unwrap_or_else(PoisonError::into_inner).push(commitment);
        if *self.poison.lock().unwrap_or_else(PoisonError::into_inner) == Some(commitment) {
            panic!("told to die");
        }
        if self.deadly == Some(commitment) {
            std::process::abort();
        }
        let account = self.take_in_hand(request);
        let end = Instant::now() + self.takes;
        let mut stopped = false;
        for (phase, percent) in [(Phase::Assigning, 0), (Phase::Proving, 10)] {
            stopped |= progress(phase, percent) == ControlFlow::Break(());
            self.stall(phase);
        }
        while (self.held.load(Ordering::Relaxed) || Instant::now() < end) && !(self.stops && stopped) {
            std::thread::sleep(Duration::from_millis(5));
            stopped |= progress(Phase::Proving, 50) == ControlFlow::Break(());
        }
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner).remove(&account);
        {
            let mut panics = self.panics.lock().unwrap_or_else(PoisonError::into_inner);
            if *panics > 0 {
                *panics -= 1;
                drop(panics);
                panic!("told to die");
            }
        }
        if self.stops && stopped {
            return Err(ProveFailure::Stopped);
        }
        progress(Phase::Verifying, 99)
            .is_break()
            .then_some(())
            .map_or(Ok(()), |()| Err(ProveFailure::Stopped))?;
        self.stall(Phase::Verifying);
        let outcome = adjudicate(request).map_err(ProveFailure::Refused)?;
        if self.tells {
            // Whoever waits for it may have gone.
            let _ = writeln!(std::io::stdout(), "proven");
        }
        Ok(ClaimProof {
            class: outcome.class,
            key: KeyDigest([7; 32]),
            public: outcome.public,
            proof: Default::default(),
            opening: Some(OutcomeOpening {
                approved: outcome.approved,
                reasons: outcome.reasons,
                salt: request.outcome_salt.clone(),
            }),
        })
    }
}
