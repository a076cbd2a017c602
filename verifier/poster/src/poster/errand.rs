//! Commands that are done once: a command is known by what it asks for, so that one that is repeated is found again.
//!
//! The outbox keeps each step of it, as it keeps those of a deployment. Repeated after a crash, it goes on where it was; once
//! it is done it sends nothing, unless it is asked for once more in so many words.

use super::{Goal, How, Posted, Poster};
use crate::{
    PosterError,
    outbox::{State, Transaction},
};
use alloy_primitives::{B256, Keccak256};
use nightingale_contracts::deploy::Request;

/// One time that a command is done.
pub(crate) struct Errand {
    plan: B256,
    finished: bool,
    /// Its steps that were under way or done when it was asked for, in order.
    known: Vec<Transaction>,
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
}

impl Poster {
    /// Posts requests one after another, each deep enough before the next, as one command that is done once. The same
    /// requests again are found done, and nothing is sent, unless `again` asks for another time; what was cut off goes on.
    ///
    /// # Errors
    /// One would revert, the account cannot pay, or one is not mined in time. What was done before it stays done.
    pub async fn once(&self, requests: &[Request], again: bool) -> Result<Vec<Posted>, PosterError> {
        if self.is_open(requests).await? {
            return self.send_all(requests).await;
        }
        let last = u32::try_from(requests.len()).unwrap_or(u32::MAX).saturating_sub(1);
        let errand = self.begin(requests, last, again).await?;
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
    /// `last` is.
    pub(crate) async fn begin(
        &self,
        content: &[Request],
        last: u32,
        again: bool,
    ) -> Result<Errand, PosterError> {
        let errand = self.seek(content, last, again).await?;
        self.resume().await?;
        Ok(errand)
    }

    /// The same, and nothing is sent yet.
    pub(crate) async fn seek(
        &self,
        content: &[Request],
        last: u32,
        again: bool,
    ) -> Result<Errand, PosterError> {
        let (mut time, mut done) = (0, None);
        loop {
            let plan = name(content, time);
            let known = self.outbox.steps(self.address(), plan).await?;
            if !known.iter().any(|row| row.step == Some(last) && row.state == State::Done) {
                match done {
                    Some(done) if known.is_empty() && !again => return Ok(done),
                    _ => return Ok(Errand { plan, finished: false, known }),
                }
            }
            done = Some(Errand { plan, finished: true, known });
            time += 1;
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
            Some(row) => self.recounted(row).await,
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
        self.ended(id).await
    }

    /// What became of the steps that were under way or done before.
    pub(crate) async fn recount(
        &self,
        errand: &Errand,
        which: impl Fn(u32) -> bool,
    ) -> Result<Vec<Posted>, PosterError> {
        let mut all = Vec::with_capacity(errand.known.len());
        for row in errand.known.iter().filter(|row| row.step.is_some_and(&which)) {
            all.push(self.recounted(row).await?);
        }
        Ok(all)
    }

    /// What became of a step that was under way or done before.
    pub(crate) async fn recounted(&self, row: &Transaction) -> Result<Posted, PosterError> {
        let how = if row.state == State::Open { How::Resumed } else { How::AlreadyDone };
        Ok(Posted { how, ..self.ended(row.id).await? })
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
