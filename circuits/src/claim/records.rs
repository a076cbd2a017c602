//! The records of the registers that a claim is judged by, and how each is packed into its leaf.

use super::{
    account::Balances,
    code::Code,
    types::{
        Address, CODE_BITS, DATE_BITS, Date, ID_BITS, Id, LINE_MONEY_BITS, MODIFIER_CLASS_BITS, NPI_BITS,
        Npi, PLAN_BITS, PRICING_MODIFIERS, PlanId, REPEAT_BITS, Sex, UNITS_BITS,
    },
};
use crate::{
    Fr,
    field::{low_u128, pack},
    merkle::Record,
    poseidon,
    tag::Tag,
};
use std::collections::BTreeMap;

/// Bits of a network number.
pub const NETWORK_BITS: u32 = 16;
/// Diagnosis groups of a policy.
pub const GROUPS: usize = 32;
/// Bits of an age in years.
pub const AGE_BITS: u32 = 8;
/// Bits of basis points.
pub const BASIS_POINTS_BITS: u32 = 14;
/// Bits of the filing limit's years and days.
pub const FILING_BITS: (u32, u32) = (3, 12);

const fn date(d: Date) -> (u128, u32) {
    (d.days() as u128, DATE_BITS)
}

/// Enrolment: who is covered by which plan, and when. Keyed by coverage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// The coverage.
    pub coverage: Id,
    /// The member that it covers.
    pub member: Id,
    /// The plan.
    pub plan: PlanId,
    /// First covered day.
    pub from: Date,
    /// Last covered day.
    pub to: Date,
    /// Whether it is in force at all (`Coverage.status = active`).
    pub active: bool,
    /// The member's network.
    pub network: u16,
    /// Birth date.
    pub birth: Date,
    /// Sex.
    pub sex: Sex,
    /// `P(NullifierKey, nk)`: the custodian gives it, the payer never sees nk.
    pub nullifier_key_hash: Fr,
    /// The plan's opening balances for each benefit year of this coverage.
    pub opening: Balances,
}

impl Record for Enrolment {
    const TAG: Tag = Tag::Enrolment;
    const DEPTH: usize = 10;
    const KEY_BITS: u32 = ID_BITS;
    const WIDTH: usize = 4;
    const NAME: &'static str = "enrolment";

    fn key(&self) -> u128 {
        self.coverage.number()
    }

    fn encode(&self) -> Vec<Fr> {
        let packed = pack(&[
            (u128::from(self.plan.number()), PLAN_BITS),
            date(self.from),
            date(self.to),
            (u128::from(self.active), 1),
            (u128::from(self.network), NETWORK_BITS),
            date(self.birth),
            (self.sex as u128, 2),
        ]);
        vec![packed, Fr::from(self.member.number()), self.nullifier_key_hash, self.opening.pack()]
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.opening.in_range() { Ok(()) } else { Err("opening balances: expected below 2^40 cents") }
    }

    /// A member with two keys could be billed twice for one service; two members with one key would block each other.
    fn check_all(records: &[Self]) -> Result<(), String> {
        let (mut keys, mut members) = (BTreeMap::new(), BTreeMap::new());
        for Self { member, nullifier_key_hash, .. } in records {
            if *keys.entry(member).or_insert(nullifier_key_hash) != nullifier_key_hash {
                return Err("a member has two nullifier keys; all its coverages need the same one".into());
            }
            if *members.entry(nullifier_key_hash).or_insert(member) != member {
                return Err("two members have one nullifier key; each needs its own".into());
            }
        }
        Ok(())
    }
}

/// A provider's enrolment with the payer. Keyed by NPI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its NPI.
    pub npi: Npi,
    /// First enrolled day.
    pub from: Date,
    /// Last enrolled day.
    pub to: Date,
    /// Its network.
    pub network: u16,
    /// Where it is paid.
    pub settlement: Address,
}

impl Record for Provider {
    const TAG: Tag = Tag::Provider;
    const DEPTH: usize = 9;
    const KEY_BITS: u32 = NPI_BITS;
    const WIDTH: usize = 2;
    const NAME: &'static str = "providers";

    fn key(&self) -> u128 {
        u128::from(self.npi.number())
    }

    fn encode(&self) -> Vec<Fr> {
        let packed = pack(&[date(self.from), date(self.to), (u128::from(self.network), NETWORK_BITS)]);
        vec![packed, self.settlement.to_field()]
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.settlement == Address::default() {
            return Err("settlement address: expected one that is not zero, which stands for no provider");
        }
        Ok(())
    }
}

