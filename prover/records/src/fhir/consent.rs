//! What a FHIR R4 `Consent` says about one payer learning of a patient's claims for payment.
//!
//! The register's leaf says permit or deny for one run of days, so a consent is read only where that says all of it. Whatever
//! the leaf cannot say is refused by element; nothing here permits a day that the patient did not. `docs/consent.md` has the table.

mod rule;

use super::{
    bundle::{Bundle, Entry},
    days::Days,
    party::party,
    resource::{Coded, Reference, instant},
};
use crate::ingest::{Defect, Fault, foreign};
use nightingale_circuits::claim::Date;
use rule::{Kind, Provision};
use serde::{Deserialize, de::IgnoredAny};

const SCOPES: &str = "http://terminology.hl7.org/CodeSystem/consentscope";
const POLICIES: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/// A consent, and whose it is.
pub(crate) struct Read {
    /// The patient, as claims name it.
    pub(crate) member: String,
    /// What it says.
    pub(crate) says: Says,
    /// When it was changed last (`meta.lastUpdated`), in seconds since 1970-01-01 UTC; `None` where it does not say.
    pub(crate) updated: Option<i64>,
}

/// What a consent says about the payer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// From a day to a day, permit or deny.
    Stated { from: Date, to: Date, permit: bool },
    /// It was in force, or was never meant to be, and is not: whatever it permitted is withdrawn.
    Withdrawn,
    /// Nothing; with the reason.
    Nothing(&'static str),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    last_updated: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Form {
    meta: Option<Meta>,
    status: Option<String>,
    scope: Option<Coded>,
    patient: Option<Reference>,
    policy_rule: Option<Coded>,
    provision: Option<Provision>,
    implicit_rules: Option<IgnoredAny>,
    #[serde(default)]
    modifier_extension: Vec<IgnoredAny>,
}

/// Whom the consent is read for.
struct Reader<'r> {
    bundle: &'r Bundle<'r>,
    is_payer: &'r dyn Fn(&str) -> bool,
}

fn unsupported(element: &str, what: &str) -> Fault {
    Fault::new(element, Defect::unsupported(what))
}

/// Reads a `Consent` for the payer of which `is_payer` knows the names.
///
/// # Errors
/// The element that is missing, malformed, or that the register has no way to say.
pub(crate) fn read(
    bundle: &Bundle<'_>,
    entry: &Entry<'_>,
    is_payer: &dyn Fn(&str) -> bool,
) -> Result<Read, Fault> {
    let form: Form = entry.parse()?;
    let patient = form.patient.as_ref().and_then(|patient| party(bundle, &[], patient));
    let member = patient
        .ok_or_else(|| Fault::new("patient", Defect::Missing { needed: "a reference or an identifier" }))?;
    foreign("patient", &member)?;
    let reader = Reader { bundle, is_payer };
    let says = match form.status.as_deref() {
        Some("active") => judged(&reader, &form)?,
        Some("inactive" | "rejected" | "entered-in-error") => match judged(&reader, &form) {
            // What certainly never spoke of this payer takes nothing back either.
            Ok(Says::Nothing(why)) => Says::Nothing(why),
            Ok(_) | Err(_) => Says::Withdrawn,
        },
        Some("draft" | "proposed") => Says::Nothing("it is not in force yet"),
        _ => {
            let expected = "active, inactive, rejected, entered-in-error, draft or proposed";
            return Err(Fault::new("status", Defect::malformed(expected)));
        }
    };
    let updated = form.meta.as_ref().and_then(|meta| meta.last_updated.as_deref());
    let updated = match updated.map(|text| instant(text, "meta.lastUpdated")).transpose() {
        // What takes back is taken whatever its date.
        Err(_) if !matches!(says, Says::Stated { permit: true, .. }) => None,
        updated => updated?,
    };
    Ok(Read { member, says, updated })
}

/// What it says while it is in force.
fn judged(reader: &Reader<'_>, form: &Form) -> Result<Says, Fault> {
    if form.implicit_rules.is_some() {
        return Err(unsupported("implicitRules", "rules that are not in the consent itself"));
    }
    if !form.modifier_extension.is_empty() {
        return Err(unsupported("modifierExtension", "an extension that changes what the consent means"));
    }
    match form.scope.as_ref().and_then(|scope| scope.only(SCOPES)) {
        Some("patient-privacy") => {}
        Some("research" | "treatment" | "adr") => {
            return Ok(Says::Nothing(
                "it is about research, treatment or advance directives, not about privacy",
            ));
        }
        _ => {
            let expected = "patient-privacy, research, treatment or adr, and one of them only";
            return Err(Fault::new("scope", Defect::malformed(expected)));
        }
    }
    let (permits, denies) = decided(reader, form)?;
    if let Some((from, to)) = permits.single() {
        return Ok(Says::Stated { from, to, permit: true });
    }
    if !permits.is_empty() {
        let what = "a permission of several periods with days between them, where the register has room for one period";
        return Err(unsupported("provision", what));
    }
    // To deny more days than were denied permits none.
    Ok(match denies.hull().single() {
        Some((from, to)) => Says::Stated { from, to, permit: false },
        None => Says::Nothing("it does not speak of this payer, payment and claims"),
    })
}

/// The days that are permitted and those that are denied: the base policy, the root provision, and the exceptions inside it.
fn decided(reader: &Reader<'_>, form: &Form) -> Result<(Days, Days), Fault> {
    let base = match form.policy_rule.as_ref().map(|rule| rule.only(POLICIES)) {
        Some(Some("OPTIN")) => Some(Kind::Permit),
        Some(Some("OPTOUT")) => Some(Kind::Deny),
        Some(Some("OPTINR" | "OPTOUTE")) => {
            let what = "opting in or out with restrictions that stand elsewhere";
            return Err(unsupported("policyRule", what));
        }
        // A policy of another vocabulary: what is stated beside it counts, and alone it says nothing.
        Some(_) | None => None,
    };
    let empty = Provision::default();
    let root = form.provision.as_ref().unwrap_or(&empty);
    root.check("provision")?;
    let kind = match (root.kind("provision")?, base) {
        (Some(kind), _) => kind,
        (None, Some(base)) if !root.is_conditioned() => base,
        (None, Some(_)) => {
            // HL7's own examples use this form for what is shared and for what is held back.
            let needed = "permit or deny: without it the conditions may be what the consent grants, or what it excepts";
            return Err(Fault::new("provision.type", Defect::Missing { needed }));
        }
        (None, None) => {
            let needed = "permit or deny, or a policyRule of OPTIN or OPTOUT";
            return Err(Fault::new("provision.type", Defect::Missing { needed }));
        }
    };
    let (mut permits, mut denies) = match base {
        // Opting in to what the conditions say is no more than that.
        Some(Kind::Permit) if kind == Kind::Deny => (Days::all(), Days::default()),
        Some(Kind::Deny) => (Days::default(), Days::all()),
        Some(Kind::Permit) | None => (Days::default(), Days::default()),
    };
    if let Some(days) = reader.days(root, kind, "provision", &Days::all())? {
        let (permitted, denied) = reader.within(root, kind, "provision", &days)?;
        (permits, denies) =
            (permits.minus(&denied).union(&permitted), denies.minus(&permitted).union(&denied));
    }
    Ok((permits, denies))
}
