//! The insurer's side: it publishes its registers, asks, waits, and verifies what it is given.

use super::{At, DemoError, cast::Cast, settle::Batch};
use crate::{
    client::{Client, Options},
    store::jobs::payer_bytes,
};
use indicatif::{ProgressBar, ProgressStyle};
use nightingale_circuits::{Fr, claim::NoteLeaf, field::to_be_bytes, merkle::Register};
use nightingale_proto::v1::{self, adjudicate_stream_response::Answer as Streamed, job::Outcome};
use nightingale_records::synth::Story;
use nightingale_verifier::{ClaimProof, Context, Decision, KeyDirectory, verify_claim};
use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, Instant},
};

const TENANT: &str = "demo-custodian";

/// What became of one claim, as the insurer sees it.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) id: String,
    pub(super) decision: &'static str,
    pub(super) reasons: Vec<String>,
    pub(super) payable_cents: u64,
    pub(super) proof: Option<ClaimProof>,
    pub(super) proof_bytes: usize,
    pub(super) prove_ms: u64,
    pub(super) verify_ms: f64,
    /// The claim's share of its batch.
    pub(super) gas: u64,
    pub(super) settled: bool,
    pub(super) note: String,
    verified: bool,
    waiting: Option<String>,
}

/// All claims, in the order of receipt.
pub(super) struct Answers(pub(super) Vec<Answer>);

impl Answers {
    pub(super) fn any_waiting(&self) -> bool {
        self.0.iter().any(|answer| answer.waiting.is_some())
    }
}

/// A connection as the insurer.
pub(super) struct Insurer {
    client: Client,
}

impl Insurer {
    /// Connects and publishes the epoch and the account register.
    pub(super) async fn connect(address: &str, cast: &Cast) -> Result<Self, DemoError> {
        let mut client = Client::connect(address, TENANT).await.at("reaching the service")?;
        let epoch = &cast.epoch;
        let message = v1::Epoch {
            payer: payer_bytes(cast.payer()),
            chain_id: epoch.venue.chain_id,
            contract: epoch.venue.contract.0.to_vec(),
            policy_root: bytes(&epoch.policy_root),
            diagnosis_root: bytes(&epoch.diagnosis_root),
            enrolment_root: bytes(&epoch.enrolment_root),
            provider_root: bytes(&epoch.provider_root),
            authorisation_root: bytes(&epoch.authorisation_root),
            number: epoch.number,
        };
        let accounts = register(cast, 1, &cast.notes, &cast.account_root);
        client.publish(Some(message), Some(accounts)).await.at("publishing the epoch")?;
        Ok(Self { client })
    }

    /// Publishes the account register after these settlements.
    pub(super) async fn publish_accounts(&mut self, cast: &Cast, batches: &[Batch]) -> Result<(), DemoError> {
        let (notes, root) = accounts_after(cast, batches)?;
        self.client
            .publish(None, Some(register(cast, 2, &notes, &root)))
            .await
            .at("publishing the accounts")?;
        Ok(())
    }

    /// Asks for all claims over two streams: a line can only be billed again once it was billed.
    pub(super) async fn ask(&mut self, cast: &Cast) -> Result<Answers, DemoError> {
        let bar = progress(cast.cases.len(), "adjudicating");
        let mut streamed = HashMap::new();
        for again in [false, true] {
            let wave =
                cast.cases.iter().filter(|case| matches!(case.claim.story, Story::Duplicate(_)) == again);
            let requests = wave.map(|case| {
                let options = Options { idempotency_key: case.claim.claim.id.clone(), ..Options::default() };
                (case.request.to_vec(), options)
            });
            let each = |response: v1::AdjudicateStreamResponse| {
                bar.inc(1);
                streamed.insert(response.idempotency_key, response.answer);
            };
            self.client.adjudicate_many(requests.collect(), each).await.at("asking for the claims")?;
        }
        bar.finish_and_clear();
        let mut answer = |id: &String| match streamed.remove(id).flatten() {
            Some(Streamed::Job(job)) => from_job(id, job),
            Some(Streamed::Rejection(no)) => {
                Ok(Answer { id: id.clone(), decision: "refused", note: no.message, ..Answer::default() })
            }
            None => Err("the service gave no answer").at("asking for the claims"),
        };
        cast.cases.iter().map(|case| answer(&case.claim.claim.id)).collect::<Result<_, _>>().map(Answers)
    }

