//! A device that may fail, and one that does its work then. Whoever calls it sees results, not failures.
//!
//! A batch that the primary could not finish is done again, what is missing of it, on the fallback. A primary that was lost
//! is used no more until it opens anew; one that gave a wrong result is used no more at all. Its sums are tried against
//! the pairing equation before they are believed. A batch that does not fit its memory is halved first.

mod counters;
mod limit;
mod parts;
mod primary;
mod summation;

pub use counters::{Report, State};
pub use primary::{Opener, Policy, Primary};

use super::{
    Bases, Device, DeviceError, G1Point, G2Point, Slab, Summation, Vector,
    threshold::{self, Threshold},
};
use crate::{ProveError, groth16};
use ark_bn254::{G1Projective, G2Projective};
use counters::Counters;
use limit::Limit;
use nightingale_circuits::Fr;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// What happens to devices, for a log.
#[derive(Clone, Debug)]
pub enum Event {
    /// A device gave no result, and another one, if there is one, does the work.
    Failed(DeviceError),
    /// A device is used no more, and opened anew after a while, if at all.
    Retired {
        /// Why.
        why: DeviceError,
        /// After which time it is tried again.
        again: Option<Duration>,
    },
    /// A device that was retired is in use again.
    Reopened(String),
    /// A batch did not fit a device's memory: from now on it gets at most so many proofs at a time.
    Halved {
        /// Which device.
        device: String,
        /// The new limit.
        limit: usize,
    },
    /// From which batch length on a device is used for keys of a size.
    Measured {
        /// Which device.
        device: String,
        /// The domain of the keys.
        domain: usize,
        /// What was found.
        threshold: Threshold,
    },
    /// That could not be measured: the device is used for every batch of them.
    Unmeasured {
        /// Which device.
        device: String,
        /// The domain of the keys.
        domain: usize,
        /// Why.
        why: String,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "{error}"),
            Self::Retired { why, again: Some(again) } => {
                write!(f, "{why}; it is opened again after {} s", again.as_secs())
            }
            Self::Retired { why, again: None } => write!(f, "{why}; it is not used again before a restart"),
            Self::Reopened(device) => write!(f, "{device} is in use again"),
            Self::Halved { device, limit } => write!(f, "{device} gets at most {limit} proofs at a time now"),
            Self::Measured { device, domain, threshold } => {
                write!(f, "{device} for keys of domain {domain}: {threshold}")
            }
            Self::Unmeasured { device, domain, why } => {
                write!(f, "{device} for keys of domain {domain}: used for every batch, because {why}")
            }
        }
    }
}

/// Told what happens. It must not call the device.
pub type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// How a pair of devices is used.
#[derive(Clone)]
pub struct Settings {
    /// At most so many proofs go to the primary in one call.
    pub batch: usize,
    /// Whether the primary gets only the batches for which a measurement at key load finds it faster than the fallback.
    pub measured: bool,
    /// Who is told what happens.
    pub listener: Listener,
}

/// A device with its fallback. Cheap to clone.
#[derive(Clone)]
pub struct Failover {
    shared: Arc<Shared>,
}

struct Shared {
    primary: Primary,
    fallback: Option<Arc<dyn Device>>,
    on_primary: Counters,
    on_fallback: Counters,
    limit: Limit,
    measured: bool,
    /// By domain size.
    thresholds: Mutex<BTreeMap<usize, Threshold>>,
    listener: Listener,
}

