//! What the prover assigns freely: numbers, in the shape of the size class.

use super::super::{
    account::VERSION_BITS,
    commitments::DIAGNOSES_PER_ELEMENT,
    public::{FIXED_INPUTS, PublicInputs},
    records::{Authorisation, Consent, DiagnosisGroups, Enrolment, NoteLeaf, PolicyRow, Provider},
    request::{Request, SizeClass},
    types::CODE_BITS,
};
use crate::{
    Fr,
    field::pack,
    merkle::{Opening, Path, Record},
};
use zeroize::Zeroize;

/// A leaf and its path, as numbers.
#[derive(Clone)]
pub struct LeafInput {
    /// Key.
    pub key: Fr,
    /// The key after it.
    pub next: Fr,
    /// Value elements.
    pub value: Vec<Fr>,
    /// Path.
    pub path: Path,
}

impl LeafInput {
    fn new<T: Record>(opening: &Opening<T>) -> Self {
        let leaf = &opening.leaf;
        Self { key: leaf.key.into(), next: leaf.next.into(), value: leaf.value(), path: opening.path.clone() }
    }

    /// The empty first leaf of an empty register, for a lookup that is switched off.
    fn unused<T: Record>() -> Self {
        let zero = Fr::from(0u64);
        let next = Fr::from(1u128 << T::KEY_BITS);
        Self { key: zero, next, value: vec![zero; T::WIDTH], path: Path::empty(T::DEPTH) }
    }
}

/// One line's inputs.
#[derive(Clone)]
pub struct LineInput {
    /// The packed line, 0 where there is none.
    pub packed: Fr,
    /// Its policy row.
    pub row: LeafInput,
}

/// Every number that the prover assigns. What is secret or the patient's is zeroed on drop.
#[derive(Clone)]
pub struct Inputs {
    /// The class.
    pub class: SizeClass,
    /// The claimed public inputs.
    pub public: PublicInputs,
    /// `coverage | authorisation | plan | type`.
    pub references: Fr,
    /// The patient.
    pub patient: Fr,
    /// The insurer that the claim names.
    pub insurer: Fr,
    /// Digits of the billing NPI, the check digit first.
    pub billing_digits: [u8; 10],
    /// Digits of the rendering NPI.
    pub rendering_digits: [u8; 10],
    /// Diagnoses, three to an element.
    pub diagnoses: Vec<Fr>,
    /// The salt of the claim commitment.
    pub claim_salt: Fr,
    /// The day of receipt.
    pub received: Fr,
    /// `payer, venue, policy, diagnosis, enrolment, provider, authorisation, number`, as the epoch root hashes them.
    pub epoch: [Fr; 8],
    /// Enrolment.
    pub enrolment: LeafInput,
    /// Billing provider.
    pub billing: LeafInput,
    /// Rendering provider.
    pub rendering: LeafInput,
    /// Authorisation.
    pub authorisation: LeafInput,
    /// Consent.
    pub consent: LeafInput,
    /// Diagnosis groups.
    pub groups: Vec<LeafInput>,
    /// Lines.
    pub lines: Vec<LineInput>,
    /// The nullifier key.
    pub nk: Fr,
    /// `version | year << 32`.
    pub year_and_version: Fr,
    /// Packed balances.
    pub balances: Fr,
    /// The note's salt.
    pub note_salt: Fr,
    /// The note's leaf.
    pub note: LeafInput,
    /// The next note's salt.
    pub next_salt: Fr,
    /// The outcome commitment's salt.
    pub outcome_salt: Fr,
}

impl Drop for Inputs {
    fn drop(&mut self) {
        for secret in [
            &mut self.nk,
            &mut self.claim_salt,
            &mut self.note_salt,
            &mut self.next_salt,
            &mut self.outcome_salt,
            &mut self.balances,
            &mut self.patient,
        ] {
            secret.zeroize();
        }
        self.lines.iter_mut().for_each(|line| line.packed.zeroize());
        self.diagnoses.zeroize();
    }
}

