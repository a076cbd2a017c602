//! Between wire messages and the domain, once, at the edge.

use super::status::invalid;
use crate::{
    audit::release::Cleared,
    jobs::{Answer, Decision, Failure, Instant, JobId, Phase, State},
    store::jobs::payer_bytes,
};
use nightingale_circuits::{
    Fr,
    claim::{Address, Epoch, Id, PublicInputs, Venue},
    field::{from_be_bytes, to_be_bytes},
};
use nightingale_proto::v1;
use prost_types::Timestamp;
use tonic::Status;

pub(super) fn job_id(text: &str) -> Result<JobId, Status> {
    JobId::parse(text).ok_or_else(|| invalid("id", "expected 32 hexadecimal digits"))
}

/// Checks how a request is named and placed.
pub(super) fn naming(idempotency_key: &str, priority: i32) -> Result<(), Status> {
    if !(1..=128).contains(&idempotency_key.len()) || !idempotency_key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(invalid("idempotency_key", "expected 1 to 128 visible ASCII characters"));
    }
    if !(-100..=100).contains(&priority) {
        return Err(invalid("priority", "expected -100 to 100"));
    }
    Ok(())
}

pub(super) fn instant(element: &str, time: Timestamp) -> Result<Instant, Status> {
    let bad = || invalid(element, "expected a time from 1970 to 9999");
    if !(0..253_402_300_800).contains(&time.seconds) || !(0..1_000_000_000).contains(&time.nanos) {
        return Err(bad());
    }
    Ok(Instant(time.seconds * 1000 + i64::from(time.nanos) / 1_000_000))
}

pub(super) fn timestamp(instant: Instant) -> Timestamp {
    let nanos = i32::try_from(instant.0.rem_euclid(1000)).unwrap_or(0) * 1_000_000;
    Timestamp { seconds: instant.0.div_euclid(1000), nanos }
}

pub(super) fn element(name: &str, bytes: &[u8]) -> Result<Fr, Status> {
    let expected = "expected 32 bytes, big-endian, below the field's modulus";
    let bytes: &[u8; 32] = bytes.try_into().map_err(|_| invalid(name, expected))?;
    from_be_bytes(bytes).ok_or_else(|| invalid(name, expected))
}

pub(super) fn payer(name: &str, bytes: &[u8]) -> Result<Id, Status> {
    let bad = || invalid(name, "expected 12 bytes, big-endian, not all zero");
    if bytes.len() != 12 {
        return Err(bad());
    }
    let number = bytes.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    Id::new(number).map_err(|_| bad())
}

pub(super) fn epoch(wire: &v1::Epoch) -> Result<Epoch, Status> {
    let contract =
        wire.contract.as_slice().try_into().map_err(|_| invalid("epoch.contract", "expected 20 bytes"))?;
    Ok(Epoch {
        payer: payer("epoch.payer", &wire.payer)?,
        venue: Venue { chain_id: wire.chain_id, contract: Address(contract) },
        policy_root: element("epoch.policy_root", &wire.policy_root)?,
        diagnosis_root: element("epoch.diagnosis_root", &wire.diagnosis_root)?,
        enrolment_root: element("epoch.enrolment_root", &wire.enrolment_root)?,
        provider_root: element("epoch.provider_root", &wire.provider_root)?,
        authorisation_root: element("epoch.authorisation_root", &wire.authorisation_root)?,
        number: wire.number,
    })
}

pub(crate) fn epoch_message(epoch: &Epoch) -> v1::Epoch {
    let bytes = |x: &Fr| to_be_bytes(x).to_vec();
    v1::Epoch {
        payer: payer_bytes(epoch.payer),
        chain_id: epoch.venue.chain_id,
        contract: epoch.venue.contract.0.to_vec(),
        policy_root: bytes(&epoch.policy_root),
        diagnosis_root: bytes(&epoch.diagnosis_root),
        enrolment_root: bytes(&epoch.enrolment_root),
        provider_root: bytes(&epoch.provider_root),
        authorisation_root: bytes(&epoch.authorisation_root),
        number: epoch.number,
    }
}

fn public_inputs(public: &PublicInputs) -> v1::PublicInputs {
    let bytes = |x: &Fr| to_be_bytes(x).to_vec();
    v1::PublicInputs {
        epoch_root: bytes(&public.epoch_root),
        consent_root: bytes(&public.consent_root),
        account_root: bytes(&public.account_root),
        claim_commitment: bytes(&public.claim_commitment),
        payee: bytes(&public.payee),
        packed: bytes(&public.packed),
        outcome_commitment: bytes(&public.outcome_commitment),
        spend_tag: bytes(&public.spend_tag),
        next_note: bytes(&public.next_note),
        authorisation_tag: bytes(&public.authorisation_tag),
        nullifiers: public.nullifiers.iter().map(bytes).collect(),
    }
}

