//! A proven answer as the log takes it.

use super::{consent, point, query_words, require_verifier};
use crate::{Error, bindings::CohortAnswer};
use alloy_primitives::{Address, B256, U256};
use nightingale_circuits::cohort::{
    Class, Committed, Mode,
    instances::instances,
    slots::{self, sources},
};
use nightingale_verifier::cohort::{
    Dataset, QueryProof, TableRecord, Venue, point::scalar_to_word, verify::check_release,
};

/// The answer to send to the log at `venue` ([`super::venue`]).
///
/// Whether the proof holds, `nightingale_verifier::cohort::verify_query` says; whether its consents are still the newest, and its
/// query not answered yet, the chain.
///
/// # Errors
/// The proof is about another dataset; of a kind or size that contracts do not verify; for another chain or log; or about what the
/// dataset does not release.
pub fn answer(dataset: &Dataset, proof: &QueryProof, venue: Venue) -> Result<CohortAnswer, Error> {
    if proof.dataset != *dataset.digest() {
        let problem = "the proof is about another dataset: give the dataset.json that it was made from";
        return Err(Error::Dataset(problem.to_owned()));
    }
    let table = dataset.table(&proof.table)?;
    if proof.mode != Mode::Plan {
        let problem =
            "it was proven in mode `exact`, which is for the regulator's eyes: ask with --role researcher";
        return Err(Error::AnswerNotForContracts(problem));
    }
    if proof.class != Class::Narrow {
        let problem = "contracts verify the narrow class only: at most one condition, one value column, one group column of 15 codes";
        return Err(Error::AnswerNotForContracts(problem));
    }
    require_verifier(table.size())?;
    if proof.venue != venue {
        return Err(other_venue(proof.venue, venue));
    }
    check_release(dataset, table, &proof.query, proof.mode, proof.threshold)?;
    Ok(CohortAnswer {
        key: B256::from(proof.proof.key.0),
        table: B256::from(*table.digest()),
        query: query_words(&proof.query),
        threshold: U256::from(proof.threshold),
        version: U256::from(proof.consent_version),
        consent: point(&consent(table, proof.consent_version)?.commitment),
        columns: columns(table, proof)?,
        cells: cells(table, proof)?,
        proof: proof.proof.proof.clone().into(),
        link: array(proof.proof.link.to_bytes().chunks_exact(32).map(U256::from_be_slice)),
    })
}

fn other_venue(proven: Venue, log: Venue) -> Error {
    let proven = if proven == Venue::NONE {
        "nowhere on-chain".to_owned()
    } else {
        format!("chain {}, log {}", proven.chain_id, Address::from(proven.contract.0))
    };
    Error::OtherVenue { proven, chain_id: log.chain_id, log: Address::from(log.contract.0) }
}

/// The points behind the slots between consents and noise; zero where there is none, or where everybody knows it.
fn columns(table: &TableRecord, proof: &QueryProof) -> Result<[U256; 10], Error> {
    let list = sources(proof.class, table.size().layout(), table.schema(), &proof.query);
    let points = list.into_iter().skip(1).take(slots::number(Class::Narrow) - 2).map(|source| match source {
        Committed::Zero | Committed::Identity => Ok([U256::ZERO; 2]),
        column => table
            .commitment(column)
            .as_ref()
            .map(point)
            .ok_or_else(|| Error::Dataset(format!("table {} lacks a commitment", table.name()))),
    });
    Ok(array(points.collect::<Result<Vec<_>, _>>()?.into_iter().flatten()))
}

/// The released cells, packed.
fn cells(table: &TableRecord, proof: &QueryProof) -> Result<Vec<U256>, Error> {
    let schema = table.schema();
    let inputs = instances(proof.class, schema, &proof.query, proof.threshold, &proof.answer);
    let inputs = inputs.and_then(|columns| columns.into_iter().next());
    let inputs =
        inputs.ok_or_else(|| Error::Dataset("the answer holds figures that no rows have".to_owned()))?;
    let cells = inputs.iter().take(proof.query.cells(schema));
    Ok(cells.map(|cell| U256::from_be_bytes(scalar_to_word(cell))).collect())
}

fn array<const N: usize>(words: impl Iterator<Item = U256>) -> [U256; N] {
    let mut array = [U256::ZERO; N];
    array.iter_mut().zip(words).for_each(|(place, word)| *place = word);
    array
}
