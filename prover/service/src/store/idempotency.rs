//! Callers' names for their requests, as they are stored: keyed digests, so that the same request under the same name is done once.
//!
//! Each kind of request has a space of names of its own: a question under the name of a claim is another request, and neither answers
//! nor blocks it. Within a kind a tenant's callers share the space: who repeats a request with another certificate is answered as before.

use super::seal::Seal;
use crate::jobs::JobClass;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// A claim's adjudication.
    Claim,
    /// A researcher's question.
    Research,
    /// A regulator's question.
    Oversight,
    /// A consent is granted or refused.
    Grant,
    /// A consent is taken back.
    Revoke,
    /// Consents are read from a file.
    Import,
    /// A register of consents is published.
    Publish,
    /// Subjects of a dataset revoke.
    RevokeSubjects,
}

impl Space {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Claim => b"claim",
            Self::Research => b"research",
            Self::Oversight => b"oversight",
            Self::Grant => b"grant",
            Self::Revoke => b"revoke",
            Self::Import => b"import",
            Self::Publish => b"publish",
            Self::RevokeSubjects => b"revoke subjects",
        }
    }

    /// Whether a job of this class may have been asked for here.
    pub(super) const fn has(self, class: JobClass) -> bool {
        match class {
            JobClass::Claim(_) => matches!(self, Self::Claim),
            JobClass::Cohort(_) => matches!(self, Self::Research | Self::Oversight),
        }
    }

    /// A name in this space.
    pub(super) fn digest(self, seal: &Seal, name: &str) -> [u8; 32] {
        seal.digest("idempotency in", &[self.label(), name.as_bytes()])
    }

    /// The same name as earlier releases stored it: in one space for all jobs, and in one for all that is asked of the ledger of consents.
    pub(super) fn earlier(self, seal: &Seal, name: &str) -> [u8; 32] {
        let label = match self {
            Self::Claim | Self::Research | Self::Oversight => "idempotency",
            _ => "consent idempotency",
        };
        seal.digest(label, &[name.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::seal::tests::seal_of;
    use std::collections::BTreeSet;

    const ALL: [Space; 8] = [
        Space::Claim,
        Space::Research,
        Space::Oversight,
        Space::Grant,
        Space::Revoke,
        Space::Import,
        Space::Publish,
        Space::RevokeSubjects,
    ];

    #[test]
    fn one_name_in_each_space_is_as_many_digests() -> Result<(), Box<dyn std::error::Error>> {
        let (one, other) = (seal_of("t", &[[1; 32]], false)?, seal_of("t", &[[2; 32]], false)?);
        let mut digests: BTreeSet<[u8; 32]> = ALL.iter().map(|space| space.digest(&one, "k")).collect();
        digests.extend(ALL.iter().map(|space| space.earlier(&one, "k")));
        digests.extend(ALL.iter().map(|space| space.digest(&other, "k")));
        digests.extend(ALL.iter().map(|space| space.digest(&one, "l")));
        assert_eq!(digests.len(), 3 * ALL.len() + 2);
        Ok(())
    }
}
