//! The hashes that tie a claim and its outcome to the public inputs.

use super::{
    account::Secret,
    reasons::Reasons,
    types::{
        CODE_BITS, Claim, DATE_BITS, ID_BITS, LINE_MONEY_BITS, Line, MAX_DIAGNOSES, MAX_LINES, MODIFIER_BITS,
        NPI_BITS, Npi, PLAN_BITS, REPEAT_BITS, UNITS_BITS,
    },
};
use crate::{Fr, field::pack, poseidon, tag::Tag};

/// Diagnoses packed into one element.
pub const DIAGNOSES_PER_ELEMENT: usize = 3;

impl Line {
    /// `code | from << 64 | through << 81 | modifiers << 98 | pointers << 142 | units << 154 | charge << 178 |
    /// repeat << 210`.
    #[must_use]
    pub fn pack(&self) -> Fr {
        let m = self.modifier_slots().map(|m| (u128::from(m), MODIFIER_BITS));
        pack(&[
            (self.code.bits().into(), CODE_BITS),
            (self.from.days().into(), DATE_BITS),
            (self.through.days().into(), DATE_BITS),
            m[0],
            m[1],
            m[2],
            m[3],
            (self.pointers.mask().into(), MAX_DIAGNOSES as u32),
            (self.units.thousandths().into(), UNITS_BITS),
            (self.charge_cents.into(), LINE_MONEY_BITS),
            (self.repeat.into(), REPEAT_BITS),
        ])
    }

    /// `P(Nullifier, nk, rendering | code << 34 | from << 98 | through << 115 | sorted modifiers << 132 | repeat << 176)`.
    ///
    /// Without charge, units, diagnosis, grouping and size class: regrouping or repricing does not change it.
    #[must_use]
    pub fn nullifier(&self, nk: &Secret, rendering: Npi) -> Fr {
        let m = self.sorted_modifiers().map(|m| (u128::from(m), MODIFIER_BITS));
        let service = pack(&[
            (rendering.number().into(), NPI_BITS),
            (self.code.bits().into(), CODE_BITS),
            (self.from.days().into(), DATE_BITS),
            (self.through.days().into(), DATE_BITS),
            m[0],
            m[1],
            m[2],
            m[3],
            (self.repeat.into(), REPEAT_BITS),
        ]);
        poseidon::tagged(Tag::Nullifier, &[nk.expose(), service])
    }
}

impl Claim {
    /// `coverage | authorisation << 96 | plan << 192 | type << 208`, absent parts 0.
    #[must_use]
    pub fn pack_references(&self) -> Fr {
        pack(&[
            (self.coverage.number(), ID_BITS),
            (self.authorisation.map_or(0, |a| a.number()), ID_BITS),
            (self.plan.map_or(0, |p| p.number()).into(), PLAN_BITS),
            (self.kind as u128, 4),
        ])
    }

    /// `P(Claim, references, patient, insurer, billing | rendering << 34,
    /// diagnoses (three to an element, four elements), P(Lines, 8 lines), salt)`, absent parts 0.
    ///
    /// The same for a claim in either size class.
    #[must_use]
    pub fn commitment(&self, salt: &Secret) -> Fr {
        let zero = Fr::from(0u64);
        let lines: Vec<Fr> = (0..MAX_LINES).map(|i| self.lines.get(i).map_or(zero, Line::pack)).collect();
        let mut inputs = vec![
            self.pack_references(),
            Fr::from(self.patient.number()),
            Fr::from(self.insurer.number()),
            pack(&[(self.billing.number().into(), NPI_BITS), (self.rendering.number().into(), NPI_BITS)]),
        ];
        let diagnosis = |i: usize| (self.diagnoses.get(i).map_or(0, |d| u128::from(d.bits())), CODE_BITS);
        inputs.extend(
            (0..MAX_DIAGNOSES)
                .step_by(DIAGNOSES_PER_ELEMENT)
                .map(|i| pack(&[diagnosis(i), diagnosis(i + 1), diagnosis(i + 2)])),
        );
        inputs.push(poseidon::tagged(Tag::Lines, &lines));
        inputs.push(salt.expose());
        poseidon::tagged(Tag::Claim, &inputs)
    }
}

/// `P(Outcome, approved | reasons << 1, salt)`: the payer and the provider are given the opening.
#[must_use]
pub fn outcome(approved: bool, reasons: Reasons, salt: &Secret) -> Fr {
    let value = u64::from(approved) | u64::from(reasons.bits()) << 1;
    poseidon::tagged(Tag::Outcome, &[Fr::from(value), salt.expose()])
}

/// `P(AuthorisationUse, nk, reference)`: published when an allowed line used the authorisation, and accepted once.
#[must_use]
pub fn authorisation_use(nk: &Secret, reference: super::types::Id) -> Fr {
    poseidon::tagged(Tag::AuthorisationUse, &[nk.expose(), Fr::from(reference.number())])
}