    /// Waits for the claims that waited for a newer account.
    pub(super) async fn await_waiting(&mut self, answers: &mut Answers) -> Result<(), DemoError> {
        for answer in answers.0.iter_mut() {
            let Some(job) = answer.waiting.take() else { continue };
            let bar = progress(100, "proving again");
            let each = |job: &v1::Job| bar.set_position(job.percent.into());
            let job =
                self.client.watch(&job, Duration::from_secs(60), each).await.at("waiting for a claim")?;
            bar.finish_and_clear();
            let id = answer.id.clone();
            *answer = from_job(&id, job)?;
            answer.note = "lost the race for its account, proven again".to_owned();
        }
        Ok(())
    }
}

/// Verifies every new proof from its bytes, as a third party would, and keeps it.
pub(super) fn verify(answers: &mut Answers, keys: &Path, proofs: &Path) -> Result<(), DemoError> {
    let keys = KeyDirectory::new(keys);
    for answer in answers.0.iter_mut().filter(|answer| !answer.verified) {
        let Some(proof) = &answer.proof else { continue };
        let key = keys.key(proof.class, proof.key).at("verifying")?;
        let bytes = proof.to_bytes();
        let start = Instant::now();
        let read = ClaimProof::from_bytes(&bytes).at("verifying")?;
        let verified = verify_claim(&key, &read, &Context::default()).at("verifying")?;
        answer.verify_ms = start.elapsed().as_secs_f64() * 1000.0;
        answer.decision = match verified.decision {
            Decision::Approve => "approve",
            Decision::Deny => "deny",
        };
        answer.reasons =
            verified.reasons.unwrap_or_default().iter().map(|reason| reason.carc().to_owned()).collect();
        answer.payable_cents = verified.payable_cents;
        answer.proof_bytes = bytes.len();
        answer.verified = true;
        super::write(&proofs.join(format!("{}.json", answer.id)), &proof.to_json())?;
    }
    Ok(())
}

fn from_job(id: &str, job: v1::Job) -> Result<Answer, DemoError> {
    let mut answer = Answer { id: id.to_owned(), ..Answer::default() };
    if let Some(waiting) = job.waiting {
        answer.decision = "waiting";
        answer.note = waiting.message;
        answer.waiting = Some(job.id);
        return Ok(answer);
    }
    match job.outcome {
        Some(Outcome::Result(result)) => {
            answer.proof = Some(ClaimProof::from_json(&result.proof_json).at("reading a proof")?);
            answer.prove_ms = result.prove_ms;
        }
        Some(Outcome::Failure(failure)) => {
            answer.decision = "refused";
            answer.reasons = Some(failure.carc).filter(|carc| !carc.is_empty()).into_iter().collect();
            answer.note = failure.message;
        }
        Some(Outcome::Answer(_)) | None => {
            answer.decision = "refused";
            answer.note = "ended without a result".to_owned();
        }
    }
    Ok(answer)
}

/// The notes and the root of the account register after these settlements: any reader of the chain can compute it.
pub(super) fn accounts_after(cast: &Cast, batches: &[Batch]) -> Result<(Vec<Fr>, Fr), DemoError> {
    let notes: Vec<Fr> =
        cast.notes.iter().chain(batches.iter().flat_map(|b| &b.next_notes)).copied().collect();
    let register =
        Register::build(notes.iter().copied().map(NoteLeaf).collect()).at("rebuilding the accounts")?;
    Ok((notes, register.root()))
}

fn register(cast: &Cast, revision: u64, notes: &[Fr], root: &Fr) -> v1::AccountRegister {
    let notes = notes.iter().map(bytes).collect();
    v1::AccountRegister { payer: payer_bytes(cast.payer()), revision, root: bytes(root), notes }
}

fn bytes(x: &Fr) -> Vec<u8> {
    to_be_bytes(x).to_vec()
}

fn progress(length: usize, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length as u64);
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}
