//! Built registers: they open what a claim touches, and turn a claim file into a request.

use super::keys::MemberKeys;
use crate::{
    RecordsError,
    claim_file::{ClaimFile, PlanName},
    notation::{Notation, UNKNOWN_PLAN, id, plan_id},
};
use nightingale_circuits::{
    Fr,
    claim::{
        Account, Adjudication, Authorisation, Claim, Consent, Date, DiagnosisGroups, Enrolment, Epoch, Id,
        NoteLeaf, Npi, PlanId, PolicyRow, Provider, Request, account::Secret, request::MemberAccount,
    },
    field,
    merkle::{Record, Register},
};
use rand::CryptoRng;
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroizing;

/// What claims may call things whose numbers the registers know.
#[derive(Clone)]
pub(super) struct Names {
    pub(super) payer: BTreeSet<String>,
    pub(super) plans: BTreeMap<String, PlanId>,
    pub(super) providers: BTreeMap<String, Npi>,
}

/// One payer's registers at one epoch, with the consent register and the custodian's keys and accounts.
///
/// Holds members' keys: no `Debug`, zeroed on drop.
#[derive(Clone)]
pub struct RegisterSet {
    epoch: Epoch,
    names: Names,
    keys: MemberKeys,
    policy: Register<PolicyRow>,
    diagnoses: Register<DiagnosisGroups>,
    enrolment: Register<Enrolment>,
    providers: Register<Provider>,
    authorisations: Register<Authorisation>,
    consents: Register<Consent>,
    notes: Register<NoteLeaf>,
    accounts: BTreeMap<(Id, u32), Account>,
    /// Notes under keys that this custodian does not hold.
    foreign_notes: Vec<Fr>,
}

