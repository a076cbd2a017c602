//! One self-contained request for adjudication: the claim, and the openings of every register that it touches.

use super::{
    account::{Account, Secret, nullifier_key_hash},
    records::{Authorisation, Consent, DiagnosisGroups, Enrolment, NoteLeaf, PolicyRow, Provider},
    types::{Address, Claim, Date, Id, MAX_DIAGNOSES, MAX_LINES},
};
use crate::{
    Fr,
    merkle::{Opening, Record},
    poseidon,
    tag::Tag,
};
use thiserror::Error;

/// How many lines and diagnoses a circuit takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SizeClass {
    /// 2 lines, 4 diagnoses.
    Two,
    /// 8 lines, 12 diagnoses.
    Eight,
}

impl SizeClass {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Two, Self::Eight];

    /// Lines.
    #[must_use]
    pub const fn lines(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Eight => MAX_LINES,
        }
    }

    /// Diagnoses.
    #[must_use]
    pub const fn diagnoses(self) -> usize {
        match self {
            Self::Two => 4,
            Self::Eight => MAX_DIAGNOSES,
        }
    }

    /// Its name in key files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Two => "claim-2",
            Self::Eight => "claim-8",
        }
    }
}

/// Where claims of an epoch are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Venue {
    /// EVM chain id.
    pub chain_id: u64,
    /// The settlement contract.
    pub contract: Address,
}

impl Venue {
    /// `chain id * 2^160 + contract`.
    #[must_use]
    pub fn to_field(self) -> Fr {
        Fr::from(self.chain_id) * crate::field::power_of_two(160) + self.contract.to_field()
    }
}

/// A payer's registers at one time, and the venue they are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// The payer.
    pub payer: Id,
    /// Where its claims are settled.
    pub venue: Venue,
    /// Policy rows.
    pub policy_root: Fr,
    /// Diagnosis groups.
    pub diagnosis_root: Fr,
    /// Enrolment.
    pub enrolment_root: Fr,
    /// Providers.
    pub provider_root: Fr,
    /// Prior authorisations.
    pub authorisation_root: Fr,
    /// Its number, one more with every publication.
    pub number: u64,
}

impl Epoch {
    /// `P(Epoch, payer, venue, policy, diagnosis, enrolment, provider, authorisation, number)`.
    #[must_use]
    pub fn root(&self) -> Fr {
        poseidon::tagged(Tag::Epoch, &self.elements())
    }

    /// What [`Epoch::root`] hashes, in order.
    #[must_use]
    pub fn elements(&self) -> [Fr; 8] {
        [
            self.payer.number().into(),
            self.venue.to_field(),
            self.policy_root,
            self.diagnosis_root,
            self.enrolment_root,
            self.provider_root,
            self.authorisation_root,
            self.number.into(),
        ]
    }
}

/// A member's account as the custodian holds it.
#[derive(Clone)]
pub struct MemberAccount {
    /// The member's nullifier key.
    pub nk: Secret,
    /// The account version to spend.
    pub account: Account,
    /// Where its note stands in the account register; version 0 needs none.
    pub opening: Option<Opening<NoteLeaf>>,
}

/// Everything that one adjudication reads.
#[derive(Clone)]
pub struct Request {
    /// The provider's claim.
    pub claim: Claim,
    /// The salt of its commitment, chosen by the provider.
    pub claim_salt: Secret,
    /// The day on which the payer or the chain received the claim commitment.
    pub received: Date,
    /// The payer's registers.
    pub epoch: Epoch,
    /// The consent authority's register.
    pub consent_root: Fr,
    /// The payer's account register.
    pub account_root: Fr,
    /// Enrolment at the claim's coverage.
    pub enrolment: Opening<Enrolment>,
    /// Providers at the billing NPI.
    pub billing: Opening<Provider>,
    /// Providers at the rendering NPI.
    pub rendering: Opening<Provider>,
    /// Authorisations at the claim's reference, when it names one.
    pub authorisation: Option<Opening<Authorisation>>,
    /// Consents at (patient, payer, payment, claims).
    pub consent: Opening<Consent>,
    /// Diagnosis groups at each diagnosis.
    pub diagnoses: Vec<Opening<DiagnosisGroups>>,
    /// Policy rows at each line.
    pub rows: Vec<Opening<PolicyRow>>,
    /// The member's account; `None` only where the coverage is not enrolled.
    pub member: Option<MemberAccount>,
    /// Salt of the account's next note.
    pub next_salt: Secret,
    /// Salt of the outcome commitment.
    pub outcome_salt: Secret,
}

