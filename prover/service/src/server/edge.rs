//! The wire edge as functions of bytes: decoding and the checks that a message passes before the store is asked about it. Fuzzing and its
//! replay start here; the handlers call the same functions with decoded messages.

use super::{claims, cohorts, datasets, status::invalid, wire};
use crate::identity::Caller;
use nightingale_proto::v1;
use prost::Message;
use tonic::Status;

/// Reads a message of the method with this number: 0 Adjudicate, 1 Query, 2 Publish, 3 the rest by their common fields. What has a form in
/// the domain is given back as a message made from that form.
///
/// # Errors
/// The status that a caller gets for it.
pub fn read(method: u8, bytes: &[u8]) -> Result<Vec<u8>, Status> {
    match method {
        0 => adjudicate(&decode(bytes)?).map(|()| Vec::new()),
        1 => query(&decode(bytes)?).map(|()| Vec::new()),
        2 => publish(&decode(bytes)?).map(|message| message.encode_to_vec()),
        _ => common(bytes).map(|()| Vec::new()),
    }
}

fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, Status> {
    M::decode(bytes).map_err(|error| invalid("message", &error.to_string()))
}

fn adjudicate(message: &v1::AdjudicateRequest) -> Result<(), Status> {
    Caller::anybody().tenant(&message.tenant)?;
    wire::naming(&message.idempotency_key, message.priority)?;
    message.deadline.map(|time| round(time, "deadline")).transpose()?;
    claims::facts(&message.request).map(drop)
}

fn query(message: &v1::QueryRequest) -> Result<(), Status> {
    Caller::anybody().tenant(&message.tenant)?;
    wire::naming(&message.idempotency_key, message.priority)?;
    message.deadline.map(|time| round(time, "deadline")).transpose()?;
    cohorts::stored(message).map(drop)
}

fn publish(message: &v1::PublishEpochRequest) -> Result<v1::PublishEpochRequest, Status> {
    let tenant = Caller::anybody().tenant(&message.tenant)?;
    let epoch = message.epoch.as_ref().map(wire::epoch).transpose()?;
    let accounts = message.accounts.as_ref().map(|accounts| {
        wire::payer("accounts.payer", &accounts.payer)?;
        wire::element("accounts.root", &accounts.root)?;
        for note in &accounts.notes {
            wire::element("accounts.notes", note)?;
        }
        Ok::<_, Status>(accounts.clone())
    });
    Ok(v1::PublishEpochRequest {
        tenant: tenant.as_str().to_owned(),
        epoch: epoch.as_ref().map(wire::epoch_message),
        accounts: accounts.transpose()?,
    })
}

/// Fields that several messages have.
fn common(bytes: &[u8]) -> Result<(), Status> {
    if let Ok(message) = decode::<v1::ListJobsRequest>(bytes) {
        Caller::anybody().tenant(&message.tenant)?;
        message.states.iter().try_for_each(|state| wire::state(*state).map(drop))?;
    }
    if let Ok(message) = decode::<v1::GetJobRequest>(bytes) {
        Caller::anybody().tenant(&message.tenant)?;
        wire::job_id(&message.id)?;
    }
    let message = decode::<v1::DescribeDatasetRequest>(bytes)?;
    Caller::anybody().tenant(&message.tenant)?;
    datasets::digest(&message.dataset).map(drop)
}

/// A time there and back: what is accepted must be given back as it is kept.
fn round(time: prost_types::Timestamp, element: &str) -> Result<(), Status> {
    let kept = wire::instant(element, time)?;
    match wire::instant(element, wire::timestamp(kept)) {
        Ok(again) if again == kept => Ok(()),
        _ => Err(Status::internal("a time does not come back as it was kept")),
    }
}