/// A prior authorisation. Keyed by its reference; it serves one claim of one coverage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorisation {
    /// Its reference number.
    pub reference: Id,
    /// The coverage it was given for.
    pub coverage: Id,
    /// What it authorises.
    pub code: Code,
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// How much, in thousandths of a unit.
    pub units: u32,
}

impl Record for Authorisation {
    const TAG: Tag = Tag::Authorisation;
    const DEPTH: usize = 8;
    const KEY_BITS: u32 = ID_BITS;
    const WIDTH: usize = 2;
    const NAME: &'static str = "authorisations";

    fn key(&self) -> u128 {
        self.reference.number()
    }

    fn encode(&self) -> Vec<Fr> {
        let packed = pack(&[
            (u128::from(self.code.bits()), CODE_BITS),
            date(self.from),
            date(self.to),
            (u128::from(self.units), UNITS_BITS),
        ]);
        vec![packed, Fr::from(self.coverage.number())]
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.units >> UNITS_BITS == 0 { Ok(()) } else { Err("units: expected below 2^24 thousandths") }
    }
}

/// Which share the member meets first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CostOrder {
    /// The copay, then the deductible on the rest.
    CopayFirst = 0,
    /// The deductible, then the copay on the rest.
    DeductibleFirst = 1,
}

/// From which day of a line the filing limit runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FilingAnchor {
    /// Its first day.
    From = 0,
    /// Its last day.
    Through = 1,
}

/// Whom a procedure is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SexLimit {
    /// Anyone.
    Any = 0,
    /// Males only.
    Male = 1,
    /// Females only.
    Female = 2,
}

/// How a plan covers a procedure from a day on. Keyed by plan, code, modifier class and first day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    /// The plan.
    pub plan: PlanId,
    /// The procedure.
    pub code: Code,
    /// The modifier class (0: no pricing modifier).
    pub class: u8,
    /// First day in force.
    pub from: Date,
    /// Last day in force.
    pub to: Date,
    /// Fee for one unit, in cents.
    pub fee_cents: u32,
    /// Copay per line, in cents.
    pub copay_cents: u32,
    /// Coinsurance in basis points, at most 10,000.
    pub coinsurance_bp: u16,
    /// Units per line at most, in thousandths.
    pub max_units: u32,
    /// The highest repeat index.
    pub max_repeat: u8,
    /// The youngest age in whole years.
    pub min_age: u8,
    /// The oldest age in whole years.
    pub max_age: u8,
    /// Whom it is for.
    pub sex: SexLimit,
    /// Whether it needs prior authorisation.
    pub needs_authorisation: bool,
    /// Whether the deductible applies.
    pub deductible_applies: bool,
    /// Which share comes first.
    pub order: CostOrder,
    /// Whether only the member's network is covered.
    pub network_only: bool,
    /// Filing limit: whole years, at most 7 ...
    pub filing_years: u8,
    /// ... and days after them, at most 4,095.
    pub filing_days: u16,
    /// Where the filing limit starts.
    pub filing_anchor: FilingAnchor,
    /// The diagnosis groups that support it, one bit each; 0 when any diagnosis does.
    pub groups: u32,
}

impl PolicyRow {
    /// The register's key: `from | class << 17 | code << 21 | plan << 85`.
    #[must_use]
    pub const fn register_key(plan: u16, code: u64, class: u8, from: u32) -> u128 {
        let class_shift = DATE_BITS;
        let code_shift = class_shift + MODIFIER_CLASS_BITS;
        let plan_shift = code_shift + CODE_BITS;
        (plan as u128) << plan_shift
            | (code as u128) << code_shift
            | (class as u128) << class_shift
            | from as u128
    }
}

impl Record for PolicyRow {
    const TAG: Tag = Tag::PolicyRow;
    const DEPTH: usize = 8;
    const KEY_BITS: u32 = PLAN_BITS + CODE_BITS + MODIFIER_CLASS_BITS + DATE_BITS;
    const WIDTH: usize = 1;
    const NAME: &'static str = "policy rows";

    fn key(&self) -> u128 {
        Self::register_key(self.plan.number(), self.code.bits(), self.class, self.from.days())
    }

    fn encode(&self) -> Vec<Fr> {
        vec![pack(&[
            date(self.to),
            (self.fee_cents.into(), LINE_MONEY_BITS),
            (self.copay_cents.into(), LINE_MONEY_BITS),
            (self.coinsurance_bp.into(), BASIS_POINTS_BITS),
            (self.max_units.into(), UNITS_BITS),
            (self.max_repeat.into(), REPEAT_BITS),
            (self.min_age.into(), AGE_BITS),
            (self.max_age.into(), AGE_BITS),
            (self.sex as u128, 2),
            (self.needs_authorisation.into(), 1),
            (self.deductible_applies.into(), 1),
            (self.order as u128, 1),
            (self.network_only.into(), 1),
            (self.filing_years.into(), FILING_BITS.0),
            (self.filing_days.into(), FILING_BITS.1),
            (self.filing_anchor as u128, 1),
            (self.groups.into(), GROUPS as u32),
        ])]
    }

