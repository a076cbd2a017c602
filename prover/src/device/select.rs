//! Devices by name, as configuration and command line say them, and what of them is here. Each kind of device is one arm of
//! [`open`].

use super::{
    Checked, Cpu, Cuda, Device, DeviceError, Icicle, Kernel, Patient, Reference, cuda,
    failover::{Failover, Listener, Primary, Settings},
    icicle,
};
use crate::ProveError;
use std::{fmt, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

/// Which device is to work.
///
/// As text: `auto`, `cpu`, `cpu-portable`, `reference`, `cuda:0`, `icicle:CUDA:0`, and `checked:A,B` with two of these (not `auto`): both do
/// all the work, and their results are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The best that is there: an accelerator with the processor beside it, else the processor.
    Auto,
    /// The processor, as fast as it can.
    Cpu,
    /// The processor without the instructions that not all have.
    Portable,
    /// Plain arkworks.
    Reference,
    /// A GPU by our own library.
    Cuda(u32),
    /// A device of Ingonyama's ICICLE.
    Icicle {
        /// Its backend: `CUDA`, `CPU`.
        backend: String,
        /// Its number within the backend.
        index: u32,
    },
    /// Two that are compared on live work.
    Checked(Box<Selection>, Box<Selection>),
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Portable => f.write_str("cpu-portable"),
            Self::Reference => f.write_str("reference"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Icicle { backend, index } => write!(f, "icicle:{backend}:{index}"),
            Self::Checked(first, second) => write!(f, "checked:{first},{second}"),
        }
    }
}

impl FromStr for Selection {
    type Err = ProveError;

