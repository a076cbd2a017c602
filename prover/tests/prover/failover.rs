//! What becomes of work when a device fails, one failure at a time, on a device that fails as it is told.

use super::system::random;
use ark_bn254::{Bn254, G1Affine, G1Projective, G2Projective};
use ark_ec::AffineRepr;
use ark_groth16::{Groth16, prepare_verifying_key};
use nightingale_circuits::Fr;
use nightingale_prover::{
    Device, Progress, ProveError,
    device::{
        Bases, Checked, DeviceError, Failover, G1Point, G2Point, Patient, Reference, Selection, Slab,
        Summation, Sums, Vector,
        failover::{Event, Policy, Primary, Report, Settings, State},
        select, self_test,
    },
    groth16::{Blinding, Key, Prover},
    reduction::System,
    setup::{Secrets, generate},
};
use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex},
    thread::sleep,
    time::{Duration, Instant},
};

/// What a call of the faulty device does instead of answering right.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Lost,
    /// Batches above this many proofs do not fit.
    Memory(usize),
    Wrong,
    Short,
    /// Does not come back, as long as it is told so.
    Hangs,
    Panics,
}

/// Plain arkworks that fails as long as it is told to.
#[derive(Clone, Default)]
struct Faulty {
    fault: Arc<Mutex<Option<Fault>>>,
    /// The batches that it was given.
    batches: Arc<Mutex<Vec<usize>>>,
    opened: Arc<Mutex<u32>>,
}

impl Faulty {
    fn now(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap() = fault;
    }

    fn primary(&self, first: Duration) -> Primary {
        let own = self.clone();
        let open = move || own.open();
        let most = Duration::from_secs(60);
        Primary::new("faulty".to_owned(), Box::new(open)).with_policy(Policy { first, most })
    }

    fn open(&self) -> Result<Arc<dyn Device>, DeviceError> {
        *self.opened.lock().unwrap() += 1;
        self.hang();
        if self.is(Fault::Lost) { Err(lost()) } else { Ok(Arc::new(self.clone())) }
    }

    fn is(&self, fault: Fault) -> bool {
        *self.fault.lock().unwrap() == Some(fault)
    }

    fn hang(&self) {
        while self.is(Fault::Hangs) {
            sleep(Duration::from_millis(5));
        }
    }

    fn with_fallback(&self, first: Duration, batch: usize) -> (Failover, Arc<Mutex<Vec<Event>>>) {
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = events.clone();
        let listener = Arc::new(move |event: &Event| heard.lock().unwrap().push(event.clone()));
        let settings = Settings { batch, measured: false, listener };
        (Failover::new(self.primary(first), Some(Arc::new(Reference)), settings).unwrap(), events)
    }
}

fn lost() -> DeviceError {
    DeviceError::Lost { device: "faulty".to_owned(), why: "fell off the bus".to_owned() }
}

