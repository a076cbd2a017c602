//! NVIDIA GPUs, through a shared library of our own (`prover/gpu`) that is opened at run time: this crate neither needs
//! nor links CUDA, and where there is no library, driver or GPU, that is an error value like any other.
//!
//! The operator's page is `prover/gpu/README.md`.

mod abi;
mod handles;
mod key;
mod library;

use super::{Bases, Device, DeviceError, G1Point, G2Point, Slab, Summation, Vector};
use crate::groth16;
use ark_bn254::{G1Projective, G2Projective};
use handles::{Opened, Points, Resident};
use key::ResidentKey;
use library::Library;
use nightingale_circuits::Fr;
use std::{path::PathBuf, sync::Arc};

/// The environment variable that says where the library is, where the configuration does not.
pub const LIBRARY_VARIABLE: &str = "NIGHTINGALE_CUDA_LIBRARY";

/// How to open a device. The default looks for the library itself and leaves the rest to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The library; else [`LIBRARY_VARIABLE`] says where it is, else it lies beside the executable.
    pub library: Option<PathBuf>,
    /// Bytes of the GPU's memory that may be used; without it nine tenths of what is free when it is opened.
    pub memory_bytes: Option<u64>,
    /// Bytes of it for multiples of the points of one query, which make multiplications faster; without it a sixteenth.
    pub table_bytes: Option<u64>,
    /// Pieces of a batch, or calls, at a time; without it 2.
    pub streams: Option<u32>,
}

/// A GPU that the library sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What `cuda:N` counts.
    pub index: u32,
    /// Its maker's name for it.
    pub name: String,
    /// All of its memory.
    pub memory_bytes: u64,
    /// What of it nobody uses.
    pub free_bytes: u64,
    /// Its generation: 9.0 is Hopper.
    pub compute: (u32, u32),
    /// Multiprocessors.
    pub processors: u32,
    /// The newest version of CUDA that the driver knows.
    pub driver: (u32, u32),
}

/// The GPUs that there are. None is an answer; that there is no library or no driver is an error.
///
/// # Errors
/// [`DeviceError::Absent`] and [`DeviceError::Broken`], as [`Cuda::open`].
pub fn devices(options: &Options) -> Result<Vec<Found>, DeviceError> {
    let library = Library::open("cuda", options.library.as_deref())?;
    (0..library.device_count()?).map(|index| library.properties(index)).collect()
}

/// An open GPU. It is closed when this and everything that lies on it are gone.
#[derive(Clone)]
pub struct Cuda(Arc<Opened>);

impl Cuda {
    /// Opens GPU number `index`.
    ///
    /// # Errors
    /// [`DeviceError::Absent`]: no library, one of another version, no driver, no such GPU. [`DeviceError::Broken`]: a file
    /// that is no such library. [`DeviceError::Unsupported`]: a GPU older than the library serves.
    pub fn open(index: u32, options: &Options) -> Result<Self, DeviceError> {
        let name = format!("cuda:{index}");
        let library = Library::open(&name, options.library.as_deref())?;
        let handle = library.open_device(index, options)?;
        Ok(Self(Arc::new(Opened::new(name, library, handle))))
    }

    /// Bytes of its memory that are in use by this process through this value, and how many may be.
    ///
    /// # Errors
    /// What fails in the device.
    pub fn memory(&self) -> Result<(u64, u64), DeviceError> {
        self.0.memory()
    }
}

impl Device for Cuda {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn bases_g1(&self, points: &Slab<G1Point>) -> Result<Box<dyn Bases<G1Projective>>, DeviceError> {
        Ok(Box::new(Points::<G1Projective>::load(&self.0, bytemuck::cast_slice(points), points.len())?))
    }

    fn bases_g2(&self, points: &Slab<G2Point>) -> Result<Box<dyn Bases<G2Projective>>, DeviceError> {
        Ok(Box::new(Points::<G2Projective>::load(&self.0, bytemuck::cast_slice(points), points.len())?))
    }

    fn vector(&self, elements: &[Fr]) -> Result<Box<dyn Vector>, DeviceError> {
        Ok(Box::new(Resident::new(&self.0, elements)?))
    }

    fn groth16(&self, key: &Arc<groth16::Key>) -> Result<Box<dyn Summation>, DeviceError> {
        Ok(Box::new(ResidentKey::load(&self.0, key)?))
    }
}
