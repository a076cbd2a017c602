//! The GPU library built for the processor, once; each test opens a copy, since how the emulated machine is belongs to the
//! loaded library.

#![expect(unsafe_code, reason = "two functions of the emulation that the prover does not know")]

use nightingale_circuits::Fr;
use nightingale_prover::device::{Cuda, DeviceError, cuda::Options};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::SystemTime,
};

/// What can be changed of the emulated machine: the numbers of `NG_EMULATE_*`.
#[derive(Clone, Copy)]
pub(super) enum Quirk {
    /// What the library says that its version is.
    Version = 0,
    /// How many GPUs there are; 2^32 - 1: no driver.
    Devices = 1,
    /// Bytes of memory.
    Memory = 2,
    /// The launch from now that loses the GPU; 0: none.
    Loss = 3,
    /// Whether sums are false.
    Falsehood = 4,
    /// Whether freed memory is kept, for a search.
    Keeping = 5,
}

/// A copy of the library.
pub(super) struct Emulation {
    folder: tempfile::TempDir,
}

fn newest(folder: &Path) -> SystemTime {
    let times =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().modified().unwrap());
    times.max().unwrap()
}

/// The library, built if its sources are newer; `None` without a C++ compiler.
fn built() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        // One that was built before: that which interprets the PTX, or one with a sanitizer.
        if let Some(library) = env::var_os("NIGHTINGALE_TEST_GPU_LIBRARY") {
            return Some(library.into());
        }
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("gpu");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gpu-emulation");
        let library = folder.join("libnightingale_gpu.so");
        if library.metadata().and_then(|found| found.modified()).is_ok_and(|made| made > newest(&sources)) {
            return Some(library);
        }
        let compiler = env::var_os("CXX").unwrap_or_else(|| "c++".into());
        if Command::new(compiler).arg("--version").output().is_err() {
            assert!(
                env::var_os("NIGHTINGALE_REQUIRE_TOOLS").is_none(),
                "no C++ compiler: install g++, or name one with CXX"
            );
            eprintln!("skipped: no C++ compiler for the GPU's emulation; install g++, or name one with CXX");
            return None;
        }
        let output = Command::new(sources.join("build")).arg("--emulation").arg(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(library)
    };
    BUILT.get_or_init(build).as_deref()
}

impl Emulation {
    /// A fresh copy, with one healthy GPU.
    pub(super) fn new() -> Option<Self> {
        let library = built()?;
        let folder = tempfile::tempdir().unwrap();
        fs::copy(library, folder.path().join("libnightingale_gpu.so")).unwrap();
        Some(Self { folder })
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("libnightingale_gpu.so")
    }

    /// Its GPU.
    pub(super) fn open(&self, options: &Options) -> Result<Cuda, DeviceError> {
        Cuda::open(0, &Options { library: Some(self.path()), ..options.clone() })
    }

    fn library(&self) -> libloading::Library {
        // SAFETY: it is the library that was built above.
        unsafe { libloading::Library::new(self.path()) }.unwrap()
    }

    pub(super) fn set(&self, quirk: Quirk, value: u64) {
        let library = std::mem::ManuallyDrop::new(self.library());
        // SAFETY: the header declares it so.
        let emulate = unsafe { library.get::<unsafe extern "C" fn(u32, u64)>(b"ng_emulate\0") }.unwrap();
        // SAFETY: it takes any numbers.
        unsafe { emulate(quirk as u32, value) }
    }

    /// Whether the GPU's memory holds the element.
    pub(super) fn holds(&self, element: &Fr) -> bool {
        let library = self.library();
        // SAFETY: the header declares it so.
        let holds =
            unsafe { library.get::<unsafe extern "C" fn(*const u64, u64) -> u32>(b"ng_emulation_holds\0") };
        // SAFETY: the pointer is to 32 bytes.
        unsafe { holds.unwrap()(element.0.0.as_ptr(), 32) != 0 }
    }
}
