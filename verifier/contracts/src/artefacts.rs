//! The compiled contracts, checked in under `build/`; `node verifier/contracts/build.mjs --check` says whether they are stale.

use crate::Error;
use alloy_primitives::{B256, Bytes, keccak256};
use serde::Deserialize;

/// A compiled contract.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artefact {
    /// Its name.
    pub contract: String,
    /// Its source, relative to `verifier/contracts`.
    pub source: String,
    /// The compiler that made it.
    pub compiler: String,
    /// The oldest fork that it runs on.
    pub evm_version: String,
    /// Its interface, for tools that want JSON.
    pub abi: serde_json::Value,
    /// Creation code, without constructor arguments or constants.
    pub bytecode: Bytes,
    /// The verifier's code before constants are appended; other contracts have none.
    #[serde(default)]
    pub template: Option<Bytes>,
    /// The digest of the verifying key that a halo2 verifier was generated from; other contracts have none.
    #[serde(default)]
    pub key: Option<B256>,
}

/// The sizes of tables, as logarithms of rows, for which a halo2 verifier is checked in.
pub const NARROW_SIZES: [u32; 1] = [14];

/// `Registry`.
///
/// # Errors
/// The checked-in artefact is corrupt; so for all functions here.
pub fn registry() -> Result<Artefact, Error> {
    parse("Registry", include_str!("../build/Registry.json"))
}

/// `ClaimSettlement`.
///
/// # Errors
/// As for [`registry`].
pub fn claim_settlement() -> Result<Artefact, Error> {
    parse("ClaimSettlement", include_str!("../build/ClaimSettlement.json"))
}

/// `ClaimVerifier`, to which a key's constants are appended.
///
/// # Errors
/// As for [`registry`].
pub fn claim_verifier() -> Result<Artefact, Error> {
    parse("ClaimVerifier", include_str!("../build/ClaimVerifier.json"))
}

/// `AuditAnchors`, which belongs to no deployment: one is enough for everybody on a chain.
///
/// # Errors
/// As for [`registry`].
pub fn audit_anchors() -> Result<Artefact, Error> {
    parse("AuditAnchors", include_str!("../build/AuditAnchors.json"))
}

/// `CohortLog`.
///
/// # Errors
/// As for [`registry`].
pub fn cohort_log() -> Result<Artefact, Error> {
    parse("CohortLog", include_str!("../build/CohortLog.json"))
}

/// `CohortVerifier`, for one size of tables and one setup.
///
/// # Errors
/// As for [`registry`].
pub fn cohort_verifier() -> Result<Artefact, Error> {
    parse("CohortVerifier", include_str!("../build/CohortVerifier.json"))
}

/// The halo2 verifier that was generated for tables of 2^14 rows under the development setup.
///
/// # Errors
/// As for [`registry`].
pub fn narrow_verifier_14() -> Result<Artefact, Error> {
    parse("NarrowVerifier14", include_str!("../build/NarrowVerifier14.json"))
}

/// The halo2 verifier that was generated from the narrow key with this digest; none if there is none.
///
/// # Errors
/// As for [`registry`].
pub fn narrow_verifier(key: B256) -> Result<Option<Artefact>, Error> {
    let all = [narrow_verifier_14()?];
    Ok(all.into_iter().find(|artefact| artefact.key == Some(key)))
}

/// `TestToken`: anybody mints it. For tests and local chains.
///
/// # Errors
/// As for [`registry`].
pub fn test_token() -> Result<Artefact, Error> {
    parse("TestToken", include_str!("../build/TestToken.json"))
}

/// Hash and length of the verifier's code without constants: how the registry recognises it.
///
/// # Errors
/// As for [`registry`].
pub fn verifier_template() -> Result<(B256, usize), Error> {
    let template =
        claim_verifier()?.template.ok_or_else(|| corrupt("ClaimVerifier", "it has no template"))?;
    Ok((keccak256(&template), template.len()))
}

fn parse(artefact: &'static str, json: &str) -> Result<Artefact, Error> {
    serde_json::from_str(json).map_err(|error| corrupt(artefact, error))
}

fn corrupt(artefact: &'static str, reason: impl ToString) -> Error {
    Error::ArtefactCorrupt { artefact, reason: reason.to_string() }
}
