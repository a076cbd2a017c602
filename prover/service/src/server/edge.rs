//! The wire edge as functions of bytes: decoding and the checks that a message passes before the store is asked about it. Fuzzing and its
//! replay start here; the handlers call the same functions with decoded messages.

use super::{claims, cohorts, consents::wire as consents, datasets, status::invalid, wire};
use crate::identity::Caller;
use nightingale_proto::v1;
use nightingale_records::consent::{Payer, import_fhir};
use prost::Message;
use tonic::Status;

/// Reads a message of the method with this number: 0 Adjudicate, 1 Query, 2 Publish, 3 the rest by their common fields, 4 Grant, 5 an import
/// of consents. What has a form in the domain is given back as a message made from that form.
///
/// # Errors
/// The status that a caller gets for it.
pub fn read(method: u8, bytes: &[u8]) -> Result<Vec<u8>, Status> {
    match method {
        0 => adjudicate(&decode(bytes)?).map(|()| Vec::new()),
        1 => query(&decode(bytes)?).map(|()| Vec::new()),
        2 => publish(&decode(bytes)?).map(|message| message.encode_to_vec()),
        4 => grant(&decode(bytes)?).map(|message| message.encode_to_vec()),
        5 => import(&decode(bytes)?).map(|()| Vec::new()),
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

fn grant(message: &v1::GrantConsentRequest) -> Result<v1::GrantConsentRequest, Status> {
    let tenant = Caller::anybody().tenant(&message.tenant)?;
    wire::naming(&message.idempotency_key, 0)?;
    let consent = message.consent.as_ref().ok_or_else(|| invalid("consent", "expected"))?;
    Ok(v1::GrantConsentRequest {
        tenant: tenant.as_str().to_owned(),
        idempotency_key: message.idempotency_key.clone(),
        consent: Some(consents::consent_message(&consents::consent(consent)?)),
        source: consents::source(&message.source)?.to_owned(),
    })
}

fn import(message: &v1::ImportConsentsRequest) -> Result<(), Status> {
    Caller::anybody().tenant(&message.tenant)?;
    wire::naming(&message.idempotency_key, 0)?;
    let payer = wire::payer("payer", &message.payer)?;
    let payer = Payer { id: payer, names: message.payer_names.clone() };
    drop(import_fhir(&message.fhir, &payer, "fhir"));
    Ok(())
}

/// Fields that several messages have.
fn common(bytes: &[u8]) -> Result<(), Status> {
    if let Ok(message) = decode::<v1::ListConsentsRequest>(bytes) {
        Caller::anybody().tenant(&message.tenant)?;
        consents::page_size(message.page_size, 100, 1000)?;
        consents::page_token(&message.page_token)?;
    }
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
