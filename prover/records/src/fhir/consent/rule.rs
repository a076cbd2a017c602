//! One provision of a consent: on which days it speaks of the payer, and what the exceptions inside it leave.

use super::{Reader, unsupported};
use crate::{
    fhir::{
        days::Days,
        party::party,
        resource::{Coded, Coding, Period, Reference, date},
    },
    ingest::{Defect, Fault},
};
use nightingale_circuits::claim::Date;
use serde::{Deserialize, de::IgnoredAny};

const ROLES: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const ACTIONS: &str = "http://terminology.hl7.org/CodeSystem/consentaction";
const PURPOSES: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const CLASSES: &str = "http://hl7.org/fhir/resource-types";
/// Purposes below healthcare payment (HPAYMT) in v3-ActReason.
const PARTS_OF_PAYMENT: [&str; 8] =
    ["CLMATTCH", "COVAUTH", "COVERAGE", "ELIGDTRM", "ELIGVER", "ENROLLM", "MILDCRG", "REMITADV"];

/// Permit or deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Permit,
    Deny,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Provision {
    r#type: Option<String>,
    period: Option<Period>,
    #[serde(default)]
    actor: Vec<Actor>,
    #[serde(default)]
    action: Vec<Coded>,
    #[serde(default)]
    security_label: Vec<IgnoredAny>,
    #[serde(default)]
    purpose: Vec<Coding>,
    #[serde(default)]
    class: Vec<Coding>,
    #[serde(default)]
    code: Vec<IgnoredAny>,
    data_period: Option<IgnoredAny>,
    #[serde(default)]
    data: Vec<IgnoredAny>,
    #[serde(default)]
    provision: Vec<Provision>,
    #[serde(default)]
    modifier_extension: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Actor {
    role: Option<Coded>,
    reference: Option<Reference>,
    #[serde(default)]
    modifier_extension: Vec<IgnoredAny>,
}

/// Whether a condition is met for this payer, payment and claims.
enum Met {
    Yes,
    No,
    /// In part, or nobody can tell.
    Unclear(Fault),
}

impl Provision {
    /// Whether it says when it applies.
    pub(super) fn is_conditioned(&self) -> bool {
        let lists = [
            self.actor.is_empty(),
            self.action.is_empty(),
            self.security_label.is_empty(),
            self.purpose.is_empty(),
            self.class.is_empty(),
            self.code.is_empty(),
            self.data.is_empty(),
        ];
        self.period.is_some() || self.data_period.is_some() || lists.contains(&false)
    }

    /// Its type, where it has one.
    pub(super) fn kind(&self, at: &str) -> Result<Option<Kind>, Fault> {
        match self.r#type.as_deref() {
            Some("permit") => Ok(Some(Kind::Permit)),
            Some("deny") => Ok(Some(Kind::Deny)),
            Some(_) => Err(Fault::new(format!("{at}.type"), Defect::malformed("permit or deny"))),
            None => Ok(None),
        }
    }

    /// Refuses what changes the meaning in a way that nobody here knows.
    pub(super) fn check(&self, at: &str) -> Result<(), Fault> {
        let what = "an extension that changes what the consent means";
        if !self.modifier_extension.is_empty() {
            return Err(unsupported(&format!("{at}.modifierExtension"), what));
        }
        if let Some(i) = self.actor.iter().position(|actor| !actor.modifier_extension.is_empty()) {
            return Err(unsupported(&format!("{at}.actor[{i}].modifierExtension"), what));
        }
        let mut nested = self.provision.iter().enumerate();
        nested.try_for_each(|(i, inner)| inner.check(&format!("{at}.provision[{i}]")))
    }
}

impl Reader<'_> {
    /// On which of these days the provision applies to the payer; `None` where it certainly does not speak of it.
    pub(super) fn days(
        &self,
        rule: &Provision,
        kind: Kind,
        at: &str,
        within: &Days,
    ) -> Result<Option<Days>, Fault> {
        let met = [
            self.actors(rule, at),
            actions(rule, kind, at),
            purposes(rule, at),
            classes(rule, kind, at),
            data(rule, at),
        ];
        // One condition that is certainly not met is enough, whatever the others are.
        if met.iter().any(|met| matches!(met, Met::No)) {
            return Ok(None);
        }
        for condition in met {
            if let Met::Unclear(fault) = condition {
                return Err(fault);
            }
        }
        let period = rule.period.as_ref().map(|period| days(period, kind, &format!("{at}.period")));
        Ok(Some(within.intersection(&period.transpose()?.unwrap_or_else(Days::all))))
    }

    /// What of `days` the provision permits and denies, with the exceptions inside it. Of two exceptions that contradict each other
    /// the one that denies counts.
    pub(super) fn within(
        &self,
        rule: &Provision,
        kind: Kind,
        at: &str,
        days: &Days,
    ) -> Result<(Days, Days), Fault> {
        let (mut permitted, mut denied) = (Days::default(), Days::default());
        for (i, inner) in rule.provision.iter().enumerate() {
            let at = format!("{at}.provision[{i}]");
            let inner_kind = inner.kind(&at)?.ok_or_else(|| {
                Fault::new(format!("{at}.type"), Defect::Missing { needed: "permit or deny" })
            })?;
            let Some(excepted) = self.days(inner, inner_kind, &at, days)? else { continue };
            let (permits, denies) = self.within(inner, inner_kind, &at, &excepted)?;
            (permitted, denied) = (permitted.union(&permits), denied.union(&denies));
        }
        let permits = match kind {
            Kind::Permit => days.union(&permitted).minus(&denied),
            Kind::Deny => permitted.minus(&denied),
        };
        let denies = days.minus(&permits);
        Ok((permits, denies))
    }

    fn actors(&self, rule: &Provision, at: &str) -> Met {
        let mut met = if rule.actor.is_empty() { Met::Yes } else { Met::No };
        for (i, actor) in rule.actor.iter().enumerate() {
            let at = format!("{at}.actor[{i}]");
            match actor.role.as_ref().map(|role| role.only(ROLES)) {
                None | Some(Some("IRCP" | "PRCP")) => {}
                Some(_) => {
                    let what = "a role other than recipient (IRCP or PRCP): whose data it is, or who acts, has no place in the register";
                    return Met::Unclear(unsupported(&format!("{at}.role"), what));
                }
            }
            let name = actor.reference.as_ref().and_then(|reference| party(self.bundle, &[], reference));
            let Some(name) = name else {
                let needed = "a reference, an identifier or a display";
                return Met::Unclear(Fault::new(format!("{at}.reference"), Defect::Missing { needed }));
            };
            if (self.is_payer)(&name) {
                met = Met::Yes;
            } else if name.starts_with("Group/") {
                let what = "a group, of which nobody here knows whether the payer is in it";
                return Met::Unclear(unsupported(&format!("{at}.reference"), what));
            }
        }
        met
    }
}

