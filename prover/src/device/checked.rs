//! Two devices that do all the work both, and are compared. For trying a device on live work: it costs both.
//!
//! A disagreement is an error that names the one that is wrong, where the pairing equation tells.

use super::{
    Bases, Device, DeviceError, G1Point, G2Point, Pointwise, Scalars, Slab, Summation, Sums, Transform,
    Vector, pairing,
};
use crate::{ProveError, groth16, progress::Progress};
use ark_bn254::{G1Projective, G2Projective};
use nightingale_circuits::Fr;
use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use zeroize::Zeroizing;

/// Two devices, compared. Cheap to clone.
#[derive(Clone)]
pub struct Checked {
    pair: Arc<Pair>,
}

struct Pair {
    name: String,
    first: Arc<dyn Device>,
    second: Arc<dyn Device>,
    comparisons: AtomicU64,
    disagreements: AtomicU64,
}

impl Checked {
    /// Compares these two.
    #[must_use]
    pub fn new(first: Arc<dyn Device>, second: Arc<dyn Device>) -> Self {
        let name = format!("checked:{},{}", first.name(), second.name());
        let (comparisons, disagreements) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { pair: Arc::new(Pair { name, first, second, comparisons, disagreements }) }
    }

    /// Results that were compared, and how many of them differed.
    #[must_use]
    pub fn compared(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.pair.comparisons), read(&self.pair.disagreements))
    }
}

impl Pair {
    /// The results, if they are equal. `wrong` names a device that is wrong.
    fn agree<T: PartialEq>(
        &self,
        what: &str,
        first: Vec<T>,
        second: &[T],
        wrong: impl FnOnce(&[T]) -> Option<String>,
    ) -> Result<Vec<T>, DeviceError> {
        self.comparisons.fetch_add(second.len() as u64, Ordering::Relaxed);
        if first == second {
            return Ok(first);
        }
        let differing = first.iter().zip(second).filter(|(first, second)| first != second).count();
        self.disagreements.fetch_add(differing.max(1) as u64, Ordering::Relaxed);
        let why = format!("{what} of {} and {} differ", self.first.name(), self.second.name());
        Err(match wrong(&first) {
            Some(device) => DeviceError::Broken { why: format!("{why}, and its own are wrong"), device },
            None => DeviceError::Broken { why, device: self.name.clone() },
        })
    }
}

/// What both devices hold of one thing.
struct Both<T: ?Sized> {
    pair: Arc<Pair>,
    first: Box<T>,
    second: Box<T>,
}

fn own(vector: &dyn Vector) -> Result<&Both<dyn Vector>, DeviceError> {
    let own = vector.as_any().downcast_ref::<Both<dyn Vector>>();
    own.ok_or_else(|| DeviceError::Input("a vector of another device".to_owned()))
}

impl<S: PartialEq> Bases<S> for Both<dyn Bases<S>> {
    fn len(&self) -> usize {
        self.first.len()
    }

    fn multiply(&self, batch: &[Scalars<'_>]) -> Result<Vec<S>, DeviceError> {
        let mut each = [Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len())];
        for scalars in batch {
            let [first, second] = match scalars {
                Scalars::Host(_) => [*scalars; 2],
                Scalars::Resident(vector) => {
                    let own = own(*vector)?;
                    [Scalars::Resident(&*own.first), Scalars::Resident(&*own.second)]
                }
            };
            each[0].push(first);
            each[1].push(second);
        }
        let (first, second) = (self.first.multiply(&each[0])?, self.second.multiply(&each[1])?);
        self.pair.agree("products", first, &second, |_| None)
    }
}

impl Vector for Both<dyn Vector> {
    fn len(&self) -> usize {
        self.first.len()
    }

    fn read(&self, out: &mut [Fr]) -> Result<(), DeviceError> {
        self.first.read(out)?;
        let mut second = Zeroizing::new(vec![Fr::default(); out.len()]);
        self.second.read(&mut second)?;
        let (first, second) = (&*out, second.as_slice());
        self.pair.agree("vectors", vec![first], &[second], |_| None).map(drop)
    }

    fn transform(&mut self, transform: &Transform) -> Result<(), DeviceError> {
        self.first.transform(transform)?;
        self.second.transform(transform)
    }

    fn combine(&mut self, operation: Pointwise, other: &dyn Vector) -> Result<(), DeviceError> {
        let other = own(other)?;
        self.first.combine(operation, &*other.first)?;
        self.second.combine(operation, &*other.second)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A key on both.
struct Keyed {
    both: Both<dyn Summation>,
    key: Arc<groth16::Key>,
}

impl Summation for Keyed {
    fn sums(&self, assignments: &[&[Fr]], progress: Progress<'_>) -> Result<Vec<Sums>, ProveError> {
        let Both { pair, first, second } = &self.both;
        let (first, second) = (first.sums(assignments, progress)?, second.sums(assignments, progress)?);
        let right = |sums: &[Sums]| {
            let mut pairs = assignments.iter().zip(sums);
            sums.len() == assignments.len()
                && pairs.all(|(values, sums)| pairing::accepts(&self.key, values, sums))
        };
        let wrong = |own: &[Sums]| match (right(own), right(&second)) {
            (true, false) => Some(pair.second.name().to_owned()),
            (false, true) => Some(pair.first.name().to_owned()),
            _ => None,
        };
        Ok(pair.agree("sums", first, &second, wrong)?)
    }
}

impl Device for Checked {
    fn name(&self) -> &str {
        &self.pair.name
    }

    fn bases_g1(&self, points: &Slab<G1Point>) -> Result<Box<dyn Bases<G1Projective>>, DeviceError> {
        let Pair { first, second, .. } = &*self.pair;
        let (first, second) = (first.bases_g1(points)?, second.bases_g1(points)?);
        Ok(Box::new(Both { pair: Arc::clone(&self.pair), first, second }))
    }

    fn bases_g2(&self, points: &Slab<G2Point>) -> Result<Box<dyn Bases<G2Projective>>, DeviceError> {
        let Pair { first, second, .. } = &*self.pair;
        let (first, second) = (first.bases_g2(points)?, second.bases_g2(points)?);
        Ok(Box::new(Both { pair: Arc::clone(&self.pair), first, second }))
    }

    fn vector(&self, elements: &[Fr]) -> Result<Box<dyn Vector>, DeviceError> {
        let Pair { first, second, .. } = &*self.pair;
        let (first, second) = (first.vector(elements)?, second.vector(elements)?);
        Ok(Box::new(Both { pair: Arc::clone(&self.pair), first, second }))
    }

    fn groth16(&self, key: &Arc<groth16::Key>) -> Result<Box<dyn Summation>, DeviceError> {
        let Pair { first, second, .. } = &*self.pair;
        let (first, second) = (first.groth16(key)?, second.groth16(key)?);
        let both = Both { pair: Arc::clone(&self.pair), first, second };
        Ok(Box::new(Keyed { both, key: Arc::clone(key) }))
    }
}
