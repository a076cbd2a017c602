//! Ingonyama's ICICLE, opened at run time where an operator has installed it; nothing of it is linked or shipped.
//!
//! Its front end and CPU backend are open, its CUDA backend is a closed download under its own licence: a plug-in, never a
//! requirement. `docs/icicle.md` is the operator's page. The one thing to know is that the library fails in ways that are
//! silent or that end the process; each file here is the answer to some of them.

mod abi;
mod bases;
mod domain;
mod driver;
mod forms;
mod guard;
mod library;
mod memory;
mod rehearsal;
mod session;
mod vector;

use super::{
    Bases, Device, DeviceError, G1Point, G2Point, Slab, Summation, Vector, composed::Composed,
    reference::same_length,
};
use crate::groth16;
use ark_bn254::{G1Projective, G2Projective};
use bases::{G1, G2, Points};
use library::Library;
use nightingale_circuits::Fr;
use session::Session;
use std::{
    env,
    path::PathBuf,
    sync::{Arc, PoisonError},
};
use vector::Elements;

/// Where ICICLE is. What is `None` is read from the environment, then at ICICLE's own default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The directory with `libicicle_device.so`, `libicicle_field_bn254.so` and `libicicle_curve_bn254.so`, or one library
    /// that has all of their functions; else `NIGHTINGALE_ICICLE_LIBRARY`, else `/opt/icicle/lib`.
    pub library: Option<PathBuf>,
    /// The directory with the backends; else `ICICLE_BACKEND_INSTALL_DIR`, else `/opt/icicle/lib/backend`.
    pub backends: Option<PathBuf>,
    /// The CUDA driver's library; else `libcuda.so.1`, where the loader finds it.
    pub driver: Option<PathBuf>,
}

impl Options {
    fn find(choice: Option<&PathBuf>, variable: &str, default: &str) -> PathBuf {
        choice.cloned().or_else(|| env::var_os(variable).map(PathBuf::from)).unwrap_or_else(|| default.into())
    }

    fn library(&self) -> PathBuf {
        Self::find(self.library.as_ref(), "NIGHTINGALE_ICICLE_LIBRARY", "/opt/icicle/lib")
    }

    fn backends(&self) -> PathBuf {
        Self::find(self.backends.as_ref(), "ICICLE_BACKEND_INSTALL_DIR", "/opt/icicle/lib/backend")
    }

    fn driver(&self) -> PathBuf {
        self.driver.clone().unwrap_or_else(|| "libcuda.so.1".into())
    }
}

/// A device of ICICLE: `icicle:CUDA:0`, `icicle:CPU:0`. Copies are the same device.
#[derive(Clone)]
pub struct Icicle(Arc<Session>);

impl Icicle {
    /// Opens the device of this name, and asks it questions whose answers are known.
    ///
    /// # Errors
    /// [`DeviceError::Input`] for a name that is none, [`DeviceError::Unsupported`] for a backend other than CUDA and CPU,
    /// [`DeviceError::Absent`] when library, driver, backend, licence or device is not there, [`DeviceError::Broken`] when
    /// the library is not one that this build knows.
    pub fn open(name: &str, options: &Options) -> Result<Self, DeviceError> {
        let (kind, id) = parse(name)?;
        let backends = options.backends();
        if kind == CUDA {
            driver::probe(&options.driver(), id, name)?;
        }
        let library = Library::at(&options.library(), name)?;
        let session = Session::new(name.to_owned(), kind, id, library);
        {
            let _alone = session.library().loading.lock().unwrap_or_else(PoisonError::into_inner);
            let registered = || Ok::<_, DeviceError>(session.registered()?.iter().any(|found| found == kind));
            // The CPU backend is part of the front end. All others are loaded at once, CUDA's among them.
            if kind == CUDA && !registered()? {
                if !backends.is_dir() {
                    let set = "install ICICLE's backend or set ICICLE_BACKEND_INSTALL_DIR";
                    return Err(
                        session.absent(format!("there is no directory {}; {set}", backends.display()))
                    );
                }
                session.load_backend(&backends)?;
            }
            if !registered()? {
                return Err(session.absent(format!("no backend for {kind} is in {}", backends.display())));
            }
        }
        session.set_device()?;
        let count = session.device_count()?;
        if id >= count {
            return Err(session.absent(format!("ICICLE sees {count} {kind} devices")));
        }
        let session = Arc::new(session);
        rehearsal::rehearse(&session)?;
        Ok(Self(session))
    }
}

const CUDA: &str = "CUDA";

/// The type and the number in `icicle:TYPE:NUMBER`.
fn parse(name: &str) -> Result<(&str, i32), DeviceError> {
    let malformed = || DeviceError::Input(format!("`{name}` is no device of ICICLE; write `icicle:CUDA:0`"));
    let (kind, id) =
        name.strip_prefix("icicle:").and_then(|rest| rest.split_once(':')).ok_or_else(malformed)?;
    if id.is_empty() || !id.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(malformed());
    }
    let id = id.parse().map_err(|_| malformed())?;
    if kind == CUDA || kind == "CPU" {
        return Ok((kind, id));
    }
    // To load another backend is to load CUDA's with it, which nobody would have probed.
    let what = format!("the backend `{kind}`; CUDA and CPU are what was tried");
    Err(DeviceError::Unsupported { device: name.to_owned(), what })
}

impl Device for Icicle {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn bases_g1(&self, points: &Slab<G1Point>) -> Result<Box<dyn Bases<G1Projective>>, DeviceError> {
        Ok(Box::new(Points::<G1>::new(&self.0, points)?))
    }

    fn bases_g2(&self, points: &Slab<G2Point>) -> Result<Box<dyn Bases<G2Projective>>, DeviceError> {
        Ok(Box::new(Points::<G2>::new(&self.0, points)?))
    }

    fn vector(&self, elements: &[Fr]) -> Result<Box<dyn Vector>, DeviceError> {
        Ok(Box::new(Elements::new(&self.0, elements)?))
    }

    fn groth16(&self, key: &Arc<groth16::Key>) -> Result<Box<dyn Summation>, DeviceError> {
        Ok(Box::new(Composed::new(self.clone(), key)?))
    }
}
