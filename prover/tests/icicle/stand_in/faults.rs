//! What a test tells the library to do wrong, and what the library tells the test.

use super::{exceptions, state};
use std::{
    collections::BTreeMap,
    ffi::{CStr, c_char},
    sync::{Mutex, PoisonError},
};

/// How a call goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// As it should.
    Through,
    /// At once with this code.
    Answer(i32),
    /// With a wrong result that looks right.
    Wrong,
    /// With a result that is none.
    Garbage,
}

impl Way {
    /// The coordinates of a sum, spoilt where the test wants it: another point, or none.
    pub(crate) fn spoil(self, mut sum: Vec<u64>, coordinate: usize) -> Vec<u64> {
        match self {
            // The opposite point would be right for half of all sums; so infinity, which is (0 : 1 : 0).
            Self::Wrong => {
                sum.fill(0);
                sum[coordinate] = 1;
            }
            Self::Garbage => sum[0] ^= 1,
            Self::Through | Self::Answer(_) => {}
        }
        sum
    }
}

#[derive(Clone, Copy)]
struct Fault {
    kind: i32,
    skip: u64,
    times: u64,
}

#[derive(Default)]
struct Plan {
    faults: BTreeMap<String, Fault>,
    calls: BTreeMap<String, u64>,
}

static PLAN: Mutex<Option<Plan>> = Mutex::new(None);

/// Counts the call; throws where the test wants it.
pub(crate) fn enter(function: &str) -> Way {
    let kind = {
        let mut plan = PLAN.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = plan.get_or_insert_default();
        *plan.calls.entry(function.to_owned()).or_default() += 1;
        match plan.faults.get_mut(function) {
            Some(fault) if fault.skip > 0 => {
                fault.skip -= 1;
                None
            }
            Some(fault) if fault.times > 0 => {
                fault.times -= 1;
                Some(fault.kind)
            }
            _ => None,
        }
    };
    match kind {
        None => Way::Through,
        Some(1000) => exceptions::throw_runtime_error(c"told to"),
        Some(1001) => exceptions::throw_bad_alloc(),
        Some(1002) => exceptions::throw_int(),
        Some(1003) => std::panic::resume_unwind(Box::new("no C++ exception")),
        Some(1004) => Way::Wrong,
        Some(1005) => Way::Garbage,
        Some(code) => Way::Answer(code),
    }
}

/// From the `skip`-th call on, `times` times, this function does as `kind` says: below 1000 answers that code, 1000 throws
/// `runtime_error`, 1001 `bad_alloc`, 1002 an `int`, 1003 what is no C++ exception, 1004 answers wrongly, 1005 nonsense.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn stand_in_fault(function: *const c_char, kind: i32, skip: u64, times: u64) {
    // SAFETY: a C string of the test's.
    let function = unsafe { CStr::from_ptr(function) }.to_string_lossy().into_owned();
    let mut plan = PLAN.lock().unwrap_or_else(PoisonError::into_inner);
    plan.get_or_insert_default().faults.insert(function, Fault { kind, skip, times });
}

/// How often a function was called.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn stand_in_calls(function: *const c_char) -> u64 {
    // SAFETY: a C string of the test's.
    let function = unsafe { CStr::from_ptr(function) }.to_string_lossy().into_owned();
    let plan = PLAN.lock().unwrap_or_else(PoisonError::into_inner);
    plan.as_ref().and_then(|plan| plan.calls.get(&function).copied()).unwrap_or(0)
}

/// Whether cuInit would answer that all is well.
pub(crate) fn driver_works() -> bool {
    let plan = PLAN.lock().unwrap_or_else(PoisonError::into_inner);
    plan.as_ref().and_then(|plan| plan.faults.get("cuInit")).is_none_or(|fault| fault.times == 0)
}

/// Reads configurations as a library would that has a field of `bytes` bytes more at `offset`.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn stand_in_layout(offset: usize, bytes: usize) {
    state::get().set_layout(offset, bytes);
}

/// Allocations that are not freed yet.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn stand_in_live() -> u64 {
    state::get().live()
}

/// How often memory was freed that was not all zeros.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn stand_in_unerased() -> u64 {
    state::get().unerased()
}

/// Says "out of memory" above so many bytes in all.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn stand_in_memory(bytes: usize) {
    state::get().set_memory(bytes);
}
