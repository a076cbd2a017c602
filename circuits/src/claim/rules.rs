//! The reference: what the statement says, in plain Rust, rule by rule. The circuit must agree with it.

use super::{
    account::{Account, Balances, Secret},
    commitments,
    public::PublicInputs,
    reasons::{Reason, Reasons},
    records::{CostOrder, Enrolment, FilingAnchor, PolicyRow, SexLimit},
    request::{Refusal, Request, SizeClass},
    types::{Address, Line, Sex},
};
use crate::Fr;

/// How one line was judged; all amounts in cents.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LineOutcome {
    /// What was billed.
    pub charge: u64,
    /// What the plan allows, 0 where the line is not allowed.
    pub allowed: u64,
    /// Charge above the allowed amount, written off by contract.
    pub contractual: u64,
    /// The whole charge of a line that is not allowed.
    pub noncovered: u64,
    /// Member's copay.
    pub copay: u64,
    /// Member's deductible.
    pub deductible: u64,
    /// Member's coinsurance.
    pub coinsurance: u64,
    /// The plan's share above the benefit maximum.
    pub over_maximum: u64,
    /// What the plan pays.
    pub pay: u64,
    /// Whether the line is allowed (even at 0 payable).
    pub is_allowed: bool,
    /// Which rules it fails; 119 also where the maximum was met in part.
    pub reasons: Reasons,
}

impl LineOutcome {
    /// The 835 balance: the charge equals the sum of its adjustments and the payment.
    #[must_use]
    pub const fn balances(&self) -> bool {
        let adjustments = self.contractual
            + self.noncovered
            + self.copay
            + self.deductible
            + self.coinsurance
            + self.over_maximum;
        self.charge == adjustments + self.pay
    }
}

/// The outcome of a request.
#[derive(Clone)]
pub struct Adjudication {
    /// The class in which it is proven.
    pub class: SizeClass,
    /// Whether any line is allowed.
    pub approved: bool,
    /// All lines' reasons.
    pub reasons: Reasons,
    /// What the plan pays, in cents.
    pub payable: u64,
    /// Line by line.
    pub lines: Vec<LineOutcome>,
    /// The account after an approval; the unchanged one after a denial; `None` where the coverage is not enrolled.
    pub account_after: Option<Account>,
    /// What the proof publishes.
    pub public: PublicInputs,
}

/// What a line is judged against, where it is present.
struct Facts<'a> {
    request: &'a Request,
    enrolled: Option<&'a Enrolment>,
    authorised_units_used: u32,
}

/// Adjudicates a request by the rules of `docs/statements/claim.md`.
///
/// # Errors
/// [`Request::check`]'s refusals: nothing can be proven.
pub fn adjudicate(request: &Request) -> Result<Adjudication, Refusal> {
    let class = request.check()?;
    let enrolled = request.enrolled();
    let mut facts = Facts { request, enrolled, authorised_units_used: 0 };
    let mut balances = request.member.as_ref().map_or_else(Balances::default, |m| m.account.balances);
    let mut uses_authorisation = false;
    let mut lines = Vec::with_capacity(request.claim.lines.len());
    for i in 0..request.claim.lines.len() {
        let (reasons, row) = facts.judge(i);
        let outcome = match row.filter(|_| reasons.is_empty()) {
            Some(row) => {
                if row.needs_authorisation {
                    facts.authorised_units_used += request.claim.lines[i].units.thousandths();
                }
                let outcome = price(&request.claim.lines[i], row, &mut balances);
                uses_authorisation |= row.needs_authorisation && outcome.is_allowed;
                outcome
            }
            None => denied(&request.claim.lines[i], reasons),
        };
        lines.push(outcome);
    }
    let approved = lines.iter().any(|line| line.is_allowed);
    let reasons = lines.iter().fold(Reasons::default(), |all, line| all.union(line.reasons));
    let payable = lines.iter().map(|line| line.pay).sum();
    let account_after = request.member.as_ref().filter(|_| enrolled.is_some()).map(|m| {
        if approved {
            let version = m.account.version + 1;
            Account { year: m.account.year, version, balances, salt: request.next_salt.clone() }
        } else {
            m.account.clone()
        }
    });
    let public = publish(request, class, approved, reasons, payable, &lines, balances, uses_authorisation);
    Ok(Adjudication { class, approved, reasons, payable, lines, account_after, public })
}

