//! Consents for a ledger of them: what the `Consent` resources of a FHIR file say about one payer, each on its own.
//!
//! One that cannot be taken does not cost the others in its file, and is refused by its element. Two of one patient in one file that say
//! different things are both refused: nobody here guesses which of them counts.

use crate::{
    RecordsError,
    fhir::{Bundle, consent, consent::Says},
    ingest::{Defect, Fault, Refused},
    notation::{Notation, id},
    registers::consents_json,
};
use nightingale_circuits::{
    claim::{Consent, Date, Id},
    merkle::Register,
};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The payer that consents are read for.
#[derive(Clone, Debug)]
pub struct Payer {
    /// Its number.
    pub id: Id,
    /// The names by which the file's actors may mean it.
    pub names: Vec<String>,
}

/// What one `Consent` resource says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundConsent {
    /// The resource, as `Consent/<id>` or by its place in the file.
    pub source: String,
    /// What it says.
    pub says: ConsentSays,
    /// When it was changed last (`meta.lastUpdated`), in seconds since 1970-01-01 UTC; `None` where it does not say.
    pub updated: Option<i64>,
}

/// What a consent says about the payer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsentSays {
    /// Permit or deny, for a period.
    Stated(Consent),
    /// What it permitted is withdrawn.
    Withdrawn {
        /// By this patient.
        member: Id,
    },
    /// Nothing; with the reason.
    Nothing(&'static str),
}

/// What a file's consents say.
#[derive(Default)]
pub struct ConsentImport {
    /// In the file's order.
    pub found: Vec<FoundConsent>,
    /// What was refused, with element and reason.
    pub refused: Vec<Refused>,
}

/// Reads the consents of a FHIR file: a bundle, or a single resource. Other resource types are passed over.
///
/// `docs/consent.md` has the mapping. A payer without names is meant by consents that name no actor only.
#[must_use]
pub fn import_fhir(bytes: &[u8], payer: &Payer, file: &str) -> ConsentImport {
    let mut import = ConsentImport::default();
    let refuse = |import: &mut ConsentImport, fault: Fault| {
        import.refused.push(Refused { file: file.to_owned(), element: fault.element, defect: fault.defect });
    };
    let bundle = match Bundle::read(bytes) {
        Ok((bundle, faults)) => {
            faults.into_iter().for_each(|fault| refuse(&mut import, fault));
            bundle
        }
        Err(fault) => {
            refuse(&mut import, fault);
            return import;
        }
    };
    let is_payer = |name: &str| payer.names.iter().any(|other| other == name);
    let mut any = false;
    for entry in bundle.entries().iter().filter(|entry| entry.kind == "Consent") {
        any = true;
        let read = consent::read(&bundle, entry, &is_payer).and_then(|read| {
            let member = id(&read.member)
                .ok_or_else(|| Fault::new("patient", Defect::malformed(<Id as Notation>::EXPECTED)))?;
            let says = match read.says {
                Says::Stated { from, to, permit } => ConsentSays::Stated(Consent {
                    member,
                    payer: payer.id,
                    purpose: Consent::PAYMENT,
                    data_class: Consent::CLAIMS,
                    from,
                    to,
                    permit,
                }),
                Says::Withdrawn => ConsentSays::Withdrawn { member },
                Says::Nothing(why) => ConsentSays::Nothing(why),
            };
            Ok((says, read.updated))
        });
        match read {
            Ok((says, updated)) => import.found.push(FoundConsent { source: entry.name(), says, updated }),
            Err(fault) => refuse(&mut import, fault.within(&entry.name(), '.')),
        }
    }
    if !any && import.refused.is_empty() {
        let what = "a file without a Consent; give a Consent or a Bundle that holds some";
        refuse(&mut import, Fault::new("resourceType", Defect::unsupported(what)));
    }
    without_contradictions(&mut import, file);
    import
}

/// Takes out what a file says twice and differently; a withdrawn consent beside the one that replaced it says nothing.
fn without_contradictions(import: &mut ConsentImport, file: &str) {
    let mut stated: BTreeMap<Id, Vec<Consent>> = BTreeMap::new();
    for found in &import.found {
        if let ConsentSays::Stated(consent) = &found.says {
            let said = stated.entry(consent.member).or_default();
            if !said.contains(consent) {
                said.push(consent.clone());
            }
        }
    }
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    for mut found in import.found.drain(..) {
        match &found.says {
            ConsentSays::Stated(consent) if stated.get(&consent.member).is_some_and(|all| all.len() > 1) => {
                let what = "it and another active consent of this patient in the file say different things of the payer; \
                            import the one that counts";
                let defect = Defect::unsupported(what);
                refused.push(Refused { file: file.to_owned(), element: found.source, defect });
                continue;
            }
            ConsentSays::Withdrawn { member } if stated.get(member).is_some_and(|all| all.len() == 1) => {
                found.says = ConsentSays::Nothing("another consent in the file is in force in its place");
            }
            _ => {}
        }
        kept.push(found);
    }
    import.found = kept;
    import.refused.extend(refused);
}

/// Builds the consent register: one leaf for each member, payer, purpose and data class.
///
/// # Errors
/// Two consents of one key, or more than a register holds.
pub fn build_register(consents: Vec<Consent>) -> Result<Register<Consent>, RecordsError> {
    Ok(Register::build(consents)?)
}

/// The `consents` of a registers directory (`consents.json`, see `docs/records.md`) with members and payers by number.
#[must_use]
pub fn to_registers_json(consents: &[Consent]) -> Zeroizing<String> {
    consents_json(consents)
}

/// A member's or payer's number from its identifier, as registers and claims write it: a text, or `id:0x` and 24 hexadecimal digits.
#[must_use]
pub fn identifier(text: &str) -> Option<Id> {
    id(text)
}

/// A number as registers write it.
#[must_use]
pub fn identifier_text(number: Id) -> String {
    number.write()
}

/// A day from `YYYY-MM-DD`.
#[must_use]
pub fn day(text: &str) -> Option<Date> {
    Date::read(text)
}

/// A day as `YYYY-MM-DD`.
#[must_use]
pub fn day_text(day: Date) -> String {
    day.write()
}