fn actions(rule: &Provision, kind: Kind, at: &str) -> Met {
    let mut met = if rule.action.is_empty() { Met::Yes } else { Met::No };
    for (i, action) in rule.action.iter().enumerate() {
        match action.only(ACTIONS) {
            Some("disclose" | "access") => met = Met::Yes,
            // To forbid their use forbids what a disclosure is for; to permit their use permits no disclosure.
            Some("collect" | "use") if kind == Kind::Deny => met = Met::Yes,
            Some("collect" | "use" | "correct") => {}
            _ => {
                let expected = "one of collect, access, use, disclose and correct";
                return Met::Unclear(Fault::new(format!("{at}.action[{i}]"), Defect::malformed(expected)));
            }
        }
    }
    met
}

fn purposes(rule: &Provision, at: &str) -> Met {
    let mut met = if rule.purpose.is_empty() { Met::Yes } else { Met::No };
    let mut unclear = None;
    for (i, purpose) in rule.purpose.iter().enumerate() {
        let fault = |what| unsupported(&format!("{at}.purpose[{i}]"), what);
        match purpose.of(PURPOSES) {
            Some("HPAYMT" | "PurposeOfUse") => met = Met::Yes,
            Some(part) if PARTS_OF_PAYMENT.contains(&part) => {
                unclear = Some(fault("a part of healthcare payment, where the register has the whole of it"));
            }
            Some(_) => {}
            None => unclear = Some(fault("a purpose that is not of v3-ActReason")),
        }
    }
    settled(met, unclear)
}

fn classes(rule: &Provision, kind: Kind, at: &str) -> Met {
    let mut met = if rule.class.is_empty() { Met::Yes } else { Met::No };
    let mut unclear = None;
    for (i, class) in rule.class.iter().enumerate() {
        match class.of(CLASSES) {
            Some("Claim" | "ExplanationOfBenefit") => met = Met::Yes,
            // What is proven answers a claim.
            Some("ClaimResponse") if kind == Kind::Deny => met = Met::Yes,
            Some(_) => {}
            None => {
                let what = "a class that is not one of FHIR's resource types";
                unclear = Some(unsupported(&format!("{at}.class[{i}]"), what));
            }
        }
    }
    settled(met, unclear)
}

/// A condition that is met needs no more; one that is met nowhere else may be met by what is unclear.
fn settled(met: Met, unclear: Option<Fault>) -> Met {
    match (met, unclear) {
        (Met::Yes, _) => Met::Yes,
        (_, Some(fault)) => Met::Unclear(fault),
        (met, None) => met,
    }
}

fn data(rule: &Provision, at: &str) -> Met {
    let parts = [
        ("securityLabel", !rule.security_label.is_empty()),
        ("code", !rule.code.is_empty()),
        ("dataPeriod", rule.data_period.is_some()),
        ("data", !rule.data.is_empty()),
    ];
    match parts.into_iter().find(|(_, given)| *given) {
        Some((name, _)) => {
            let what = "a part of the claims, where the register has all of them or none";
            Met::Unclear(unsupported(&format!("{at}.{name}"), what))
        }
        None => Met::Yes,
    }
}

/// The whole days of a period. A permission that begins or ends within a day does not have that day; a denial does.
fn days(period: &Period, kind: Kind, at: &str) -> Result<Days, Fault> {
    let bound = |text: &Option<String>, name: &str, edge: &str| {
        let Some(text) = text else { return Ok(None) };
        let day = date(text, &format!("{at}.{name}"))?.days();
        let time = text.get(10..).unwrap_or_default();
        Ok(Some((day, kind == Kind::Deny || time.is_empty() || time.starts_with(edge))))
    };
    let from = match bound(&period.start, "start", "T00:00:00")? {
        None => Date::MIN.days(),
        Some((day, true)) => day,
        Some((day, false)) => day.saturating_add(1),
    };
    let to = match bound(&period.end, "end", "T23:59:59")? {
        None => Date::MAX.days(),
        Some((day, true)) => day,
        Some((day, false)) => day.saturating_sub(1),
    };
    Ok(Days::between(from, to))
}
