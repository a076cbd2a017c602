//! Commands that are done once: a command is known by what it asks for, so that one that is repeated is found again.
//!
//! The outbox keeps each step of it, as it keeps those of a deployment. Repeated after a crash, it goes on where it was; once
//! it is done it sends nothing, unless it is asked for once more in so many words. Where a transaction came to nothing, that is the node's word:
//! a command that the chain would do twice is then done again only by whoever names that transaction.

use super::{Goal, How, Posted, Poster};
use crate::{
    PosterError,
    error::Offers,
    outbox::{State, Transaction},
};
use alloy_primitives::{B256, Keccak256};
use nightingale_contracts::deploy::Request;

/// Whether a command is done again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Again {
    /// No: what is done is found done.
    #[default]
    No,
    /// Once more than it was done.
    More,
    /// No; but where it came to nothing by this transaction, which somebody has seen by another node too, it is tried anew.
    After(B256),
}

impl From<bool> for Again {
    fn from(more: bool) -> Self {
        if more { Self::More } else { Self::No }
    }
}

/// One time that a command is done.
pub(crate) struct Errand {
    plan: B256,
    finished: bool,
    /// Its steps that were under way or done when it was asked for, in order.
    known: Vec<Transaction>,
    /// Its steps that came to nothing.
    nothing: Vec<Transaction>,
    /// The first step that the chain does as often as it is sent.
    counted: Option<u32>,
}

impl Errand {
    /// Whether all of it was done before.
    pub(crate) const fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether a step was under way or done before.
    pub(crate) fn knows(&self, step: u32) -> bool {
        self.row(step).is_some()
    }

    /// A step that was under way or done before.
    pub(crate) fn row(&self, step: u32) -> Option<&Transaction> {
        self.known.iter().find(|row| row.step == Some(step))
    }

    /// The command by its name in the outbox.
    pub(crate) const fn plan(&self) -> B256 {
        self.plan
    }

    fn counts(&self, row: &Transaction) -> bool {
        self.counted.is_some_and(|first| row.step.is_some_and(|step| step >= first))
    }
}

impl Poster {
    /// Posts requests one after another, each deep enough before the next, as one command that is done once. The same
    /// requests again are found done, and nothing is sent, unless `again` asks for another time; what was cut off goes on.
    ///
    /// # Errors
    /// One would revert, the account cannot pay, or one is not mined in time. What was done before it stays done. Where one came to nothing, it is
    /// not sent again unless `again` names its transaction.
    pub async fn once(
        &self,
        requests: &[Request],
        again: impl Into<Again>,
    ) -> Result<Vec<Posted>, PosterError> {
        self.reopen_vanished().await?;
        if self.is_open(requests).await? {
            return self.send_all(requests).await;
        }
        let last = u32::try_from(requests.len()).unwrap_or(u32::MAX).saturating_sub(1);
        let errand = self.begin_counted(requests, (0, last), again.into()).await?;
        if errand.is_finished() {
            return self.recount(&errand, |_| true).await;
        }
        let mut posted = Vec::with_capacity(requests.len());
        for (step, request) in (0..).zip(requests) {
            posted.push(self.step(&errand, step, request).await?);
        }
        Ok(posted)
    }

    /// Finds the command's last time, or begins a new one, and sees through what is open. The command is done when its step
    /// `last` is. What is called done is in the chain.
    pub(crate) async fn begin(
        &self,
        content: &[Request],
        last: u32,
        again: bool,
    ) -> Result<Errand, PosterError> {
        let errand = self.seek(content, last, again).await?;
        self.drive(Goal::Deep).await?;
        Ok(errand)
    }

    /// The same, and nothing is sent yet.
    pub(crate) async fn seek(
        &self,
        content: &[Request],
        last: u32,
        again: bool,
    ) -> Result<Errand, PosterError> {
        self.reopen_vanished().await?;
        let (mut time, mut done) = (0, None);
        let mut errand = loop {
            let plan = name(content, time);
            let mut nothing = self.outbox.came_to_nothing(self.address(), plan).await?;
            if self.reopen_where_misjudged(&nothing).await? {
                nothing = self.outbox.came_to_nothing(self.address(), plan).await?;
            }
            let known = self.outbox.steps(self.address(), plan).await?;
            if !known.iter().any(|row| row.step == Some(last) && row.state == State::Done) {
                match done {
                    Some(done) if known.is_empty() && nothing.is_empty() && !again => break done,
                    _ => break Errand { plan, finished: false, known, nothing, counted: None },
                }
            }
            done = Some(Errand { plan, finished: true, known, nothing, counted: None });
            time += 1;
        };
        self.recheck(&mut errand.known).await?;
        Ok(errand)
    }

