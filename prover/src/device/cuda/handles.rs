//! An open GPU and what lies on it as values: each is freed on drop, and keeps the GPU open until then.

#![expect(unsafe_code, reason = "functions and handles of a foreign library")]

use super::{
    abi::{self, Handle},
    library::Library,
};
use crate::device::{Bases, DeviceError, Direction, Pointwise, Scalars, Transform, Vector};
use ark_bn254::{Fq, Fq2};
use ark_ec::{
    PrimeGroup,
    short_weierstrass::{Projective, SWCurveConfig},
};
use ark_ff::{AdditiveGroup, BigInt, Field};
use nightingale_circuits::Fr;
use std::{any::Any, marker::PhantomData, ptr, sync::Arc};

// An element is a struct of four words and a marker without size: with the size of four words it is these four words.
const _: () = assert!(size_of::<Fr>() == 32 && align_of::<Fr>() == align_of::<u64>());

/// The elements' limbs, as the library takes them.
pub(super) const fn limbs(elements: &[Fr]) -> *const u64 {
    elements.as_ptr().cast()
}

/// A handle that may go to other threads and be used by several at once.
pub(super) struct Shared(pub(super) Handle);

// SAFETY: the header promises that every function may be called from any thread.
unsafe impl Send for Shared {}
// SAFETY: likewise; what changes what a handle stands for takes `&mut` in Rust.
unsafe impl Sync for Shared {}

/// An open GPU.
pub(super) struct Opened {
    name: String,
    pub(super) library: Arc<Library>,
    pub(super) handle: Shared,
}

impl Opened {
    /// Takes over an open handle.
    pub(super) const fn new(name: String, library: Arc<Library>, handle: Handle) -> Self {
        Self { name, library, handle: Shared(handle) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A code as a result.
    pub(super) fn result(&self, code: abi::Code) -> Result<(), DeviceError> {
        self.library.result(&self.name, code)
    }

    pub(super) fn memory(&self) -> Result<(u64, u64), DeviceError> {
        let (mut used, mut budget) = (0, 0);
        // SAFETY: the handle is open, the pointers are to locals of the right type.
        let code = unsafe { (self.library.functions.memory)(self.handle.0, &mut used, &mut budget) };
        self.result(code)?;
        Ok((used, budget))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // SAFETY: the handle is open and nobody has it after this.
        unsafe { (self.library.functions.close)(self.handle.0) }
    }
}

/// A point that comes back from the device, in Jacobian coordinates.
pub(super) trait Point: Sized {
    const GROUP: u32;
    const LIMBS: usize;

    /// From its limbs; `None` when they are no point of the curve.
    fn from_limbs(limbs: &[u64]) -> Option<Self>;
}

fn coordinate(limbs: &[u64], i: usize) -> Option<Fq> {
    let words: &[u64; 4] = limbs.get(4 * i..4 * i + 4)?.try_into().ok()?;
    Some(Fq::new_unchecked(BigInt(*words)))
}

/// Y^2 = X^3 + b Z^6.
fn on_curve<F: Field>(x: F, y: F, z: F, b: F) -> bool {
    y.square() == x.square() * x + (z.square() * z).square() * b
}

impl Point for Projective<ark_bn254::g1::Config> {
    const GROUP: u32 = 1;
    const LIMBS: usize = 12;

    fn from_limbs(limbs: &[u64]) -> Option<Self> {
        let [x, y, z] = [coordinate(limbs, 0)?, coordinate(limbs, 1)?, coordinate(limbs, 2)?];
        if z == Fq::ZERO {
            return Some(Self::ZERO);
        }
        on_curve(x, y, z, ark_bn254::g1::Config::COEFF_B).then(|| Self::new_unchecked(x, y, z))
    }
}

impl Point for Projective<ark_bn254::g2::Config> {
    const GROUP: u32 = 2;
    const LIMBS: usize = 24;

    fn from_limbs(limbs: &[u64]) -> Option<Self> {
        let element = |i: usize| Some(Fq2::new(coordinate(limbs, 2 * i)?, coordinate(limbs, 2 * i + 1)?));
        let [x, y, z] = [element(0)?, element(1)?, element(2)?];
        if z == Fq2::ZERO {
            return Some(Self::ZERO);
        }
        on_curve(x, y, z, ark_bn254::g2::Config::COEFF_B).then(|| Self::new_unchecked(x, y, z))
    }
}

/// What to say of limbs that are no point.
pub(super) fn no_point(device: &Opened) -> DeviceError {
    DeviceError::Broken { device: device.name.clone(), why: "a sum that is not on the curve".to_owned() }
}

/// Points on the GPU.
pub(super) struct Points<P> {
    device: Arc<Opened>,
    handle: Shared,
    len: usize,
    point: PhantomData<fn() -> P>,
}

impl<P: Point> Points<P> {
    /// Copies the limbs of `len` affine points to it.
    pub(super) fn load(device: &Arc<Opened>, points: &[u64], len: usize) -> Result<Self, DeviceError> {
        let mut handle = ptr::null_mut();
        let load = device.library.functions.bases_load;
        // SAFETY: the device is open, `points` holds `len` points of the group, the last pointer is to a local.
        let code = unsafe { load(device.handle.0, P::GROUP, points.as_ptr(), len as u64, &mut handle) };
        device.result(code)?;
        Ok(Self { device: Arc::clone(device), handle: Shared(handle), len, point: PhantomData })
    }
}

impl<P> Drop for Points<P> {
    fn drop(&mut self) {
        // SAFETY: the handle is live and nobody has it after this.
        unsafe { (self.device.library.functions.bases_free)(self.handle.0) }
    }
}

impl<P: Point + PrimeGroup> Bases<P> for Points<P> {
    fn len(&self) -> usize {
        self.len
    }

    fn multiply(&self, batch: &[Scalars<'_>]) -> Result<Vec<P>, DeviceError> {
        let scalars = batch.iter().map(|scalars| {
            let (host, resident, count) = match scalars {
                Scalars::Host(elements) => (limbs(elements), ptr::null(), elements.len()),
                Scalars::Resident(vector) => {
                    (ptr::null(), own(&self.device, *vector)?.handle.0.cast_const(), vector.len())
                }
            };
            if count == self.len {
                return Ok(abi::Scalars { host, resident, count: count as u64 });
            }
            Err(DeviceError::Input(format!("{count} scalars for {} points", self.len)))
        });
        let scalars = scalars.collect::<Result<Vec<_>, _>>()?;
        let mut out = vec![0u64; batch.len() * P::LIMBS];
        let multiply = self.device.library.functions.multiply;
        // SAFETY: the handles are live, every vector of scalars has a scalar for each point, `out` has room for a sum each.
        let code =
            unsafe { multiply(self.handle.0, scalars.as_ptr(), scalars.len() as u64, out.as_mut_ptr()) };
        self.device.result(code)?;
        out.chunks_exact(P::LIMBS)
            .map(|sum| P::from_limbs(sum).ok_or_else(|| no_point(&self.device)))
            .collect()
    }
}

/// Field elements on the GPU. The library zeroes them before it frees them.
pub(super) struct Resident {
    device: Arc<Opened>,
    handle: Shared,
    len: usize,
}

/// The vector as one of this device.
fn own<'a>(device: &Arc<Opened>, vector: &'a dyn Vector) -> Result<&'a Resident, DeviceError> {
    let own = vector.as_any().downcast_ref::<Resident>().filter(|own| Arc::ptr_eq(&own.device, device));
    own.ok_or_else(|| DeviceError::Input("a vector of another device".to_owned()))
}

impl Resident {
    /// Copies elements to it.
    pub(super) fn new(device: &Arc<Opened>, elements: &[Fr]) -> Result<Self, DeviceError> {
        let mut handle = ptr::null_mut();
        let (new, len) = (device.library.functions.vector_new, elements.len());
        // SAFETY: the device is open, the elements are as many as said, the last pointer is to a local.
        let code = unsafe { new(device.handle.0, limbs(elements), len as u64, &mut handle) };
        device.result(code)?;
        Ok(Self { device: Arc::clone(device), handle: Shared(handle), len })
    }

