//! A device that fails as the test tells it, in front of the real prover.

use ark_bn254::{G1Affine, G1Projective, G2Projective};
use ark_ec::AffineRepr;
use nightingale_circuits::Fr;
use nightingale_prover::{
    Device, Progress, ProveError,
    device::{
        Bases, DeviceError, Failover, G1Point, G2Point, Selection, Slab, Summation, Sums, Vector,
        failover::{Policy, Primary, Settings},
        select,
    },
    groth16,
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// What a call does instead of answering right.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// It stops answering.
    Lost,
    /// A batch of several does not fit.
    Memory,
    /// Its sums are wrong.
    Wrong,
}

/// The processor, with faults.
#[derive(Clone)]
pub(crate) struct Steered {
    inner: Arc<dyn Device>,
    /// The fault of call number n, from 0.
    fault: Arc<dyn Fn(u64) -> Option<Fault> + Send + Sync>,
    calls: Arc<AtomicU64>,
    sizes: Arc<Mutex<Vec<usize>>>,
}

impl Steered {
    pub(crate) fn new(fault: impl Fn(u64) -> Option<Fault> + Send + Sync + 'static) -> anyhow::Result<Self> {
        Ok(Self { inner: processor()?, fault: Arc::new(fault), calls: Arc::default(), sizes: Arc::default() })
    }

    /// With the processor as its fallback; it is opened anew after so long.
    pub(crate) fn with_fallback(&self, pause: Duration, batch: usize) -> anyhow::Result<Failover> {
        let own = self.clone();
        let primary = Primary::new("steered".to_owned(), Box::new(move || Ok(Arc::new(own.clone()))));
        let primary = primary.with_policy(Policy { first: pause, most: pause });
        let settings = Settings { batch, measured: false, listener: Arc::new(|_| {}) };
        Ok(Failover::new(primary, Some(processor()?), settings)?)
    }

    /// Alone.
    pub(crate) fn alone(&self, pause: Duration) -> anyhow::Result<Failover> {
        let own = self.clone();
        let primary = Primary::new("steered".to_owned(), Box::new(move || Ok(Arc::new(own.clone()))));
        let primary = primary.with_policy(Policy { first: pause, most: pause });
        let settings = Settings { batch: 1, measured: false, listener: Arc::new(|_| {}) };
        Ok(Failover::new(primary, None, settings)?)
    }

    /// The lengths of the batches that it was given.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn processor() -> anyhow::Result<Arc<dyn Device>> {
    Ok(select::open(&Selection::Cpu, &select::Options { table_bytes: 0, ..select::Options::default() })?)
}

impl Device for Steered {
    fn name(&self) -> &str {
        "steered"
    }

    fn bases_g1(&self, points: &Slab<G1Point>) -> Result<Box<dyn Bases<G1Projective>>, DeviceError> {
        self.inner.bases_g1(points)
    }

    fn bases_g2(&self, points: &Slab<G2Point>) -> Result<Box<dyn Bases<G2Projective>>, DeviceError> {
        self.inner.bases_g2(points)
    }

    fn vector(&self, elements: &[Fr]) -> Result<Box<dyn Vector>, DeviceError> {
        self.inner.vector(elements)
    }

    fn groth16(&self, key: &Arc<groth16::Key>) -> Result<Box<dyn Summation>, DeviceError> {
        Ok(Box::new(Key(self.clone(), self.inner.groth16(key)?)))
    }
}

struct Key(Steered, Box<dyn Summation>);

impl Summation for Key {
    fn sums(&self, assignments: &[&[Fr]], progress: Progress<'_>) -> Result<Vec<Sums>, ProveError> {
        let steered = &self.0;
        steered.sizes.lock().unwrap_or_else(PoisonError::into_inner).push(assignments.len());
        let fault = (steered.fault)(steered.calls.fetch_add(1, Ordering::Relaxed));
        let device = "steered".to_owned();
        match fault {
            Some(Fault::Memory) if assignments.len() > 1 => {
                let why = "told to have no room".to_owned();
                return Err(DeviceError::OutOfMemory { device, why }.into());
            }
            Some(Fault::Lost) => {
                // In mid-batch: it has begun.
                self.1.sums(&assignments[..1], progress)?;
                return Err(DeviceError::Lost { device, why: "told to be lost".to_owned() }.into());
            }
            _ => {}
        }
        let mut sums = self.1.sums(assignments, progress)?;
        if fault == Some(Fault::Wrong)
            && let Some(last) = sums.last_mut()
        {
            last.c += G1Affine::generator();
        }
        Ok(sums)
    }
}