impl Failover {
    /// Opens the primary. With a fallback it may be absent, and is tried again like one that was lost.
    ///
    /// # Errors
    /// The primary does not open, and there is no fallback.
    pub fn new(
        primary: Primary,
        fallback: Option<Arc<dyn Device>>,
        settings: Settings,
    ) -> Result<Self, DeviceError> {
        let Settings { batch, measured, listener } = settings;
        match primary.open(&*listener) {
            Err(error) if fallback.is_none() => return Err(error),
            _ => {}
        }
        let shared = Shared {
            primary,
            fallback,
            on_primary: Counters::default(),
            on_fallback: Counters::default(),
            limit: Limit::new(batch),
            measured,
            thresholds: Mutex::default(),
            listener,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What each of the two did so far, the primary first.
    #[must_use]
    pub fn reports(&self) -> Vec<Report> {
        let shared = &*self.shared;
        let open = shared.primary.is_open();
        let state = if open { State::Working } else { State::Retired };
        let mut reports = vec![shared.on_primary.report(shared.primary.name(), state)];
        if let Some(fallback) = &shared.fallback {
            let state = if open { State::Standby } else { State::Working };
            reports.push(shared.on_fallback.report(fallback.name(), state));
        }
        reports
    }

    /// At most so many proofs go to the primary in one call.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.shared.limit.get()
    }
}

impl Shared {
    fn tell(&self, event: &Event) {
        (self.listener)(event);
    }

    /// Notes that the primary, as it was at `generation`, gave no result. What does not depend on the device is the caller's
    /// error; the rest is for the fallback, if there is one.
    fn failed(&self, generation: u64, error: DeviceError) -> Result<(), DeviceError> {
        if !error.elsewhere() {
            return Err(error);
        }
        self.on_primary.failed();
        if error.ends_device() {
            self.primary.retire(generation, &error, &*self.listener);
        } else {
            self.tell(&Event::Failed(error.clone()));
        }
        if self.fallback.is_none() { Err(error) } else { Ok(()) }
    }

    /// A smaller limit than a batch that did not fit.
    fn halve(&self, batch: usize) {
        if let Some(limit) = self.limit.halve(batch) {
            self.tell(&Event::Halved { device: self.primary.name().to_owned(), limit });
        }
    }

    /// The fallback; without one, why the primary is out of use.
    fn fallback(&self) -> Result<&Arc<dyn Device>, DeviceError> {
        self.fallback.as_ref().ok_or_else(|| self.primary.out_of_use())
    }

    /// For keys of this size, measured at the first of them.
    fn threshold(&self, key: &groth16::Key) -> Threshold {
        let (true, Some(fallback), Some((generation, primary))) =
            (self.measured, &self.fallback, self.primary.device(&*self.listener))
        else {
            return Threshold::ALWAYS;
        };
        let domain = key.system().domain().size();
        // Held while it measures: two measurements at once would disturb each other.
        let mut thresholds = self.thresholds.lock().unwrap_or_else(PoisonError::into_inner);
        *thresholds.entry(domain).or_insert_with(|| {
            let device = self.primary.name().to_owned();
            match threshold::measure(&*primary, &**fallback, key, self.limit.get()) {
                Ok(threshold) => {
                    self.tell(&Event::Measured { device, domain, threshold });
                    threshold
                }
                Err(error) => {
                    if let ProveError::Device(lost) = &error
                        && lost.ends_device()
                    {
                        self.primary.retire(generation, lost, &*self.listener);
                    }
                    self.tell(&Event::Unmeasured { device, domain, why: error.to_string() });
                    Threshold::ALWAYS
                }
            }
        })
    }
}

impl Device for Failover {
    fn name(&self) -> &str {
        self.shared.primary.name()
    }

    fn bases_g1(&self, points: &Slab<G1Point>) -> Result<Box<dyn Bases<G1Projective>>, DeviceError> {
        let points = points.clone();
        let len = points.len();
        Ok(Box::new(parts::Points::new(&self.shared, len, move |device| device.bases_g1(&points))?))
    }

    fn bases_g2(&self, points: &Slab<G2Point>) -> Result<Box<dyn Bases<G2Projective>>, DeviceError> {
        let points = points.clone();
        let len = points.len();
        Ok(Box::new(parts::Points::new(&self.shared, len, move |device| device.bases_g2(&points))?))
    }

    fn vector(&self, elements: &[Fr]) -> Result<Box<dyn Vector>, DeviceError> {
        Ok(Box::new(parts::Elements::new(&self.shared, elements)?))
    }

    fn groth16(&self, key: &Arc<groth16::Key>) -> Result<Box<dyn Summation>, DeviceError> {
        Ok(Box::new(summation::Resident::new(&self.shared, key)?))
    }
}
