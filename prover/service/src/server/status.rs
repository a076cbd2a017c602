//! Errors on the wire: a gRPC code, a fixed reason in `ErrorInfo` (domain `nightingale`), and the element that is meant.
//! No text holds a value of a request.

use crate::error::{CohortError, StoreError};
use nightingale_circuits::claim::Refusal;
use nightingale_prover::ProveError;
use nightingale_records::RecordsError;
use std::collections::HashMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The domain of every reason.
pub(crate) const DOMAIN: &str = "nightingale";

/// The longest text of a status. It travels in a header, of which clients take 16 KiB in all, and twice: as message and in the details.
const LONGEST_TEXT: usize = 1024;

/// A text that may repeat a name from a stranger's message, cut to what a header bears.
fn brief(text: &str) -> String {
    let end = (0..=LONGEST_TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    match text.get(..end) {
        Some(start) if end < text.len() => format!("{start}..."),
        _ => text.to_owned(),
    }
}

/// A status with a reason.
pub(crate) fn typed(code: Code, reason: &'static str, message: impl Into<String>) -> Status {
    with_metadata(code, reason, message, [])
}

/// A status with a reason and facts.
pub(crate) fn with_metadata<const N: usize>(
    code: Code,
    reason: &'static str,
    message: impl Into<String>,
    facts: [(&str, String); N],
) -> Status {
    let facts: HashMap<String, String> =
        facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Status::with_error_details(
        code,
        brief(&message.into()),
        ErrorDetails::with_error_info(reason, DOMAIN, facts),
    )
}

/// A field of a message, or an element of a request, that cannot be used.
pub(crate) fn invalid(element: &str, expected: &str) -> Status {
    let (element, expected) = (brief(element), brief(expected));
    let mut details = ErrorDetails::with_bad_request_violation(&element, &expected);
    details.set_error_info("INVALID", DOMAIN, HashMap::new());
    Status::with_error_details(Code::InvalidArgument, format!("{element}: {expected}"), details)
}

/// What the statement refuses.
pub(super) fn refused(refusal: &Refusal) -> Status {
    let element = match refusal {
        Refusal::NoConsent => return typed(Code::FailedPrecondition, "NO_CONSENT", refusal.to_string()),
        Refusal::TooLarge { element, .. } => (*element).to_owned(),
        Refusal::Invalid { element, .. } | Refusal::Opening { element, .. } => element.clone(),
    };
    let text = refusal.to_string();
    let problem = text.strip_prefix(&format!("{element}: ")).unwrap_or(&text);
    invalid(&element, problem)
}

/// What the request file's reader refuses.
pub(super) fn unreadable(error: &RecordsError) -> Status {
    match error {
        RecordsError::Format { element, problem } => invalid(element, problem),
        RecordsError::Unresolved { element, problem } => invalid(element, problem),
        RecordsError::Refused(refusal) => refused(refusal),
        RecordsError::Register(_) | RecordsError::Unreadable { .. } => invalid("request", "cannot be read"),
    }
}

/// The fixed reason of a status; empty where it has none.
pub(crate) fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

/// Why a question or a dataset is refused. Paths and the texts of defects are the operator's to see.
pub(super) fn cohort(error: &CohortError) -> Status {
    let reason = error.reason();
    match error {
        CohortError::NoDataset(_) => typed(
            Code::NotFound,
            reason,
            "no dataset folder there; the operator puts what `nightingale dataset commit` made there",
        ),
        CohortError::Sql(_) | CohortError::Plan { .. } => {
            typed(Code::InvalidArgument, reason, error.to_string())
        }
        refusal if refusal.is_refusal() => typed(Code::PermissionDenied, reason, error.to_string()),
        CohortError::Prove(ProveError::Corrupt { path, .. }) => {
            tracing::error!(%error, "the dataset is damaged");
            let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let text = format!(
                "{file}: the dataset's folder is damaged; nothing is proven before the operator restores it"
            );
            typed(Code::DataLoss, reason, text)
        }
        CohortError::Store(error) => stored(error),
        CohortError::Elsewhere => typed(Code::AlreadyExists, reason, error.to_string()),
        CohortError::OlderConsents { .. } => {
            tracing::error!(%error, "the dataset's folder is an old copy");
            let text = "the dataset's folder has older consents than were recorded; nothing is proven before the operator restores the newest copy";
            typed(Code::DataLoss, reason, text)
        }
        _ => {
            tracing::error!(%error, "the dataset cannot be used");
            typed(Code::Internal, reason, "the dataset cannot be used; the server's log says why")
        }
    }
}

/// The server is about to stop.
pub(super) fn draining() -> Status {
    typed(
        Code::Unavailable,
        "DRAINING",
        "the server is stopping; try again when it is back, accepted jobs go on then",
    )
}

/// More requests come than can be read.
pub(super) fn overloaded() -> Status {
    typed(
        Code::ResourceExhausted,
        "OVERLOADED",
        "more requests come than the server can take; nothing was accepted, try again later and less often",
    )
}

impl From<StoreError> for Status {
    fn from(error: StoreError) -> Self {
        stored(&error)
    }
}

/// What the database refuses.
fn stored(error: &StoreError) -> Status {
    if !matches!(error, StoreError::TenantErased) {
        tracing::error!(%error, "the database refused");
    }
    match error {
        StoreError::Full => typed(
            Code::Unavailable,
            "STORAGE_FULL",
            "the server's disk is full; nothing was accepted, try again later",
        ),
        StoreError::Busy | StoreError::Taken | StoreError::Io(_) => typed(
            Code::Unavailable,
            "STORAGE",
            "the server's database does not answer; try again under the same idempotency key",
        ),
        StoreError::Sealed => typed(
            Code::DataLoss,
            "SEALED",
            "the stored value cannot be opened; the operator restores the master key",
        ),
        StoreError::TenantErased => typed(
            Code::FailedPrecondition,
            "TENANT_ERASED",
            "tenant: was erased; nothing of it can be read, and nothing is accepted for it",
        ),
        StoreError::KeyService(_) => typed(
            Code::Unavailable,
            "KEY_SERVICE",
            "the server's key service does not answer; nothing was accepted, try again",
        ),
        StoreError::Corrupt(_) | StoreError::Bug(_) => typed(
            Code::Internal,
            "DATABASE",
            "the server's database is damaged or misused; its log says more",
        ),
    }
}