    /// The same where the chain does every step from the first of these on, up to the last one, as often as it is sent. A node that keeps a
    /// transaction back can say that it came to nothing, and send it after another was signed for the same.
    pub(crate) async fn begin_counted(
        &self,
        content: &[Request],
        (first, last): (u32, u32),
        again: Again,
    ) -> Result<Errand, PosterError> {
        if let Again::After(hash) = again {
            let row = self.outbox.of_attempt(self.address(), hash).await?;
            let is_like = |row: &Transaction| {
                content.iter().any(|request| request.to == row.to && request.data == row.data)
            };
            if !row.as_ref().is_some_and(is_like) {
                let problem = format!(
                    "this outbox has no transaction {hash} for what is asked; give the one that the command named"
                );
                return Err(PosterError::malformed("--again", problem));
            }
        }
        let errand = self.begin(content, last, again == Again::More).await?;
        let errand = Errand { counted: Some(first), ..errand };
        let named =
            |row: &Transaction| row.attempts.iter().any(|attempt| again == Again::After(attempt.hash));
        match errand.nothing.iter().find(|row| errand.counts(row) && !named(row)) {
            Some(row) if !errand.finished => Err(self.doubtful(row).await),
            _ => Ok(errand),
        }
    }

    /// Posts a step, or says what became of it before.
    pub(crate) async fn step(
        &self,
        errand: &Errand,
        step: u32,
        request: &Request,
    ) -> Result<Posted, PosterError> {
        match errand.row(step) {
            Some(row) => self.recounted(errand, row).await,
            None => self.step_anew(errand, step, request).await,
        }
    }

    /// Posts a step, whatever became of it before.
    pub(crate) async fn step_anew(
        &self,
        errand: &Errand,
        step: u32,
        request: &Request,
    ) -> Result<Posted, PosterError> {
        let id = self.write(request, Some((errand.plan, step)), &[]).await?;
        self.drive(Goal::Deep).await?;
        self.step_ended(errand, id).await
    }

    /// What became of the steps that were under way or done before.
    pub(crate) async fn recount(
        &self,
        errand: &Errand,
        which: impl Fn(u32) -> bool,
    ) -> Result<Vec<Posted>, PosterError> {
        let mut all = Vec::with_capacity(errand.known.len());
        for row in errand.known.iter().filter(|row| row.step.is_some_and(&which)) {
            all.push(self.recounted(errand, row).await?);
        }
        Ok(all)
    }

    /// What became of a step that was under way or done before.
    pub(crate) async fn recounted(&self, errand: &Errand, row: &Transaction) -> Result<Posted, PosterError> {
        let how = if row.state == State::Open { How::Resumed } else { How::AlreadyDone };
        Ok(Posted { how, ..self.step_ended(errand, row.id).await? })
    }

    async fn step_ended(&self, errand: &Errand, id: i64) -> Result<Posted, PosterError> {
        let row = self.outbox.find(id).await?;
        if errand.counts(&row) && matches!(row.state, State::Failed | State::Lost) {
            return Err(self.doubtful(&row).await);
        }
        self.ended(id).await
    }

    /// What is said of a transaction that came to nothing, by one node's word.
    async fn doubtful(&self, row: &Transaction) -> PosterError {
        let ending = match (row.mined, row.taken) {
            (Some(mined), _) => {
                let reason = self.why_failed(row).await;
                format!("failed when it was mined in block {} ({reason})", mined.block)
            }
            (None, Some((by, block))) => format!("lost its nonce to {by} in block {block}"),
            (None, None) => "lost its nonce".to_owned(),
        };
        let transaction = row.mined.map(|mined| mined.transaction);
        let transaction = transaction.or_else(|| row.newest().map(|newest| newest.hash)).unwrap_or_default();
        let (purpose, nonce, account) = (row.purpose.clone(), row.nonce, row.sender);
        let hashes = row.attempts.iter().map(|attempt| attempt.hash);
        let others = Offers(hashes.filter(|hash| *hash != transaction).collect());
        PosterError::Doubtful { purpose, transaction, others, ending: ending.into(), nonce, account }
    }
}

/// Names a command by everything that it asks for, and by which time it is.
fn name(content: &[Request], time: u64) -> B256 {
    let mut hash = Keccak256::new();
    hash.update(b"nightingale command 1");
    hash.update(time.to_be_bytes());
    for request in content {
        hash.update(request.to.unwrap_or_default());
        hash.update((request.data.len() as u64).to_be_bytes());
        hash.update(&request.data);
    }
    hash.finalize()
}
