//! Whether a CUDA driver answers. ICICLE's CUDA backend ends the process when it is loaded without one, so it is asked first.
#![expect(unsafe_code, reason = "calls the driver's library")]

use super::{super::DeviceError, library::Shared};
use std::{
    ffi::{CStr, c_void},
    mem::transmute,
    path::Path,
};

/// What ICICLE's CUDA backends of v3.9 and v4.0 are built for: CUDA 12, as `cuDriverGetVersion` counts.
const OLDEST: i32 = 12_000;

/// Asks the driver for its version and for a device of this number.
///
/// # Errors
/// [`DeviceError::Absent`].
pub(super) fn probe(driver: &Path, id: i32, device: &str) -> Result<(), DeviceError> {
    let absent = |why: String| DeviceError::Absent { device: device.to_owned(), why };
    let library = Shared::open(driver).map_err(|e| absent(format!("no CUDA driver: {e}")))?;
    let find = |symbol: &CStr| {
        let missing = || {
            absent(format!("{} is no CUDA driver: it has no {}", driver.display(), symbol.to_string_lossy()))
        };
        library.address(symbol).ok_or_else(missing)
    };
    // SAFETY: the CUDA driver API says that `cuInit` has this type.
    let init = unsafe { transmute::<*const c_void, unsafe extern "C" fn(u32) -> i32>(find(c"cuInit")?) };
    // SAFETY: the CUDA driver API says that `cuDriverGetVersion` has this type.
    let version = unsafe {
        transmute::<*const c_void, unsafe extern "C" fn(*mut i32) -> i32>(find(c"cuDriverGetVersion")?)
    };
    // SAFETY: the CUDA driver API says that `cuDeviceGetCount` has this type.
    let count = unsafe {
        transmute::<*const c_void, unsafe extern "C" fn(*mut i32) -> i32>(find(c"cuDeviceGetCount")?)
    };
    let answered = |what: &str, code: i32| {
        if code == 0 {
            Ok(())
        } else {
            Err(absent(format!("the CUDA driver answers {what} with error {code}")))
        }
    };
    // SAFETY: 0 is the only flag there is.
    answered("cuInit", unsafe { init(0) })?;
    let mut found = 0;
    // SAFETY: the pointer is to a live integer.
    answered("cuDriverGetVersion", unsafe { version(&raw mut found) })?;
    if found < OLDEST {
        return Err(absent(format!("the CUDA driver is of version {found}; ICICLE asks for {OLDEST}")));
    }
    let mut devices = 0;
    // SAFETY: the pointer is to a live integer.
    answered("cuDeviceGetCount", unsafe { count(&raw mut devices) })?;
    if id >= devices {
        return Err(absent(format!("the CUDA driver sees {devices} devices")));
    }
    Ok(())
}