    fn same_length(&self, len: usize) -> Result<(), DeviceError> {
        if len == self.len {
            return Ok(());
        }
        Err(DeviceError::Input(format!("{len} elements where there must be {}", self.len)))
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        // SAFETY: the handle is live and nobody has it after this.
        unsafe { (self.device.library.functions.vector_free)(self.handle.0) }
    }
}

impl Vector for Resident {
    fn len(&self) -> usize {
        self.len
    }

    fn read(&self, out: &mut [Fr]) -> Result<(), DeviceError> {
        self.same_length(out.len())?;
        let read = self.device.library.functions.vector_read;
        // SAFETY: the handle is live, and `out` has room for as many elements as it has. Elements are any four words.
        let code = unsafe { read(self.handle.0, out.as_mut_ptr().cast(), out.len() as u64) };
        self.device.result(code)
    }

    fn transform(&mut self, transform: &Transform) -> Result<(), DeviceError> {
        self.same_length(transform.size())?;
        let (root, coset) = ([transform.root()], [transform.coset()]);
        let direction = match transform.direction() {
            Direction::Forward => abi::FORWARD,
            Direction::Inverse => abi::INVERSE,
        };
        let call = self.device.library.functions.vector_transform;
        // SAFETY: the handle is live and this thread's alone, root and coset are four words each.
        let code =
            unsafe { call(self.handle.0, transform.log_size(), limbs(&root), limbs(&coset), direction) };
        self.device.result(code)
    }

    fn combine(&mut self, operation: Pointwise, other: &dyn Vector) -> Result<(), DeviceError> {
        let other = own(&self.device, other)?;
        self.same_length(other.len)?;
        let operation = match operation {
            Pointwise::Add => abi::ADD,
            Pointwise::Subtract => abi::SUBTRACT,
            Pointwise::Multiply => abi::MULTIPLY,
        };
        let combine = self.device.library.functions.vector_combine;
        // SAFETY: both handles are live, of one device and one length; this one is this thread's alone.
        let code = unsafe { combine(self.handle.0, operation, other.handle.0) };
        self.device.result(code)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
