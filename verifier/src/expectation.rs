//! What a reader expects of a proof, as a JSON file: the names of [`Context`], each optional. One that is there has a value, or what is meant to
//! be checked would not be.
//!
//! The epoch may be given as its root or in full (as in a request file), so that another payer, chain or settlement
//! contract shows as another epoch root.

use crate::{
    Context, VerifyError,
    encoding::{from_hex, scalar_from_hex},
    json::{self, Object, present},
};
use nightingale_circuits::{
    Fr,
    claim::{Address, Date, Epoch, Id, Venue},
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContextFile {
    #[serde(default, deserialize_with = "present")]
    epoch_root: Option<String>,
    #[serde(default, deserialize_with = "present")]
    epoch: Option<Object<EpochFile>>,
    #[serde(default, deserialize_with = "present")]
    consent_root: Option<String>,
    #[serde(default, deserialize_with = "present")]
    account_root: Option<String>,
    #[serde(default, deserialize_with = "present")]
    claim_commitment: Option<String>,
    #[serde(default, deserialize_with = "present")]
    payee: Option<String>,
    #[serde(default, deserialize_with = "present")]
    received: Option<String>,
    #[serde(default, deserialize_with = "present")]
    key_digest: Option<String>,
    #[serde(default, deserialize_with = "present")]
    key_kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EpochFile {
    payer: String,
    venue: Object<VenueFile>,
    policy_root: String,
    diagnosis_root: String,
    enrolment_root: String,
    provider_root: String,
    authorisation_root: String,
    number: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VenueFile {
    chain_id: u64,
    contract: String,
}

impl Context {
    /// Reads an expectation file.
    ///
    /// # Errors
    /// Text that is not one, `null` for an element included; an element that is not canonical; an epoch that is given twice, differently.
    pub fn from_json(bytes: &[u8]) -> Result<Self, VerifyError> {
        let file: ContextFile = json::read(bytes)
            .map_err(|e| VerifyError::Unreadable { what: "expectation file", problem: e.to_string() })?;
        let root = |text: Option<&String>, name: &str| text.map(|text| parse_root(text, name)).transpose();
        let given = root(file.epoch_root.as_ref(), "epoch_root")?;
        let computed =
            file.epoch.as_ref().map(|Object(file)| epoch(file)).transpose()?.map(|epoch| epoch.root());
        if let (Some(given), Some(computed)) = (given, computed)
            && given != computed
        {
            return Err(VerifyError::malformed("epoch_root", "is not the root of the epoch beside it"));
        }
        Ok(Self {
            epoch_root: given.or(computed),
            consent_root: root(file.consent_root.as_ref(), "consent_root")?,
            account_root: root(file.account_root.as_ref(), "account_root")?,
            claim_commitment: root(file.claim_commitment.as_ref(), "claim_commitment")?,
            payee: file.payee.as_deref().map(|text| parse_address(text, "payee")).transpose()?,
            received: file.received.as_deref().map(parse_date).transpose()?,
            consents: None,
            key: file.key_digest.as_deref().map(str::parse).transpose()?,
            key_kind: file.key_kind.as_deref().map(str::parse).transpose()?,
        })
    }
}

fn epoch(file: &EpochFile) -> Result<Epoch, VerifyError> {
    let root = |text: &str, name: &str| parse_root(text, &format!("epoch.{name}"));
    let Object(venue) = &file.venue;
    Ok(Epoch {
        payer: payer(&file.payer)?,
        venue: Venue {
            chain_id: venue.chain_id,
            contract: parse_address(&venue.contract, "epoch.venue.contract")?,
        },
        policy_root: root(&file.policy_root, "policy_root")?,
        diagnosis_root: root(&file.diagnosis_root, "diagnosis_root")?,
        enrolment_root: root(&file.enrolment_root, "enrolment_root")?,
        provider_root: root(&file.provider_root, "provider_root")?,
        authorisation_root: root(&file.authorisation_root, "authorisation_root")?,
        number: file.number,
    })
}

/// A payer's text, or `id:0x` and 24 hexadecimal digits.
fn payer(text: &str) -> Result<Id, VerifyError> {
    let bad = || {
        VerifyError::malformed("epoch.payer", "must be a text that is not empty, or id:0x and 24 hex digits")
    };
    let Some(digits) = text.strip_prefix("id:").filter(|digits| digits.starts_with("0x")) else {
        return if text.is_empty() { Err(bad()) } else { Ok(Id::from_text(text)) };
    };
    let bytes = from_hex::<12>(digits, "epoch.payer")?;
    let number = bytes.iter().fold(0u128, |sum, byte| sum << 8 | u128::from(*byte));
    Id::new(number).map_err(|_| bad())
}

/// A root or commitment from `0x` and 64 hexadecimal digits.
///
/// # Errors
/// Another spelling, or a number at or above the modulus.
pub fn parse_root(text: &str, element: &str) -> Result<Fr, VerifyError> {
    scalar_from_hex(text, element)
}

/// An address from `0x` and 40 hexadecimal digits.
///
/// # Errors
/// Another spelling. Mixed-case checksums are read as lower case.
pub fn parse_address(text: &str, element: &str) -> Result<Address, VerifyError> {
    from_hex(&text.to_ascii_lowercase(), element).map(Address)
}

/// A date from `YYYY-MM-DD`.
///
/// # Errors
/// Another spelling, or a date that does not exist or is outside 1901 to 2099.
pub fn parse_date(text: &str) -> Result<Date, VerifyError> {
    let bad =
        || VerifyError::malformed("received", "must be a date as YYYY-MM-DD from 1901-01-01 to 2099-12-31");
    let mut parts = text.split('-');
    let mut number = |digits: usize| {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()));
        part.and_then(|part| part.parse::<u32>().ok()).ok_or_else(bad)
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    if parts.next().is_some() {
        return Err(bad());
    }
    Date::from_calendar(year, month, day).map_err(|_| bad())
}
