//! Between the messages of `ConsentService` and the ledger.

use super::super::{status::invalid, wire};
use crate::store::{
    consents::{Effect, Proposal, Stated, Statement, epochs::EpochRow},
    jobs::payer_bytes,
};
use nightingale_circuits::{
    claim::{Consent, Date},
    field::to_be_bytes,
};
use nightingale_proto::v1;
use nightingale_records::{Refused, consent};
use tonic::Status;

/// The longest name of what a consent was read from.
const SOURCE_BYTES: usize = 256;

pub(in crate::server) fn consent(message: &v1::Consent) -> Result<Consent, Status> {
    let small = |name: &str, number: u32| match number {
        0 => Ok(1),
        number => u8::try_from(number).map_err(|_| invalid(name, "expected 1 to 255")),
    };
    let day = |name: &str, text: &str, open: Date| match text {
        "" => Ok(open),
        text => {
            let expected = "expected a date as YYYY-MM-DD from 1901-01-01 to 2099-12-31";
            consent::day(text).ok_or_else(|| invalid(name, expected))
        }
    };
    let from = day("consent.from", &message.from, Date::MIN)?;
    let to = day("consent.to", &message.to, Date::MAX)?;
    if from > to {
        return Err(invalid("consent.to", "expected no earlier than from"));
    }
    Ok(Consent {
        member: wire::payer("consent.member", &message.member)?,
        payer: wire::payer("consent.payer", &message.payer)?,
        purpose: small("consent.purpose", message.purpose)?,
        data_class: small("consent.data_class", message.data_class)?,
        from,
        to,
        permit: message.permit,
    })
}

/// Everything that a consent says, in a form that nothing else has.
pub(super) fn parts(consent: &Consent) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(consent.member.number().to_be_bytes());
    bytes.extend(consent.payer.number().to_be_bytes());
    bytes.extend([consent.purpose, consent.data_class, u8::from(consent.permit)]);
    bytes.extend(consent.from.days().to_be_bytes());
    bytes.extend(consent.to.days().to_be_bytes());
    bytes
}

pub(in crate::server) fn source(text: &str) -> Result<&str, Status> {
    if text.len() > SOURCE_BYTES || text.chars().any(char::is_control) {
        return Err(invalid("source", "expected at most 256 bytes without control characters"));
    }
    Ok(text)
}

/// The names of a payer in a file: of which none says nothing, or breaks a line.
pub(super) fn payer_names(names: Vec<String>) -> Result<Vec<String>, Status> {
    if names.iter().any(|name| name.is_empty() || name.chars().any(char::is_control)) {
        return Err(invalid("payer_names", "expected names without control characters, none of them empty"));
    }
    Ok(names)
}

/// At most so many, or `usual` where nothing is said.
pub(in crate::server) fn page_size(asked: u32, usual: u32, most: u32) -> Result<u32, Status> {
    match asked {
        0 => Ok(usual),
        asked if asked <= most => Ok(asked),
        _ => Err(invalid("page_size", &format!("expected 0 to {most}"))),
    }
}

pub(in crate::server) fn page_token(text: &str) -> Result<Option<i64>, Status> {
    let parsed = (!text.is_empty()).then(|| text.parse::<i64>()).transpose();
    parsed.map_err(|_| invalid("page_token", "expected a token of the page before"))
}

pub(in crate::server) fn consent_message(consent: &Consent) -> v1::Consent {
    let bound = |day: Date, open: Date| if day == open { String::new() } else { consent::day_text(day) };
    v1::Consent {
        member: payer_bytes(consent.member),
        payer: payer_bytes(consent.payer),
        purpose: consent.purpose.into(),
        data_class: consent.data_class.into(),
        from: bound(consent.from, Date::MIN),
        to: bound(consent.to, Date::MAX),
        permit: consent.permit,
    }
}

pub(super) fn statement(statement: &Statement) -> v1::ConsentStatement {
    v1::ConsentStatement {
        sequence: statement.number,
        stated: Some(wire::timestamp(statement.stated)),
        consent: Some(consent_message(&statement.consent)),
        revokes: statement.effect == Effect::Revoke,
        source: statement.source.clone(),
    }
}

pub(super) fn epoch(epoch: &EpochRow) -> v1::ConsentEpoch {
    v1::ConsentEpoch {
        number: epoch.number.unsigned_abs(),
        root: to_be_bytes(&epoch.root).to_vec(),
        published: Some(wire::timestamp(epoch.published)),
        consents: epoch.consents,
    }
}

pub(super) fn silent(source: &str, why: &str) -> v1::ImportedConsent {
    v1::ImportedConsent {
        source: source.to_owned(),
        outcome: v1::ImportOutcome::Silent.into(),
        reason: why.to_owned(),
    }
}

pub(super) fn refused(refused: &Refused) -> v1::ImportedConsent {
    v1::ImportedConsent {
        source: refused.element.clone(),
        outcome: v1::ImportOutcome::Refused.into(),
        reason: refused.defect.to_string(),
    }
}

pub(super) fn imported(proposal: &Proposal, stated: Stated) -> v1::ImportedConsent {
    let (outcome, reason) = match (stated, proposal.effect) {
        (Stated::Unchanged, _) => (v1::ImportOutcome::Unchanged, String::new()),
        (Stated::OfAnother, _) => {
            let why = "the consent in force was read from another resource; revoke it by hand if that is what was withdrawn";
            (v1::ImportOutcome::Refused, why.to_owned())
        }
        (Stated::Refused, _) => {
            let why = "the ledger refuses what it permits, by hand or since this was changed last (meta.lastUpdated); grant it by hand if the \
                       patient consents anew";
            (v1::ImportOutcome::Refused, why.to_owned())
        }
        (Stated::FromTheFuture, _) => {
            let why = "it was changed later than now (meta.lastUpdated); have the clock of its system put right, and import it again as that \
                       then writes it";
            (v1::ImportOutcome::Refused, why.to_owned())
        }
        (Stated::Line(_), Effect::Permit) => (v1::ImportOutcome::Permitted, String::new()),
        (Stated::Line(_), Effect::Deny) => (v1::ImportOutcome::Forbidden, String::new()),
        (Stated::Line(_), Effect::Revoke) => (v1::ImportOutcome::Revoked, String::new()),
    };
    v1::ImportedConsent { source: proposal.source.clone(), outcome: outcome.into(), reason }
}
