//! Calls into C++ that always come back: an exception ends here and is a value afterwards.
//!
//! ICICLE throws C++ exceptions through its C functions. Rust cannot catch them (`catch_unwind` aborts on a foreign one),
//! and a `try` in a C++ file would ask every operator for a compiler that fits. So each call goes through a few
//! instructions of our own, whose frame has a personality routine that stops every exception: what `catch (...)` compiles
//! to, without its tables. Source: Itanium C++ ABI, "Exception Handling", level I, sections 1.5 and 1.6; System V ABI for
//! x86-64, sections 3.2 and 6.2. What is thrown in a thread of the library's own cannot be caught by anybody; that ends the process.
#![expect(
    unsafe_code,
    reason = "the frame that stops exceptions is assembly, and what it stops is foreign memory"
)]

use super::library::Shared;
use std::{
    ffi::{CStr, c_char, c_int, c_void},
    mem::transmute,
    ptr,
    sync::OnceLock,
};

/// What came instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Thrown {
    /// `std::bad_alloc`.
    OutOfMemory,
    /// `std::runtime_error`, which is what ICICLE throws, with what it says.
    Said(String),
    /// Anything else.
    Unknown,
}

/// An exception that was stopped and is not yet destroyed.
struct Exception(*mut c_void);

/// Functions of the C++ library that ICICLE is linked with.
#[derive(Clone, Copy)]
struct Runtime {
    begin_catch: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    end_catch: unsafe extern "C" fn(),
    current_type: unsafe extern "C" fn() -> *const c_void,
    what: unsafe extern "C" fn(*const c_void) -> *const c_char,
    bad_alloc: *const c_void,
    runtime_error: *const c_void,
}

/// Reads and destroys exceptions.
pub(super) struct Catcher {
    libraries: Vec<Shared>,
    runtime: OnceLock<Option<Runtime>>,
}

// SAFETY: these are addresses of code and of constant data in a library that is never unloaded.
unsafe impl Send for Catcher {}
// SAFETY: as for `Send`; the functions work on the calling thread's exceptions.
unsafe impl Sync for Catcher {}

impl Catcher {
    /// For exceptions from these libraries.
    pub(super) fn new(libraries: Vec<Shared>) -> Self {
        Self { libraries, runtime: OnceLock::new() }
    }

    /// The C++ library, among what the libraries depend on or what the process has. Without it exceptions are stopped all the
    /// same, unread.
    fn runtime(&self) -> Option<Runtime> {
        let process = Shared::process();
        let find = |symbol: &CStr| {
            self.libraries.iter().chain([&process]).find_map(|library| library.address(symbol))
        };
        let runtime = || {
            let [begin, end, current] =
                [c"__cxa_begin_catch", c"__cxa_end_catch", c"__cxa_current_exception_type"].map(find);
            let what = find(c"_ZNKSt13runtime_error4whatEv")?;
            // SAFETY: the C++ ABI says that `__cxa_begin_catch` has this type.
            let begin_catch = unsafe {
                transmute::<*const c_void, unsafe extern "C" fn(*mut c_void) -> *mut c_void>(begin?)
            };
            // SAFETY: the C++ ABI says that `__cxa_end_catch` has this type.
            let end_catch = unsafe { transmute::<*const c_void, unsafe extern "C" fn()>(end?) };
            // SAFETY: the C++ ABI says that `__cxa_current_exception_type` has this type.
            let current_type =
                unsafe { transmute::<*const c_void, unsafe extern "C" fn() -> *const c_void>(current?) };
            // SAFETY: `std::runtime_error::what() const noexcept` takes `this` and returns a string.
            let what = unsafe {
                transmute::<*const c_void, unsafe extern "C" fn(*const c_void) -> *const c_char>(what)
            };
            let (bad_alloc, runtime_error) = (find(c"_ZTISt9bad_alloc")?, find(c"_ZTISt13runtime_error")?);
            Some(Runtime { begin_catch, end_catch, current_type, what, bad_alloc, runtime_error })
        };
        *self.runtime.get_or_init(runtime)
    }

