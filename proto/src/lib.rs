//! Nightingale's wire contract: the generated form of `nightingale/v1/*.proto`, and nothing else.
//!
//! The generated files are checked in, so that building needs no protobuf compiler; the test `regenerating_changes_nothing`
//! writes them anew when `NIGHTINGALE_REGENERATE=1` and compares them otherwise.

/// Package `nightingale.v1`.
#[expect(clippy::allow_attributes, reason = "generated, with what tonic allows itself")]
#[expect(clippy::large_enum_variant, reason = "generated; a message is one or the other and is not kept")]
pub mod v1 {
    include!("generated/nightingale.v1.rs");
}

/// The encoded `FileDescriptorSet` of the package, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/nightingale.v1.bin");

// These hold a member's record, the opening of an outcome, and exact figures: they print their size, never their content.

impl std::fmt::Debug for v1::AdjudicateRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = self.request.len();
        f.debug_struct("AdjudicateRequest")
            .field("tenant", &self.tenant)
            .field("request_bytes", &size)
            .finish()
    }
}

impl std::fmt::Debug for v1::ClaimResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClaimResult").field("proof_json_bytes", &self.proof_json.len()).finish()
    }
}

impl std::fmt::Debug for v1::QueryResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryResult").field("proof_json_bytes", &self.proof_json.len()).finish()
    }
}

// Whom a consent is of, and what it was read from, are a patient's own.

impl std::fmt::Debug for v1::Consent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consent").field("permit", &self.permit).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for v1::ConsentStatement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsentStatement").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for v1::RevokeConsentRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RevokeConsentRequest").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for v1::ImportConsentsRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = self.fhir.len();
        f.debug_struct("ImportConsentsRequest")
            .field("tenant", &self.tenant)
            .field("fhir_bytes", &size)
            .finish()
    }
}

impl std::fmt::Debug for v1::RevokeSubjectsRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let subjects = self.subjects.len();
        f.debug_struct("RevokeSubjectsRequest")
            .field("tenant", &self.tenant)
            .field("subjects", &subjects)
            .finish()
    }
}
