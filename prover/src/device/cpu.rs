//! The processor: buckets in affine form, transforms without bit reversal, eight field elements at a time where it has
//! AVX-512 with 52-bit multiply-add, chosen at run time. The portable kernels are the same algorithms through arkworks.
//!
//! Everything that holds a witness or follows from one is zeroed.

mod batch;
#[cfg(target_arch = "x86_64")]
mod ifma;
mod kernel;
mod lanes;
mod matrix;
mod msm;
mod ntt;
mod pointwise;
mod portable;
#[cfg(target_arch = "x86_64")]
mod scalars;

use super::{
    Bases, Device, DeviceError, G1Point, G2Point, Pointwise, Scalars, Slab, Summation, Sums, Transform,
    Vector, reference::same_length,
};
use crate::{
    ProveError, groth16,
    matrix::Matrix,
    progress::{Phase, Progress, tell},
};
use ark_bn254::{G1Projective, G2Projective};
use matrix::Rows;
use msm::{Curve, G1, G2, Integers, Prepared};
use nightingale_circuits::Fr;
use ntt::{Coset, Plan};
use rayon::prelude::*;
use std::{
    any::Any,
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};
use zeroize::Zeroizing;

pub use kernel::Kernel;

/// The processor as a device. Cheap to clone; clones share the budget and the plans.
#[derive(Clone)]
pub struct Cpu {
    shared: Arc<Shared>,
}

struct Shared {
    name: &'static str,
    kernel: Kernel,
    /// What is left of the budget for window tables, in bytes.
    budget: AtomicUsize,
    /// Transforms that were asked for before, with their tables of roots.
    plans: Mutex<HashMap<PlanName, Arc<Plan>>>,
}

/// A transform's size, root, coset and direction.
type PlanName = (u32, Fr, Fr, bool);
/// Plans kept; beyond these all are dropped.
const PLANS: usize = 16;

/// A part of the budget, given back when dropped.
struct Share {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shared.budget.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

impl Cpu {
    /// The processor with its fastest kernels. Tables of multiples of all its points together take at most `table_bytes`; they
    /// make a proof faster, and take seconds to compute when a key is loaded.
    #[must_use]
    pub fn new(table_bytes: usize) -> Self {
        Self::with(Kernel::detect(), table_bytes)
    }

    /// The processor with these kernels, or the portable ones where it has not got them.
    #[must_use]
    pub fn with(kernel: Kernel, table_bytes: usize) -> Self {
        let (kernel, name) = match kernel {
            Kernel::Portable => (kernel, "cpu-portable"),
            other if other.is_available() => (other, "cpu"),
            _ => (Kernel::Portable, "cpu"),
        };
        let budget = AtomicUsize::new(table_bytes);
        Self { shared: Arc::new(Shared { name, kernel, budget, plans: Mutex::default() }) }
    }

    /// Its kernels.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.shared.kernel
    }

    /// At most so many bytes of the budget, kept until the share is dropped.
    fn share(&self, wanted: usize) -> Share {
        let mut bytes = 0;
        // The closure always gives a value.
        let _ = self.shared.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            bytes = left.min(wanted);
            Some(left - bytes)
        });
        Share { shared: Arc::clone(&self.shared), bytes }
    }

    fn prepare<C: Curve>(&self, points: &Slab<C::Point>) -> Result<Points<C>, DeviceError> {
        if points.len() >= lanes::NOTHING as usize {
            let what = "multiply 2^31 points at a time".to_owned();
            return Err(DeviceError::Unsupported { device: self.shared.name.to_owned(), what });
        }
        let mut share = self.share(full_table::<C::Point>(points.len()));
        let prepared = Prepared::new(points, self.shared.kernel, share.bytes);
        give_back(&mut share, prepared.table_bytes());
        Ok(Points { prepared, kernel: self.shared.kernel, _share: share })
    }

    fn plan(&self, transform: &Transform) -> Result<Arc<Plan>, DeviceError> {
        let inverse = transform.direction() == super::Direction::Inverse;
        let name = (transform.log_size(), transform.root(), transform.coset(), inverse);
        let plans = || self.shared.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans().get(&name) {
            return Ok(Arc::clone(plan));
        }
        // Not under the lock: a thread of rayon's pool that waits for a part of the tables may meanwhile take up a task
        // that asks for a plan, too.
        let plan = Arc::new(Plan::new(transform, self.shared.kernel)?);
        let mut plans = plans();
        if plans.len() >= PLANS {
            plans.clear();
        }
        Ok(Arc::clone(plans.entry(name).or_insert(plan)))
    }
}

