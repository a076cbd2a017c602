//! Finding and opening the shared library, and its answers as results. Opening a library runs its code: which one is the
//! operator's word, never a request's.

#![expect(unsafe_code, reason = "functions of a foreign library")]

use super::{
    Found, LIBRARY_VARIABLE, Options,
    abi::{self, Functions, Handle},
};
use crate::device::DeviceError;
use std::{
    env,
    ffi::CStr,
    mem::ManuallyDrop,
    path::{Path, PathBuf},
    ptr,
    sync::Arc,
};

#[cfg(target_os = "windows")]
const FILE_NAME: &str = "nightingale_gpu.dll";
#[cfg(not(target_os = "windows"))]
const FILE_NAME: &str = "libnightingale_gpu.so";

/// The open library.
pub(super) struct Library {
    pub(super) functions: Functions,
    /// Never closed: a CUDA runtime leaves threads and exit handlers behind that would then run in memory that is gone.
    _library: ManuallyDrop<libloading::Library>,
}

/// Where the library should be: what the configuration says, else the environment, else beside the executable.
fn place(device: &str, configured: Option<&Path>) -> Result<PathBuf, DeviceError> {
    if let Some(path) = configured {
        return Ok(path.to_owned());
    }
    if let Some(path) = env::var_os(LIBRARY_VARIABLE) {
        return Ok(path.into());
    }
    let executable = env::current_exe().map_err(|error| DeviceError::Absent {
        device: device.to_owned(),
        why: format!("the executable's folder, where its library should be, is unknown ({error}); set {LIBRARY_VARIABLE}"),
    })?;
    Ok(executable.with_file_name(FILE_NAME))
}

impl Library {
    /// Opens it and makes sure that it speaks this program's version.
    pub(super) fn open(device: &str, configured: Option<&Path>) -> Result<Arc<Self>, DeviceError> {
        let path = place(device, configured)?;
        let absent = |why: String| DeviceError::Absent { device: device.to_owned(), why };
        let broken = |why: String| DeviceError::Broken { device: device.to_owned(), why };
        // A bare name would be looked for in the system's folders.
        let path = match path.canonicalize() {
            Ok(path) if path.is_file() => path,
            _ => {
                return Err(absent(format!(
                    "there is no library {}; build it with prover/gpu/build, and say where it is with {LIBRARY_VARIABLE}",
                    path.display()
                )));
            }
        };
        // SAFETY: the operator named this library; its initialisers are ours and CUDA's, and need nothing of this process.
        let library = unsafe { libloading::Library::new(&path) };
        let library =
            library.map_err(|error| broken(format!("{} does not open ({error})", path.display())))?;
        let library = ManuallyDrop::new(library);
        // SAFETY: these names are declared with these signatures in nightingale_gpu.h and nowhere else.
        let functions = unsafe { Functions::find(&library) };
        let functions =
            functions.map_err(|error| broken(format!("{} is another library ({error})", path.display())))?;
        // SAFETY: it takes nothing and may always be called.
        let version = unsafe { (functions.abi_version)() };
        if version != abi::VERSION {
            return Err(absent(format!(
                "{} is of version {version} and this program takes {}; build both from one source",
                path.display(),
                abi::VERSION
            )));
        }
        Ok(Arc::new(Self { functions, _library: library }))
    }

    /// A code as a result, with what the library said about it. To be called by the thread that got the code, before its next call.
    pub(super) fn result(&self, device: &str, code: abi::Code) -> Result<(), DeviceError> {
        if code == abi::OK {
            return Ok(());
        }
        // SAFETY: it takes nothing and may always be called.
        let text = unsafe { (self.functions.last_error)() };
        let text = if text.is_null() {
            String::new()
        } else {
            // SAFETY: the library gives a string that ends in a zero and lives until this thread's next call.
            unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
        };
        let device = device.to_owned();
        Err(match code {
            abi::INPUT => DeviceError::Input(text),
            abi::UNSUPPORTED => DeviceError::Unsupported { device, what: text },
            abi::ABSENT => DeviceError::Absent { device, why: text },
            abi::OUT_OF_MEMORY => DeviceError::OutOfMemory { device, why: text },
            abi::LOST => DeviceError::Lost { device, why: text },
            _ => DeviceError::Broken { device, why: format!("code {code}: {text}") },
        })
    }

    /// How many GPUs there are.
    pub(super) fn device_count(&self) -> Result<u32, DeviceError> {
        let mut count = 0;
        // SAFETY: the pointer is to a local of the right type.
        let code = unsafe { (self.functions.device_count)(&mut count) };
        self.result("cuda", code)?;
        Ok(count)
    }

    /// What one is like.
    pub(super) fn properties(&self, index: u32) -> Result<Found, DeviceError> {
        let mut found = abi::Properties {
            name: [0; 128],
            memory_bytes: 0,
            free_bytes: 0,
            compute_major: 0,
            compute_minor: 0,
            processors: 0,
            driver_version: 0,
        };
        // SAFETY: the pointer is to a local of the right type.
        let code = unsafe { (self.functions.device_properties)(index, &mut found) };
        self.result(&format!("cuda:{index}"), code)?;
        let name = found.name.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(Found {
            index,
            name: String::from_utf8_lossy(name).into_owned(),
            memory_bytes: found.memory_bytes,
            free_bytes: found.free_bytes,
            compute: (found.compute_major, found.compute_minor),
            processors: found.processors,
            driver: (found.driver_version / 1000, found.driver_version % 1000 / 10),
        })
    }

    /// A handle to one, to be closed once.
    pub(super) fn open_device(&self, index: u32, options: &Options) -> Result<Handle, DeviceError> {
        let options = abi::Options {
            memory_bytes: options.memory_bytes.unwrap_or(0),
            table_bytes: options.table_bytes.unwrap_or(0),
            streams: options.streams.unwrap_or(0),
            reserved: 0,
        };
        let mut handle = ptr::null_mut();
        // SAFETY: both pointers are to locals of the right types.
        let code = unsafe { (self.functions.open)(index, &options, &mut handle) };
        self.result(&format!("cuda:{index}"), code)?;
        Ok(handle)
    }
}
