//! Real C++ exceptions without a C++ compiler: thrown by the system's C++ library, as compiled code throws them.

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use std::{
    ffi::{CStr, c_char, c_void},
    process::abort,
    sync::OnceLock,
};

/// The C++ library, opened once.
fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        // SAFETY: the system's own library, never unloaded.
        unsafe { Library::open(Some("libstdc++.so.6"), RTLD_NOW | RTLD_GLOBAL) }.unwrap_or_else(|_| abort())
    })
}

/// Whether the system has a C++ library.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn stand_in_can_throw() -> bool {
    // SAFETY: the system's own library.
    unsafe { Library::open(Some("libstdc++.so.6"), RTLD_NOW | RTLD_GLOBAL) }.is_ok()
}

fn symbol<T: Copy>(name: &CStr) -> T {
    // SAFETY: the types are those of the C++ ABI.
    *unsafe { library().get::<T>(name) }.unwrap_or_else(|_| abort())
}

/// An object and its type, thrown.
fn throw(object: *mut c_void, type_info: &CStr, destructor: Option<&CStr>) -> ! {
    type Throw = unsafe extern "C-unwind" fn(*mut c_void, *const c_void, *const c_void) -> !;
    let destructor = destructor.map_or(std::ptr::null(), symbol);
    // SAFETY: an allocated exception whose object was made, its type, and what destroys it.
    unsafe { symbol::<Throw>(c"__cxa_throw")(object, symbol(type_info), destructor) }
}

fn allocate(bytes: usize) -> *mut c_void {
    // SAFETY: `void* __cxa_allocate_exception(size_t)`.
    unsafe { symbol::<unsafe extern "C" fn(usize) -> *mut c_void>(c"__cxa_allocate_exception")(bytes) }
}

pub(crate) fn throw_runtime_error(text: &CStr) -> ! {
    type Construct = unsafe extern "C" fn(*mut c_void, *const c_char);
    let object = allocate(16);
    // SAFETY: `std::runtime_error::runtime_error(const char*)` on 16 bytes, the size of one.
    unsafe { symbol::<Construct>(c"_ZNSt13runtime_errorC1EPKc")(object, text.as_ptr()) };
    throw(object, c"_ZTISt13runtime_error", Some(c"_ZNSt13runtime_errorD1Ev"))
}

pub(crate) fn throw_bad_alloc() -> ! {
    let object = allocate(8);
    let table: *const u8 = symbol(c"_ZTVSt9bad_alloc");
    // SAFETY: an object of this class is a pointer to behind the first two words of its table.
    unsafe { object.cast::<*const u8>().write(table.add(16)) };
    throw(object, c"_ZTISt9bad_alloc", Some(c"_ZNSt9bad_allocD1Ev"))
}

pub(crate) fn throw_int() -> ! {
    let object = allocate(4);
    // SAFETY: four bytes were allocated.
    unsafe { object.cast::<i32>().write(7) };
    throw(object, c"_ZTIi", None)
}
