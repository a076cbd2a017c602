//! Why a job failed, in words for whoever asked: what happened and what to do next, and no value of a record.

use nightingale_circuits::claim::Refusal;

/// Why a job failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureCode {
    /// An earlier approval used up the account version.
    AccountSpent,
    /// A line was billed before, or twice in this claim.
    Duplicate,
    /// An earlier approval used the prior authorisation.
    AuthorisationUsed,
    /// The consent that the claim relies on was revoked, or is not in force on its day of receipt.
    ConsentRevoked,
    /// The ledger of consents, which must know the consent, does not.
    ConsentUnknown,
    /// The consent root is none that may still be relied on.
    ConsentRootOld,
    /// The deadline passed first.
    DeadlinePassed,
    /// Nothing can be proven from the request.
    Refused,
    /// The key of its size class is missing or damaged.
    KeyUnavailable,
    /// It was lost with its worker too often.
    AttemptsExhausted,
    /// The stored request cannot be opened.
    Unreadable,
    /// The dataset's folder is gone or damaged.
    DatasetUnavailable,
    /// The tenant's keys were destroyed.
    TenantErased,
    /// A defect.
    Internal,
}

impl FailureCode {
    /// All.
    pub const ALL: [Self; 14] = [
        Self::AccountSpent,
        Self::Duplicate,
        Self::AuthorisationUsed,
        Self::ConsentRevoked,
        Self::ConsentUnknown,
        Self::ConsentRootOld,
        Self::DeadlinePassed,
        Self::Refused,
        Self::KeyUnavailable,
        Self::AttemptsExhausted,
        Self::Unreadable,
        Self::DatasetUnavailable,
        Self::TenantErased,
        Self::Internal,
    ];

    /// Its fixed name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccountSpent => "ACCOUNT_SPENT",
            Self::Duplicate => "DUPLICATE",
            Self::AuthorisationUsed => "AUTHORISATION_USED",
            Self::ConsentRevoked => "CONSENT_REVOKED",
            Self::ConsentUnknown => "CONSENT_UNKNOWN",
            Self::ConsentRootOld => "CONSENT_ROOT_OLD",
            Self::DeadlinePassed => "DEADLINE_PASSED",
            Self::Refused => "REFUSED",
            Self::KeyUnavailable => "KEY_UNAVAILABLE",
            Self::AttemptsExhausted => "ATTEMPTS_EXHAUSTED",
            Self::Unreadable => "UNREADABLE",
            Self::DatasetUnavailable => "DATASET_UNAVAILABLE",
            Self::TenantErased => "TENANT_ERASED",
            Self::Internal => "INTERNAL",
        }
    }

    /// From its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }

    /// The X12 claim adjustment reason code that says the same, where there is one.
    #[must_use]
    pub const fn carc(self) -> &'static str {
        match self {
            Self::Duplicate => "18",
            _ => "",
        }
    }
}

/// How a job failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub code: FailureCode,
    /// What happened and what to do next; names elements, never their values.
    pub message: String,
    /// The claim's lines that it is about, from 1.
    pub lines: Vec<u32>,
}

impl Failure {
    /// With the code's own message.
    #[must_use]
    pub fn new(code: FailureCode) -> Self {
        let message = match code {
            FailureCode::AccountSpent => {
                "an earlier approval used up this account version; publish the account register with the newest note, \
                 then submit the claim on it"
            }
            FailureCode::Duplicate => {
                "a line was already billed and allowed; remove it, or give a repeated service its repeat index"
            }
            FailureCode::AuthorisationUsed => {
                "an earlier approval used this prior authorisation, which serves one claim; ask the payer for another"
            }
            FailureCode::ConsentRevoked => {
                "the patient's consent is revoked, or not in force on the day of receipt; nothing was spent, and nothing about \
                 this claim may be disclosed to this payer"
            }
            FailureCode::ConsentUnknown => {
                "the ledger of consents does not know a consent of the patient to this payer; grant or import it, publish the \
                 register, and make the request under that"
            }
            FailureCode::ConsentRootOld => {
                "the request's consent root is not one that is published here and recent; make the request under the newest epoch \
                 of consents"
            }
            FailureCode::DeadlinePassed => {
                "the deadline passed first; nothing was spent, submit it again with more time"
            }
            FailureCode::Refused => "nothing can be proven from the request",
            FailureCode::KeyUnavailable => {
                "the proving key of this size class is missing or damaged; the operator restores the keys folder"
            }
            FailureCode::AttemptsExhausted => {
                "the job was lost with its worker too often; the operator reads the server's log, then submit it again"
            }
            FailureCode::Unreadable => {
                "the stored request cannot be opened with this master key; the operator restores the master key, then submit \
                 it again under another idempotency key"
            }
            FailureCode::DatasetUnavailable => {
                "the dataset's folder is gone or damaged; the operator reads the server's log and restores it, then ask again under \
                 another idempotency key"
            }
            FailureCode::TenantErased => "the tenant was erased while the job was open; nothing was spent",
            FailureCode::Internal => {
                "a defect in the service; nothing was spent, report it with the job's identifier"
            }
        };
        Self { code, message: message.to_owned(), lines: Vec::new() }
    }

    /// About these lines, counted from 1.
    #[must_use]
    pub fn with_lines(mut self, lines: Vec<u32>) -> Self {
        self.lines = lines;
        self
    }

    /// With what the statement says about the request: element names and fixed texts only.
    #[must_use]
    pub fn refused(refusal: &Refusal) -> Self {
        Self { message: refusal.to_string(), ..Self::new(FailureCode::Refused) }
    }
}