/// More than any table of so many points takes: one copy for each window of the shortest digits that are used.
fn full_table<P>(points: usize) -> usize {
    points.saturating_mul(size_of::<P>()).saturating_mul(MOST_WINDOWS)
}
const MOST_WINDOWS: usize = 32;

/// Keeps `used` bytes of a share.
fn give_back(share: &mut Share, used: usize) {
    let unused = share.bytes.saturating_sub(used);
    share.bytes -= unused;
    share.shared.budget.fetch_add(unused, Ordering::Relaxed);
}

/// Points with their tables.
struct Points<C: Curve> {
    prepared: Prepared<C>,
    kernel: Kernel,
    _share: Share,
}

impl<C: Curve> Bases<C::Group> for Points<C> {
    fn len(&self) -> usize {
        self.prepared.len()
    }

    fn multiply(&self, batch: &[Scalars<'_>]) -> Result<Vec<C::Group>, DeviceError> {
        let sum = |scalars: &Scalars<'_>| {
            let elements = match scalars {
                Scalars::Host(elements) => elements,
                Scalars::Resident(vector) => own(*vector)?,
            };
            same_length(self.prepared.len(), elements.len())?;
            Ok(self.prepared.multiply(&Integers::new(elements, self.kernel), None))
        };
        batch.par_iter().map(sum).collect()
    }
}

/// Elements in this process's memory.
struct Elements {
    device: Cpu,
    elements: Zeroizing<Vec<Fr>>,
}

fn own(vector: &dyn Vector) -> Result<&[Fr], DeviceError> {
    let own = vector.as_any().downcast_ref::<Elements>();
    own.map(|own| own.elements.as_slice())
        .ok_or_else(|| DeviceError::Input("a vector of another device".to_owned()))
}

impl Vector for Elements {
    fn len(&self) -> usize {
        self.elements.len()
    }

    fn read(&self, out: &mut [Fr]) -> Result<(), DeviceError> {
        same_length(self.elements.len(), out.len())?;
        out.copy_from_slice(&self.elements);
        Ok(())
    }

    fn transform(&mut self, transform: &Transform) -> Result<(), DeviceError> {
        same_length(transform.size(), self.elements.len())?;
        self.device.plan(transform)?.run(&mut self.elements)
    }

