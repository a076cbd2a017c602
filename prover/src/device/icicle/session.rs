//! A device of the library, and each of the library's functions with the types that it has in C. ICICLE's active device
//! belongs to the thread, so that every call sets it first.
#![expect(unsafe_code, reason = "calls functions of a foreign library")]

use super::{
    super::{DeviceError, Direction},
    abi::{self, Function},
    domain::Domain,
    guard::Thrown,
    library::Library,
    memory::Buffer,
};
use std::{
    ffi::{CStr, CString, c_void},
    path::Path,
    ptr,
    sync::Arc,
};

/// An opened device.
pub(super) struct Session {
    name: String,
    device: abi::Device,
    library: &'static Library,
    pub(super) domain: Arc<Domain>,
}

fn address<T>(value: &T) -> usize {
    ptr::from_ref(value).expose_provenance()
}

fn address_mut<T>(value: &mut T) -> usize {
    ptr::from_mut(value).expose_provenance()
}

impl Session {
    /// A device of the library, which nobody has asked yet whether it has it.
    pub(super) fn new(name: String, kind: &str, id: i32, library: &'static Library) -> Self {
        let mut device = abi::Device { kind: [0; 64], id };
        // The last byte stays 0.
        for (byte, letter) in device.kind[..63].iter_mut().zip(kind.bytes()) {
            *byte = letter;
        }
        Self { name, device, library, domain: library.domain(kind, id) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether both are the same device, however often it was opened.
    pub(super) fn same(&self, other: &Self) -> bool {
        ptr::eq(self.library, other.library) && self.device == other.device
    }

    /// The library that has it.
    pub(super) const fn library(&self) -> &'static Library {
        self.library
    }

    pub(super) fn absent(&self, why: String) -> DeviceError {
        DeviceError::Absent { device: self.name.clone(), why }
    }

    pub(super) fn broken(&self, why: String) -> DeviceError {
        DeviceError::Broken { device: self.name.clone(), why }
    }

    /// # Safety
    /// The arguments are those of the function.
    unsafe fn call(&self, function: Function, arguments: [usize; 6]) -> Result<(), DeviceError> {
        // SAFETY: the library exports the function under a name that says its type; of the arguments the caller promises.
        let outcome = unsafe { self.library.catcher.call(self.library.address(function), arguments) };
        match outcome {
            Ok(0) => Ok(()),
            outcome => Err(self.error(function, outcome)),
        }
    }

    /// Calls with the device set in this thread.
    ///
    /// # Safety
    /// The arguments are those of the function.
    unsafe fn call_on_device(&self, function: Function, arguments: [usize; 6]) -> Result<(), DeviceError> {
        self.set_device()?;
        // SAFETY: the caller's promise.
        unsafe { self.call(function, arguments) }
    }

    fn error(&self, function: Function, outcome: Result<i32, Thrown>) -> DeviceError {
        let device = self.name.clone();
        let name = function.symbol().to_string_lossy();
        let code = match outcome {
            Ok(code) => code,
            Err(Thrown::OutOfMemory) => {
                return DeviceError::OutOfMemory { device, why: format!("{name} threw bad_alloc") };
            }
            Err(Thrown::Said(text)) => return self.broken(format!("{name} threw: {text}")),
            Err(Thrown::Unknown) => return self.broken(format!("{name} threw an exception")),
        };
        let why = format!("{name} answered {code}, {}", abi::meaning(code));
        match code {
            abi::OUT_OF_MEMORY | abi::ALLOCATION_FAILED => DeviceError::OutOfMemory { device, why },
            abi::API_NOT_IMPLEMENTED => DeviceError::Unsupported { device, what: why },
            abi::INVALID_DEVICE | abi::BACKEND_LOAD_FAILED | abi::LICENSE_CHECK_ERROR => self.absent(why),
            abi::DEALLOCATION_FAILED
            | abi::COPY_FAILED
            | abi::SYNCHRONIZATION_FAILED
            | abi::STREAM_CREATION_FAILED
            | abi::STREAM_DESTRUCTION_FAILED
            | abi::UNKNOWN_ERROR => DeviceError::Lost { device, why },
            _ => self.broken(why),
        }
    }

    pub(super) fn set_device(&self) -> Result<(), DeviceError> {
        // SAFETY: `icicle_set_device(const Device&)`.
        unsafe { self.call(Function::SetDevice, [address(&self.device), 0, 0, 0, 0, 0]) }
    }

    pub(super) fn device_count(&self) -> Result<i32, DeviceError> {
        let mut count = 0i32;
        // SAFETY: `icicle_get_device_count(int&)`.
        unsafe { self.call_on_device(Function::DeviceCount, [address_mut(&mut count), 0, 0, 0, 0, 0]) }?;
        Ok(count)
    }

    /// The types of devices that backends have registered.
    pub(super) fn registered(&self) -> Result<Vec<String>, DeviceError> {
        let mut names = [0u8; 1024];
        // SAFETY: `icicle_get_registered_devices(char*, size_t)` writes at most so many bytes.
        unsafe {
            self.call(Function::RegisteredDevices, [address_mut(&mut names), names.len(), 0, 0, 0, 0])
        }?;
        let names = CStr::from_bytes_until_nul(&names).map(CStr::to_string_lossy).unwrap_or_default();
        Ok(names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// Loads what backends there are under a directory. That it says so does not mean that any was.
    pub(super) fn load_backend(&self, directory: &Path) -> Result<(), DeviceError> {
        let path = CString::new(directory.as_os_str().as_encoded_bytes());
        let path = path.map_err(|_| DeviceError::Input("a path with a zero byte".to_owned()))?;
        // SAFETY: `icicle_load_backend(const char*, bool)`.
        unsafe { self.call(Function::LoadBackend, [path.as_ptr().expose_provenance(), 1, 0, 0, 0, 0]) }
    }

    pub(super) fn allocate(&self, bytes: usize) -> Result<usize, DeviceError> {
        let mut pointer: *mut c_void = ptr::null_mut();
        // SAFETY: `icicle_malloc(void**, size_t)`.
        unsafe { self.call_on_device(Function::Malloc, [address_mut(&mut pointer), bytes, 0, 0, 0, 0]) }?;
        if pointer.is_null() {
            return Err(self.broken("icicle_malloc answered with no memory".to_owned()));
        }
        Ok(pointer.expose_provenance())
    }

    /// Frees memory of `allocate`, its first bytes zeroed before.
    pub(super) fn release(&self, pointer: usize, zeroed: usize) -> Result<(), DeviceError> {
        self.set_device()?;
        let erased = if zeroed == 0 {
            Ok(())
        } else {
            // SAFETY: `icicle_memset(void*, int, size_t)`, on memory that only a dropped buffer knew.
            unsafe { self.call(Function::Memset, [pointer, 0, zeroed, 0, 0, 0]) }
        };
        // SAFETY: `icicle_free(void*)`, as above.
        unsafe { self.call(Function::Free, [pointer, 0, 0, 0, 0, 0]) }?;
        erased
    }

    pub(super) fn copy_to_device(&self, to: &Buffer, words: &[u64]) -> Result<(), DeviceError> {
        let bytes = self.fits(to, size_of_val(words))?;
        let from = words.as_ptr().expose_provenance();
        // SAFETY: `icicle_copy_to_device(void*, const void*, size_t)`; both sides are that long.
        unsafe { self.call_on_device(Function::CopyToDevice, [to.address(), from, bytes, 0, 0, 0]) }
    }

    pub(super) fn copy_to_host(&self, words: &mut [u64], from: &Buffer) -> Result<(), DeviceError> {
        let bytes = self.fits(from, size_of_val(words))?;
        let to = words.as_mut_ptr().expose_provenance();
        // SAFETY: `icicle_copy_to_host(void*, const void*, size_t)`; both sides are that long.
        unsafe { self.call_on_device(Function::CopyToHost, [to, from.address(), bytes, 0, 0, 0]) }
    }

    /// The sum of `count` points by scalars, both in standard form; homogeneous coordinates in standard form.
    pub(super) fn multiply<const N: usize>(
        &self,
        function: Function,
        scalars: &Buffer,
        points: &Buffer,
        count: usize,
    ) -> Result<[u64; N], DeviceError> {
        let size = self.size(count)?;
        self.fits(scalars, count * 32)?;
        // A point has two of the sum's three coordinates.
        self.fits(points, count * N * 8 / 3 * 2)?;
        let config = abi::MsmConfig {
            stream: ptr::null_mut(),
            precompute_factor: 1,
            window_bits: 0,
            scalar_bits: 0,
            batch_size: 1,
            points_shared_in_batch: true,
            scalars_on_device: true,
            scalars_montgomery: false,
            points_on_device: true,
            points_montgomery: false,
            results_on_device: false,
            is_async: false,
            extension: ptr::null_mut(),
        };
        let mut sum = [0; N];
        let arguments =
            [scalars.address(), points.address(), size, address(&config), address_mut(&mut sum), 0];
        // SAFETY: `bn254_msm(const scalar_t*, const affine_t*, int, const MSMConfig*, projective_t*)`, and the same of G2,
        // on memory of this length.
        unsafe { self.call_on_device(function, arguments) }?;
        Ok(sum)
    }

    /// Transforms 2^`log_size` elements in place, by the root of the device's domain.
    pub(super) fn transform(
        &self,
        elements: &mut Buffer,
        log_size: u32,
        coset: [u64; 4],
        direction: Direction,
    ) -> Result<(), DeviceError> {
        let size = self.size(1 << log_size)?;
        self.fits(elements, size * 32)?;
        let config = abi::NttConfig {
            stream: ptr::null_mut(),
            coset,
            batch_size: 1,
            columns_batch: false,
            ordering: 0,
            inputs_on_device: true,
            outputs_on_device: true,
            is_async: false,
            extension: ptr::null_mut(),
        };
        let direction = match direction {
            Direction::Forward => 0,
            Direction::Inverse => 1,
        };
        let arguments = [elements.address(), size, direction, address(&config), elements.address(), 0];
        // SAFETY: `bn254_ntt(const scalar_t*, int, NTTDir, const NTTConfig*, scalar_t*)`; in place is allowed.
        unsafe { self.call_on_device(Function::Ntt, arguments) }
    }

    /// Makes a domain of this root, unless there is one: then nothing happens, and it says that it succeeded.
    pub(super) fn init_domain(&self, root: &[u64; 4]) -> Result<(), DeviceError> {
        let config =
            abi::DomainConfig { stream: ptr::null_mut(), is_async: false, extension: ptr::null_mut() };
        // SAFETY: `bn254_ntt_init_domain(const scalar_t*, const NTTInitDomainConfig*)`.
        unsafe { self.call_on_device(Function::NttInitDomain, [address(root), address(&config), 0, 0, 0, 0]) }
    }

    pub(super) fn release_domain(&self) -> Result<(), DeviceError> {
        // SAFETY: `bn254_ntt_release_domain()`.
        unsafe { self.call_on_device(Function::NttReleaseDomain, [0; 6]) }
    }

    /// The root of order 2^`log_size` that the device's domain has.
    pub(super) fn root_from_domain(&self, log_size: u32) -> Result<[u64; 4], DeviceError> {
        let mut root = [0; 4];
        // SAFETY: `bn254_get_root_of_unity_from_domain(uint64_t, scalar_t*)`.
        unsafe {
            self.call_on_device(
                Function::RootFromDomain,
                [log_size as usize, address_mut(&mut root), 0, 0, 0, 0],
            )
        }?;
        Ok(root)
    }

    /// Puts `a operation b` into `a`.
    pub(super) fn combine(
        &self,
        function: Function,
        a: &mut Buffer,
        b: &Buffer,
        count: usize,
    ) -> Result<(), DeviceError> {
        self.fits(a, count * 32)?;
        self.fits(b, count * 32)?;
        let config = abi::VectorConfig {
            stream: ptr::null_mut(),
            a_on_device: true,
            b_on_device: true,
            result_on_device: true,
            is_async: false,
            batch_size: 1,
            columns_batch: false,
            extension: ptr::null_mut(),
        };
        let arguments = [a.address(), b.address(), count, address(&config), a.address(), 0];
        // SAFETY: `bn254_vector_add(const scalar_t*, const scalar_t*, uint64_t, const VecOpsConfig*, scalar_t*)` and its
        // sisters, on memory of this length; in place is allowed.
        unsafe { self.call_on_device(function, arguments) }
    }

    fn fits(&self, buffer: &Buffer, bytes: usize) -> Result<usize, DeviceError> {
        if buffer.bytes() == bytes {
            return Ok(bytes);
        }
        Err(DeviceError::Input(format!("{bytes} bytes where {} has {}", self.name, buffer.bytes())))
    }

    /// A count as ICICLE's `int`.
    fn size(&self, count: usize) -> Result<usize, DeviceError> {
        if i32::try_from(count).is_ok() {
            return Ok(count);
        }
        let what = format!("{count} elements at once: ICICLE counts to {}", i32::MAX);
        Err(DeviceError::Unsupported { device: self.name.clone(), what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::icicle::Options;

    #[test]
    #[expect(
        clippy::print_stderr,
        clippy::panic,
        reason = "says what it skips; a test that meets something else has failed"
    )]
    fn an_exception_of_the_real_library_is_an_error_with_its_text() {
        if std::env::var_os("NIGHTINGALE_TEST_ICICLE").is_none() {
            eprintln!("skipped: NIGHTINGALE_TEST_ICICLE names no device");
            return;
        }
        let Ok(library) = Library::at(&Options::default().library(), "test") else { panic!("no library") };
        let session = Session::new("test".to_owned(), "ABACUS", 0, library);
        let Err(DeviceError::Broken { why, .. }) = session.set_device() else { panic!("no exception") };
        assert!(why.contains("ABACUS"), "{why}");
    }
}