impl<'a> Facts<'a> {
    /// The reasons of line `i`, all but the benefit maximum, and its row where it has one.
    fn judge(&self, i: usize) -> (Reasons, Option<&'a PolicyRow>) {
        let claim = &self.request.claim;
        let line = &claim.lines[i];
        let mut reasons = Reasons::default();
        reasons.set(Reason::Provider, !self.providers_enrolled(line));
        reasons.set(Reason::WrongPayer, claim.insurer != self.request.epoch.payer);
        let Some(enrolled) = self.enrolled else {
            reasons.set(Reason::NotInsured, true);
            return (reasons, None);
        };
        reasons.set(Reason::NotInsured, enrolled.member != claim.patient);
        reasons.set(Reason::WrongPayer, claim.plan.is_some_and(|plan| plan != enrolled.plan));
        reasons.set(Reason::BeforeCoverage, line.from < enrolled.from);
        reasons.set(Reason::AfterCoverage, line.through > enrolled.to || !enrolled.active);
        let Some(row) = self.row(i, enrolled) else {
            reasons.set(Reason::NotCovered, true);
            return (reasons, None);
        };
        let billing_network = self.request.billing.leaf.record.as_ref().filter(|p| p.npi == claim.billing);
        let in_network = billing_network.is_some_and(|p| p.network == enrolled.network);
        reasons.set(Reason::NotCovered, row.network_only && !in_network);
        reasons.set(Reason::Diagnosis, row.groups != 0 && row.groups & self.groups(line) == 0);
        let day = line.from.days();
        let too_young = enrolled.birth.plus_years(row.min_age.into()) > day;
        let too_old = enrolled.birth.plus_years(u32::from(row.max_age) + 1) <= day;
        reasons.set(Reason::Age, too_young || too_old);
        let fits_sex = match row.sex {
            SexLimit::Any => true,
            SexLimit::Male => enrolled.sex == Sex::Male,
            SexLimit::Female => enrolled.sex == Sex::Female,
        };
        reasons.set(Reason::Sex, !fits_sex);
        let too_many = line.units.thousandths() > row.max_units || line.repeat > row.max_repeat;
        reasons.set(Reason::Frequency, too_many);
        self.authorisation(line, row, &mut reasons);
        let anchor = match row.filing_anchor {
            FilingAnchor::From => line.from,
            FilingAnchor::Through => line.through,
        };
        let deadline = anchor.plus_years(row.filing_years.into()) + u32::from(row.filing_days);
        reasons.set(Reason::Late, self.request.received.days() > deadline);
        (reasons, Some(row))
    }

    /// The row in force for line `i`, `None` where it is proven absent.
    fn row(&self, i: usize, enrolled: &Enrolment) -> Option<&'a PolicyRow> {
        let line = &self.request.claim.lines[i];
        self.request.rows[i].leaf.record.as_ref().filter(|row| {
            (row.plan, row.code, row.class) == (enrolled.plan, line.code, line.modifier_class())
                && line.from <= row.to
        })
    }

    fn providers_enrolled(&self, line: &Line) -> bool {
        let claim = &self.request.claim;
        [(&self.request.billing, claim.billing), (&self.request.rendering, claim.rendering)].into_iter().all(
            |(opening, npi)| {
                let enrolled =
                    |p: &super::Provider| p.npi == npi && p.from <= line.from && line.through <= p.to;
                npi.passes_luhn() && opening.leaf.record.as_ref().is_some_and(enrolled)
            },
        )
    }

    /// The groups of all diagnoses that the line points to.
    fn groups(&self, line: &Line) -> u32 {
        let pointed = line.pointers.numbers().into_iter().filter_map(|n| {
            let i = usize::from(n) - 1;
            let code = self.request.claim.diagnoses.get(i)?;
            self.request.diagnoses.get(i)?.leaf.record.as_ref().filter(|d| d.code == *code)
        });
        pointed.fold(0, |all, d| all | d.groups)
    }

    fn authorisation(&self, line: &Line, row: &PolicyRow, reasons: &mut Reasons) {
        if !row.needs_authorisation {
            return;
        }
        let present = self.request.authorisation.as_ref().and_then(|opening| {
            opening.leaf.record.as_ref().filter(|a| Some(a.reference) == self.request.claim.authorisation)
        });
        let Some(present) = present else {
            return reasons.set(Reason::AuthorisationAbsent, true);
        };
        let fits = present.coverage == self.request.claim.coverage
            && present.code == line.code
            && present.from <= line.from
            && line.through <= present.to;
        reasons.set(Reason::AuthorisationMismatch, !fits);
        let used = self.authorised_units_used + line.units.thousandths();
        reasons.set(Reason::AuthorisationExceeded, fits && used > present.units);
    }
}

