//! What a dishonest sponsor tries: another slot than the registered column. halo2 is content; the link is not.

use super::world::{self, KEYS, age_by_arm, go, subject_schema, subjects};
use halo2_proofs::halo2curves::{bn256::G1Affine, group::prime::PrimeCurveAffine};
use nightingale_circuits::cohort::{
    Answer, Class, Committed, Keccak, Query, Size, circuit::QueryCircuit, columns::values, disclosure,
    evaluate, instances::instances, slots,
};
use nightingale_prover::cohort::{
    CohortProvingKey, Srs,
    commit::Salt,
    prove::{Column, prove},
};
use nightingale_verifier::cohort::{CircuitName, Link, LinkedProof, verify::verify_linked};
use std::sync::Arc;

const CONTEXT: Keccak = [7; 32];

/// A sponsor with columns of its own choice.
struct Sponsor {
    key: Arc<CohortProvingKey>,
    query: Query,
    /// What each slot holds.
    slots: Vec<Vec<u64>>,
    /// What each slot is linked to.
    columns: Vec<Column>,
}

impl Sponsor {
    /// An honest one.
    fn new() -> Self {
        let key = KEYS.key(CircuitName::Query(Class::Narrow), Size::Small, &mut go).unwrap();
        let (table, layout) = (subjects(), Size::Small.layout());
        let sources = slots::sources(Class::Narrow, layout, &subject_schema(), &age_by_arm());
        let slots = sources.iter().map(|source| values(&table, layout, *source)).collect();
        let columns = sources
            .iter()
            .map(|source| registered(key.srs(), &values(&table, layout, *source), *source))
            .collect();
        Self { key, query: age_by_arm(), slots, columns }
    }

    fn answer(&self) -> Answer {
        let totals = evaluate::evaluate(&self.query, &subjects());
        disclosure::answer(&totals, &disclosure::hidden(&totals, 11))
    }

    fn instances(&self) -> Vec<Vec<halo2_proofs::halo2curves::bn256::Fr>> {
        instances(Class::Narrow, &subject_schema(), &self.query, 11, &self.answer()).unwrap()
    }

    /// A proof, or the reason why it was not let out.
    fn prove(&self) -> Result<LinkedProof, String> {
        let schema = subject_schema();
        let layout = Size::Small.layout();
        let circuit =
            QueryCircuit::from_slots(Class::Narrow, layout, &schema, &self.query, 11, &self.slots).unwrap();
        prove(&self.key, &circuit, &self.instances(), &self.columns, &CONTEXT, &mut go)
            .map_err(|error| error.to_string())
    }

    fn verify(&self, proof: &LinkedProof, context: &Keccak) -> bool {
        let points: Vec<G1Affine> = self.columns.iter().map(|column| column.commitment).collect();
        verify_linked(self.key.verifying(), &self.instances(), proof, &points, context).is_ok()
    }

    /// That halo2 accepts the slots and the link alone refuses.
    fn is_caught_by_the_link(&self) {
        let error = self.prove().err().unwrap();
        assert!(error.contains("is not about the registered columns"), "{error}");
    }
}

fn registered(srs: &Srs, values: &[u64], source: Committed) -> Column {
    match source {
        Committed::Zero => Column { commitment: G1Affine::identity(), salt: Salt::none() },
        Committed::Identity => Column { commitment: srs.points().identity, salt: Salt::none() },
        _ => {
            let salt = Salt::random().unwrap();
            Column { commitment: srs.commit(values, &salt), salt }
        }
    }
}

#[test]
fn an_honest_sponsor_is_believed_and_its_proofs_differ() {
    let sponsor = Sponsor::new();
    let (first, second) = (sponsor.prove().unwrap(), sponsor.prove().unwrap());
    assert!(sponsor.verify(&first, &CONTEXT) && sponsor.verify(&second, &CONTEXT));
    assert!(first.proof != second.proof && first.link != second.link);
    // Fresh blinding: no point of the slots is the same.
    for (a, b) in first.proof.chunks(64).zip(second.proof.chunks(64)).take(sponsor.columns.len()) {
        assert_ne!(a, b);
    }
    // A link belongs to its proof and its context.
    let mixed = LinkedProof { link: second.link.clone(), ..first.clone() };
    assert!(!sponsor.verify(&mixed, &CONTEXT));
    assert!(!sponsor.verify(&first, &[8; 32]));
}

