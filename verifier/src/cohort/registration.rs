//! Judges a dataset's registration: that every committed column is what the schema says, and that each version of the
//! consents only revokes.

use super::{
    CircuitName, CohortKeys, Commitment,
    dataset::{Dataset, LinkedProof, TableRecord},
    signature::verify_sponsor,
    verify::{check_key, verify_linked},
};
use crate::{KeyKind, VerifyError};
use halo2_proofs::halo2curves::bn256::G1Affine;
use nightingale_circuits::{
    claim::Address,
    cohort::{
        Committed, Keccak,
        digest::Words,
        registration::{self, Source, Statement},
    },
};

/// What a valid registration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedRegistration {
    /// Proofs that were checked.
    pub proofs: usize,
    /// `Development` if any key was one.
    pub kind: KeyKind,
    /// Who signed the dataset and its consents, if anybody.
    pub sponsor: Option<Address>,
}

/// Verifies all proofs of a dataset's registration, and its signatures where its tables name a sponsor.
///
/// # Errors
/// Names the table and the proof that does not hold, or the signature.
pub fn verify_registration(
    dataset: &Dataset,
    keys: &CohortKeys,
    production_only: bool,
) -> Result<VerifiedRegistration, VerifyError> {
    let sponsor = verify_sponsor(dataset, None)?;
    let mut verified = VerifiedRegistration { proofs: 0, kind: KeyKind::Production, sponsor };
    for table in dataset.tables() {
        let plan = registration::plan(table.schema(), table.size().layout());
        let Some((frame, others)) = plan.split_first() else {
            return Err(VerifyError::Inconsistent("a table without a frame"));
        };
        if others.len() != table.proofs.len() || table.consents.is_empty() {
            return Err(VerifyError::malformed(
                "registration",
                "does not have the proofs that the schema asks for",
            ));
        }
        let versions = table.consents.iter().enumerate();
        let frames = versions.map(|(version, consent)| (0, frame, Some(version), &consent.frame));
        let columns = (1..)
            .zip(others)
            .zip(&table.proofs)
            .map(|((place, statement), proof)| (place, statement, None, proof));
        for (place, statement, version, proof) in frames.chain(columns) {
            let kind = verify_statement(table, place, statement, version, proof, keys, production_only)
                .map_err(|error| {
                    VerifyError::Cohort(format!(
                        "registration of {}, {} proof {place}: {error}",
                        table.name(),
                        statement.part().name()
                    ))
                })?;
            if kind == KeyKind::Development {
                verified.kind = kind;
            }
            verified.proofs += 1;
        }
    }
    Ok(verified)
}

fn verify_statement(
    table: &TableRecord,
    place: usize,
    statement: &Statement,
    version: Option<usize>,
    proof: &LinkedProof,
    keys: &CohortKeys,
    production_only: bool,
) -> Result<KeyKind, VerifyError> {
    let key = keys.key(CircuitName::Registration(statement.part()), table.size())?;
    check_key(&key, proof, production_only)?;
    let points = sources(table, statement, version, &key.setup().identity)?;
    let versions = version.map_or(0, |version| version.saturating_add(1));
    let consents: Vec<Commitment> =
        table.consents.iter().take(versions).map(|consent| consent.commitment).collect();
    let context = registration_context(table, place, &consents);
    verify_linked(&key, &statement.instances(table.rows()), proof, &points, &context)?;
    Ok(key.kind())
}

/// The points that a registration proof's slots are linked to; `version` is that of the consents, of a frame.
///
/// # Errors
/// The table has no such column or version.
pub fn sources(
    table: &TableRecord,
    statement: &Statement,
    version: Option<usize>,
    identity: &G1Affine,
) -> Result<Vec<G1Affine>, VerifyError> {
    let version = version.unwrap_or_default();
    let point = |source: &Source| match *source {
        Source::Column(column) => table.source(column, version, identity),
        Source::Predecessor => match version.checked_sub(1) {
            Some(before) => table.source(Committed::Consent, before, identity),
            None => table.source(Committed::Present, version, identity),
        },
    };
    statement.sources().iter().map(point).collect()
}

/// The context of a registration proof's link: table, place in the plan, and for a frame all versions of the consents up to the one
/// that it is about.
#[must_use]
pub fn registration_context(table: &TableRecord, place: usize, consents: &[Commitment]) -> Keccak {
    let number = |number: usize| u128::try_from(number).unwrap_or(u128::MAX);
    let start = Words::of("nightingale.cohort.registration.1")
        .digest(table.digest())
        .number(number(place))
        .number(number(consents.len()));
    consents.iter().fold(start, |words, consent| words.words(&consent.words())).finish()
}