impl Inputs {
    /// The inputs of a request, unchecked: a dishonest request gives an assignment that satisfies nothing.
    #[must_use]
    pub fn new(request: &Request, class: SizeClass, public: PublicInputs) -> Self {
        let claim = &request.claim;
        let epoch = &request.epoch;
        let zero = Fr::from(0u64);
        let diagnosis = |i: usize| {
            let bits = claim.diagnoses.get(i).map_or(0, |d| u128::from(d.bits()));
            (if i < class.diagnoses() { bits } else { 0 }, CODE_BITS)
        };
        let lines = (0..class.lines())
            .map(|i| LineInput {
                packed: claim.lines.get(i).map_or(zero, |line| line.pack()),
                row: request.rows.get(i).map_or_else(LeafInput::unused::<PolicyRow>, LeafInput::new),
            })
            .collect();
        let groups = (0..class.diagnoses())
            .map(|i| {
                request.diagnoses.get(i).map_or_else(LeafInput::unused::<DiagnosisGroups>, LeafInput::new)
            })
            .collect();
        let member = request.member.as_ref();
        // Without an account, the benefit year must still be that of the first line.
        let year_alone = pack(&[(0, VERSION_BITS), (u128::from(request.benefit_year() - 1901), 8)]);
        let note = member.and_then(|m| m.opening.as_ref());
        Self {
            class,
            public,
            references: claim.pack_references(),
            patient: claim.patient.number().into(),
            insurer: claim.insurer.number().into(),
            billing_digits: claim.billing.digits(),
            rendering_digits: claim.rendering.digits(),
            diagnoses: (0..class.diagnoses())
                .step_by(DIAGNOSES_PER_ELEMENT)
                .map(|i| pack(&[diagnosis(i), diagnosis(i + 1), diagnosis(i + 2)]))
                .collect(),
            claim_salt: request.claim_salt.expose(),
            received: request.received.days().into(),
            epoch: epoch.elements(),
            enrolment: LeafInput::new(&request.enrolment),
            billing: LeafInput::new(&request.billing),
            rendering: LeafInput::new(&request.rendering),
            authorisation: request
                .authorisation
                .as_ref()
                .map_or_else(LeafInput::unused::<Authorisation>, LeafInput::new),
            consent: LeafInput::new(&request.consent),
            groups,
            lines,
            nk: member.map_or(zero, |m| m.nk.expose()),
            year_and_version: member.map_or(year_alone, |m| m.account.year_and_version()),
            balances: member.map_or(zero, |m| m.account.balances.pack()),
            note_salt: member.map_or(zero, |m| m.account.salt.expose()),
            note: note.map_or_else(LeafInput::unused::<NoteLeaf>, LeafInput::new),
            next_salt: request.next_salt.expose(),
            outcome_salt: request.outcome_salt.expose(),
        }
    }

    /// Zeros in the shape of the class, for writing the constraints.
    #[must_use]
    pub fn blank(class: SizeClass) -> Self {
        let zero = Fr::from(0u64);
        let public = vec![zero; FIXED_INPUTS + class.lines()];
        let line = LineInput { packed: zero, row: LeafInput::unused::<PolicyRow>() };
        Self {
            class,
            public: PublicInputs::from_slice(&public)
                .unwrap_or_else(|| unreachable!("ten inputs and the lines")),
            references: zero,
            patient: zero,
            insurer: zero,
            billing_digits: [0; 10],
            rendering_digits: [0; 10],
            diagnoses: vec![zero; class.diagnoses().div_ceil(DIAGNOSES_PER_ELEMENT)],
            claim_salt: zero,
            received: zero,
            epoch: [zero; 8],
            enrolment: LeafInput::unused::<Enrolment>(),
            billing: LeafInput::unused::<Provider>(),
            rendering: LeafInput::unused::<Provider>(),
            authorisation: LeafInput::unused::<Authorisation>(),
            consent: LeafInput::unused::<Consent>(),
            groups: vec![LeafInput::unused::<DiagnosisGroups>(); class.diagnoses()],
            lines: vec![line; class.lines()],
            nk: zero,
            year_and_version: zero,
            balances: zero,
            note_salt: zero,
            note: LeafInput::unused::<NoteLeaf>(),
            next_salt: zero,
            outcome_salt: zero,
        }
    }
}