impl Device for Faulty {
    fn name(&self) -> &str {
        "faulty"
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

    fn groth16(&self, key: &Arc<Key>) -> Result<Box<dyn Summation>, DeviceError> {
        Ok(Box::new(FaultyKey(self.clone(), Reference.groth16(key)?)))
    }
}

struct FaultyKey(Faulty, Box<dyn Summation>);

impl Summation for FaultyKey {
    fn sums(&self, assignments: &[&[Fr]], progress: Progress<'_>) -> Result<Vec<Sums>, ProveError> {
        self.0.batches.lock().unwrap().push(assignments.len());
        self.0.hang();
        assert!(!self.0.is(Fault::Panics), "as told");
        let fault = *self.0.fault.lock().unwrap();
        let mut sums = self.1.sums(assignments, progress)?;
        match fault {
            Some(Fault::Lost) => return Err(lost().into()),
            Some(Fault::Memory(most)) if assignments.len() > most => {
                let why = "too large a batch".to_owned();
                return Err(DeviceError::OutOfMemory { device: "faulty".to_owned(), why }.into());
            }
            Some(Fault::Wrong) => sums.last_mut().unwrap().b_g1 += G1Affine::generator(),
            Some(Fault::Short) => drop(sums.pop()),
            _ => {}
        }
        Ok(sums)
    }
}

const PUBLIC: usize = 4;

fn key() -> (Arc<Key>, Vec<Fr>) {
    let (r1cs, values) = random(PUBLIC, 60, 9);
    let key = generate(&r1cs, &Secrets::development("test").unwrap()).unwrap();
    (Arc::new(Key::new(System::new(&r1cs).unwrap(), &key).unwrap()), values)
}

/// Proves `n` times, and has arkworks verify each proof.
fn prove(prover: &Prover, values: &[Fr], n: usize) -> Result<(), ProveError> {
    let blindings: Vec<Blinding> =
        (1..=n as u64).map(|i| Blinding::fixed(Fr::from(i), Fr::from(2 * i))).collect();
    let batch: Vec<(&[Fr], &Blinding)> = blindings.iter().map(|blinding| (values, blinding)).collect();
    let proofs = prover.prove_batch(&batch, &mut |_| ControlFlow::Continue(()))?;
    let prepared = prepare_verifying_key(prover.key().verifying());
    assert_eq!(proofs.len(), n);
    for proof in &proofs {
        assert!(Groth16::<Bn254>::verify_proof(&prepared, proof, &values[1..=PUBLIC]).unwrap());
    }
    Ok(())
}

const LONG: Duration = Duration::from_secs(60);

fn counts(report: &Report) -> (State, u64, u64) {
    (report.state, report.proofs, report.failures)
}

#[test]
fn a_device_that_is_lost_in_a_batch_costs_no_proof_and_is_not_asked_again() {
    let (device, (key, values)) = (Faulty::default(), key());
    let (failover, events) = device.with_fallback(LONG, 16);
    let prover = Prover::new(key, &failover).unwrap();
    prove(&prover, &values, 3).unwrap();
    device.now(Some(Fault::Lost));
    prove(&prover, &values, 5).unwrap();
    prove(&prover, &values, 2).unwrap();
    assert_eq!(*device.batches.lock().unwrap(), [3, 5], "asked after it was lost");
    let reports = failover.reports();
    assert_eq!(
        reports.iter().map(counts).collect::<Vec<_>>(),
        [(State::Retired, 3, 1), (State::Working, 7, 0)]
    );
    let events = events.lock().unwrap();
    assert!(matches!(&events[..], [Event::Retired { why: DeviceError::Lost { .. }, again: Some(LONG) }]));
}

#[test]
fn a_lost_device_is_opened_anew_after_a_growing_pause() {
    let (device, (key, values)) = (Faulty::default(), key());
    let (failover, events) = device.with_fallback(Duration::from_secs(1), 16);
    let prover = Prover::new(key, &failover).unwrap();
    device.now(Some(Fault::Lost));
    prove(&prover, &values, 1).unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    // Still gone: one try, and the pause doubles.
    prove(&prover, &values, 1).unwrap();
    prove(&prover, &values, 1).unwrap();
    assert_eq!(*device.opened.lock().unwrap(), 2);
    device.now(None);
    std::thread::sleep(Duration::from_millis(2100));
    prove(&prover, &values, 4).unwrap();
    assert_eq!(counts(&failover.reports()[0]), (State::Working, 4, 1));
    let pauses: Vec<Option<Duration>> = events
        .lock()
        .unwrap()
        .iter()
        .filter_map(|event| match event {
            Event::Retired { again, .. } => Some(*again),
            _ => None,
        })
        .collect();
    assert_eq!(pauses, [Some(Duration::from_secs(1)), Some(Duration::from_secs(2))]);
    assert!(matches!(events.lock().unwrap().last(), Some(Event::Reopened(name)) if name == "faulty"));
}

#[test]
fn a_batch_that_does_not_fit_is_halved_until_it_does() {
    let (device, (key, values)) = (Faulty::default(), key());
    let (failover, _) = device.with_fallback(LONG, 16);
    let prover = Prover::new(key, &failover).unwrap();
    device.now(Some(Fault::Memory(3)));
    prove(&prover, &values, 8).unwrap();
    assert_eq!(*device.batches.lock().unwrap(), [8, 4, 2, 2, 4, 2, 2]);
    assert_eq!(failover.batch(), 2, "the next batch is not too large again");
    prove(&prover, &values, 4).unwrap();
    assert_eq!(device.batches.lock().unwrap()[7..], [2, 2]);
    assert_eq!(counts(&failover.reports()[0]), (State::Working, 12, 0));
    // One proof that does not fit is proven elsewhere, and the device stays.
    device.now(Some(Fault::Memory(0)));
    prove(&prover, &values, 1).unwrap();
    assert_eq!(counts(&failover.reports()[0]), (State::Working, 12, 1));
    assert_eq!(failover.reports()[1].proofs, 1);
}

#[test]
fn a_wrong_sum_never_becomes_a_proof_and_ends_the_device_for_good() {
    for fault in [Fault::Wrong, Fault::Short] {
        let (device, (key, values)) = (Faulty::default(), key());
        let (failover, events) = device.with_fallback(Duration::ZERO, 16);
        let prover = Prover::new(key, &failover).unwrap();
        device.now(Some(fault));
        prove(&prover, &values, 4).unwrap();
        device.now(None);
        prove(&prover, &values, 1).unwrap();
        assert_eq!(*device.opened.lock().unwrap(), 1, "opened again after a wrong result");
        assert_eq!(counts(&failover.reports()[0]), (State::Retired, 0, 1));
        let events = events.lock().unwrap();
        assert!(matches!(&events[..], [Event::Retired { why: DeviceError::Broken { .. }, again: None }]));
    }
}

/// The device behind a patience that a busy machine does not wear out.
fn patient(device: &Faulty) -> Result<Patient, DeviceError> {
    let own = device.clone();
    Patient::open("faulty", Duration::from_secs(3), move || own.open())
}

#[test]
fn a_device_that_hangs_counts_as_lost_and_what_it_says_later_is_dropped() {
    let (device, (key, values)) = (Faulty::default(), key());
    let own = device.clone();
    let primary =
        Primary::new("faulty".to_owned(), Box::new(move || Ok(Arc::new(patient(&own)?) as Arc<dyn Device>)));
    let settings = Settings { batch: 16, measured: false, listener: Arc::new(|_| {}) };
    let failover = Failover::new(primary, Some(Arc::new(Reference)), settings).unwrap();
    let prover = Prover::new(key, &failover).unwrap();
    prove(&prover, &values, 2).unwrap();
    device.now(Some(Fault::Hangs));
    prove(&prover, &values, 3).unwrap();
    assert_eq!(
        failover.reports().iter().map(counts).collect::<Vec<_>>(),
        [(State::Retired, 2, 1), (State::Working, 3, 0)]
    );
    device.now(None);
    sleep(Duration::from_millis(50));
    prove(&prover, &values, 1).unwrap();
    assert_eq!(*device.batches.lock().unwrap(), [2, 3], "asked after it was lost");
}

#[test]
fn opening_a_device_that_hangs_ends_too() {
    let device = Faulty::default();
    device.now(Some(Fault::Hangs));
    let start = Instant::now();
    let Err(DeviceError::Lost { why, .. }) = patient(&device) else { unreachable!("it hangs") };
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(why, "it has not answered for 3 s");
    device.now(None);
}

#[test]
fn what_is_told_and_asked_passes_through_a_patient_device() {
    let (device, (key, values)) = (Faulty::default(), key());
    let reference =
        Patient::open("reference", Duration::from_secs(60), || Ok(Arc::new(Reference) as Arc<dyn Device>));
    super::conformance::run(&reference.unwrap());
    let patient = patient(&device).unwrap();
    let prover = Prover::new(key, &patient).unwrap();
    let blinding = Blinding::fixed(Fr::from(1u64), Fr::from(2u64));
    let mut told = 0;
    let stopped = prover.prove_batch(&[(&values[..], &blinding)], &mut |_| {
        told += 1;
        if told == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(ProveError::Cancelled)));
    assert_eq!(told, 2);
    // A panic of a device is its caller's, as it is without the thread between them.
    device.now(Some(Fault::Panics));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| prove(&prover, &values, 1)));
    assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"as told"));
}