fn denied(line: &Line, reasons: Reasons) -> LineOutcome {
    let charge = u64::from(line.charge_cents);
    LineOutcome { charge, noncovered: charge, reasons, ..LineOutcome::default() }
}

/// The payable amount of a line that passes every other rule (DESIGN 3.1), integers only, half-up to the cent.
fn price(line: &Line, row: &PolicyRow, left: &mut Balances) -> LineOutcome {
    let charge = u64::from(line.charge_cents);
    let scheduled = (u64::from(row.fee_cents) * u64::from(line.units.thousandths()) + 500) / 1000;
    let allowed = charge.min(scheduled);
    let deductible_limit = if row.deductible_applies { left.deductible } else { 0 };
    let copay_limit = u64::from(row.copay_cents);
    let (copay, deductible) = match row.order {
        CostOrder::CopayFirst => {
            let copay = copay_limit.min(allowed);
            (copay, deductible_limit.min(allowed - copay))
        }
        CostOrder::DeductibleFirst => {
            let deductible = deductible_limit.min(allowed);
            (copay_limit.min(allowed - deductible), deductible)
        }
    };
    let rest = allowed - copay - deductible;
    let coinsurance = (rest * u64::from(row.coinsurance_bp) + 5000) / 10_000;
    let member = copay + deductible + coinsurance;
    // The member pays no more than what is left to the out-of-pocket maximum: coinsurance gives way first.
    let excess = member - member.min(left.out_of_pocket);
    let from_coinsurance = excess.min(coinsurance);
    let from_deductible = (excess - from_coinsurance).min(deductible);
    let from_copay = excess - from_coinsurance - from_deductible;
    let (copay, deductible, coinsurance) =
        (copay - from_copay, deductible - from_deductible, coinsurance - from_coinsurance);
    let member = copay + deductible + coinsurance;
    let share = allowed - member;
    let mut reasons = Reasons::default();
    reasons.set(Reason::Maximum, share > left.maximum);
    if share > 0 && left.maximum == 0 {
        return denied(line, reasons);
    }
    let pay = share.min(left.maximum);
    left.deductible -= deductible;
    left.out_of_pocket -= member;
    left.maximum -= pay;
    LineOutcome {
        charge,
        allowed,
        contractual: charge - allowed,
        noncovered: 0,
        copay,
        deductible,
        coinsurance,
        over_maximum: share - pay,
        pay,
        is_allowed: true,
        reasons,
    }
}

#[expect(clippy::too_many_arguments, reason = "the statement's results, each named once")]
fn publish(
    request: &Request,
    class: SizeClass,
    approved: bool,
    reasons: Reasons,
    payable: u64,
    lines: &[LineOutcome],
    balances: Balances,
    uses_authorisation: bool,
) -> PublicInputs {
    let zero = Fr::from(0u64);
    let billing = request.billing.leaf.record.as_ref().filter(|p| p.npi == request.claim.billing);
    let mut public = PublicInputs {
        epoch_root: request.epoch.root(),
        consent_root: request.consent_root,
        account_root: request.account_root,
        claim_commitment: request.claim.commitment(&request.claim_salt),
        payee: billing.map_or_else(Address::default, |p| p.settlement).to_field(),
        packed: PublicInputs::pack_amount(payable, request.received),
        outcome_commitment: commitments::outcome(approved, reasons, &request.outcome_salt),
        spend_tag: zero,
        next_note: zero,
        authorisation_tag: zero,
        nullifiers: vec![zero; class.lines()],
    };
    let Some(member) = request.member.as_ref().filter(|_| approved) else { return public };
    let nk: &Secret = &member.nk;
    let account = &member.account;
    let next = Account {
        year: account.year,
        version: account.version + 1,
        balances,
        salt: request.next_salt.clone(),
    };
    public.spend_tag = account.spend_tag(nk, request.claim.coverage);
    public.next_note = next.note(nk, request.claim.coverage);
    if let Some(reference) = request.claim.authorisation.filter(|_| uses_authorisation) {
        public.authorisation_tag = commitments::authorisation_use(nk, reference);
    }
    for ((slot, line), outcome) in public.nullifiers.iter_mut().zip(&request.claim.lines).zip(lines) {
        if outcome.is_allowed {
            *slot = line.nullifier(nk, request.claim.rendering);
        }
    }
    public
}