    fn check(&self) -> Result<(), &'static str> {
        let rules = [
            (usize::from(self.class) <= PRICING_MODIFIERS.len(), "modifier class: expected 0 to 7"),
            (self.coinsurance_bp <= 10_000, "coinsurance: expected at most 10000 basis points"),
            (self.max_units >> UNITS_BITS == 0, "max units: expected below 2^24 thousandths"),
            (self.max_repeat >> REPEAT_BITS == 0, "max repeat: expected 0 to 15"),
            (self.filing_years >> FILING_BITS.0 == 0, "filing years: expected 0 to 7"),
            (self.filing_days >> FILING_BITS.1 == 0, "filing days: expected 0 to 4095"),
        ];
        rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, problem)| Err(*problem))
    }

    fn follows(&self, next: &Self) -> Result<(), String> {
        let same = (self.plan, self.code, self.class) == (next.plan, next.code, next.class);
        if same && next.from <= self.to {
            return Err(
                "two rows of one plan, code and modifier class overlap in time; end the first earlier".into(),
            );
        }
        Ok(())
    }
}

/// The groups that a diagnosis belongs to. Keyed by code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiagnosisGroups {
    /// The diagnosis.
    pub code: Code,
    /// One bit per group.
    pub groups: u32,
}

impl Record for DiagnosisGroups {
    const TAG: Tag = Tag::DiagnosisGroup;
    const DEPTH: usize = 8;
    const KEY_BITS: u32 = CODE_BITS;
    const WIDTH: usize = 1;
    const NAME: &'static str = "diagnosis groups";

    fn key(&self) -> u128 {
        u128::from(self.code.bits())
    }

    fn encode(&self) -> Vec<Fr> {
        vec![Fr::from(self.groups)]
    }
}

/// A patient's consent. Keyed by a hash of member, payer, purpose and data class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// The patient.
    pub member: Id,
    /// The payer that may learn the outcome.
    pub payer: Id,
    /// Purpose; 1 is payment.
    pub purpose: u8,
    /// Data class; 1 is claims.
    pub data_class: u8,
    /// First day in force.
    pub from: Date,
    /// Last day in force.
    pub to: Date,
    /// Whether it permits (else it forbids).
    pub permit: bool,
}

impl Consent {
    /// The purpose that adjudication needs.
    pub const PAYMENT: u8 = 1;
    /// The data class that adjudication needs.
    pub const CLAIMS: u8 = 1;

    /// The register's key: the low 96 bits of `P(ConsentKey, member, payer, purpose, data class)`.
    #[must_use]
    pub fn register_key(member: Id, payer: Id, purpose: u8, data_class: u8) -> u128 {
        let inputs = [member.number().into(), payer.number().into(), purpose.into(), data_class.into()];
        low_u128(&poseidon::tagged(Tag::ConsentKey, &inputs)) & ((1 << ID_BITS) - 1)
    }
}

impl Record for Consent {
    const TAG: Tag = Tag::Consent;
    const DEPTH: usize = 10;
    const KEY_BITS: u32 = ID_BITS;
    const WIDTH: usize = 3;
    const NAME: &'static str = "consents";

    fn key(&self) -> u128 {
        Self::register_key(self.member, self.payer, self.purpose, self.data_class)
    }

    fn encode(&self) -> Vec<Fr> {
        let packed = pack(&[
            (self.purpose.into(), 8),
            (self.data_class.into(), 8),
            date(self.from),
            date(self.to),
            (self.permit.into(), 1),
        ]);
        vec![Fr::from(self.member.number()), Fr::from(self.payer.number()), packed]
    }
}

/// A note in the account register. Keyed by its low 127 bits, so that anybody who sees the notes can rebuild it.
///
/// The circuit reads the whole note and never asks for a key, so keys need only be hard to make collide: two notes
/// with one key would stop the register from being built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteLeaf(pub Fr);

impl Record for NoteLeaf {
    const TAG: Tag = Tag::Account;
    const DEPTH: usize = 10;
    const KEY_BITS: u32 = 127;
    const WIDTH: usize = 1;
    const NAME: &'static str = "accounts";

    fn key(&self) -> u128 {
        low_u128(&self.0) & ((1 << Self::KEY_BITS) - 1)
    }

    fn encode(&self) -> Vec<Fr> {
        vec![self.0]
    }
}
