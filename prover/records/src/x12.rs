//! X12 837P claims, version 005010X222.
//!
//! A file holds interchanges (ISA..IEA), those hold groups (GS..GE) of transaction sets (ST..SE), and an 837P set
//! holds one claim for each CLM segment. The delimiters are those that each ISA declares. There are crates that cut
//! X12 into segments; none names the element that is wrong, which is most of the work, so this reader is our own.

mod claim;
mod envelope;
mod hierarchy;
mod segment;
mod service;

use crate::ingest::{Defect, Fault, Found, Ingested, Refused};
use envelope::Transaction;

/// Reads the claims of an X12 file; `file` is what the report calls it.
#[must_use]
pub fn ingest_x12(bytes: &[u8], file: &str) -> Ingested {
    let mut ingested = Ingested { files: 1, ..Ingested::default() };
    let (transactions, faults) = envelope::read(bytes);
    for transaction in &transactions {
        let name = transaction.name();
        let (claims, faults) = match supported(transaction) {
            Ok(()) => hierarchy::claims(transaction),
            Err(fault) => (Vec::new(), vec![fault]),
        };
        ingested.claims.extend(claims.into_iter().map(|claim| Found { file: file.to_owned(), claim }));
        for fault in faults {
            let fault = fault.within(&name, ' ');
            ingested.refused.push(Refused {
                file: file.to_owned(),
                element: fault.element,
                defect: fault.defect,
            });
        }
    }
    let refused = faults.into_iter();
    ingested.refused.extend(refused.map(|Fault { element, defect }| Refused {
        file: file.to_owned(),
        element,
        defect,
    }));
    ingested
}

/// Only professional claims: 837I and 837D, and all that is no 837, are named and refused.
fn supported(transaction: &Transaction<'_>) -> Result<(), Fault> {
    let what = match (transaction.set, transaction.version.get(..10).unwrap_or(transaction.version)) {
        ("837", "005010X222") => return Ok(()),
        ("837", "005010X223") => "an institutional claim (837I); give professional claims (837P)".to_owned(),
        ("837", "005010X224") => "a dental claim (837D); give professional claims (837P)".to_owned(),
        ("837", _) => "a version other than 005010X222".to_owned(),
        (set, _) if set.len() == 3 && set.bytes().all(|b| b.is_ascii_digit()) => {
            format!("transaction set {set}; give professional claims (837P)")
        }
        _ => return Err(Fault::new("ST-01", Defect::malformed("837"))),
    };
    Err(Fault::new("ST", Defect::unsupported(what)))
}