    fn combine(&mut self, operation: Pointwise, other: &dyn Vector) -> Result<(), DeviceError> {
        let (kernel, other) = (self.device.shared.kernel, own(other)?);
        same_length(self.elements.len(), other.len())?;
        match operation {
            Pointwise::Add => pointwise::add(kernel, &mut self.elements, other),
            Pointwise::Subtract => pointwise::subtract(kernel, &mut self.elements, other),
            Pointwise::Multiply => pointwise::multiply(kernel, &mut self.elements, other),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Device for Cpu {
    fn name(&self) -> &str {
        self.shared.name
    }

    fn bases_g1(&self, points: &Slab<G1Point>) -> Result<Box<dyn Bases<G1Projective>>, DeviceError> {
        Ok(Box::new(self.prepare::<G1>(points)?))
    }

    fn bases_g2(&self, points: &Slab<G2Point>) -> Result<Box<dyn Bases<G2Projective>>, DeviceError> {
        Ok(Box::new(self.prepare::<G2>(points)?))
    }

    fn vector(&self, elements: &[Fr]) -> Result<Box<dyn Vector>, DeviceError> {
        Ok(Box::new(Elements { device: self.clone(), elements: Zeroizing::new(elements.to_vec()) }))
    }

    fn groth16(&self, key: &Arc<groth16::Key>) -> Result<Box<dyn Summation>, DeviceError> {
        Ok(Box::new(Resident::new(self, key)?))
    }
}

/// A key with its tables.
struct Resident {
    key: Arc<groth16::Key>,
    kernel: Kernel,
    coset: Coset,
    a: Prepared<G1>,
    b_g1: Prepared<G1>,
    b_g2: Prepared<G2>,
    l: Prepared<G1>,
    h: Prepared<G1>,
    _share: Share,
}

impl Resident {
    fn new(device: &Cpu, key: &Arc<groth16::Key>) -> Result<Self, DeviceError> {
        let kernel = device.shared.kernel;
        let in_g1 = [&key.a.points, &key.b_g1.points, &key.l.points, &key.h].map(|points| points.len());
        let wanted = full_table::<G1Point>(in_g1.iter().sum()) + full_table::<G2Point>(key.b_g2.points.len());
        let mut share = device.share(wanted);
        // Each query in proportion to its bytes, so that none has half a table while another has all of it.
        let part = |full: usize| (share.bytes as u128 * full as u128 / wanted.max(1) as u128) as usize;
        let g1 = |points: &Slab<G1Point>| {
            Prepared::<G1>::new(points, kernel, part(full_table::<G1Point>(points.len())))
        };
        let (a, b_g1, l, h) = (g1(&key.a.points), g1(&key.b_g1.points), g1(&key.l.points), g1(&key.h));
        let b_g2 =
            Prepared::<G2>::new(&key.b_g2.points, kernel, part(full_table::<G2Point>(key.b_g2.points.len())));
        let used = [&a, &b_g1, &l, &h].iter().map(|g1| g1.table_bytes()).sum::<usize>() + b_g2.table_bytes();
        give_back(&mut share, used);
        let domain = key.system().domain();
        let coset = Coset::new(domain.size().trailing_zeros(), domain.root(), domain.shift(), kernel)?;
        Ok(Self { key: Arc::clone(key), kernel, coset, a, b_g1, b_g2, l, h, _share: share })
    }

    /// The values of A and B on H, of an assignment that satisfies the constraints.
    fn factors(&self, values: &[Fr]) -> Result<[Zeroizing<Vec<Fr>>; 2], ProveError> {
        let system = self.key.system();
        system.fits(values)?;
        let size = system.domain().size();
        let product = |matrix: &Matrix| {
            let mut product = Zeroizing::new(vec![Fr::default(); size]);
            let rows = Rows { starts: matrix.starts(), terms: matrix.terms(), table: matrix.coefficients() };
            matrix::multiply(self.kernel, rows, values, &mut product).map(|()| product)
        };
        let (a, (b, c)) = rayon::join(
            || product(system.a()),
            || rayon::join(|| product(system.b()), || product(system.c())),
        );
        let (mut a, b, c) = (a?, b?, c?);
        let mut products = a.clone();
        pointwise::multiply(self.kernel, &mut products, &b)?;
        let differ = |(product, c): (&Fr, &Fr)| product != c;
        if let Some(row) = products.par_iter().zip(&*c).with_min_len(512).position_first(differ) {
            return Err(ProveError::Unsatisfied { row });
        }
        let (rows, public) = (system.a().len(), system.public());
        a[rows..=rows + public].copy_from_slice(&values[..=public]);
        Ok([a, b])
    }

    /// The values of A B - C on the odd points.
    fn quotient(&self, values: &[Fr]) -> Result<Zeroizing<Vec<Fr>>, ProveError> {
        let [a, b] = self.factors(values)?;
        let mut quotient = Zeroizing::new(vec![Fr::default(); a.len()]);
        self.coset.quotient(&a, &b, &mut quotient)?;
        Ok(quotient)
    }

    /// All multiplications of one proof side by side.
    fn multiply(&self, values: &[Fr], quotient: &[Fr]) -> Sums {
        let (scalars, quotient) =
            rayon::join(|| Integers::new(values, self.kernel), || Integers::new(quotient, self.kernel));
        let key = &*self.key;
        let ((b_g2, (b_g1, a)), (h, l)) = rayon::join(
            || {
                rayon::join(
                    || self.b_g2.multiply(&scalars, Some(&key.b_g2.columns)),
                    || {
                        rayon::join(
                            || self.b_g1.multiply(&scalars, Some(&key.b_g1.columns)),
                            || self.a.multiply(&scalars, Some(&key.a.columns)),
                        )
                    },
                )
            },
            || {
                rayon::join(
                    || self.h.multiply(&quotient, None),
                    || self.l.multiply(&scalars, Some(&key.l.columns)),
                )
            },
        );
        Sums { a, b_g1, b_g2, c: h + l }
    }
}

impl Summation for Resident {
    fn sums(&self, assignments: &[&[Fr]], progress: Progress<'_>) -> Result<Vec<Sums>, ProveError> {
        let mut sums = Vec::with_capacity(assignments.len());
        tell(progress, Phase::Transforming)?;
        // So many proofs side by side fill the processor, and no more of them hold memory.
        for some in assignments.chunks(rayon::current_num_threads()) {
            let quotients: Vec<Zeroizing<Vec<Fr>>> =
                some.par_iter().map(|values| self.quotient(values)).collect::<Result<_, _>>()?;
            tell(progress, Phase::Multiplying)?;
            sums.par_extend(
                some.par_iter().zip(&quotients).map(|(values, quotient)| self.multiply(values, quotient)),
            );
        }
        Ok(sums)
    }
}