#[test]
fn without_a_fallback_the_error_is_the_devices_and_typed() {
    let (device, (key, values)) = (Faulty::default(), key());
    let settings = Settings { batch: 4, measured: false, listener: Arc::new(|_| {}) };
    let failover = Failover::new(device.primary(LONG), None, settings.clone()).unwrap();
    let prover = Prover::new(key, &failover).unwrap();
    device.now(Some(Fault::Lost));
    for _ in 0..2 {
        let error = prove(&prover, &values, 2).unwrap_err();
        assert!(matches!(error, ProveError::Device(DeviceError::Lost { .. })), "{error}");
    }
    assert_eq!(device.batches.lock().unwrap().len(), 1);
    assert!(Failover::new(device.primary(LONG), None, settings).is_err(), "absent, and nobody else");
}

#[test]
fn an_absent_device_with_a_fallback_starts_on_the_fallback() {
    let (device, (key, values)) = (Faulty::default(), key());
    device.now(Some(Fault::Lost));
    let (failover, _) = device.with_fallback(LONG, 4);
    let prover = Prover::new(key, &failover).unwrap();
    prove(&prover, &values, 2).unwrap();
    assert_eq!(
        failover.reports().iter().map(counts).collect::<Vec<_>>(),
        [(State::Retired, 0, 0), (State::Working, 2, 0)]
    );
}

