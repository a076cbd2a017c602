//! Which answers are worth sending: those that verify for this chain and log, and that the registry's terms let pass.

use super::{Refusal, consent_hash, log::Wanted};
use crate::{Poster, PosterError};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, B256};
use nightingale_circuits::cohort::Mode;
use nightingale_contracts::{
    Error,
    bindings::{CohortAnswer, Registry::cohortTermsCall},
    calldata::cohort,
    deploy::Deployment,
};
use nightingale_verifier::cohort::{
    CohortKeys, ConsentExpectation, Dataset, Expectation, QueryProof, Venue, verify_query,
};
use std::cmp::Ordering;

impl Poster {
    /// Verifies every proof for a log. Nothing that fails this is ever sent.
    pub(super) fn judge_answers(
        &self,
        deployment: &Deployment,
        log: Address,
        dataset: &Dataset,
        keys: &CohortKeys,
        proofs: &[QueryProof],
    ) -> Result<Vec<Wanted>, PosterError> {
        let venue = cohort::venue(deployment.chain_id, log);
        let judged = proofs.iter().map(|proof| {
            let table = dataset.table(&proof.table).map_err(PosterError::DatasetRefused)?;
            let mut wanted = Wanted {
                query: B256::from(proof.query.digest(table.digest())),
                table: B256::from(*table.digest()),
                name: table.name().to_owned(),
                version: proof.consent_version,
                key: B256::from(proof.proof.key.0),
                answer: None,
                outcome: None,
            };
            match self.verified(dataset, keys, venue, proof)? {
                Ok(answer) => wanted.answer = Some(answer),
                Err(refusal) => wanted.refuse(refusal),
            }
            Ok(wanted)
        });
        judged.collect()
    }

    fn verified(
        &self,
        dataset: &Dataset,
        keys: &CohortKeys,
        venue: Venue,
        proof: &QueryProof,
    ) -> Result<Result<CohortAnswer, Refusal>, PosterError> {
        let answer = match cohort::answer(dataset, proof, venue) {
            Ok(answer) => answer,
            Err(error) => {
                let text = error.to_string();
                return Ok(Err(match error {
                    Error::OtherVenue { .. } => Refusal::OtherVenue(text),
                    Error::AnswerNotForContracts(_) | Error::SizeWithoutVerifier { .. } => {
                        Refusal::NotForContracts(text)
                    }
                    _ => Refusal::ProofInvalid(text),
                }));
            }
        };
        let expectation = Expectation {
            mode: Some(Mode::Plan),
            // Which consents are the newest, the chain says.
            consent: ConsentExpectation::Any,
            venue: Some(venue),
            production_only: !self.is_local(),
            ..Expectation::default()
        };
        match verify_query(dataset, proof, &expectation, keys) {
            Ok(_) => Ok(Ok(answer)),
            Err(error) if error.is_unreadable() => Err(PosterError::DatasetRefused(error)),
            Err(error) => Ok(Err(Refusal::ProofInvalid(error.to_string()))),
        }
    }

    /// Asks the chain of each answer that waits: whether it is logged, and whether it would be.
    pub(super) async fn admit_answers(
        &self,
        deployment: &Deployment,
        log: Address,
        wanted: &mut [Wanted],
    ) -> Result<(), PosterError> {
        self.logged_elsewhere(deployment, log, wanted).await?;
        for one in wanted.iter_mut().filter(|one| one.outcome.is_none()) {
            if let Some(refusal) = self.refused_by_terms(deployment, one).await? {
                one.refuse(refusal);
            }
        }
        Ok(())
    }

    /// Why the log would not take an answer, by what is registered.
    async fn refused_by_terms(
        &self,
        deployment: &Deployment,
        wanted: &Wanted,
    ) -> Result<Option<Refusal>, PosterError> {
        let Some(answer) = &wanted.answer else { return Ok(None) };
        let Wanted { table, query, key, version: proven, .. } = *wanted;
        let found = self.registered(deployment, table, BlockNumberOrTag::Latest).await?;
        if found.sponsor.is_zero() {
            return Ok(Some(Refusal::TableNotRegistered));
        }
        let terms = self.node.ask(deployment.registry, &cohortTermsCall { table, query, key }).await?;
        if terms.columns.is_zero() {
            return Ok(Some(Refusal::QueryNotPlanned));
        }
        if terms.verifier.is_zero() {
            return Ok(Some(Refusal::KeyNotUsable));
        }
        let newest = found.versions.to::<usize>().saturating_sub(1);
        if consent_hash(proven, answer.consent) == found.consent {
            return Ok((!found.confirmed).then_some(Refusal::ConsentUnconfirmed { version: proven }));
        }
        Ok(Some(match proven.cmp(&newest) {
            Ordering::Less => Refusal::ConsentNotNewest { proven, newest },
            Ordering::Greater => Refusal::ConsentNotPublished { proven, newest },
            Ordering::Equal => Refusal::ConsentsDiffer { version: proven },
        }))
    }
}
