//! Claims from request to verified proof, under the development keys of this build.

use super::system::rng;
use ark_bn254::{Fr, G1Affine, G1Projective, G2Projective};
use ark_ec::AffineRepr;
use nightingale_circuits::claim::{Request, SizeClass, adjudicate};
use nightingale_prover::{
    ClaimProver, Device, KeyStore, Phase, Progress, ProveError,
    device::{Bases, DeviceError, G1Point, G2Point, Reference, Slab, Summation, Sums, Vector},
    groth16,
};
use nightingale_records::synth;
use nightingale_verifier::{Context, Decision, verify_claim};
use std::{
    ops::ControlFlow,
    sync::{Arc, OnceLock},
};

/// The development keys, made once and kept under `target` between runs.
pub(super) fn store() -> &'static KeyStore {
    static STORE: OnceLock<KeyStore> = OnceLock::new();
    let directory = concat!(env!("CARGO_TARGET_TMPDIR"), "/development-keys");
    STORE.get_or_init(|| KeyStore::development(directory, &mut |_| {}).unwrap())
}

pub(super) fn prover(class: SizeClass) -> ClaimProver {
    ClaimProver::new(store().claim_key(class).unwrap(), &Reference).unwrap()
}

fn requests() -> &'static [Request] {
    static REQUESTS: OnceLock<Vec<Request>> = OnceLock::new();
    REQUESTS.get_or_init(|| synth::requests(7, 40).unwrap())
}

/// The first request of a class with this decision.
pub(super) fn request(class: SizeClass, approved: bool) -> &'static Request {
    let wanted = |request: &&Request| {
        let outcome = adjudicate(request).unwrap();
        outcome.class == class && outcome.approved == approved
    };
    requests().iter().find(wanted).unwrap()
}

#[test]
fn proves_approvals_and_denials_of_both_classes() {
    for class in SizeClass::ALL {
        let prover = prover(class);
        for approved in [true, false] {
            let request = request(class, approved);
            let outcome = adjudicate(request).unwrap();
            let mut phases = Vec::new();
            let mut watch = |phase: Phase| {
                phases.push(phase);
                ControlFlow::Continue(())
            };
            let proof = prover.prove_watched(request, &mut rng(1), &mut watch).unwrap();
            assert_eq!(
                phases,
                [Phase::Adjudicating, Phase::Transforming, Phase::Multiplying, Phase::Verifying]
            );
            assert!(phases.is_sorted_by_key(|phase| phase.percent()));
            let verified = verify_claim(prover.key().verifying(), &proof, &Context::default()).unwrap();
            assert_eq!(verified.decision == Decision::Approve, outcome.approved);
            assert_eq!(verified.reasons, Some(outcome.reasons));
            assert_eq!(verified.payable_cents, outcome.payable);
            assert_eq!(verified.received, request.received);
            assert_eq!(proof.public, outcome.public);
        }
    }
}

#[test]
fn two_proofs_of_one_request_share_no_point() {
    let prover = prover(SizeClass::Two);
    let request = request(SizeClass::Two, true);
    let mut rng = rng(2);
    let [first, second] = [(); 2].map(|()| prover.prove(request, &mut rng).unwrap());
    assert_eq!(first.public, second.public);
    assert_ne!(first.proof.a, second.proof.a);
    assert_ne!(first.proof.b, second.proof.b);
    assert_ne!(first.proof.c, second.proof.c);
}

#[test]
fn refuses_what_cannot_be_proven_and_says_why() {
    let two = prover(SizeClass::Two);
    let large = request(SizeClass::Eight, true);
    assert!(matches!(
        two.prove(large, &mut rng(3)),
        Err(ProveError::WrongClass { claim: SizeClass::Eight, key: SizeClass::Two })
    ));
    let mut inconsistent = request(SizeClass::Two, true).clone();
    inconsistent.epoch.number += 1;
    inconsistent.epoch.provider_root = inconsistent.epoch.policy_root;
    assert!(matches!(two.prove(&inconsistent, &mut rng(3)), Err(ProveError::Refused(_))));
}

/// A device that gets one multiplication wrong, as a broken one would.
struct Broken;

/// Its sums.
struct Wrong(Box<dyn Summation>);

impl Device for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn bases_g1(&self, points: &Slab<G1Point>) -> Result<Box<dyn Bases<G1Projective>>, DeviceError> {
        Reference.bases_g1(points)
    }

    fn bases_g2(&self, points: &Slab<G2Point>) -> Result<Box<dyn Bases<G2Projective>>, DeviceError> {
        Reference.bases_g2(points)
    }

    fn vector(&self, elements: &[Fr]) -> Result<Box<dyn Vector>, DeviceError> {
        Reference.vector(elements)
    }

    fn groth16(&self, key: &Arc<groth16::Key>) -> Result<Box<dyn Summation>, DeviceError> {
        Ok(Box::new(Wrong(Reference.groth16(key)?)))
    }
}

impl Summation for Wrong {
    fn sums(&self, assignments: &[&[Fr]], progress: Progress<'_>) -> Result<Vec<Sums>, ProveError> {
        let mut sums = self.0.sums(assignments, progress)?;
        sums.iter_mut().for_each(|sums| sums.c += G1Affine::generator());
        Ok(sums)
    }
}

#[test]
fn lets_no_proof_out_that_does_not_verify() {
    let key = store().claim_key(SizeClass::Two).unwrap();
    let prover = ClaimProver::new(key, &Broken).unwrap();
    let result = prover.prove(request(SizeClass::Two, true), &mut rng(4));
    assert!(matches!(result, Err(ProveError::Bug(problem)) if problem.contains("key or device")));
}

#[test]
fn proves_a_batch_in_order_and_gives_each_request_its_own_result() {
    let prover = prover(SizeClass::Two);
    let (approved, denied) = (request(SizeClass::Two, true), request(SizeClass::Two, false));
    let large = request(SizeClass::Eight, true);
    let results = prover
        .prove_batch(&[approved, large, denied, approved], &mut rng(5), &mut |_| ControlFlow::Continue(()))
        .unwrap();
    assert!(matches!(results[1], Err(ProveError::WrongClass { .. })));
    for (request, result) in [(approved, &results[0]), (denied, &results[2]), (approved, &results[3])] {
        let proof = result.as_ref().unwrap();
        assert_eq!(proof.public, adjudicate(request).unwrap().public);
        verify_claim(prover.key().verifying(), proof, &Context::default()).unwrap();
    }
}

#[test]
fn proves_on_many_threads_at_once() {
    let prover = prover(SizeClass::Two);
    let all = requests().iter().filter(|request| request.size_class() == Ok(SizeClass::Two)).take(4);
    std::thread::scope(|scope| {
        let workers: Vec<_> = all
            .enumerate()
            .map(|(i, request)| {
                let prover = prover.clone();
                scope.spawn(move || prover.prove(request, &mut rng(i as u64)).map(|proof| proof.public))
            })
            .collect();
        for (worker, request) in
            workers.into_iter().zip(requests().iter().filter(|r| r.size_class() == Ok(SizeClass::Two)))
        {
            assert_eq!(worker.join().unwrap().unwrap(), adjudicate(request).unwrap().public);
        }
    });
}

#[test]
fn repeats_itself_only_with_a_repeated_random_source() {
    let prover = prover(SizeClass::Two);
    let request = request(SizeClass::Two, false);
    let prove = |seed| prover.prove(request, &mut rng(seed)).unwrap().to_bytes();
    assert_eq!(prove(5), prove(5));
    assert_ne!(prove(5), prove(6));
}
