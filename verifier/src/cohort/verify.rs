//! Judges a query's proof: everything that it says against the dataset, the key and what the reader expects.

use super::{
    CircuitName, CohortKey, CohortKeys, Commitment,
    dataset::{Dataset, LinkedProof, TableRecord},
    link::{Claim, Pair},
    proof::{QueryProof, Venue},
    release_rule::check_researcher,
    signature::verify_sponsor,
};
use crate::{KeyDigest, KeyKind, VerifyError};
use halo2_proofs::halo2curves::bn256::{Fr, G1Affine};
use nightingale_circuits::{
    claim::Address,
    cohort::{Answer, Class, Keccak, Mode, Query, Schema, instances::instances, slots},
};

/// Which consents a reader accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConsentExpectation {
    /// The newest version of the dataset at hand.
    #[default]
    Newest,
    /// This one.
    Version(usize),
    /// The version with this commitment: what the reader has from the registry on-chain, or from the sponsor.
    Commitment(Commitment),
    /// Any that is registered.
    Any,
}

/// What the reader knows of the proof.
#[derive(Clone, Debug, Default)]
pub struct Expectation {
    /// The query; `None` for any.
    pub query: Option<Query>,
    /// The mode; `None` for any that is registered.
    pub mode: Option<Mode>,
    /// The least threshold of a `plan` answer, if more than the registered minimum is wanted.
    pub threshold: Option<u32>,
    /// The consents.
    pub consent: ConsentExpectation,
    /// Chain and contract; `None` is off-chain.
    pub venue: Option<Venue>,
    /// Who must have signed the dataset and its consents; `None` for anybody, or nobody.
    pub sponsor: Option<Address>,
    /// Accept no development key.
    pub production_only: bool,
}

/// What a valid proof says.
#[derive(Clone, Debug)]
pub struct VerifiedQuery {
    /// The table's schema.
    pub schema: Schema,
    /// The table's digest.
    pub table: Keccak,
    /// What was asked.
    pub query: Query,
    /// In which mode.
    pub mode: Mode,
    /// Counts below this are hidden.
    pub threshold: u32,
    /// The version of the consents.
    pub consent_version: usize,
    /// What is released.
    pub answer: Answer,
    /// The key.
    pub key: KeyDigest,
    /// Where the key comes from.
    pub kind: KeyKind,
}

/// Verifies a query's proof.
///
/// # Errors
/// Says what does not fit. The registration is another matter: [`super::verify_registration`].
pub fn verify_query(
    dataset: &Dataset,
    proof: &QueryProof,
    expectation: &Expectation,
    keys: &CohortKeys,
) -> Result<VerifiedQuery, VerifyError> {
    if proof.dataset != *dataset.digest() {
        return Err(other("dataset", hex::encode(dataset.digest()), hex::encode(proof.dataset)));
    }
    if expectation.sponsor.is_some() {
        verify_sponsor(dataset, expectation.sponsor)?;
    }
    let table = dataset.table(&proof.table)?;
    check_terms(dataset, table, proof, expectation)?;
    if proof.class != proof.query.class(table.schema()) && proof.class != Class::Wide {
        return Err(VerifyError::malformed("class", "is too small for the query"));
    }
    let key = keys.key(CircuitName::Query(proof.class), table.size())?;
    check_key(&key, &proof.proof, expectation.production_only)?;
    if key.kind() != proof.key_kind {
        return Err(VerifyError::malformed("key_kind", "is not that of the key"));
    }
    let schema = table.schema();
    let columns = instances(proof.class, schema, &proof.query, proof.threshold, &proof.answer)
        .ok_or_else(|| VerifyError::malformed("answer", "holds figures that no rows have"))?;
    let sources = slots::sources(proof.class, table.size().layout(), schema, &proof.query);
    let points = sources
        .into_iter()
        .map(|source| table.source(source, proof.consent_version, &key.setup().identity))
        .collect::<Result<Vec<_>, _>>()?;
    verify_linked(&key, &columns, &proof.proof, &points, &proof.context(table)?)?;
    Ok(VerifiedQuery {
        schema: schema.clone(),
        table: *table.digest(),
        query: proof.query.clone(),
        mode: proof.mode,
        threshold: proof.threshold,
        consent_version: proof.consent_version,
        answer: proof.answer.clone(),
        key: key.digest(),
        kind: key.kind(),
    })
}

