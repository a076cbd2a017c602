//! Until when a call may go on: its own deadline, and what its caller showed, which may end or be revoked while the call lasts.

use super::deadline;
use crate::{
    identity::authenticate::{self, Shown},
    transport::Peer,
};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use tonic::Status;

/// How often a certificate is looked at while a call lasts. Where nothing changed, that is a comparison.
const LOOK: Duration = Duration::from_secs(1);

/// A call's term.
#[derive(Default)]
pub(super) struct Term {
    deadline: Option<Instant>,
    /// When the caller's token ends.
    token: Option<Instant>,
    /// Who showed a certificate.
    peer: Option<Peer>,
}

impl Term {
    /// Of a call that has a deadline, or none.
    pub(super) fn until(deadline: Option<Instant>) -> Self {
        Self { deadline, ..Self::default() }
    }

    /// The same for a caller that showed something.
    pub(super) fn and_while_known(self, until: Option<SystemTime>, peer: Option<&Peer>) -> Self {
        let left = until.map(|until| until.duration_since(SystemTime::now()).unwrap_or_default());
        let token = left.and_then(|left| Instant::now().checked_add(left));
        let peer = peer.filter(|peer| !matches!(peer.shown(), Shown::Nothing)).cloned();
        Self { token, peer, ..self }
    }

    /// Why the call may not go on, where it may not.
    pub(super) fn over(&self) -> Option<Status> {
        let now = Instant::now();
        let has_passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if has_passed(self.deadline) {
            return Some(deadline::passed());
        }
        if has_passed(self.token) {
            return Some(authenticate::expired());
        }
        self.peer.as_ref().and_then(|peer| peer.shown().refusal())
    }

    /// Returns, with the reason, when the call may not go on.
    pub(super) async fn ended(&self) -> Status {
        loop {
            if let Some(status) = self.over() {
                return status;
            }
            let look = self.peer.as_ref().map(|_| Instant::now() + LOOK);
            match [self.deadline, self.token, look].into_iter().flatten().min() {
                Some(next) => tokio::time::sleep_until(next).await,
                None => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_comes_first_ends_a_call() {
        let after = Duration::from_millis;
        for (deadline, token, reason) in [
            (Some(50), None, "DEADLINE_PASSED"),
            (None, Some(50), "TOKEN_EXPIRED"),
            (Some(60_000), Some(50), "TOKEN_EXPIRED"),
            (Some(50), Some(60_000), "DEADLINE_PASSED"),
            (None, Some(0), "TOKEN_EXPIRED"),
        ] {
            let term = Term::until(deadline.map(|time| Instant::now() + after(time)));
            let term = term.and_while_known(token.map(|time| SystemTime::now() + after(time)), None);
            let ended = tokio::time::timeout(after(30_000), term.ended()).await;
            assert_eq!(ended.map(|status| crate::server::status::reason(&status)).as_deref(), Ok(reason));
        }
        let endless = tokio::time::timeout(after(100), Term::default().ended()).await;
        assert!(endless.is_err());
    }
}