impl RegisterSet {
    #[expect(
        clippy::too_many_arguments,
        reason = "one argument per register, each built by its own function"
    )]
    pub(super) fn new(
        epoch: Epoch,
        names: Names,
        keys: MemberKeys,
        policy: Register<PolicyRow>,
        diagnoses: Register<DiagnosisGroups>,
        enrolment: Register<Enrolment>,
        providers: Register<Provider>,
        authorisations: Register<Authorisation>,
        consents: Register<Consent>,
        accounts: BTreeMap<(Id, u32), Account>,
        foreign_notes: Vec<Fr>,
    ) -> Result<Self, RecordsError> {
        let notes = notes(&accounts, &enrolment, &keys, &foreign_notes)?;
        Ok(Self {
            epoch,
            names,
            keys,
            policy,
            diagnoses,
            enrolment,
            providers,
            authorisations,
            consents,
            notes,
            accounts,
            foreign_notes,
        })
    }

    /// The payer's epoch: its roots, number and venue.
    #[must_use]
    pub const fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// The root of the consent authority's register.
    #[must_use]
    pub fn consent_root(&self) -> Fr {
        self.consents.root()
    }

    /// The root of the payer's account register.
    #[must_use]
    pub fn account_root(&self) -> Fr {
        self.notes.root()
    }

    /// The notes of the account register.
    #[must_use]
    pub fn notes(&self) -> Vec<Fr> {
        self.notes.leaves().iter().filter_map(|leaf| leaf.record.as_ref().map(|note| note.0)).collect()
    }

    /// A coverage's account for a benefit year, `None` where the year has not been opened by an approval.
    #[must_use]
    pub fn account(&self, coverage: Id, year: u32) -> Option<&Account> {
        self.accounts.get(&(coverage, year))
    }

    /// Everything that one adjudication of `claim` reads. A claim that names an unknown coverage still gives a
    /// request: that it is not enrolled is what the proof then says.
    ///
    /// # Errors
    /// [`RecordsError::Unresolved`] where a provider's name or a member's key is missing from the registers.
    pub fn request(
        &self,
        claim: &ClaimFile,
        received: Date,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Request, RecordsError> {
        let salt = claim.salt.clone().unwrap_or_else(|| random_secret(rng));
        let claim = self.resolve(claim)?;
        let enrolment = self.enrolment.open(claim.coverage.number());
        let enrolled = enrolment.leaf.record.clone().filter(|e| e.coverage == claim.coverage);
        let plan = enrolled.as_ref().map_or(0, |e| e.plan.number());
        let rows = claim.lines.iter().map(|line| {
            let (class, from) = (line.modifier_class(), line.from.days());
            self.policy.open(PolicyRow::register_key(plan, line.code.bits(), class, from))
        });
        let consent =
            Consent::register_key(claim.patient, self.epoch.payer, Consent::PAYMENT, Consent::CLAIMS);
        let year = claim.lines.first().map_or(1901, |line| line.from.year_and_offset().0);
        let member = enrolled.as_ref().map(|e| self.member(e, year, rng)).transpose()?;
        Ok(Request {
            claim_salt: salt,
            received,
            epoch: self.epoch.clone(),
            consent_root: self.consents.root(),
            account_root: self.notes.root(),
            billing: self.providers.open(claim.billing.number().into()),
            rendering: self.providers.open(claim.rendering.number().into()),
            authorisation: claim.authorisation.map(|reference| self.authorisations.open(reference.number())),
            consent: self.consents.open(consent),
            diagnoses: claim.diagnoses.iter().map(|code| self.diagnoses.open(code.bits().into())).collect(),
            rows: rows.collect(),
            enrolment,
            member,
            next_salt: random_secret(rng),
            outcome_salt: random_secret(rng),
            claim,
        })
    }

    /// Takes up the account that an approved adjudication leaves behind, as the payer does when it settles.
    ///
    /// Adjudications of one member's claims follow one another: the next request spends the version stored here.
    ///
    /// # Errors
    /// A full account register.
    pub fn settle(&mut self, request: &Request, outcome: &Adjudication) -> Result<(), RecordsError> {
        if self.take_up(request, outcome).is_some() {
            self.publish_notes()?;
        }
        Ok(())
    }

    /// Stores the account without rebuilding the account register; gives the coverage whose account changed.
    pub(crate) fn take_up(&mut self, request: &Request, outcome: &Adjudication) -> Option<Id> {
        let coverage = request.enrolled().filter(|_| outcome.approved)?.coverage;
        let after = outcome.account_after.clone()?;
        self.accounts.insert((coverage, after.year), after);
        Some(coverage)
    }

    /// Rebuilds the account register.
    pub(crate) fn publish_notes(&mut self) -> Result<(), RecordsError> {
        self.notes = notes(&self.accounts, &self.enrolment, &self.keys, &self.foreign_notes)?;
        Ok(())
    }

    /// The claim with every name looked up.
    fn resolve(&self, file: &ClaimFile) -> Result<Claim, RecordsError> {
        let identifier = |element: &str, text: &str| {
            id(text).ok_or_else(|| RecordsError::format(element, format!("expected {}", Id::EXPECTED)))
        };
        let insurer = match &file.insurer {
            Some(name) if !self.names.payer.contains(name) => identifier("insurer", name)?,
            _ => self.epoch.payer,
        };
        let unknown_plan = || plan_id(UNKNOWN_PLAN);
        let plan = match &file.plan {
            None => None,
            Some(PlanName::Number(number)) => Some(
                plan_id(*number)
                    .ok_or_else(|| RecordsError::format("plan", "expected a number from 1 to 65535"))?,
            ),
            Some(PlanName::Name(name)) => self.names.plans.get(name).copied().or_else(unknown_plan),
        };
        Ok(Claim {
            kind: file.kind,
            insurer,
            plan,
            coverage: identifier("coverage", &file.coverage)?,
            patient: identifier("patient", &file.patient)?,
            authorisation: file
                .authorisation
                .as_ref()
                .map(|text| identifier("authorisation", text))
                .transpose()?,
            billing: self.provider("billing", &file.billing)?,
            rendering: self.provider("rendering", &file.rendering)?,
            diagnoses: file.diagnoses.clone(),
            lines: file.lines.clone(),
        })
    }

    fn provider(&self, element: &'static str, name: &str) -> Result<Npi, RecordsError> {
        Npi::read(name).or_else(|| self.names.providers.get(name).copied()).ok_or(RecordsError::Unresolved {
            element,
            problem: "is not an NPI, and no provider in the registers has this name; add it to that provider's names",
        })
    }

    fn member(
        &self,
        enrolled: &Enrolment,
        year: u32,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<MemberAccount, RecordsError> {
        let nk = self.keys.of(enrolled.member).ok_or(RecordsError::Unresolved {
            element: "patient",
            problem: "the covered member's key is not under custodian in the registers; add it there",
        })?;
        let Some(account) = self.accounts.get(&(enrolled.coverage, year)) else {
            let account = Account { year, version: 0, balances: enrolled.opening, salt: random_secret(rng) };
            return Ok(MemberAccount { nk, account, opening: None });
        };
        let opening = self.notes.open(NoteLeaf(account.note(&nk, enrolled.coverage)).key());
        Ok(MemberAccount { nk, account: account.clone(), opening: Some(opening) })
    }
}

fn notes(
    accounts: &BTreeMap<(Id, u32), Account>,
    enrolment: &Register<Enrolment>,
    keys: &MemberKeys,
    foreign: &[Fr],
) -> Result<Register<NoteLeaf>, RecordsError> {
    let own = accounts.iter().filter_map(|((coverage, _), account)| {
        let enrolled = enrolment.open(coverage.number()).leaf.record?;
        keys.of(enrolled.member).map(|nk| account.note(&nk, *coverage))
    });
    Ok(Register::build(own.chain(foreign.iter().copied()).map(NoteLeaf).collect())?)
}

/// A secret of 248 random bits.
pub(crate) fn random_secret(rng: &mut (impl CryptoRng + ?Sized)) -> Secret {
    let mut bytes = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut bytes[1..]);
    // 248 bits are always below the modulus.
    Secret::new(field::from_be_bytes(&bytes).unwrap_or_default())
}