    fn from_str(text: &str) -> Result<Self, ProveError> {
        parse(text).ok_or_else(|| ProveError::UnknownDevice(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Selection> {
    if let Some(pair) = text.strip_prefix("checked:") {
        let (first, second) = pair.split_once(',')?;
        let [first, second] = [first, second].map(|text| parse(text.trim()).filter(Selection::is_single));
        return Some(Selection::Checked(Box::new(first?), Box::new(second?)));
    }
    // Only as it is written back: no sign, no leading zero.
    let index = |text: &str| text.parse::<u32>().ok().filter(|index| index.to_string() == text);
    match *text.split(':').collect::<Vec<_>>() {
        ["auto"] => Some(Selection::Auto),
        ["cpu"] => Some(Selection::Cpu),
        ["cpu-portable"] => Some(Selection::Portable),
        ["reference"] => Some(Selection::Reference),
        ["cuda", number] => Some(Selection::Cuda(index(number)?)),
        ["icicle", backend, number] if is_backend(backend) => {
            Some(Selection::Icicle { backend: backend.to_owned(), index: index(number)? })
        }
        _ => None,
    }
}

fn is_backend(name: &str) -> bool {
    (1..=16).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
}

impl Selection {
    /// Whether it is one device and not a choice or a pair.
    #[must_use]
    pub const fn is_single(&self) -> bool {
        !matches!(self, Self::Auto | Self::Checked(..))
    }

    /// Whether it works beside the processor rather than on it.
    #[must_use]
    pub fn is_accelerator(&self) -> bool {
        match self {
            Self::Auto | Self::Cpu | Self::Portable | Self::Reference => false,
            Self::Cuda(_) | Self::Icicle { .. } => true,
            Self::Checked(first, second) => first.is_accelerator() || second.is_accelerator(),
        }
    }
}

/// What an operator says about devices beside their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes that tables of multiples of resident points may take on the processor, of all keys together; 0 for none. They
    /// take seconds to make, so they are for those who prove many times.
    pub table_bytes: usize,
    /// Our CUDA library; else the device looks for it.
    pub cuda_library: Option<PathBuf>,
    /// The directory of ICICLE's libraries; else the device looks for it.
    pub icicle_library: Option<PathBuf>,
    /// At most so many proofs in one call of a device.
    pub batch: usize,
    /// An accelerator that a service opened, and that has said nothing for so long, counts as lost.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            table_bytes: 0,
            cuda_library: None,
            icicle_library: None,
            batch: 16,
            patience: Duration::from_secs(120),
        }
    }
}

/// Opens a device, all by itself: no fallback. `auto` is the first of [`accelerators`] that opens, else the processor.
///
/// # Errors
/// [`DeviceError::Absent`] where it is not there, saying what to install; what else fails in the device.
pub fn open(selection: &Selection, options: &Options) -> Result<Arc<dyn Device>, DeviceError> {
    match selection {
        Selection::Auto => {
            let found = accelerators().into_iter().find_map(|selection| open(&selection, options).ok());
            found.map_or_else(|| open(&Selection::Cpu, options), Ok)
        }
        Selection::Cpu => Ok(Arc::new(Cpu::new(options.table_bytes))),
        Selection::Portable => Ok(Arc::new(Cpu::with(Kernel::Portable, options.table_bytes))),
        Selection::Reference => Ok(Arc::new(Reference)),
        Selection::Cuda(index) => {
            let own = cuda::Options { library: options.cuda_library.clone(), ..cuda::Options::default() };
            Ok(Arc::new(Cuda::open(*index, &own)?))
        }
        Selection::Icicle { .. } => {
            let own =
                icicle::Options { library: options.icicle_library.clone(), ..icicle::Options::default() };
            Ok(Arc::new(Icicle::open(&selection.to_string(), &own)?))
        }
        Selection::Checked(first, second) => {
            Ok(Arc::new(Checked::new(open(first, options)?, open(second, options)?)))
        }
    }
}

/// The same, but an accelerator is not waited for forever.
fn open_patiently(selection: &Selection, options: &Options) -> Result<Arc<dyn Device>, DeviceError> {
    if !selection.is_accelerator() {
        return open(selection, options);
    }
    let (own, own_options) = (selection.clone(), options.clone());
    let opening = move || open(&own, &own_options);
    Ok(Arc::new(Patient::open(&selection.to_string(), options.patience, opening)?))
}

/// The accelerators that are looked for where none is named, the fastest first.
#[must_use]
pub fn accelerators() -> [Selection; 2] {
    [Selection::Cuda(0), Selection::Icicle { backend: "CUDA".to_owned(), index: 0 }]
}

/// A device that was looked for.
pub struct Found {
    /// Its name.
    pub selection: Selection,
    /// The open device, or why there is none.
    pub device: Result<Arc<dyn Device>, DeviceError>,
}

/// Every device that this build knows, with those that are not here and why.
#[must_use]
pub fn list(options: &Options) -> Vec<Found> {
    let own = [Selection::Cpu, Selection::Reference];
    let look = |selection: Selection| Found { device: open_patiently(&selection, options), selection };
    own.into_iter().chain(accelerators()).map(look).collect()
}

/// A device for a service: it fails over to `fallback`, halves batches that do not fit, and counts. With `auto`, small
/// batches go to the processor where a measurement at key load finds it faster; a device that was named gets everything.
///
/// # Errors
/// The named device is not there and there is no fallback; the fallback is not there.
pub fn serve(
    selection: &Selection,
    fallback: Option<&Selection>,
    options: &Options,
    listener: Listener,
) -> Result<Failover, DeviceError> {
    let primary = |selection: &Selection| {
        let (name, own, options) = (selection.to_string(), selection.clone(), options.clone());
        Primary::new(name, Box::new(move || open_patiently(&own, &options)))
    };
    let settings = |measured| Settings { batch: options.batch, measured, listener: listener.clone() };
    if *selection != Selection::Auto {
        let fallback = fallback.filter(|fallback| *fallback != selection);
        let fallback = fallback.map(|fallback| open_patiently(fallback, options)).transpose()?;
        return Failover::new(primary(selection), fallback, settings(false));
    }
    let found = accelerators().into_iter().find(|selection| open_patiently(selection, options).is_ok());
    let Some(found) = found else {
        return Failover::new(primary(&Selection::Cpu), None, settings(false));
    };
    Failover::new(primary(&found), Some(open(&Selection::Cpu, options)?), settings(true))
}