/// Why nothing can be proven. Never a decision: a decision is approve or deny.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// More lines or diagnoses than the largest class.
    #[error("{element}: {count} given, at most {limit} can be proven; split the claim")]
    TooLarge {
        /// What there are too many of.
        element: &'static str,
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// A value that the statement cannot take.
    #[error("{element}: {problem}")]
    Invalid {
        /// The element.
        element: String,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// An opening that does not lead to its root, or answers another question.
    #[error("{element}: {problem}")]
    Opening {
        /// The opening.
        element: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// No consent in force on the day of receipt.
    #[error("consent: none in force for this payer on the day of receipt; nothing may be disclosed")]
    NoConsent,
}

fn invalid(element: impl Into<String>, problem: &'static str) -> Refusal {
    Refusal::Invalid { element: element.into(), problem }
}

impl Request {
    /// The smallest class that holds the claim.
    ///
    /// # Errors
    /// No lines, more than 8 lines, or more than 12 diagnoses.
    pub fn size_class(&self) -> Result<SizeClass, Refusal> {
        let (lines, diagnoses) = (self.claim.lines.len(), self.claim.diagnoses.len());
        if lines == 0 {
            return Err(invalid("lines", "a claim needs at least one service line"));
        }
        for (element, count, limit) in [("lines", lines, MAX_LINES), ("diagnoses", diagnoses, MAX_DIAGNOSES)]
        {
            if count > limit {
                return Err(Refusal::TooLarge { element, count, limit });
            }
        }
        let fits = |c: &SizeClass| lines <= c.lines() && diagnoses <= c.diagnoses();
        Ok(SizeClass::ALL.into_iter().find(fits).unwrap_or(SizeClass::Eight))
    }

    /// The enrolment of the claim's coverage, `None` where it is proven absent.
    #[must_use]
    pub fn enrolled(&self) -> Option<&Enrolment> {
        self.enrolment.leaf.record.as_ref().filter(|e| e.coverage == self.claim.coverage)
    }

    /// The key at which line `i`'s policy row is looked up.
    #[must_use]
    pub fn row_key(&self, i: usize) -> u128 {
        let line = &self.claim.lines[i];
        let plan = self.enrolled().map_or(0, |e| e.plan.number());
        PolicyRow::register_key(plan, line.code.bits(), line.modifier_class(), line.from.days())
    }

    /// The benefit year: the calendar year of the first line.
    #[must_use]
    pub fn benefit_year(&self) -> u32 {
        self.claim.lines.first().map_or(1901, |line| line.from.year_and_offset().0)
    }

    /// Checks everything that the circuit insists on, so that a request that passes can be proven.
    ///
    /// # Errors
    /// Names the first element that cannot be proven.
    pub fn check(&self) -> Result<SizeClass, Refusal> {
        let class = self.size_class()?;
        self.check_lines()?;
        self.check_openings()?;
        self.check_consent()?;
        self.check_account()?;
        Ok(class)
    }

    fn check_lines(&self) -> Result<(), Refusal> {
        for (i, line) in self.claim.lines.iter().enumerate() {
            let at = |field: &str| format!("lines[{i}].{field}");
            if line.from > line.through {
                return Err(invalid(at("through"), "before the first day of service"));
            }
            if line.through > self.received {
                return Err(invalid(
                    at("through"),
                    "after the day of receipt; wait until the service is complete",
                ));
            }
            if line.from.year_and_offset().0 != self.benefit_year() {
                return Err(invalid(
                    at("from"),
                    "in another benefit year than the first line; split the claim",
                ));
            }
            if line.repeat >= 16 {
                return Err(invalid(at("repeat"), "above 15"));
            }
            if line.modifiers.len() > super::types::MODIFIERS {
                return Err(invalid(at("modifiers"), "more than four"));
            }
            let slots = line.sorted_modifiers();
            if slots.iter().zip(&slots[1..]).any(|(x, y)| x == y && *y != 0) {
                return Err(invalid(at("modifiers"), "one stands twice; keep one"));
            }
            if self.claim.lines[..i].iter().any(|other| other.is_same_service(line)) {
                let problem =
                    "is the service of an earlier line; number it 1, 2, .. where it was given again";
                return Err(invalid(at("repeat"), problem));
            }
            if line.pointers.numbers().iter().any(|n| usize::from(*n) > self.claim.diagnoses.len()) {
                return Err(invalid(at("pointers"), "points to a diagnosis that the claim does not have"));
            }
        }
        Ok(())
    }

    fn check_openings(&self) -> Result<(), Refusal> {
        let epoch = &self.epoch;
        let claim = &self.claim;
        opens("enrolment", &self.enrolment, claim.coverage.number(), epoch.enrolment_root)?;
        opens("billing", &self.billing, claim.billing.number().into(), epoch.provider_root)?;
        opens("rendering", &self.rendering, claim.rendering.number().into(), epoch.provider_root)?;
        match (&claim.authorisation, &self.authorisation) {
            (Some(reference), Some(opening)) => {
                opens("authorisation", opening, reference.number(), epoch.authorisation_root)?;
            }
            (None, None) => {}
            _ => {
                return Err(Refusal::Opening {
                    element: "authorisation".into(),
                    problem: "must be given exactly when the claim names a reference",
                });
            }
        }
        let one_each = |element: &'static str, openings: usize, items: usize| {
            let problem = "must hold one opening for each";
            if openings == items {
                Ok(())
            } else {
                Err(Refusal::Opening { element: element.into(), problem })
            }
        };
        one_each("diagnoses", self.diagnoses.len(), claim.diagnoses.len())?;
        one_each("rows", self.rows.len(), claim.lines.len())?;
        for (i, (opening, code)) in self.diagnoses.iter().zip(&claim.diagnoses).enumerate() {
            opens(&format!("diagnoses[{i}]"), opening, code.bits().into(), epoch.diagnosis_root)?;
        }
        for (i, opening) in self.rows.iter().enumerate() {
            opens(&format!("rows[{i}]"), opening, self.row_key(i), epoch.policy_root)?;
        }
        Ok(())
    }

    fn check_consent(&self) -> Result<(), Refusal> {
        let (patient, payer) = (self.claim.patient, self.epoch.payer);
        let key = Consent::register_key(patient, payer, Consent::PAYMENT, Consent::CLAIMS);
        opens("consent", &self.consent, key, self.consent_root)?;
        let in_force = self.consent.leaf.record.as_ref().is_some_and(|c| {
            c.permit
                && (c.member, c.payer, c.purpose, c.data_class)
                    == (patient, payer, Consent::PAYMENT, Consent::CLAIMS)
                && (c.from..=c.to).contains(&self.received)
        });
        if in_force { Ok(()) } else { Err(Refusal::NoConsent) }
    }

    fn check_account(&self) -> Result<(), Refusal> {
        let Some(enrolled) = self.enrolled() else {
            let problem = "given for a coverage that is not enrolled; leave it out";
            return if self.member.is_some() { Err(invalid("account", problem)) } else { Ok(()) };
        };
        let Some(member) = &self.member else {
            return Err(invalid("account", "missing; an enrolled member's account must be given"));
        };
        let (account, coverage) = (&member.account, self.claim.coverage);
        if nullifier_key_hash(&member.nk) != enrolled.nullifier_key_hash {
            return Err(invalid("account.nk", "is not the key whose hash the enrolment leaf holds"));
        }
        if account.year != self.benefit_year() {
            return Err(invalid("account.year", "is not the benefit year of the first line"));
        }
        if !account.balances.in_range() {
            return Err(invalid("account.balances", "must be below 2^40 cents"));
        }
        if account.version == u32::MAX {
            return Err(invalid("account.version", "is the last one; open a new coverage"));
        }
        if account.version == 0 {
            if account.balances != enrolled.opening {
                return Err(invalid(
                    "account.balances",
                    "version 0 must hold the enrolment's opening balances",
                ));
            }
            if member.opening.is_some() {
                return Err(invalid(
                    "account.opening",
                    "given for version 0, which stands in no register; leave it out",
                ));
            }
            return Ok(());
        }
        let Some(opening) = &member.opening else {
            return Err(invalid(
                "account.opening",
                "missing; every version but 0 stands in the account register",
            ));
        };
        let note = NoteLeaf(account.note(&member.nk, coverage));
        opens("account.opening", opening, note.key(), self.account_root)?;
        if opening.leaf.record.as_ref() == Some(&note) {
            return Ok(());
        }
        Err(Refusal::Opening {
            element: "account.opening".into(),
            problem: "does not show this account version in the account register",
        })
    }
}

fn opens<T: Record>(element: &str, opening: &Opening<T>, key: u128, root: Fr) -> Result<(), Refusal> {
    let refuse = |problem| Err(Refusal::Opening { element: element.to_owned(), problem });
    if opening.path.siblings.len() != T::DEPTH {
        return refuse("the path has the wrong number of levels");
    }
    let leaf = &opening.leaf;
    if leaf.key != leaf.record.as_ref().map_or(0, Record::key) || leaf.next > 1 << T::KEY_BITS {
        return refuse("the leaf's keys are not those of its record and register");
    }
    if let Some(problem) = leaf.record.as_ref().and_then(|record| record.check().err()) {
        return refuse(problem);
    }
    if !opening.answers(key) {
        return refuse("the leaf is not the one next to what the claim names");
    }
    if opening.root() != root {
        return refuse("the path does not lead to the root that the epoch names");
    }
    Ok(())
}
