//! From database rows to the domain's types. A row that does not parse is damage, never a default.

use crate::{
    error::StoreError,
    jobs::{
        AccountAfter, Answer, Decision, Failure, FailureCode, Instant, Job, JobClass, JobId, State, Tenant,
        Waiting,
    },
    store::{
        seal::{Kind, Seal},
        sql::{FromColumn, Row},
    },
};
use nightingale_circuits::{
    Fr,
    claim::{PublicInputs, Reasons},
    field::{from_be_bytes, to_be_bytes},
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The columns that [`job`] reads.
pub(super) const JOB: &str = "sequence, tenant, id, size_class, priority, deadline, state, accepted, started, ended, \
    attempts, rebases, waiting, failure_code, failure_message, failure_lines";

pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Corrupt(format!("the column {what} holds what no release wrote"))
}

/// A column that is text, a number or bytes; wrong types are damage.
pub(super) fn column<'r, T>(row: &'r Row, name: &str) -> Result<T, StoreError>
where
    T: FromColumn<'r>,
{
    row.get(name).and_then(T::from_column).ok_or_else(|| damaged(name))
}

pub(super) fn tenant(row: &Row) -> Result<Tenant, StoreError> {
    Tenant::new(column(row, "tenant")?).ok_or_else(|| damaged("tenant"))
}

pub(super) fn id(row: &Row) -> Result<JobId, StoreError> {
    let bytes: &[u8] = column(row, "id")?;
    bytes.try_into().map(JobId).map_err(|_| damaged("id"))
}

pub(super) fn class(row: &Row) -> Result<JobClass, StoreError> {
    JobClass::parse(column(row, "size_class")?).ok_or_else(|| damaged("size_class"))
}

fn count(row: &Row, name: &str) -> Result<u32, StoreError> {
    column::<i64>(row, name)?.try_into().map_err(|_| damaged(name))
}

fn time(row: &Row, name: &str) -> Result<Option<Instant>, StoreError> {
    Ok(column::<Option<i64>>(row, name)?.map(Instant))
}

fn failure(row: &Row) -> Result<Option<Failure>, StoreError> {
    let Some(code) = column::<Option<&str>>(row, "failure_code")? else { return Ok(None) };
    let code = FailureCode::parse(code).ok_or_else(|| damaged("failure_code"))?;
    let lines: Option<&str> = column(row, "failure_lines")?;
    let lines = lines.unwrap_or_default().split(',').filter(|n| !n.is_empty());
    let lines = lines.map(str::parse).collect::<Result<_, _>>().map_err(|_| damaged("failure_lines"))?;
    Ok(Some(Failure { code, message: column::<String>(row, "failure_message")?, lines }))
}

/// A job without its decision.
pub(super) fn job(row: &Row) -> Result<Job, StoreError> {
    let waiting = match column::<Option<&str>>(row, "waiting")? {
        None => None,
        Some(name) if name == Waiting::AccountUnpublished.name() => Some(Waiting::AccountUnpublished),
        Some(_) => return Err(damaged("waiting")),
    };
    Ok(Job {
        tenant: tenant(row)?,
        id: id(row)?,
        sequence: column(row, "sequence")?,
        state: State::parse(column(row, "state")?).ok_or_else(|| damaged("state"))?,
        class: class(row)?,
        priority: column(row, "priority")?,
        accepted: Instant(column(row, "accepted")?),
        deadline: time(row, "deadline")?,
        started: time(row, "started")?,
        ended: time(row, "ended")?,
        attempts: count(row, "attempts")?,
        rebases: count(row, "rebases")?,
        waiting,
        failure: failure(row)?,
        decision: None,
        answer: None,
    })
}

/// A decision as it is sealed.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct DecisionFile {
    approved: bool,
    reasons: u16,
    payable_cents: u64,
    public: Vec<String>,
    key_digest: String,
    proof: String,
    account_after: Option<AccountAfter>,
    prove_ms: u64,
}

pub(super) fn hex_element(x: &Fr) -> String {
    hex::encode(to_be_bytes(x))
}

pub(super) fn element(text: &str) -> Option<Fr> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    from_be_bytes(&bytes)
}

/// A decision's sealed form.
pub(super) fn seal_decision(seal: &Seal, id: &JobId, decision: &Decision) -> Result<Vec<u8>, StoreError> {
    let proof = std::str::from_utf8(&decision.proof_json).map_err(|_| damaged("proof"))?;
    let file = DecisionFile {
        approved: decision.approved,
        reasons: decision.reasons.bits(),
        payable_cents: decision.payable,
        public: decision.public.to_vec().iter().map(hex_element).collect(),
        key_digest: hex::encode(decision.key_digest),
        proof: proof.to_owned(),
        account_after: decision.account_after,
        prove_ms: decision.prove_ms,
    };
    let plain = Zeroizing::new(serde_json::to_vec(&file).map_err(|_| damaged("result"))?);
    seal.seal(Kind::Result, id, &plain)
}

/// Opens a sealed answer.
pub(super) fn open_answer(seal: &Seal, id: &JobId, sealed: &[u8]) -> Result<Answer, StoreError> {
    let plain = seal.open(Kind::Result, id, sealed)?;
    serde_json::from_slice(&plain).map_err(|_| damaged("result"))
}

/// Opens a sealed decision.
pub(super) fn open_decision(seal: &Seal, id: &JobId, sealed: &[u8]) -> Result<Decision, StoreError> {
    let plain = seal.open(Kind::Result, id, sealed)?;
    let mut file: DecisionFile = serde_json::from_slice(&plain).map_err(|_| damaged("result"))?;
    let public = file.public.iter().map(|x| element(x)).collect::<Option<Vec<_>>>();
    let mut key_digest = [0; 32];
    hex::decode_to_slice(&file.key_digest, &mut key_digest).map_err(|_| damaged("result"))?;
    Ok(Decision {
        approved: file.approved,
        reasons: Reasons::from_bits(file.reasons).ok_or_else(|| damaged("result"))?,
        payable: file.payable_cents,
        public: public.and_then(|p| PublicInputs::from_slice(&p)).ok_or_else(|| damaged("result"))?,
        key_digest,
        proof_json: std::mem::take(&mut file.proof).into_bytes(),
        account_after: file.account_after,
        prove_ms: file.prove_ms,
    })
}
