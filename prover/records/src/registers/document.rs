//! The JSON form of the registers: what may be left out has a default that a person would expect.

use crate::{
    notation::Written,
    request::{BalancesDocument, VenueDocument},
};
use nightingale_circuits::{
    Fr,
    claim::{
        Address, Code, Consent, CostOrder, Date, FilingAnchor, Modifier, Npi, Sex, SexLimit, Units,
        account::Secret,
    },
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegistersDocument {
    /// The payer's identifier.
    pub(crate) payer: String,
    /// Other names under which claims address it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) payer_names: Vec<String>,
    pub(crate) venue: VenueDocument,
    pub(crate) epoch: u64,
    pub(crate) plans: Vec<PlanDocument>,
    #[serde(default)]
    pub(crate) policy: Vec<PolicyDocument>,
    #[serde(default)]
    pub(crate) diagnosis_groups: Vec<GroupDocument>,
    /// The codes that ranges in diagnosis groups are expanded against.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) diagnosis_codes: Vec<Written<Code>>,
    #[serde(default)]
    pub(crate) enrolment: Vec<EnrolmentDocument>,
    #[serde(default)]
    pub(crate) providers: Vec<ProviderDocument>,
    #[serde(default)]
    pub(crate) authorisations: Vec<AuthorisationDocument>,
    #[serde(default)]
    pub(crate) consents: Vec<ConsentDocument>,
    #[serde(default)]
    pub(crate) accounts: Vec<AccountDocument>,
    /// Notes of other custodians' members that stand in the payer's account register.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<Written<Fr>>,
    #[serde(default)]
    pub(crate) custodian: CustodianDocument,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanDocument {
    pub(crate) number: u16,
    pub(crate) name: String,
    /// Other names under which claims and coverages know it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) names: Vec<String>,
    /// What each benefit year opens with.
    #[serde(default)]
    pub(crate) opening: BalancesDocument,
}

pub(crate) const fn first_day() -> Written<Date> {
    Written(Date::MIN)
}

pub(crate) const fn last_day() -> Written<Date> {
    Written(Date::MAX)
}

const fn yes() -> bool {
    true
}

const fn oldest() -> u8 {
    u8::MAX
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyDocument {
    /// The plan's name.
    pub(crate) plan: String,
    pub(crate) code: Written<Code>,
    /// The pricing modifier, absent for lines without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) modifier: Option<Written<Modifier>>,
    #[serde(default = "first_day")]
    pub(crate) from: Written<Date>,
    #[serde(default = "last_day")]
    pub(crate) to: Written<Date>,
    pub(crate) fee_cents: u32,
    #[serde(default)]
    pub(crate) copay_cents: u32,
    #[serde(default)]
    pub(crate) coinsurance_bp: u16,
    /// Absent: as many as a line can hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_units: Option<Written<Units>>,
    /// How often the same service may be repeated within a claim; 0: once.
    #[serde(default)]
    pub(crate) max_repeat: u8,
    #[serde(default)]
    pub(crate) min_age: u8,
    #[serde(default = "oldest")]
    pub(crate) max_age: u8,
    #[serde(default = "any_sex")]
    pub(crate) sex: Written<SexLimit>,
    #[serde(default)]
    pub(crate) needs_authorisation: bool,
    #[serde(default = "yes")]
    pub(crate) deductible_applies: bool,
    #[serde(default = "copay_first")]
    pub(crate) order: Written<CostOrder>,
    #[serde(default)]
    pub(crate) network_only: bool,
    #[serde(default)]
    pub(crate) filing: FilingDocument,
    /// Names of diagnosis groups, one of which must support the line; none: any diagnosis does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<String>,
}

const fn any_sex() -> Written<SexLimit> {
    Written(SexLimit::Any)
}

const fn copay_first() -> Written<CostOrder> {
    Written(CostOrder::CopayFirst)
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilingDocument {
    #[serde(default)]
    pub(crate) years: u8,
    #[serde(default)]
    pub(crate) days: u16,
    #[serde(default = "through")]
    pub(crate) anchor: Written<FilingAnchor>,
}

const fn through() -> Written<FilingAnchor> {
    Written(FilingAnchor::Through)
}

impl Default for FilingDocument {
    /// One year after the last day of service.
    fn default() -> Self {
        Self { years: 1, days: 0, anchor: through() }
    }
}

/// A group's bit is its place in the list.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupDocument {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) codes: Vec<Written<Code>>,
    /// `icd-10-cm:E10-E14`: every listed code from the first to everything that starts with the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ranges: Vec<String>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnrolmentDocument {
    pub(crate) coverage: String,
    pub(crate) member: String,
    /// The plan's name.
    pub(crate) plan: String,
    #[serde(default = "first_day")]
    pub(crate) from: Written<Date>,
    #[serde(default = "last_day")]
    pub(crate) to: Written<Date>,
    #[serde(default = "yes")]
    pub(crate) active: bool,
    #[serde(default)]
    pub(crate) network: u16,
    pub(crate) birth: Written<Date>,
    #[serde(default = "unknown_sex")]
    pub(crate) sex: Written<Sex>,
    /// Absent: the plan's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) opening: Option<BalancesDocument>,
    /// Absent: computed from the member's key, which the custodian holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nullifier_key_hash: Option<Written<Fr>>,
}

const fn unknown_sex() -> Written<Sex> {
    Written(Sex::Unknown)
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderDocument {
    pub(crate) npi: Written<Npi>,
    /// Names under which claims without an NPI know it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) names: Vec<String>,
    #[serde(default = "first_day")]
    pub(crate) from: Written<Date>,
    #[serde(default = "last_day")]
    pub(crate) to: Written<Date>,
    #[serde(default)]
    pub(crate) network: u16,
    pub(crate) settlement: Written<Address>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthorisationDocument {
    pub(crate) reference: String,
    pub(crate) coverage: String,
    pub(crate) code: Written<Code>,
    #[serde(default = "first_day")]
    pub(crate) from: Written<Date>,
    #[serde(default = "last_day")]
    pub(crate) to: Written<Date>,
    pub(crate) units: Written<Units>,
}

const fn payment() -> u8 {
    Consent::PAYMENT
}

const fn claims() -> u8 {
    Consent::CLAIMS
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsentDocument {
    pub(crate) member: String,
    /// Absent: the payer of these registers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payer: Option<String>,
    /// 1 is payment.
    #[serde(default = "payment")]
    pub(crate) purpose: u8,
    /// 1 is claims.
    #[serde(default = "claims")]
    pub(crate) data_class: u8,
    #[serde(default = "first_day")]
    pub(crate) from: Written<Date>,
    #[serde(default = "last_day")]
    pub(crate) to: Written<Date>,
    #[serde(default = "yes")]
    pub(crate) permit: bool,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountDocument {
    pub(crate) coverage: String,
    pub(crate) year: u32,
    /// 1 or more: version 0 is the plan's opening balance and stands in no register.
    pub(crate) version: u32,
    pub(crate) balances: BalancesDocument,
    pub(crate) salt: Written<Secret>,
}

/// What only the custodian knows.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustodianDocument {
    /// Members' nullifier keys are derived from it, as `docs/records.md` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) master_key: Option<Written<Secret>>,
    /// Keys given one by one; they go before the derived ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) members: Vec<MemberKeyDocument>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberKeyDocument {
    pub(crate) member: String,
    pub(crate) nk: Written<Secret>,
}
