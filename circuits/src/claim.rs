//! Statement 1: claim adjudication. The specification is `docs/statements/claim.md`.

pub mod account;
pub mod circuit;
pub mod code;
pub mod commitments;
pub mod gadgets;
pub mod public;
pub mod reasons;
pub mod records;
pub mod request;
pub mod rules;
pub mod types;

pub use account::{Account, Balances};
pub use code::{Code, CodeSystem};
pub use public::PublicInputs;
pub use reasons::{Reason, Reasons};
pub use records::{
    Authorisation, Consent, CostOrder, DiagnosisGroups, Enrolment, FilingAnchor, NoteLeaf, PolicyRow,
    Provider, SexLimit,
};
pub use request::{Epoch, Refusal, Request, SizeClass, Venue};
pub use rules::{Adjudication, LineOutcome, adjudicate};
pub use types::{
    Address, Claim, ClaimType, Date, Id, Line, Modifier, Npi, OutOfRange, PlanId, Pointers, Sex, Units,
};
