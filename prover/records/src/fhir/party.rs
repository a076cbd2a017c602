//! Who a reference means: a text that registers can name, or an NPI.

use super::{
    bundle::{Bundle, Entry},
    resource::{Identifier, Reference},
};
use crate::notation::Notation;
use nightingale_circuits::claim::Npi;
use serde::Deserialize;

const NPI_SYSTEM: &str = "http://hl7.org/fhir/sid/us-npi";

/// The text that stands for a party, the first of these that there is: `Type/id` of a resource in the file,
/// `system|value` of a contained resource, the reference as written, `system|value` of a logical reference, the
/// display.
pub(crate) fn party(bundle: &Bundle<'_>, contained: &[Entry<'_>], reference: &Reference) -> Option<String> {
    let logical = || reference.identifier.as_ref().and_then(Identifier::text);
    let display = || reference.display.clone();
    let Some(literal) = reference.reference.as_deref() else { return logical().or_else(display) };
    if literal.starts_with('#') {
        let inner = within(contained, literal)?;
        return inner.identifier.as_ref().and_then(Identifier::text).or_else(logical).or_else(display);
    }
    let resolved =
        bundle.find(literal).and_then(|entry| entry.id.as_ref().map(|id| format!("{}/{id}", entry.kind)));
    resolved.or_else(|| Some(literal.to_owned()).filter(|text| !text.is_empty())).or_else(logical)
}

/// The contained resource of a `#id`.
pub(super) fn within<'c, 'a>(contained: &'c [Entry<'a>], literal: &str) -> Option<&'c Entry<'a>> {
    let id = literal.strip_prefix('#')?;
    contained.iter().find(|entry| entry.id.as_deref() == Some(id))
}

#[derive(Deserialize)]
struct Identifiers {
    #[serde(default)]
    identifier: Vec<Identifier>,
}

/// A provider: the NPI that the reference or the resource behind it carries, else what [`party`] gives.
///
/// An NPI is ten digits; whether they check is the statement's question. Anything shorter is a name.
pub(super) fn provider(
    bundle: &Bundle<'_>,
    contained: &[Entry<'_>],
    reference: &Reference,
) -> Option<String> {
    let npi = |identifier: &Identifier| {
        let value =
            identifier.value.as_deref().filter(|_| identifier.system.as_deref() == Some(NPI_SYSTEM))?;
        Npi::read(value).map(|_| value.to_owned())
    };
    let entry = reference.reference.as_deref().and_then(|literal| {
        if literal.starts_with('#') { within(contained, literal) } else { bundle.find(literal) }
    });
    let carried = entry.and_then(|entry| bundle.referred::<Identifiers>(entry).ok());
    let logical = reference.identifier.as_ref().and_then(npi);
    logical
        .or_else(|| carried.and_then(|carried| carried.identifier.iter().find_map(npi)))
        .or_else(|| party(bundle, contained, reference))
}