#[test]
fn a_changed_cell_is_caught() {
    let mut sponsor = Sponsor::new();
    // A row that the filter leaves out, so that not even the answer changes.
    let row = (0..240).find(|&row| sponsor.slots[1][row] == 5 || sponsor.slots[1][row] == 6).unwrap();
    for slot in [1, 3] {
        sponsor.slots[slot][row] += 1;
    }
    sponsor.is_caught_by_the_link();
}

#[test]
fn another_column_is_caught() {
    let mut sponsor = Sponsor::new();
    let (table, layout) = (subjects(), Size::Small.layout());
    // The slots stay true; the sponsor registered the dose under the age's name.
    let dose = Committed::Codes(4);
    sponsor.columns[3] = registered(sponsor.key.srs(), &values(&table, layout, dose), dose);
    sponsor.is_caught_by_the_link();
}

#[test]
fn swapped_slots_are_caught() {
    let mut sponsor = Sponsor::new();
    // The codes of the term and of the value are equal columns with salts of their own: swapped, they are still true.
    sponsor.columns.swap(1, 3);
    sponsor.prove().unwrap();
    // The value and the group are not.
    sponsor.columns.swap(3, 5);
    sponsor.is_caught_by_the_link();
}

#[test]
fn data_in_an_unused_slot_is_caught() {
    let mut sponsor = Sponsor::new();
    let noise = sponsor.slots.len() - 1;
    sponsor.slots[noise][0] = 1;
    sponsor.is_caught_by_the_link();
}

#[test]
fn salt_hides_and_counts_for_nothing() {
    let mut sponsor = Sponsor::new();
    let before = sponsor.answer();
    // Data in the salt rows of a column, instead of randomness: the proof is the same statement about the records.
    let layout = Size::Small.layout();
    let source = Committed::Codes(3);
    let records = values(&subjects(), layout, source);
    sponsor.columns[3] =
        Column { commitment: sponsor.key.srs().commit(&records, &Salt::none()), salt: Salt::none() };
    let proof = sponsor.prove().unwrap();
    assert!(sponsor.verify(&proof, &CONTEXT));
    assert_eq!(sponsor.answer(), before);
    let blinded = sponsor.key.proving().get_vk().cs().blinding_factors() + 1;
    assert!(blinded <= nightingale_circuits::cohort::Layout::SALT);
}

#[test]
fn a_commitment_under_another_setup_is_caught() {
    let mut sponsor = Sponsor::new();
    let records = values(&subjects(), Size::Small.layout(), Committed::Codes(3));
    let other = Srs::development(Size::Medium.layout()).unwrap();
    let salt = Salt::random().unwrap();
    sponsor.columns[3] = Column { commitment: other.commit(&records, &salt), salt };
    sponsor.is_caught_by_the_link();
}

#[test]
fn a_link_with_any_part_replaced_is_refused() {
    let sponsor = Sponsor::new();
    let (first, second) = (sponsor.prove().unwrap(), sponsor.prove().unwrap());
    let replace = |change: &dyn Fn(&mut Link)| {
        let mut proof = first.clone();
        change(&mut proof.link);
        assert!(!sponsor.verify(&proof, &CONTEXT));
    };
    replace(&|link| link.commitment = second.link.commitment);
    for response in 0..8 {
        replace(&|link| link.responses[response] = second.link.responses[response]);
    }
    // Responses that were made for one commitment and another challenge, as a reused or partial challenge would allow.
    replace(&|link| link.responses = second.link.responses);
    replace(&|link| link.responses.swap(0, 1));
    // All slots but the last bound.
    let points: Vec<G1Affine> = sponsor.columns.iter().map(|column| column.commitment).collect();
    let fewer = &points[..points.len() - 1];
    assert!(verify_linked(sponsor.key.verifying(), &sponsor.instances(), &first, fewer, &CONTEXT).is_err());
}

#[test]
fn the_world_has_hidden_cells() {
    // Otherwise the tests above would judge little.
    let totals = evaluate::evaluate(&world::dose_and_age(), &subjects());
    let hidden = disclosure::hidden(&totals, 11);
    assert!(hidden.hidden.iter().any(|&hidden| hidden) && hidden.hidden.iter().any(|&hidden| !hidden));
}
