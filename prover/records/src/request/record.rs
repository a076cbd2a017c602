//! The registers' records as a request file holds them, every member written out.

use super::account::BalancesDocument;
use crate::{
    RecordsError,
    notation::{Written, plan_id},
};
use nightingale_circuits::{
    Fr,
    claim::{
        Address, Authorisation, Code, Consent, CostOrder, Date, DiagnosisGroups, Enrolment, FilingAnchor, Id,
        NoteLeaf, Npi, PlanId, PolicyRow, Provider, Sex, SexLimit, Units, types::PRICING_MODIFIERS,
    },
    merkle::Record,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A record with a JSON form.
pub(super) trait Recorded: Record {
    type Document: Serialize + DeserializeOwned;
    fn document(&self) -> Self::Document;
    fn from_document(document: Self::Document) -> Result<Self, RecordsError>;
}

fn plan(number: u16) -> Result<PlanId, RecordsError> {
    plan_id(number).ok_or_else(|| RecordsError::format("record.plan", "expected a number from 1 to 65535"))
}

/// Units of which none may be left: 0 to 16777.215 as thousandths.
fn unit_limit(thousandths: u32, element: &str) -> Result<u32, RecordsError> {
    if thousandths == 0 || Units::from_thousandths(thousandths).is_ok() {
        return Ok(thousandths);
    }
    Err(RecordsError::format(element, "expected thousandths of a unit below 2^24"))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnrolmentDocument {
    coverage: Written<Id>,
    member: Written<Id>,
    plan: u16,
    from: Written<Date>,
    to: Written<Date>,
    active: bool,
    network: u16,
    birth: Written<Date>,
    sex: Written<Sex>,
    nullifier_key_hash: Written<Fr>,
    opening: BalancesDocument,
}

impl Recorded for Enrolment {
    type Document = EnrolmentDocument;

    fn document(&self) -> EnrolmentDocument {
        EnrolmentDocument {
            coverage: Written(self.coverage),
            member: Written(self.member),
            plan: self.plan.number(),
            from: Written(self.from),
            to: Written(self.to),
            active: self.active,
            network: self.network,
            birth: Written(self.birth),
            sex: Written(self.sex),
            nullifier_key_hash: Written(self.nullifier_key_hash),
            opening: BalancesDocument::of_balances(self.opening),
        }
    }

    fn from_document(d: EnrolmentDocument) -> Result<Self, RecordsError> {
        Ok(Self {
            coverage: d.coverage.0,
            member: d.member.0,
            plan: plan(d.plan)?,
            from: d.from.0,
            to: d.to.0,
            active: d.active,
            network: d.network,
            birth: d.birth.0,
            sex: d.sex.0,
            nullifier_key_hash: d.nullifier_key_hash.0,
            opening: d.opening.balances().map_err(|e| e.within("record.opening"))?,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderDocument {
    npi: Written<Npi>,
    from: Written<Date>,
    to: Written<Date>,
    network: u16,
    settlement: Written<Address>,
}

impl Recorded for Provider {
    type Document = ProviderDocument;

    fn document(&self) -> ProviderDocument {
        ProviderDocument {
            npi: Written(self.npi),
            from: Written(self.from),
            to: Written(self.to),
            network: self.network,
            settlement: Written(self.settlement),
        }
    }

    fn from_document(d: ProviderDocument) -> Result<Self, RecordsError> {
        Ok(Self { npi: d.npi.0, from: d.from.0, to: d.to.0, network: d.network, settlement: d.settlement.0 })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthorisationDocument {
    reference: Written<Id>,
    coverage: Written<Id>,
    code: Written<Code>,
    from: Written<Date>,
    to: Written<Date>,
    unit_thousandths: u32,
}

impl Recorded for Authorisation {
    type Document = AuthorisationDocument;

    fn document(&self) -> AuthorisationDocument {
        AuthorisationDocument {
            reference: Written(self.reference),
            coverage: Written(self.coverage),
            code: Written(self.code),
            from: Written(self.from),
            to: Written(self.to),
            unit_thousandths: self.units,
        }
    }

    fn from_document(d: AuthorisationDocument) -> Result<Self, RecordsError> {
        Ok(Self {
            reference: d.reference.0,
            coverage: d.coverage.0,
            code: d.code.0,
            from: d.from.0,
            to: d.to.0,
            units: unit_limit(d.unit_thousandths, "record.unit_thousandths")?,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyRowDocument {
    plan: u16,
    code: Written<Code>,
    /// 0, or the place of the pricing modifier in the statement's list.
    modifier_class: u8,
    from: Written<Date>,
    to: Written<Date>,
    fee_cents: u32,
    copay_cents: u32,
    coinsurance_bp: u16,
    max_unit_thousandths: u32,
    max_repeat: u8,
    min_age: u8,
    max_age: u8,
    sex: Written<SexLimit>,
    needs_authorisation: bool,
    deductible_applies: bool,
    order: Written<CostOrder>,
    network_only: bool,
    filing_years: u8,
    filing_days: u16,
    filing_anchor: Written<FilingAnchor>,
    /// One bit per diagnosis group.
    groups: u32,
}

impl Recorded for PolicyRow {
    type Document = PolicyRowDocument;

    fn document(&self) -> PolicyRowDocument {
        PolicyRowDocument {
            plan: self.plan.number(),
            code: Written(self.code),
            modifier_class: self.class,
            from: Written(self.from),
            to: Written(self.to),
            fee_cents: self.fee_cents,
            copay_cents: self.copay_cents,
            coinsurance_bp: self.coinsurance_bp,
            max_unit_thousandths: self.max_units,
            max_repeat: self.max_repeat,
            min_age: self.min_age,
            max_age: self.max_age,
            sex: Written(self.sex),
            needs_authorisation: self.needs_authorisation,
            deductible_applies: self.deductible_applies,
            order: Written(self.order),
            network_only: self.network_only,
            filing_years: self.filing_years,
            filing_days: self.filing_days,
            filing_anchor: Written(self.filing_anchor),
            groups: self.groups,
        }
    }

    fn from_document(d: PolicyRowDocument) -> Result<Self, RecordsError> {
        let row = Self {
            plan: plan(d.plan)?,
            code: d.code.0,
            class: d.modifier_class,
            from: d.from.0,
            to: d.to.0,
            fee_cents: d.fee_cents,
            copay_cents: d.copay_cents,
            coinsurance_bp: d.coinsurance_bp,
            max_units: unit_limit(d.max_unit_thousandths, "record.max_unit_thousandths")?,
            max_repeat: d.max_repeat,
            min_age: d.min_age,
            max_age: d.max_age,
            sex: d.sex.0,
            needs_authorisation: d.needs_authorisation,
            deductible_applies: d.deductible_applies,
            order: d.order.0,
            network_only: d.network_only,
            filing_years: d.filing_years,
            filing_days: d.filing_days,
            filing_anchor: d.filing_anchor.0,
            groups: d.groups,
        };
        check_row(&row).map_err(|e| e.within("record"))?;
        Ok(row)
    }
}

/// The widths of a policy row's small numbers.
pub(crate) fn check_row(row: &PolicyRow) -> Result<(), RecordsError> {
    let limits = [
        ("modifier_class", u32::from(row.class), PRICING_MODIFIERS.len() as u32),
        ("coinsurance_bp", row.coinsurance_bp.into(), 10_000),
        ("max_repeat", row.max_repeat.into(), 15),
        ("filing_years", row.filing_years.into(), 7),
        ("filing_days", row.filing_days.into(), 4095),
    ];
    for (element, value, limit) in limits {
        if value > limit {
            return Err(RecordsError::format(element, format!("expected a number from 0 to {limit}")));
        }
    }
    Ok(())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiagnosisGroupsDocument {
    code: Written<Code>,
    groups: u32,
}

impl Recorded for DiagnosisGroups {
    type Document = DiagnosisGroupsDocument;

    fn document(&self) -> DiagnosisGroupsDocument {
        DiagnosisGroupsDocument { code: Written(self.code), groups: self.groups }
    }

    fn from_document(d: DiagnosisGroupsDocument) -> Result<Self, RecordsError> {
        Ok(Self { code: d.code.0, groups: d.groups })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsentDocument {
    member: Written<Id>,
    payer: Written<Id>,
    purpose: u8,
    data_class: u8,
    from: Written<Date>,
    to: Written<Date>,
    permit: bool,
}

impl Recorded for Consent {
    type Document = ConsentDocument;

    fn document(&self) -> ConsentDocument {
        ConsentDocument {
            member: Written(self.member),
            payer: Written(self.payer),
            purpose: self.purpose,
            data_class: self.data_class,
            from: Written(self.from),
            to: Written(self.to),
            permit: self.permit,
        }
    }

    fn from_document(d: ConsentDocument) -> Result<Self, RecordsError> {
        Ok(Self {
            member: d.member.0,
            payer: d.payer.0,
            purpose: d.purpose,
            data_class: d.data_class,
            from: d.from.0,
            to: d.to.0,
            permit: d.permit,
        })
    }
}

impl Recorded for NoteLeaf {
    type Document = Written<Fr>;

    fn document(&self) -> Written<Fr> {
        Written(self.0)
    }

    fn from_document(note: Written<Fr>) -> Result<Self, RecordsError> {
        Ok(Self(note.0))
    }
}