#[test]
fn what_is_the_callers_own_mistake_goes_to_no_other_device() {
    let (device, (key, mut values)) = (Faulty::default(), key());
    let (failover, _) = device.with_fallback(LONG, 4);
    let prover = Prover::new(key, &failover).unwrap();
    *values.last_mut().unwrap() += Fr::from(1u64);
    assert!(matches!(prove(&prover, &values, 1), Err(ProveError::Unsatisfied { .. })));
    assert_eq!(failover.reports().iter().map(|report| report.failures).sum::<u64>(), 0);
}

#[test]
fn two_devices_that_differ_name_the_one_that_is_wrong() {
    let (device, (key, values)) = (Faulty::default(), key());
    for wrong_first in [true, false] {
        let mut pair: [Arc<dyn Device>; 2] = [Arc::new(device.clone()), Arc::new(Reference)];
        if !wrong_first {
            pair.reverse();
        }
        let [first, second] = pair;
        let checked = Checked::new(first, second);
        let prover = Prover::new(key.clone(), &checked).unwrap();
        device.now(None);
        prove(&prover, &values, 2).unwrap();
        assert_eq!(checked.compared(), (2, 0));
        device.now(Some(Fault::Wrong));
        match prove(&prover, &values, 2) {
            Err(ProveError::Device(DeviceError::Broken { device, .. })) => assert_eq!(device, "faulty"),
            other => unreachable!("{other:?}"),
        }
        assert_eq!(checked.compared(), (4, 1));
    }
}

#[test]
fn the_measured_device_gets_the_batches_that_it_is_faster_at() {
    let (device, (key, values)) = (Faulty::default(), key());
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = events.clone();
    let listener = Arc::new(move |event: &Event| heard.lock().unwrap().push(event.to_string()));
    let settings = Settings { batch: 8, measured: true, listener };
    let failover = Failover::new(device.primary(LONG), Some(Arc::new(Reference)), settings).unwrap();
    let prover = Prover::new(key, &failover).unwrap();
    let measured = events.lock().unwrap().join("\n");
    assert!(measured.starts_with("faulty for keys of domain 128: "), "{measured}");
    prove(&prover, &values, 1).unwrap();
    let proofs: u64 = failover.reports().iter().map(|report| report.proofs).sum();
    assert_eq!(proofs, 1, "counts trials as proofs");
}

#[test]
fn names_are_read_as_they_are_written_and_others_are_refused() {
    for name in [
        "auto",
        "cpu",
        "cpu-portable",
        "reference",
        "cuda:0",
        "cuda:12",
        "icicle:CUDA:0",
        "icicle:CPU:1",
        "checked:cuda:0,cpu",
        "checked:icicle:CUDA:0,reference",
    ] {
        assert_eq!(name.parse::<Selection>().unwrap().to_string(), name);
    }
    for name in [
        "",
        "gpu",
        "CPU",
        "cuda",
        "cuda:",
        "cuda:x",
        "cuda:-1",
        "cuda:+1",
        "cuda:01",
        "cuda:0:1",
        "cuda:99999999999",
        "icicle:0",
        "icicle::0",
        "icicle:cu/da:0",
        "checked:cpu",
        "checked:auto,cpu",
        "checked:checked:cpu,cpu,cpu",
        "checked:cpu,cuda",
    ] {
        let error = name.parse::<Selection>().unwrap_err();
        assert!(matches!(error, ProveError::UnknownDevice(ref found) if found == name), "{name}");
        assert!(error.to_string().contains("`checked:A,B`"), "{error}");
    }
}

#[test]
fn the_list_has_what_is_here_and_says_why_the_rest_is_not() {
    for found in select::list(&select::Options::default()) {
        match (found.selection.is_accelerator(), found.device) {
            (false, device) => assert!(device.is_ok(), "{}", found.selection),
            (true, Err(DeviceError::Absent { why, .. })) => assert!(!why.is_empty()),
            (true, _) => {}
        }
    }
}

#[test]
fn a_self_test_passes_a_right_device_and_measures_it_and_fails_a_wrong_one() {
    let device = Faulty::default();
    let report = self_test(&device, Duration::ZERO).unwrap();
    assert!(report.answers > 20, "{}", report.answers);
    assert_eq!(report.figures.len(), 5);
    assert!(report.figures.iter().all(|figure| figure.per_second() > 0.0));
    device.now(Some(Fault::Wrong));
    let error = self_test(&device, Duration::ZERO).unwrap_err();
    assert!(
        matches!(error, ProveError::Device(DeviceError::Broken { ref device, .. }) if device == "faulty")
    );
}

#[test]
fn failing_over_and_checking_conform() {
    let (failover, _) = Faulty::default().with_fallback(LONG, 16);
    super::conformance::run(&failover);
    super::conformance::run(&Checked::new(Arc::new(Faulty::default()), Arc::new(Reference)));
}
