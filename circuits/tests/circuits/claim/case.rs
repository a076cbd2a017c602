//! A claim with the records that it is judged by, as plain data that a test can change before it is built.

use nightingale_circuits::{
    Fr,
    claim::{
        account::{Secret, nullifier_key_hash},
        circuit::{Inputs, synthesise},
        request::MemberAccount,
        *,
    },
    merkle::Register,
    r1cs::{Builder, R1cs},
};
use std::sync::OnceLock;

pub(crate) fn day(y: u32, m: u32, d: u32) -> Date {
    Date::from_calendar(y, m, d).unwrap()
}

pub(crate) fn cpt(text: &str) -> Code {
    Code::new(CodeSystem::Cpt, text).unwrap()
}

pub(crate) fn icd(text: &str) -> Code {
    Code::new(CodeSystem::Icd10Cm, text).unwrap()
}

/// NPIs that pass Luhn.
pub(crate) const BILLING: u64 = 1_234_567_893;
pub(crate) const RENDERING: u64 = 1_245_319_599;

#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) claim: Claim,
    pub(crate) received: Date,
    pub(crate) payer: Id,
    pub(crate) venue: Venue,
    pub(crate) epoch: u64,
    pub(crate) enrolments: Vec<Enrolment>,
    pub(crate) providers: Vec<Provider>,
    pub(crate) authorisations: Vec<Authorisation>,
    pub(crate) rows: Vec<PolicyRow>,
    pub(crate) groups: Vec<DiagnosisGroups>,
    pub(crate) consents: Vec<Consent>,
    pub(crate) notes: Vec<Fr>,
    pub(crate) nk: Secret,
    pub(crate) account: Account,
}

pub(crate) fn row(code: &str) -> PolicyRow {
    PolicyRow {
        plan: PlanId::new(7).unwrap(),
        code: cpt(code),
        class: 0,
        from: day(2020, 1, 1),
        to: Date::MAX,
        fee_cents: 10_000,
        copay_cents: 2_000,
        coinsurance_bp: 2_000,
        max_units: 4_000,
        max_repeat: 1,
        min_age: 0,
        max_age: 255,
        sex: SexLimit::Any,
        needs_authorisation: false,
        deductible_applies: true,
        order: CostOrder::CopayFirst,
        network_only: false,
        filing_years: 1,
        filing_days: 0,
        filing_anchor: FilingAnchor::Through,
        groups: 0b10,
    }
}

pub(crate) fn line(code: &str) -> Line {
    Line {
        code: cpt(code),
        from: day(2025, 3, 10),
        through: day(2025, 3, 11),
        modifiers: vec![],
        pointers: Pointers::new(&[1]).unwrap(),
        units: Units::from_thousandths(1_000).unwrap(),
        charge_cents: 15_000,
        repeat: 0,
    }
}

impl Case {
    /// An approvable claim of `lines` lines.
    pub(crate) fn new(lines: usize) -> Self {
        let id = Id::from_text;
        let (payer, patient, coverage) = (id("payer"), id("patient"), id("coverage"));
        let nk = Secret::new(Fr::from(0x1234_5678_9abc_u64));
        let opening = Balances { deductible: 5_000, out_of_pocket: 100_000, maximum: 1_000_000 };
        let codes = ["99213", "99214", "80053", "36415", "93000", "71046", "85025", "81001"];
        let provider = |npi: u64| Provider {
            npi: Npi::new(npi).unwrap(),
            from: day(2020, 1, 1),
            to: Date::MAX,
            network: 3,
            settlement: Address([npi as u8; 20]),
        };
        let enrolment = |coverage: &str, member: &str, nk: &Secret| Enrolment {
            coverage: id(coverage),
            member: id(member),
            plan: PlanId::new(7).unwrap(),
            from: day(2025, 1, 1),
            to: day(2025, 12, 31),
            active: true,
            network: 3,
            birth: day(1980, 2, 29),
            sex: Sex::Female,
            nullifier_key_hash: nullifier_key_hash(nk),
            opening,
        };
        let other = Secret::new(Fr::from(99u64));
        Self {
            claim: Claim {
                kind: ClaimType::Professional,
                insurer: payer,
                plan: Some(PlanId::new(7).unwrap()),
                coverage,
                patient,
                authorisation: None,
                billing: Npi::new(BILLING).unwrap(),
                rendering: Npi::new(RENDERING).unwrap(),
                diagnoses: vec![icd("E11.9"), icd("I10")],
                lines: codes[..lines].iter().map(|c| line(c)).collect(),
            },
            received: day(2025, 4, 1),
            payer,
            venue: Venue { chain_id: 31_337, contract: Address([0x42; 20]) },
            epoch: 3,
            enrolments: vec![
                enrolment("coverage", "patient", &nk),
                enrolment("coverage-2", "patient-2", &other),
                enrolment("coverage-3", "patient-2", &other),
            ],
            providers: vec![provider(BILLING), provider(RENDERING), provider(1_003_000_126)],
            authorisations: vec![Authorisation {
                reference: id("auth"),
                coverage,
                code: cpt("99213"),
                from: day(2025, 1, 1),
                to: day(2025, 12, 31),
                units: 2_000,
            }],
            rows: codes.iter().map(|c| row(c)).collect(),
            groups: vec![
                DiagnosisGroups { code: icd("E11.9"), groups: 0b10 },
                DiagnosisGroups { code: icd("I10"), groups: 0b100 },
            ],
            consents: vec![Consent {
                member: patient,
                payer,
                purpose: Consent::PAYMENT,
                data_class: Consent::CLAIMS,
                from: day(2025, 1, 1),
                to: day(2026, 12, 31),
                permit: true,
            }],
            notes: vec![Fr::from(777u64)],
            nk,
            account: Account { year: 2025, version: 0, balances: opening, salt: Secret::new(Fr::from(5u64)) },
        }
    }