/// Verifies a halo2 proof and that its slots hold these columns.
///
/// # Errors
/// Either does not hold, or cannot be read.
pub fn verify_linked(
    key: &CohortKey,
    instances: &[Vec<Fr>],
    proof: &LinkedProof,
    columns: &[G1Affine],
    context: &Keccak,
) -> Result<(), VerifyError> {
    key.verify(instances, &proof.proof)?;
    let slots = CohortKey::slots(&proof.proof, columns.len())?;
    let pairs = slots.into_iter().zip(columns).map(|(slot, column)| Pair { slot, column: *column }).collect();
    let claim = Claim::new(key.circuit(), key.k(), context, &proof.proof, pairs);
    claim.verify(&proof.link, &key.setup().span)
}

pub(super) fn check_key(
    key: &CohortKey,
    proof: &LinkedProof,
    production_only: bool,
) -> Result<(), VerifyError> {
    if key.digest() != proof.key {
        return Err(VerifyError::WrongKey { proof: proof.key, key: key.digest() });
    }
    if production_only && key.kind() == KeyKind::Development {
        return Err(VerifyError::DevelopmentKey(key.digest()));
    }
    Ok(())
}

/// Whether a dataset releases the answer to a query in a mode under a threshold: prover and verifier ask alike. It is decided from the
/// question alone, never from the data.
///
/// # Errors
/// Says why not.
pub fn check_release(
    dataset: &Dataset,
    table: &TableRecord,
    query: &Query,
    mode: Mode,
    threshold: u32,
) -> Result<(), VerifyError> {
    if !dataset.modes().contains(&mode) {
        return Err(VerifyError::Cohort(format!("mode `{mode}` is not registered with the dataset")));
    }
    let capacity = table.size().layout().capacity();
    if usize::try_from(threshold).map_or(true, |threshold| threshold > capacity) {
        return Err(VerifyError::malformed(
            "threshold",
            "is above what a circuit of the table's size compares counts with",
        ));
    }
    match mode {
        Mode::Exact if threshold != 1 => {
            Err(VerifyError::malformed("threshold", "must be 1 in mode `exact`"))
        }
        Mode::Exact => Ok(()),
        Mode::Plan => {
            let digest = query.digest(table.digest());
            if !dataset.plan().iter().any(|planned| planned.digest == digest) {
                let problem = "the query is not in the dataset's registered plan; a researcher may ask only what was registered";
                return Err(VerifyError::Cohort(problem.to_owned()));
            }
            // One threshold for all: two answers under different ones tell what either hides.
            let registered = table.schema().threshold();
            if threshold != registered {
                return Err(other(
                    "threshold",
                    format!("the registered {registered}"),
                    threshold.to_string(),
                ));
            }
            check_researcher(table.schema(), query)
        }
    }
}

/// The terms of the release: mode, threshold, consent version, venue, and the query where the reader knows it.
fn check_terms(
    dataset: &Dataset,
    table: &TableRecord,
    proof: &QueryProof,
    expectation: &Expectation,
) -> Result<(), VerifyError> {
    check_release(dataset, table, &proof.query, proof.mode, proof.threshold)?;
    if let Some(mode) = expectation.mode
        && mode != proof.mode
    {
        return Err(other("mode", mode.to_string(), proof.mode.to_string()));
    }
    if let Some(query) = &expectation.query
        && *query != proof.query
    {
        let text = |query| super::text::sql(table.schema(), query);
        return Err(other("query", text(query), text(&proof.query)));
    }
    if let Some(least) = expectation.threshold
        && proof.mode == Mode::Plan
        && proof.threshold < least
    {
        return Err(other("threshold", format!("at least {least}"), proof.threshold.to_string()));
    }
    check_consent(table, proof.consent_version, expectation.consent)?;
    let venue = expectation.venue.unwrap_or(Venue::NONE);
    if venue != proof.venue {
        let text =
            |venue: Venue| format!("chain {}, contract 0x{}", venue.chain_id, hex::encode(venue.contract.0));
        return Err(other("venue", text(venue), text(proof.venue)));
    }
    Ok(())
}

/// Whether a proof is under the consents that the reader expects.
pub(super) fn check_consent(
    table: &TableRecord,
    version: usize,
    expectation: ConsentExpectation,
) -> Result<(), VerifyError> {
    let expected = match expectation {
        ConsentExpectation::Commitment(expected) => {
            let found = table.consents.get(version).map(|consent| consent.commitment);
            return if found == Some(expected) {
                Ok(())
            } else {
                let found = found.map_or_else(|| "none".to_owned(), |found| found.to_hex());
                Err(other("consents", expected.to_hex(), found))
            };
        }
        ConsentExpectation::Newest => table.newest_consent().unwrap_or_default(),
        ConsentExpectation::Version(version) => version,
        ConsentExpectation::Any => version,
    };
    if version == expected {
        Ok(())
    } else {
        Err(other("consent version", expected.to_string(), version.to_string()))
    }
}

fn other(what: &'static str, expected: String, found: String) -> VerifyError {
    VerifyError::Context { what, expected, found }
}
