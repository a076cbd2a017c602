//! The ICICLE device, on a stand-in for its library that fails where it is told to, and on the real one where
//! `NIGHTINGALE_TEST_ICICLE` names a device of it (`icicle:CPU:0`).
#![expect(unsafe_code, reason = "tells the stand-in's library what to do")]

mod concurrency;
mod conformance;
mod faults;
mod opening;
mod roots;

use libloading::os::unix::{Library, Symbol};
use nightingale_prover::device::{DeviceError, Icicle, icicle::Options};
use std::{
    ffi::{CString, c_char},
    fs,
    mem::ManuallyDrop,
    path::PathBuf,
};
use tempfile::TempDir;

/// What a function is told to do; other numbers are codes that it answers.
const RUNTIME_ERROR: i32 = 1000;
const BAD_ALLOC: i32 = 1001;
const THROWN_INT: i32 = 1002;
const FOREIGN_EXCEPTION: i32 = 1003;
const WRONG: i32 = 1004;
const GARBAGE: i32 = 1005;

/// The real library's device that the environment names; without one it says so.
fn real() -> Option<Icicle> {
    let Some(name) = std::env::var_os("NIGHTINGALE_TEST_ICICLE") else {
        eprintln!("skipped: NIGHTINGALE_TEST_ICICLE names no device");
        return None;
    };
    Some(Icicle::open(&name.to_string_lossy(), &Options::default()).unwrap())
}

/// A copy of the stand-in with a state of its own.
struct StandIn {
    directory: TempDir,
    /// Never unloaded, as the binding never unloads it.
    library: ManuallyDrop<Library>,
}

/// Where cargo puts the example.
fn built() -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    let library = executable.parent().unwrap().with_file_name("examples").join("libicicle_stand_in.so");
    assert!(
        library.exists(),
        "{} is missing: cargo build --release -p nightingale-prover --examples",
        library.display()
    );
    library
}

impl StandIn {
    fn new() -> Self {
        Self::of(&fs::read(built()).unwrap())
    }

    /// One whose exported function has another name.
    fn without(function: &str) -> Self {
        let mut bytes = fs::read(built()).unwrap();
        let name = [b"\0", function.as_bytes(), b"\0"].concat();
        let mut found = 0;
        for i in 0..bytes.len() - name.len() {
            if bytes[i..].starts_with(&name) {
                bytes[i + name.len() - 2] = b'#';
                found += 1;
            }
        }
        assert!(found > 0, "the stand-in has no {function}");
        Self::of(&bytes)
    }

    fn of(bytes: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("libicicle.so");
        fs::write(&path, bytes).unwrap();
        fs::create_dir_all(directory.path().join("backends/bn254/cuda")).unwrap();
        fs::write(directory.path().join("backends/libicicle_backend_cuda_device.so"), b"").unwrap();
        // SAFETY: the stand-in's initialisers are Rust's own.
        let library = unsafe { Library::new(&path) }.unwrap();
        Self { directory, library: ManuallyDrop::new(library) }
    }

    fn options(&self) -> Options {
        let library = self.directory.path().join("libicicle.so");
        Options {
            library: Some(library.clone()),
            backends: Some(self.directory.path().join("backends")),
            driver: Some(library),
        }
    }

    fn open(&self, name: &str) -> Result<Icicle, DeviceError> {
        Icicle::open(name, &self.options())
    }

    fn function<T>(&self, name: &str) -> Symbol<T> {
        // SAFETY: the types at the calls are those of the stand-in.
        unsafe { self.library.get(name) }.unwrap()
    }

    /// From the `skip`-th call on, `times` times, the function does as `kind` says.
    fn fault(&self, function: &str, kind: i32, skip: u64, times: u64) {
        let name = CString::new(function).unwrap();
        let tell = self.function::<unsafe extern "C" fn(*const c_char, i32, u64, u64)>("stand_in_fault");
        // SAFETY: as the stand-in declares it.
        unsafe { tell(name.as_ptr(), kind, skip, times) };
    }

    fn calls(&self, function: &str) -> u64 {
        let name = CString::new(function).unwrap();
        let ask = self.function::<unsafe extern "C" fn(*const c_char) -> u64>("stand_in_calls");
        // SAFETY: as the stand-in declares it.
        unsafe { ask(name.as_ptr()) }
    }

    /// A field of so many bytes more in every configuration.
    fn layout(&self, offset: usize, bytes: usize) {
        // SAFETY: as the stand-in declares it.
        unsafe { self.function::<unsafe extern "C" fn(usize, usize)>("stand_in_layout")(offset, bytes) };
    }

    /// Bytes that the device has.
    fn memory(&self, bytes: usize) {
        // SAFETY: as the stand-in declares it.
        unsafe { self.function::<unsafe extern "C" fn(usize)>("stand_in_memory")(bytes) };
    }

    /// Allocations that are not freed.
    fn live(&self) -> u64 {
        // SAFETY: as the stand-in declares it.
        unsafe { self.function::<unsafe extern "C" fn() -> u64>("stand_in_live")() }
    }

    /// Allocations that were freed as they were.
    fn unerased(&self) -> u64 {
        // SAFETY: as the stand-in declares it.
        unsafe { self.function::<unsafe extern "C" fn() -> u64>("stand_in_unerased")() }
    }

    /// Whether the system has a C++ library to throw with; without one it says so.
    fn can_throw(&self) -> bool {
        // SAFETY: as the stand-in declares it.
        let can = unsafe { self.function::<unsafe extern "C" fn() -> bool>("stand_in_can_throw")() };
        if !can {
            assert!(std::env::var_os("NIGHTINGALE_REQUIRE_TOOLS").is_none(), "libstdc++.so.6 is missing");
            eprintln!("skipped: libstdc++.so.6 is missing");
        }
        can
    }
}
