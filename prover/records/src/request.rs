//! The request file: the claim with the opening of every register that it touches, enough to prove from.
//!
//! Nothing in it is a name: identifiers, plan and providers are numbers. The claim commitment is not stored but
//! computed, so an edited charge or date gives another, equally valid request. It holds the member's key and the
//! balances: treat it as a health record. The schema is `schemas/request.json`.

mod account;
mod opening;
mod record;

use crate::{
    RecordsError,
    claim_file::ClaimDocument,
    json,
    notation::{Notation, Written},
};
pub(crate) use account::BalancesDocument;
use account::MemberDocument;
use nightingale_circuits::{
    Fr,
    claim::{
        Address, Authorisation, Consent, Date, DiagnosisGroups, Enrolment, Epoch, Id, PolicyRow, Provider,
        Request, Venue, account::Secret,
    },
};
use opening::OpeningDocument;
pub(crate) use record::check_row;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The format's name and version, the first member of every request file.
pub const FORMAT: &str = "nightingale.claim.request/1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestDocument {
    format: String,
    claim: ClaimDocument,
    received: Written<Date>,
    epoch: EpochDocument,
    consent_root: Written<Fr>,
    account_root: Written<Fr>,
    enrolment: OpeningDocument<Enrolment>,
    billing: OpeningDocument<Provider>,
    rendering: OpeningDocument<Provider>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authorisation: Option<OpeningDocument<Authorisation>>,
    consent: OpeningDocument<Consent>,
    diagnoses: Vec<OpeningDocument<DiagnosisGroups>>,
    rows: Vec<OpeningDocument<PolicyRow>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<MemberDocument>,
    next_salt: Written<Secret>,
    outcome_salt: Written<Secret>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VenueDocument {
    chain_id: u64,
    contract: Written<Address>,
}

impl VenueDocument {
    pub(crate) const fn of_venue(venue: Venue) -> Self {
        Self { chain_id: venue.chain_id, contract: Written(venue.contract) }
    }

    pub(crate) const fn venue(&self) -> Venue {
        Venue { chain_id: self.chain_id, contract: self.contract.0 }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EpochDocument {
    payer: Written<Id>,
    venue: VenueDocument,
    policy_root: Written<Fr>,
    diagnosis_root: Written<Fr>,
    enrolment_root: Written<Fr>,
    provider_root: Written<Fr>,
    authorisation_root: Written<Fr>,
    number: u64,
}

impl EpochDocument {
    const fn of_epoch(epoch: &Epoch) -> Self {
        Self {
            payer: Written(epoch.payer),
            venue: VenueDocument::of_venue(epoch.venue),
            policy_root: Written(epoch.policy_root),
            diagnosis_root: Written(epoch.diagnosis_root),
            enrolment_root: Written(epoch.enrolment_root),
            provider_root: Written(epoch.provider_root),
            authorisation_root: Written(epoch.authorisation_root),
            number: epoch.number,
        }
    }

    const fn epoch(&self) -> Epoch {
        Epoch {
            payer: self.payer.0,
            venue: self.venue.venue(),
            policy_root: self.policy_root.0,
            diagnosis_root: self.diagnosis_root.0,
            enrolment_root: self.enrolment_root.0,
            provider_root: self.provider_root.0,
            authorisation_root: self.authorisation_root.0,
            number: self.number,
        }
    }
}

/// Writes a request file.
#[must_use]
pub fn to_json(request: &Request) -> Zeroizing<String> {
    json::write(&RequestDocument {
        format: FORMAT.to_owned(),
        claim: ClaimDocument::of_claim(&request.claim, &request.claim_salt),
        received: Written(request.received),
        epoch: EpochDocument::of_epoch(&request.epoch),
        consent_root: Written(request.consent_root),
        account_root: Written(request.account_root),
        enrolment: OpeningDocument::of_opening(&request.enrolment),
        billing: OpeningDocument::of_opening(&request.billing),
        rendering: OpeningDocument::of_opening(&request.rendering),
        authorisation: request.authorisation.as_ref().map(OpeningDocument::of_opening),
        consent: OpeningDocument::of_opening(&request.consent),
        diagnoses: request.diagnoses.iter().map(OpeningDocument::of_opening).collect(),
        rows: request.rows.iter().map(OpeningDocument::of_opening).collect(),
        account: request.member.as_ref().map(MemberDocument::of_member),
        next_salt: Written(request.next_salt.clone()),
        outcome_salt: Written(request.outcome_salt.clone()),
    })
}

/// Reads a request file. Whether it can be proven is [`Request::check`]'s question.
///
/// # Errors
/// [`RecordsError::Format`] names the element and what was expected.
pub fn from_json(bytes: &[u8]) -> Result<Request, RecordsError> {
    let document: RequestDocument = json::read(bytes)?;
    if document.format != FORMAT {
        return Err(RecordsError::format("format", format!("expected \"{FORMAT}\"")));
    }
    if document.claim.names_a_receipt() {
        return Err(RecordsError::format(
            "claim.received",
            "belongs to the request, not to its claim; move it up",
        ));
    }
    let (claim, claim_salt) = document.claim.into_claim().map_err(|e| e.within("claim"))?;
    let each = |name: &str, i: usize| format!("{name}[{i}]");
    Ok(Request {
        claim,
        claim_salt,
        received: document.received.0,
        epoch: document.epoch.epoch(),
        consent_root: document.consent_root.0,
        account_root: document.account_root.0,
        enrolment: document.enrolment.into_opening("enrolment")?,
        billing: document.billing.into_opening("billing")?,
        rendering: document.rendering.into_opening("rendering")?,
        authorisation: document.authorisation.map(|o| o.into_opening("authorisation")).transpose()?,
        consent: document.consent.into_opening("consent")?,
        diagnoses: (document.diagnoses.into_iter().enumerate())
            .map(|(i, opening)| opening.into_opening(&each("diagnoses", i)))
            .collect::<Result<_, _>>()?,
        rows: (document.rows.into_iter().enumerate())
            .map(|(i, opening)| opening.into_opening(&each("rows", i)))
            .collect::<Result<_, _>>()?,
        member: document.account.map(MemberDocument::into_member).transpose()?,
        next_salt: document.next_salt.0,
        outcome_salt: document.outcome_salt.0,
    })
}

/// A field element as its 64 hex digits after `0x`: the spelling that every file here uses.
#[must_use]
pub fn field_text(x: &Fr) -> String {
    x.write()
}
