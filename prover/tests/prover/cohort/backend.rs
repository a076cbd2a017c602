//! Other provers behind the seam: what they start from is what halo2 makes, and a proof that is wrong does not get out.

use super::world::{self, age_by_arm, go, subject_schema, subjects};
use halo2_proofs::{
    halo2curves::{
        bn256::{Bn256, G1Affine},
        group::Curve,
    },
    plonk::create_proof,
    poly::{
        Polynomial,
        commitment::{Blind, Params},
        kzg::{commitment::KZGCommitmentScheme, multiopen::ProverSHPLONK},
    },
};
use nightingale_circuits::cohort::{
    Class, Column, Kind, Mode, Schema, Size, Table, Unit, circuit::QueryCircuit, registration::Part,
};
use nightingale_prover::{
    CohortDataset, CohortKeyStore, ProveError,
    cohort::{
        Ask, Backend, Halo2, Opening,
        backend::{Blinding, Task},
        synthesis::Advice,
    },
    device::DeviceError,
};
use nightingale_verifier::cohort::{CircuitName, Expectation, Venue, verify_query};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

fn store(backend: impl Backend + 'static) -> CohortKeyStore {
    CohortKeyStore::with_published(world::setups_directory(), world::verifying_keys())
        .with_backend(Arc::new(backend))
}

fn ask() -> Ask {
    let venue = Venue { chain_id: 0, contract: Default::default() };
    Ask { table: "adsl".to_owned(), query: age_by_arm(), mode: Mode::Exact, venue }
}

/// Commits with halo2's own sums.
fn open(task: &Task<'_>, mut blinding: Blinding) -> Result<Opening, ProveError> {
    let domain = task.key.proving().get_vk().get_domain();
    let commit = |advice: &Advice| -> G1Affine {
        let values: Polynomial<_, _> = domain.lagrange_from_vec(advice.values.clone());
        task.key.srs().params().commit_lagrange(&values, Blind::default()).to_affine()
    };
    Opening::new(task, &mut blinding, &mut |columns| Ok(columns.iter().map(commit).collect()))
}

/// Proves with halo2, and compares the first part.
#[derive(Default)]
struct Compared(Arc<Mutex<BTreeSet<CircuitName>>>);

impl Backend for Compared {
    fn name(&self) -> &str {
        "compared"
    }

    fn prove(&self, task: &Task<'_>, blinding: Blinding) -> Result<Vec<u8>, ProveError> {
        let opening = open(task, blinding.clone())?.finish();
        let proof = Halo2.prove(task, blinding)?;
        let columns = task.key.proving().get_vk().cs().num_advice_columns();
        assert_eq!(opening.len(), 64 * columns);
        assert!(proof.starts_with(&opening), "{}", task.key.verifying().circuit());
        self.0.lock().unwrap().insert(task.key.verifying().circuit());
        Ok(proof)
    }
}

/// Subjects with numbers so large that one lookup does not hold them.
fn numbered() -> Table {
    let column = Column { name: "SITE".to_owned(), kind: Kind::Key { count: 100_000 } };
    let schema = Schema::new("sites".to_owned(), vec![column], 0, Unit::Subject, 11).unwrap();
    Table::new(schema, vec![vec![1, 50_000, 100_000]], vec![true; 3]).unwrap()
}

#[test]
fn columns_are_filled_blinded_and_committed_as_halo2_does_in_every_circuit() {
    let compared = Compared::default();
    let circuits = Arc::clone(&compared.0);
    let keys = store(compared);
    keys.rehearse(&mut go).unwrap();
    let plan = vec![("adsl".to_owned(), age_by_arm())];
    let tables = vec![subjects(), numbered()];
    let dataset = CohortDataset::register(&keys, tables, plan, vec![Mode::Exact], None, &mut go).unwrap();
    dataset.prove(&keys, &Ask { query: world::dose_and_age(), ..ask() }, &mut go).unwrap();
    let parts = Part::ALL.map(CircuitName::Registration);
    let all: BTreeSet<_> = parts.into_iter().chain(Class::ALL.map(CircuitName::Query)).collect();
    assert_eq!(*circuits.lock().unwrap(), all);
}

/// Opens a proof, and has halo2's prover go on from there.
struct Resuming(QueryCircuit);

impl Backend for Resuming {
    fn name(&self) -> &str {
        "resuming"
    }

    fn prove(&self, task: &Task<'_>, blinding: Blinding) -> Result<Vec<u8>, ProveError> {
        let mut opening = open(task, blinding.clone())?;
        create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, _, _>(
            task.key.srs().params(),
            task.key.proving(),
            std::slice::from_ref(&self.0),
            &[task.instances],
            blinding,
            &mut opening.resume(),
        )
        .unwrap();
        Ok(opening.finish())
    }
}

#[test]
fn a_prover_that_begins_at_the_beginning_goes_on_from_an_opening() {
    let dataset = world::dataset();
    let query = age_by_arm();
    let (circuit, _) =
        QueryCircuit::new(Class::Narrow, Size::Small.layout(), &query, &subjects(), 11).unwrap();
    assert_eq!(query.class(&subject_schema()), Class::Narrow);
    let keys = store(Resuming(circuit));
    let ask = Ask { mode: Mode::Plan, ..ask() };
    let proof = dataset.prove(&keys, &ask, &mut go).unwrap();
    verify_query(dataset.public(), &proof, &Expectation::default(), &world::verifying_keys()).unwrap();
}

/// Halo2 with a hand that slips, or a device that is gone.
struct Failing(Option<usize>);

impl Backend for Failing {
    fn name(&self) -> &str {
        "failing"
    }

    fn prove(&self, task: &Task<'_>, blinding: Blinding) -> Result<Vec<u8>, ProveError> {
        let lost = DeviceError::Lost { device: "failing".to_owned(), why: "pulled".to_owned() };
        let place = self.0.ok_or(lost)?;
        let mut proof = Halo2.prove(task, blinding)?;
        let place = proof.len() - 1 - place;
        proof[place] ^= 1;
        Ok(proof)
    }
}

#[test]
fn a_wrong_proof_of_a_backend_is_not_let_out_and_its_errors_arrive_as_they_are() {
    let dataset = world::dataset();
    let refused = dataset.prove(&store(Failing(Some(0))), &ask(), &mut go).err().unwrap();
    assert!(matches!(refused, ProveError::Device(DeviceError::Broken { .. })), "{refused}");
    let refused = store(Failing(Some(0))).rehearse(&mut go).err().unwrap();
    assert!(matches!(refused, ProveError::Device(DeviceError::Broken { .. })), "{refused}");
    let lost = dataset.prove(&store(Failing(None)), &ask(), &mut go).err().unwrap();
    assert!(matches!(lost, ProveError::Device(DeviceError::Lost { .. })), "{lost}");
}
