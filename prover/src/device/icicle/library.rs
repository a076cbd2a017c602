//! ICICLE's shared libraries in this process: opened once, never unloaded, since they register themselves with one another
//! and start threads. With them live the domains of their devices.
#![expect(unsafe_code, reason = "opens foreign libraries")]

use super::{
    super::DeviceError,
    abi::Function,
    domain::Domain,
    guard::{self, Catcher},
};
use libloading::os::unix::{Library as Opened, RTLD_GLOBAL, RTLD_NOW};
use std::{
    collections::BTreeMap,
    ffi::{CStr, c_void},
    mem::ManuallyDrop,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// The front end's files, each needing those before it.
const FILES: [&str; 3] = ["libicicle_device.so", "libicicle_field_bn254.so", "libicicle_curve_bn254.so"];

/// A shared library that stays until the process ends.
pub(super) struct Shared(ManuallyDrop<Opened>);

impl Shared {
    /// Opens it, and what it depends on. Its symbols become those of libraries that are opened later: ICICLE's backends
    /// expect to find the front end so, as in a program that was linked with it.
    pub(super) fn open(path: &Path) -> Result<Self, libloading::Error> {
        // SAFETY: the operator vouches for the library, whose initialisers run here; it is never unloaded.
        let library = unsafe { Opened::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }?;
        Ok(Self(ManuallyDrop::new(library)))
    }

    /// What the process has in its global scope.
    pub(super) fn process() -> Self {
        Self(ManuallyDrop::new(Opened::this()))
    }

    /// Where a symbol of it, or of what it depends on, is.
    pub(super) fn address(&self, symbol: &CStr) -> Option<*const c_void> {
        // SAFETY: nothing but the address is used of it.
        let found = unsafe { self.0.get::<*const c_void>(symbol) }.ok()?;
        Some(found.as_raw_ptr().cast_const())
    }
}

/// The library with the functions that are called in it.
pub(super) struct Library {
    addresses: [*const c_void; Function::ALL.len()],
    pub(super) catcher: Catcher,
    /// One for each device: two openings of a device share its one domain.
    domains: Mutex<BTreeMap<(String, i32), Arc<Domain>>>,
    /// Held while backends are loaded.
    pub(super) loading: Mutex<()>,
}

// SAFETY: the addresses are of code in a library that is never unloaded; ICICLE's functions may be called from any thread.
unsafe impl Send for Library {}
// SAFETY: as for `Send`.
unsafe impl Sync for Library {}

/// The libraries by their path. A `BTreeMap` of leaked values: they live as long as the process, as the code in them does.
static LIBRARIES: Mutex<BTreeMap<PathBuf, &'static Library>> = Mutex::new(BTreeMap::new());

impl Library {
    /// The library at a path: a directory with the front end's three files, or one file.
    ///
    /// # Errors
    /// [`DeviceError::Absent`] when there is none, [`DeviceError::Broken`] when it lacks a function.
    pub(super) fn at(path: &Path, device: &str) -> Result<&'static Self, DeviceError> {
        let absent = |why: String| DeviceError::Absent { device: device.to_owned(), why };
        if !guard::HERE {
            return Err(absent("ICICLE is called on 64-bit x86 with Linux only".to_owned()));
        }
        let install = "install ICICLE or set NIGHTINGALE_ICICLE_LIBRARY";
        let path = path.canonicalize().map_err(|e| absent(format!("{}: {e}; {install}", path.display())))?;
        let mut libraries = LIBRARIES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = libraries.get(&path) {
            return Ok(library);
        }
        let files =
            if path.is_dir() { FILES.map(|file| path.join(file)).to_vec() } else { vec![path.clone()] };
        let open = |file: &PathBuf| {
            Shared::open(file).map_err(|e| absent(format!("{}: {e}; {install}", file.display())))
        };
        let opened: Vec<Shared> = files.iter().map(open).collect::<Result<_, _>>()?;
        let mut addresses = [std::ptr::null(); Function::ALL.len()];
        for function in Function::ALL {
            let found = opened.iter().rev().find_map(|library| library.address(function.symbol()));
            addresses[function as usize] = found.ok_or_else(|| DeviceError::Broken {
                device: device.to_owned(),
                why: format!(
                    "{} has no function {}; install ICICLE 3.9 or 4.0, built for bn254 with MSM, G2 and NTT",
                    path.display(),
                    function.symbol().to_string_lossy()
                ),
            })?;
        }
        let library: &'static Self = Box::leak(Box::new(Self {
            addresses,
            catcher: Catcher::new(opened),
            domains: Mutex::default(),
            loading: Mutex::default(),
        }));
        libraries.insert(path, library);
        Ok(library)
    }

    /// Where a function is.
    pub(super) const fn address(&self, function: Function) -> *const c_void {
        self.addresses[function as usize]
    }

    /// The domain of a device.
    pub(super) fn domain(&self, kind: &str, id: i32) -> Arc<Domain> {
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(domains.entry((kind.to_owned(), id)).or_default())
    }
}