    fn read(&self, exception: &Exception) -> Thrown {
        // SAFETY: every exception starts with its class, eight bytes (level I, section 1.2).
        let class = unsafe { ptr::read(exception.0.cast::<u64>()) };
        if class != CPP {
            // Nobody knows how to destroy it (Rust's own end the process when somebody tries): it is left where it is.
            return Thrown::Unknown;
        }
        let Some(runtime) = self.runtime() else {
            // SAFETY: the exception was stopped by our frame, is destroyed once, and nothing reads it afterwards.
            unsafe { unwind::_Unwind_DeleteException(exception.0) };
            return Thrown::Unknown;
        };
        // What it returns is set by C++'s personality routine only, and so means nothing here.
        // SAFETY: a C++ exception that was stopped by our frame and that nobody else has caught.
        let _ = unsafe { (runtime.begin_catch)(exception.0) };
        // SAFETY: called between the two calls of the catch.
        let thrown_type = unsafe { (runtime.current_type)() };
        let thrown = if thrown_type == runtime.bad_alloc {
            Thrown::OutOfMemory
        } else if thrown_type == runtime.runtime_error {
            // SAFETY: the object of a primary exception, as the class says it is, follows its header (level II, section 2.2.1).
            let object = unsafe { exception.0.byte_add(HEADER) };
            // SAFETY: the object is exactly a `std::runtime_error`, and lives until the catch ends.
            let text = unsafe { (runtime.what)(object) };
            if text.is_null() {
                Thrown::Unknown
            } else {
                // SAFETY: `what` returns a string that lives as long as its object.
                Thrown::Said(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
            }
        } else {
            Thrown::Unknown
        };
        // SAFETY: ends the catch that `begin_catch` began; nothing of the object is used afterwards.
        unsafe { (runtime.end_catch)() };
        thrown
    }

    /// Calls a function of at most six integers or pointers that returns an `int`.
    ///
    /// # Errors
    /// What it threw.
    ///
    /// # Safety
    /// `function` is the address of such a function, and the arguments are what it asks for.
    pub(super) unsafe fn call(&self, function: *const c_void, arguments: [usize; 6]) -> Result<i32, Thrown> {
        // SAFETY: what the caller promises is what the frame asks for.
        match unsafe { guarded(function, &arguments) } {
            // An `int` is the lower half of the register; the upper is undefined.
            Ok(answer) => Ok(answer as u32 as i32),
            Err(exception) => Err(self.read(&exception)),
        }
    }
}

/// The exception class "GNUCC++\0", of both g++ and clang on Linux.
const CPP: u64 = u64::from_be_bytes(*b"GNUCC++\0");

/// Bytes of `_Unwind_Exception`: class, destructor and two private words, aligned to 16.
const HEADER: usize = 32;

/// Whether this build has the frame. Elsewhere no library is opened, and so nothing is called.
pub(super) const HERE: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
unsafe fn guarded(function: *const c_void, arguments: &[usize; 6]) -> Result<usize, Exception> {
    unsafe extern "C" {
        fn nightingale_guarded_call(
            function: *const c_void,
            arguments: *const usize,
            result: *mut usize,
        ) -> c_int;
    }
    let mut result = 0;
    // SAFETY: the pointers are live for the call; of `function` the caller promises that these are its arguments.
    let threw = unsafe { nightingale_guarded_call(function, arguments.as_ptr(), &raw mut result) };
    if threw == 0 { Ok(result) } else { Err(Exception(ptr::with_exposed_provenance_mut(result))) }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
unsafe fn guarded(_: *const c_void, _: &[usize; 6]) -> Result<usize, Exception> {
    Ok(super::abi::API_NOT_IMPLEMENTED as usize)
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
std::arch::global_asm!(
    ".pushsection .text.nightingale_guarded_call,\"ax\",@progbits",
    ".globl nightingale_guarded_call",
    ".hidden nightingale_guarded_call",
    ".type nightingale_guarded_call,@function",
    ".p2align 4",
    "nightingale_guarded_call:",
    ".cfi_startproc",
    // Both relative to where they stand. The second holds no table but the place to land.
    ".cfi_personality 0x1b, {personality}",
    ".cfi_lsda 0x1b, .Lnightingale_guarded_landing",
    "endbr64",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "push rbx",
    ".cfi_offset rbx, -24",
    "sub rsp, 8",
    "mov rbx, rdx",
    "mov rax, rdi",
    "mov r10, rsi",
    "mov rdi, [r10]",
    "mov rsi, [r10 + 8]",
    "mov rdx, [r10 + 16]",
    "mov rcx, [r10 + 24]",
    "mov r8, [r10 + 32]",
    "mov r9, [r10 + 40]",
    "call rax",
    "mov [rbx], rax",
    "xor eax, eax",
    "jmp 2f",
    // The unwinder lands here with the exception in rax, and with rbx, rbp and rsp as they were at the call.
    ".Lnightingale_guarded_landing:",
    "endbr64",
    "mov [rbx], rax",
    "mov eax, 1",
    "2:",
    "add rsp, 8",
    "pop rbx",
    ".cfi_restore rbx",
    "pop rbp",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
    ".size nightingale_guarded_call, . - nightingale_guarded_call",
    ".popsection",
    personality = sym personality,
);

/// Stops every exception at the frame above; lets a forced unwinding (a cancelled thread) pass.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
extern "C" fn personality(
    _version: c_int,
    actions: c_int,
    _class: u64,
    exception: *mut c_void,
    context: *mut c_void,
) -> c_int {
    const SEARCH_PHASE: c_int = 1;
    const HANDLER_FRAME: c_int = 4;
    const HANDLER_FOUND: c_int = 6;
    const INSTALL_CONTEXT: c_int = 7;
    const CONTINUE_UNWIND: c_int = 8;
    const RAX: c_int = 0;
    if actions & SEARCH_PHASE != 0 {
        return HANDLER_FOUND;
    }
    if actions & HANDLER_FRAME == 0 {
        return CONTINUE_UNWIND;
    }
    // SAFETY: the context is the unwinder's, of the frame whose personality this is.
    let landing = unsafe { unwind::_Unwind_GetLanguageSpecificData(context) };
    // SAFETY: as above; the frame expects the exception in this register.
    unsafe { unwind::_Unwind_SetGR(context, RAX, exception.expose_provenance()) };
    // SAFETY: as above; this is the frame's own landing place.
    unsafe { unwind::_Unwind_SetIP(context, landing) };
    INSTALL_CONTEXT
}

/// The unwinder that Rust's standard library is linked with, too.
mod unwind {
    use std::ffi::{c_int, c_void};

    unsafe extern "C" {
        pub(super) fn _Unwind_DeleteException(exception: *mut c_void);
        pub(super) fn _Unwind_GetLanguageSpecificData(context: *mut c_void) -> usize;
        pub(super) fn _Unwind_SetGR(context: *mut c_void, register: c_int, value: usize);
        pub(super) fn _Unwind_SetIP(context: *mut c_void, address: usize);
    }
}
