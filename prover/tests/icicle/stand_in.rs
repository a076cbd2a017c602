//! A stand-in for ICICLE, for the tests of `device::icicle`: a shared library that exports the same part of its C ABI over
//! arkworks, with ICICLE's own traps built in, and fails where a test tells it to. Written from ICICLE's headers, not from
//! the binding: its structures are its own, so that a mistake in one of the two shows.
#![expect(unsafe_code, reason = "exports a C ABI")]
#![expect(missing_docs, clippy::missing_safety_doc, reason = "ICICLE's headers document these functions")]

mod stand_in {
    pub(crate) mod arithmetic;
    pub(crate) mod exceptions;
    pub(crate) mod faults;
    pub(crate) mod state;
}

use stand_in::{
    arithmetic,
    faults::{self, Way},
    state::{self, Config, INVALID_ARGUMENT, INVALID_DEVICE, INVALID_POINTER, OUT_OF_MEMORY, SUCCESS},
};
use std::{
    ffi::{CStr, c_char, c_void},
    path::Path,
    slice,
};

/// Goes on, or answers what the test wants.
macro_rules! enter {
    ($name:literal) => {
        match faults::enter($name) {
            Way::Answer(code) => return code,
            way => way,
        }
    };
}

/// The value, or an answer with this code.
macro_rules! or {
    ($value:expr, $code:expr) => {
        match $value {
            Some(value) => value,
            None => return $code,
        }
    };
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn icicle_load_backend(path: *const c_char, _recursive: bool) -> i32 {
    enter!("icicle_load_backend");
    // SAFETY: a C string, says the header.
    let path = unsafe { CStr::from_ptr(path) }.to_string_lossy().into_owned();
    // Also for a path that is not there.
    let Ok(entries) = Path::new(&path).read_dir() else { return SUCCESS };
    let cuda = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("libicicle_backend_cuda");
    if entries.flatten().any(|entry| cuda(&entry.file_name())) {
        if !state::get().driver_works() {
            std::process::abort();
        }
        state::get().register_cuda();
    }
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn icicle_get_registered_devices(output: *mut u8, size: usize) -> i32 {
    let way = enter!("icicle_get_registered_devices");
    let names = if way == Way::Wrong { String::new() } else { state::get().registered() };
    if names.len() + 1 > size {
        return OUT_OF_MEMORY;
    }
    // SAFETY: so many bytes, says the header.
    let output = unsafe { slice::from_raw_parts_mut(output, size) };
    output[..names.len()].copy_from_slice(names.as_bytes());
    output[names.len()] = 0;
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn icicle_set_device(device: *const [u8; 68]) -> i32 {
    enter!("icicle_set_device");
    // SAFETY: a `Device`, 68 bytes.
    let device = unsafe { &*device };
    let end = device[..64].iter().position(|byte| *byte == 0).unwrap_or(63);
    let kind = String::from_utf8_lossy(&device[..end]).into_owned();
    let id = i32::from_ne_bytes([device[64], device[65], device[66], device[67]]);
    let Some(count) = state::get().count(&kind) else {
        stand_in::exceptions::throw_runtime_error(c"Device API not found for type")
    };
    if id < 0 || id >= count {
        return INVALID_DEVICE;
    }
    state::activate(kind, id);
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn icicle_get_device_count(count: *mut i32) -> i32 {
    let way = enter!("icicle_get_device_count");
    let devices = state::active().and_then(|(kind, _)| state::get().count(&kind));
    // SAFETY: an integer of the caller's.
    unsafe { *count = if way == Way::Wrong { 0 } else { or!(devices, INVALID_DEVICE) } };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn icicle_malloc(pointer: *mut *mut c_void, size: usize) -> i32 {
    let way = enter!("icicle_malloc");
    let address = if way == Way::Wrong { 0 } else { or!(state::get().allocate(size), OUT_OF_MEMORY) };
    // SAFETY: a pointer of the caller's.
    unsafe { *pointer = std::ptr::with_exposed_provenance_mut(address) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn icicle_free(pointer: *mut c_void) -> i32 {
    enter!("icicle_free");
    if state::get().free(pointer.expose_provenance()) { SUCCESS } else { INVALID_DEVICE }
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn icicle_memset(pointer: *mut c_void, value: i32, size: usize) -> i32 {
    enter!("icicle_memset");
    // SAFETY: no other call works on this memory, which is the caller's to see to.
    let bytes = or!(unsafe { state::get().on_device(pointer.expose_provenance(), size) }, INVALID_POINTER);
    bytes.fill(value as u8);
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn icicle_copy_to_device(to: *mut c_void, from: *const u8, size: usize) -> i32 {
    let way = enter!("icicle_copy_to_device");
    // SAFETY: no other call works on this memory.
    let to = or!(unsafe { state::get().on_device(to.expose_provenance(), size) }, INVALID_POINTER);
    // SAFETY: so many bytes of the caller's.
    to.copy_from_slice(unsafe { slice::from_raw_parts(from, size) });
    if way == Way::Wrong {
        to[0] ^= 1;
    }
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn icicle_copy_to_host(to: *mut u8, from: *const c_void, size: usize) -> i32 {
    let way = enter!("icicle_copy_to_host");
    // SAFETY: no other call works on this memory.
    let from = or!(unsafe { state::get().on_device(from.expose_provenance(), size) }, INVALID_POINTER);
    // SAFETY: so many bytes of the caller's.
    let to = unsafe { slice::from_raw_parts_mut(to, size) };
    to.copy_from_slice(from);
    match way {
        Way::Wrong => to[0] ^= 1,
        Way::Garbage => to.fill(0xff),
        _ => {}
    }
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn bn254_msm(
    scalars: *const u8,
    points: *const u8,
    size: i32,
    config: *const [u8; 40],
    results: *mut [u64; 12],
) -> i32 {
    let way = enter!("bn254_msm");
    // SAFETY: an `MSMConfig`, 40 bytes.
    let config = Config::of(unsafe { &*config });
    // SAFETY: what the configuration says of where they are is checked against what was allocated.
    let sum = unsafe { arithmetic::sum::<ark_bn254::g1::Config>(scalars, points, size, &config) };
    // SAFETY: a result of the caller's, on the host, as checked.
    unsafe { (*results).copy_from_slice(&way.spoil(or!(sum, INVALID_ARGUMENT), 4)) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn bn254_g2_msm(
    scalars: *const u8,
    points: *const u8,
    size: i32,
    config: *const [u8; 40],
    results: *mut [u64; 24],
) -> i32 {
    let way = enter!("bn254_g2_msm");
    // SAFETY: an `MSMConfig`, 40 bytes.
    let config = Config::of(unsafe { &*config });
    // SAFETY: as for G1.
    let sum = unsafe { arithmetic::sum::<ark_bn254::g2::Config>(scalars, points, size, &config) };
    // SAFETY: a result of the caller's, on the host, as checked.
    unsafe { (*results).copy_from_slice(&way.spoil(or!(sum, INVALID_ARGUMENT), 8)) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn bn254_ntt(
    input: *const u8,
    size: i32,
    direction: i32,
    config: *const [u8; 64],
    output: *mut u8,
) -> i32 {
    let way = enter!("bn254_ntt");
    // SAFETY: an `NTTConfig<scalar_t>`, 64 bytes.
    let config = Config::of(unsafe { &*config });
    // SAFETY: what the configuration says of where they are is checked against what was allocated.
    let mut values = or!(unsafe { arithmetic::transform(input, size, direction, &config) }, INVALID_ARGUMENT);
    if way != Way::Through {
        values[0] += ark_bn254::Fr::from(1u8);
    }
    // SAFETY: as for the input.
    unsafe { or!(arithmetic::write(output, &values), INVALID_POINTER) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn bn254_ntt_init_domain(
    root: *const [u64; 4],
    _config: *const [u8; 24],
) -> i32 {
    let way = enter!("bn254_ntt_init_domain");
    // SAFETY: an element of the caller's.
    let root = or!(arithmetic::element(unsafe { &*root }), INVALID_ARGUMENT);
    let device = or!(state::active(), INVALID_DEVICE);
    let root = if way == Way::Wrong { root * root * root } else { root };
    // A second one is ignored.
    state::get().domains().entry(device).or_insert(root);
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn bn254_ntt_release_domain() -> i32 {
    let way = enter!("bn254_ntt_release_domain");
    let device = or!(state::active(), INVALID_DEVICE);
    if way == Way::Through {
        state::get().domains().remove(&device);
    }
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn bn254_get_root_of_unity_from_domain(
    log_size: u64,
    root: *mut [u64; 4],
) -> i32 {
    enter!("bn254_get_root_of_unity_from_domain");
    // SAFETY: an element of the caller's.
    unsafe { *root = arithmetic::words(arithmetic::root_of(log_size as u32)) };
    SUCCESS
}

/// The three operations on vectors, under their names.
macro_rules! vector_operation {
    ($name:ident, $symbol:literal, $operation:expr) => {
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(
            a: *const u8,
            b: *const u8,
            size: u64,
            config: *const [u8; 32],
            output: *mut u8,
        ) -> i32 {
            let way = enter!($symbol);
            // SAFETY: a `VecOpsConfig`, 32 bytes.
            let config = Config::of(unsafe { &*config });
            // SAFETY: what the configuration says of where they are is checked against what was allocated.
            let values = unsafe { arithmetic::combine(a, b, size, &config, $operation) };
            let mut values = or!(values, INVALID_ARGUMENT);
            if way != Way::Through {
                values[0] += ark_bn254::Fr::from(1u8);
            }
            // SAFETY: as for the input.
            unsafe { or!(arithmetic::write(output, &values), INVALID_POINTER) };
            SUCCESS
        }
    };
}

vector_operation!(bn254_vector_add, "bn254_vector_add", |a, b| a + b);
vector_operation!(bn254_vector_sub, "bn254_vector_sub", |a, b| a - b);
vector_operation!(bn254_vector_mul, "bn254_vector_mul", |a, b| a * b);

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn cuInit(_flags: u32) -> i32 {
    enter!("cuInit");
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn cuDriverGetVersion(version: *mut i32) -> i32 {
    let way = enter!("cuDriverGetVersion");
    // SAFETY: an integer of the caller's.
    unsafe { *version = if way == Way::Wrong { 11_080 } else { 12_080 } };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn cuDeviceGetCount(count: *mut i32) -> i32 {
    let way = enter!("cuDeviceGetCount");
    // SAFETY: an integer of the caller's.
    unsafe { *count = if way == Way::Wrong { 0 } else { 2 } };
    SUCCESS
}