fn result(decision: Decision) -> v1::ClaimResult {
    v1::ClaimResult {
        approved: decision.approved,
        reasons: decision.reasons.iter().map(|reason| reason.carc().to_owned()).collect(),
        payable_cents: decision.payable,
        proof_json: decision.proof_json,
        key_digest: decision.key_digest.to_vec(),
        public_inputs: Some(public_inputs(&decision.public)),
        account_after: decision.account_after.map(|after| v1::AccountAfter {
            year: after.year,
            version: after.version,
            deductible_cents: after.deductible,
            out_of_pocket_cents: after.out_of_pocket,
            maximum_cents: after.maximum,
        }),
        prove_ms: decision.prove_ms,
    }
}

fn answer(answer: Answer) -> v1::QueryResult {
    v1::QueryResult {
        dataset: answer.dataset.to_vec(),
        table: answer.table,
        query: answer.query,
        role: answer.role,
        threshold: answer.threshold,
        consent_version: answer.consent_version,
        groups: answer.groups,
        suppressed: answer.suppressed,
        proof_json: answer.file.into_bytes(),
        sealed: answer.sealed,
        key_digest: answer.key_digest.to_vec(),
        prove_ms: answer.prove_ms,
    }
}

fn failure(failure: Failure) -> v1::Failure {
    v1::Failure {
        code: failure.code.name().to_owned(),
        message: failure.message,
        lines: failure.lines,
        carc: failure.code.carc().to_owned(),
    }
}

pub(super) fn state(wire: i32) -> Result<State, Status> {
    let state = match v1::JobState::try_from(wire) {
        Ok(v1::JobState::Queued) => State::Queued,
        Ok(v1::JobState::Running) => State::Running,
        Ok(v1::JobState::Waiting) => State::Waiting,
        Ok(v1::JobState::Done) => State::Done,
        Ok(v1::JobState::Failed) => State::Failed,
        Ok(v1::JobState::Cancelled) => State::Cancelled,
        Ok(v1::JobState::Unspecified) | Err(_) => {
            return Err(invalid("states", "expected a known job state"));
        }
    };
    Ok(state)
}

/// A job, with its progress while it runs. A result is in it only where its release is on record.
pub(super) fn job(cleared: Cleared, progress: Option<(Phase, u8)>) -> v1::Job {
    let job = cleared.into_job();
    let state = match job.state {
        State::Queued => v1::JobState::Queued,
        State::Running => v1::JobState::Running,
        State::Waiting => v1::JobState::Waiting,
        State::Done => v1::JobState::Done,
        State::Failed => v1::JobState::Failed,
        State::Cancelled => v1::JobState::Cancelled,
    };
    let progress = progress.filter(|_| job.state == State::Running);
    let phase = match progress.map(|(phase, _)| phase) {
        None => v1::Phase::Unspecified,
        Some(Phase::Checking) => v1::Phase::Checking,
        Some(Phase::Assigning) => v1::Phase::Assigning,
        Some(Phase::Proving) => v1::Phase::Proving,
        Some(Phase::Verifying) => v1::Phase::Verifying,
    };
    let outcome = match (job.decision, job.answer, job.failure) {
        (Some(decision), ..) => Some(v1::job::Outcome::Result(result(decision))),
        (None, Some(proven), _) => Some(v1::job::Outcome::Answer(answer(proven))),
        (None, None, Some(why)) => Some(v1::job::Outcome::Failure(failure(why))),
        (None, None, None) => None,
    };
    v1::Job {
        tenant: job.tenant.as_str().to_owned(),
        id: job.id.to_string(),
        state: state.into(),
        phase: phase.into(),
        percent: progress.map_or(0, |(_, percent)| u32::from(percent)),
        size_class: job.class.name().to_owned(),
        priority: job.priority,
        accepted: Some(timestamp(job.accepted)),
        deadline: job.deadline.map(timestamp),
        started: job.started.map(timestamp),
        ended: job.ended.map(timestamp),
        attempts: job.attempts,
        rebases: job.rebases,
        waiting: job
            .waiting
            .map(|w| v1::Waiting { reason: w.name().to_owned(), message: w.message().to_owned() }),
        outcome,
    }
}
