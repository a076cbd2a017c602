//! Logs answers: one transaction for each, all on their way at once.
//!
//! The log takes one answer to a query under each version of the consents. So an answer is known by log, query and version, whoever sends
//! which proof of it: what is logged already is compared with it, and nothing is sent.

use super::{Entry, Logging, Outcome, Refusal};
use crate::{How, Poster, PosterError, node::Revert, poster::Goal};
use alloy_primitives::{Address, B256, Keccak256, U256};
use alloy_sol_types::{SolCall, SolError};
use nightingale_contracts::{
    bindings::{
        CohortAnswer, CohortLog,
        CohortLog::{AlreadyAnswered, ConsentNotNewest},
    },
    deploy::{Deployment, Request},
};
use nightingale_verifier::cohort::{CohortKeys, Dataset, QueryProof};
use std::collections::BTreeSet;

/// How often an answer is tried whose transaction failed or lost its nonce.
const ROUNDS: usize = 3;

/// An answer on its way.
pub(super) struct Wanted {
    pub(super) query: B256,
    pub(super) table: B256,
    pub(super) name: String,
    pub(super) version: usize,
    pub(super) key: B256,
    /// None where it was refused before.
    pub(super) answer: Option<CohortAnswer>,
    pub(super) outcome: Option<Outcome>,
}

impl Wanted {
    /// Names the answer in the outbox.
    pub(super) fn plan(&self, log: Address) -> B256 {
        let mut hash = Keccak256::new();
        hash.update(b"nightingale answer 1");
        hash.update(log);
        hash.update(self.query);
        hash.update(U256::from(self.version).to_be_bytes::<32>());
        hash.finalize()
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.outcome = Some(Outcome::Refused(refusal));
    }
}

/// Rows of the outbox that this call has to do with.
#[derive(Default)]
pub(super) struct Rows {
    sent: BTreeSet<i64>,
    resumed: BTreeSet<i64>,
}

impl Rows {
    pub(super) fn how(&self, id: i64) -> How {
        match (self.sent.contains(&id), self.resumed.contains(&id)) {
            (true, _) => How::Sent,
            (false, true) => How::Resumed,
            (false, false) => How::AlreadyDone,
        }
    }
}

impl Poster {
    /// Logs proven answers with the log of a deployment and waits until they are in its state, deep enough. What was logged before,
    /// by this outbox or by anybody, is compared and not sent again.
    ///
    /// # Errors
    /// A proof is about another dataset, the node or the outbox fails, the account cannot pay, or a transaction is not mined in time.
    /// Then some answers may be in the outbox: the same call goes on with them. An answer that is refused is no error.
    pub async fn log_answers(
        &self,
        deployment: &Deployment,
        dataset: &Dataset,
        keys: &CohortKeys,
        proofs: &[QueryProof],
    ) -> Result<Logging, PosterError> {
        let log = self.cohort_of(deployment).await?.log;
        let mut wanted = self.judge_answers(deployment, log, dataset, keys, proofs)?;
        let mut rows = Rows::default();
        rows.resumed.extend(self.resume().await?.iter().map(|row| row.id));
        for round in 0..=ROUNDS {
            for one in wanted.iter_mut().filter(|one| one.outcome.is_none()) {
                one.outcome = self.logged_here(log, one, &rows).await?;
            }
            self.admit_answers(deployment, log, &mut wanted).await?;
            if round == ROUNDS || wanted.iter().all(|one| one.outcome.is_some()) {
                break;
            }
            // One that is given twice is found in the log after the first.
            let mut offered = BTreeSet::new();
            for one in wanted.iter_mut().filter(|one| one.outcome.is_none()) {
                if offered.insert(one.plan(log)) {
                    rows.sent.extend(self.offer(log, one).await?);
                }
            }
            self.drive(Goal::Deep).await?;
        }
        let entries = wanted.into_iter().map(|one| Entry {
            query: one.query,
            table: one.table,
            name: one.name,
            version: one.version,
            outcome: one.outcome.unwrap_or(Outcome::Refused(Refusal::NotPosted)),
        });
        Ok(Logging { log, entries: entries.collect() })
    }

    /// Writes an answer's transaction into the outbox, once the chain took it in a trial; its row.
    async fn offer(&self, log: Address, wanted: &mut Wanted) -> Result<Option<i64>, PosterError> {
        let Some(answer) = wanted.answer.clone() else { return Ok(None) };
        let request = Request {
            purpose: format!("log the answer to query {} (consents {})", wanted.query, wanted.version),
            to: Some(log),
            data: CohortLog::logCall { answer }.abi_encode().into(),
        };
        match self.node.dry_run(self.address(), &request).await? {
            Ok(_) => match self.write(&request, Some((wanted.plan(log), 0)), &[]).await {
                Ok(id) => return Ok(Some(id)),
                // The chain changed since the trial: the next round says how.
                Err(PosterError::Reverted { .. }) => {}
                Err(error) => return Err(error),
            },
            // Every revert of the contracts has a reason: without one, gas ran out, or the node has a cap of its own.
            Err(revert) if revert.data.is_empty() => {
                let (purpose, problem) = (request.purpose, revert.reason);
                return Err(PosterError::CallGasTooSmall { purpose, problem });
            }
            Err(revert) if changed(&revert) => {}
            Err(revert) => wanted.refuse(Refusal::RefusedOnChain(revert.reason)),
        }
        Ok(None)
    }
}

/// Whether somebody changed, since the chain was asked, what the next round asks for again.
fn changed(revert: &Revert) -> bool {
    AlreadyAnswered::abi_decode(&revert.data).is_ok() || ConsentNotNewest::abi_decode(&revert.data).is_ok()
}