    /// Moves the account to `version` with these balances, and puts its note in the register.
    pub(crate) fn with_account(mut self, version: u32, balances: Balances) -> Self {
        self.account = Account { version, balances, ..self.account };
        self.notes.push(self.account.note(&self.nk, self.claim.coverage));
        self
    }

    /// Builds the registers and the request, without checking anything.
    pub(crate) fn request(&self) -> Request {
        let enrolment = Register::build(self.enrolments.clone()).unwrap();
        let providers = Register::build(self.providers.clone()).unwrap();
        let authorisations = Register::build(self.authorisations.clone()).unwrap();
        let rows = Register::build(self.rows.clone()).unwrap();
        let groups = Register::build(self.groups.clone()).unwrap();
        let consents = Register::build(self.consents.clone()).unwrap();
        let notes = Register::build(self.notes.iter().map(|n| NoteLeaf(*n)).collect()).unwrap();
        let claim = &self.claim;
        let note = NoteLeaf(self.account.note(&self.nk, self.claim.coverage));
        let consent_key = Consent::register_key(claim.patient, self.payer, Consent::PAYMENT, Consent::CLAIMS);
        let mut request = Request {
            claim: claim.clone(),
            claim_salt: Secret::new(Fr::from(11u64)),
            received: self.received,
            epoch: Epoch {
                payer: self.payer,
                venue: self.venue,
                policy_root: rows.root(),
                diagnosis_root: groups.root(),
                enrolment_root: enrolment.root(),
                provider_root: providers.root(),
                authorisation_root: authorisations.root(),
                number: self.epoch,
            },
            consent_root: consents.root(),
            account_root: notes.root(),
            enrolment: enrolment.open(claim.coverage.number()),
            billing: providers.open(claim.billing.number().into()),
            rendering: providers.open(claim.rendering.number().into()),
            authorisation: claim.authorisation.map(|a| authorisations.open(a.number())),
            consent: consents.open(consent_key),
            diagnoses: claim.diagnoses.iter().map(|d| groups.open(d.bits().into())).collect(),
            rows: vec![],
            member: Some(MemberAccount {
                nk: self.nk.clone(),
                account: self.account.clone(),
                opening: (self.account.version > 0)
                    .then(|| notes.open(nightingale_circuits::merkle::Record::key(&note))),
            }),
            next_salt: Secret::new(Fr::from(12u64)),
            outcome_salt: Secret::new(Fr::from(13u64)),
        };
        request.rows = (0..claim.lines.len()).map(|i| rows.open(request.row_key(i))).collect();
        if request.enrolled().is_none() {
            request.member = None;
        }
        request
    }
}

/// The constraints of a class, made once.
pub(crate) fn shape(class: SizeClass) -> &'static R1cs {
    static SHAPES: [OnceLock<R1cs>; 2] = [const { OnceLock::new() }; 2];
    SHAPES[class as usize].get_or_init(|| circuit::r1cs(class))
}

/// The values that `inputs` give.
pub(crate) fn values(inputs: &Inputs) -> Vec<Fr> {
    let mut b = Builder::witness_only(1 << 17);
    synthesise(&mut b, inputs);
    b.finish().1.values.clone()
}

/// The section of the first violated constraint.
pub(crate) fn violated(inputs: &Inputs) -> Option<&'static str> {
    shape(inputs.class).first_unsatisfied(&values(inputs)).map(|(_, section)| section)
}

/// Adjudicates, and checks that the circuit accepts exactly that outcome.
pub(crate) fn prove(case: &Case) -> Adjudication {
    let request = case.request();
    let outcome = adjudicate(&request).unwrap();
    for class in SizeClass::ALL.into_iter().filter(|c| *c >= outcome.class) {
        let mut public = outcome.public.clone();
        public.nullifiers.resize(class.lines(), Fr::from(0u64));
        assert_eq!(violated(&Inputs::new(&request, class, public)), None, "{}", class.name());
    }
    outcome
}

/// What the circuit computes as the commitment of these inputs.
pub(crate) fn claim_commitment(inputs: &Inputs) -> Fr {
    use nightingale_circuits::{field::pack, poseidon::tagged, tag::Tag};
    let npi = |digits: &[u8; 10]| digits.iter().rev().fold(0u128, |n, d| 10 * n + u128::from(*d));
    let mut lines: Vec<Fr> = inputs.lines.iter().map(|line| line.packed).collect();
    lines.resize(8, Fr::from(0u64));
    let npis = pack(&[(npi(&inputs.billing_digits), 34), (npi(&inputs.rendering_digits), 34)]);
    let mut hashed = vec![inputs.references, inputs.patient, inputs.insurer, npis];
    hashed.extend(&inputs.diagnoses);
    hashed.resize(8, Fr::from(0u64));
    hashed.extend([tagged(Tag::Lines, &lines), inputs.claim_salt]);
    tagged(Tag::Claim, &hashed)
}
