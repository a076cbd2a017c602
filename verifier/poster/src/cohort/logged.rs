//! Whether the log has an answer, as deep as wanted, and whether it is this one: by a transaction of this outbox, or by anybody's.

use super::{
    Outcome, Refusal,
    log::{Rows, Wanted},
};
use crate::{
    Poster, PosterError,
    outbox::State,
    poster::{LOOKS, Standing, behind},
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolEvent;
use nightingale_contracts::{
    bindings::CohortLog::{AnswerLogged, answeredCall},
    deploy::Deployment,
};

impl Wanted {
    /// Whether an event is about this query and these consents.
    fn is_answered_by(&self, event: &AnswerLogged) -> bool {
        event.table == self.table && event.query == self.query && event.version == U256::from(self.version)
    }

    /// Whether an event says what this answer says. Under which key it was proven is no part of that; and cells that a query does
    /// not have may be sent, as zeros.
    fn is_said_by(&self, event: &AnswerLogged) -> bool {
        let figures = |cells: &[U256]| {
            let length = cells.iter().rposition(|cell| !cell.is_zero()).map_or(0, |last| last + 1);
            cells.iter().take(length).copied().collect::<Vec<_>>()
        };
        self.answer.as_ref().is_some_and(|answer| {
            event.threshold == answer.threshold && figures(&event.cells) == figures(&answer.cells)
        })
    }
}

impl Poster {
    /// What became of an answer that this outbox sent; none where it did not, or where its transaction came to nothing. What
    /// has vanished is sent again first; a node that lags is waited for.
    pub(super) async fn logged_here(
        &self,
        log: Address,
        wanted: &Wanted,
        rows: &Rows,
    ) -> Result<Option<Outcome>, PosterError> {
        let (mut patience, mut looks) = (self.patience(), 0);
        loop {
            let steps = self.outbox.steps(self.address(), wanted.plan(log)).await?;
            let Some(row) = steps.into_iter().find(|row| row.state == State::Done) else { return Ok(None) };
            let Some(mined) = row.mined else { return Ok(None) };
            let head = self.node.head().await?.number;
            let standing = self.standing(mined.place()).await?;
            match standing {
                Standing::There => {
                    let by = mined.transaction;
                    match self.event_in(by, log, wanted).await? {
                        Some(event) if !wanted.is_said_by(&event) => {
                            return Ok(Some(Outcome::Refused(Refusal::LoggedDifferently { by })));
                        }
                        Some(_) if self.is_answered(log, wanted, self.deep_block(head).into()).await? => {
                            return Ok(Some(Outcome::Logged { mined, how: rows.how(row.id) }));
                        }
                        // A node that answers from two states at once: it will settle on one.
                        Some(_) => {}
                        None => looks += 1,
                    }
                    if looks >= LOOKS {
                        return Ok(Some(Outcome::Refused(Refusal::Unexpected { by })));
                    }
                }
                Standing::Vanished | Standing::Behind(_) => {}
            }
            // A node that says now this and now that is not asked for ever.
            if !patience.pause().await {
                return Err(behind(&row.purpose, mined.place(), head));
            }
            if standing == Standing::Vanished {
                self.reopen(&row).await?;
                self.resume().await?;
            }
        }
    }

    /// What the log has in the place of those answers that wait, whoever sent it, waited for until it is as deep as wanted, for all at the
    /// same time; none where it would take the answer, or where it only has later ones.
    pub(super) async fn logged_elsewhere(
        &self,
        deployment: &Deployment,
        log: Address,
        wanted: &mut [Wanted],
    ) -> Result<(), PosterError> {
        let mut patience = self.patience();
        let mut left: Vec<&mut Wanted> = wanted.iter_mut().filter(|one| one.outcome.is_none()).collect();
        loop {
            let mut shallow = Vec::new();
            for one in left {
                if !self.is_answered(log, one, BlockNumberOrTag::Latest).await? {
                    continue;
                }
                let deep = self.deep_block(self.node.head().await?.number);
                if self.is_answered(log, one, deep.into()).await? {
                    one.outcome = self.answer_of(deployment, log, one).await?;
                } else {
                    shallow.push(one);
                }
            }
            left = shallow;
            if left.is_empty() {
                return Ok(());
            }
            if !patience.pause().await {
                left.into_iter().for_each(|one| one.refuse(Refusal::LoggedNotDeep));
                return Ok(());
            }
        }
    }

    /// What the log has in an answer's place, as deep as wanted, where it has something there.
    async fn answer_of(
        &self,
        deployment: &Deployment,
        log: Address,
        wanted: &Wanted,
    ) -> Result<Option<Outcome>, PosterError> {
        let deep = self.deep_block(self.node.head().await?.number);
        let events =
            self.events_of::<AnswerLogged>(deployment, log, (wanted.table, Some(wanted.query)), deep).await?;
        let found = events.into_iter().find(|found| wanted.is_answered_by(&found.event));
        Ok(match found {
            Some(found) if wanted.is_said_by(&found.event) => {
                let (transaction, block) = (found.transaction, found.block);
                Some(Outcome::LoggedElsewhere { transaction, block })
            }
            Some(found) => Some(Outcome::Refused(Refusal::LoggedDifferently { by: found.transaction })),
            None => {
                let last = self.answered(log, wanted, deep.into()).await?;
                let these = last == U256::from(wanted.version).saturating_add(U256::ONE);
                these.then_some(Outcome::Refused(Refusal::AlreadyAnswered))
            }
        })
    }

    /// Whether the log has an answer under these consents, or under later ones, as of a block.
    async fn is_answered(
        &self,
        log: Address,
        wanted: &Wanted,
        block: BlockNumberOrTag,
    ) -> Result<bool, PosterError> {
        Ok(self.answered(log, wanted, block).await? > U256::from(wanted.version))
    }

    /// The version of the consents of the last answer, plus 1; 0 before the first.
    async fn answered(
        &self,
        log: Address,
        wanted: &Wanted,
        block: BlockNumberOrTag,
    ) -> Result<U256, PosterError> {
        let call = answeredCall { query: wanted.query };
        Ok(self.ask_once_there(log, &call, block).await?.unwrap_or_default())
    }

    /// The answer's event in a transaction of this outbox.
    async fn event_in(
        &self,
        transaction: B256,
        log: Address,
        wanted: &Wanted,
    ) -> Result<Option<AnswerLogged>, PosterError> {
        let Some(receipt) = self.node.receipt(transaction).await? else { return Ok(None) };
        let events =
            receipt.inner.logs().iter().map(|event| &event.inner).filter(|event| event.address == log);
        let mut decoded = events.filter_map(|event| Some(AnswerLogged::decode_log(event).ok()?.data));
        Ok(decoded.find(|event| wanted.is_answered_by(event)))
    }
}
