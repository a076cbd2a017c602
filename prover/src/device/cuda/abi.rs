//! `prover/gpu/nightingale_gpu.h` in Rust: its types and its functions' signatures, nothing else. What the numbers and
//! pointers mean stands there.

#![expect(unsafe_code, reason = "signatures of a foreign library")]

use std::ffi::{c_char, c_void};

/// `NG_ABI_VERSION`.
pub(super) const VERSION: u32 = 1;

/// `NG_NONE`.
pub(super) const NO_ROW: u64 = u64::MAX;

pub(super) type Code = i32;
pub(super) const OK: Code = 0;
pub(super) const INPUT: Code = 1;
pub(super) const UNSUPPORTED: Code = 2;
pub(super) const ABSENT: Code = 3;
pub(super) const OUT_OF_MEMORY: Code = 4;
pub(super) const LOST: Code = 5;

pub(super) const FORWARD: u32 = 0;
pub(super) const INVERSE: u32 = 1;

pub(super) const ADD: u32 = 0;
pub(super) const SUBTRACT: u32 = 1;
pub(super) const MULTIPLY: u32 = 2;

/// Any of the library's handles.
pub(super) type Handle = *mut c_void;

#[repr(C)]
pub(super) struct Properties {
    pub(super) name: [u8; 128],
    pub(super) memory_bytes: u64,
    pub(super) free_bytes: u64,
    pub(super) compute_major: u32,
    pub(super) compute_minor: u32,
    pub(super) processors: u32,
    pub(super) driver_version: u32,
}

#[repr(C)]
pub(super) struct Options {
    pub(super) memory_bytes: u64,
    pub(super) table_bytes: u64,
    pub(super) streams: u32,
    pub(super) reserved: u32,
}

#[repr(C)]
pub(super) struct Scalars {
    pub(super) host: *const u64,
    pub(super) resident: *const c_void,
    pub(super) count: u64,
}

#[repr(C)]
pub(super) struct Matrix {
    pub(super) starts: *const u32,
    pub(super) terms: *const u32,
    pub(super) table: *const u64,
    pub(super) rows: u32,
    pub(super) table_count: u32,
}

#[repr(C)]
pub(super) struct Query {
    pub(super) points: *const u64,
    pub(super) columns: *const u32,
    pub(super) count: u32,
}

#[repr(C)]
pub(super) struct KeyParts {
    pub(super) a: Matrix,
    pub(super) b: Matrix,
    pub(super) c: Matrix,
    pub(super) a_query: Query,
    pub(super) b_g1_query: Query,
    pub(super) b_g2_query: Query,
    pub(super) l_query: Query,
    pub(super) h_query: Query,
    pub(super) variables: u32,
    pub(super) public_inputs: u32,
    pub(super) log_size: u32,
    pub(super) reserved: u32,
    pub(super) root: [u64; 4],
    pub(super) shift: [u64; 4],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Sums {
    pub(super) a: [u64; 12],
    pub(super) b_g1: [u64; 12],
    pub(super) b_g2: [u64; 24],
    pub(super) c: [u64; 12],
    pub(super) broken_row: u64,
}

impl Sums {
    pub(super) const ZERO: Self =
        Self { a: [0; 12], b_g1: [0; 12], b_g2: [0; 24], c: [0; 12], broken_row: 0 };
}

/// Declares the struct of all functions and how each is found in a library.
macro_rules! functions {
    ($($field:ident $symbol:literal ($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions of an open library; they stay valid for as long as it is open.
        pub(super) struct Functions {
            $(pub(super) $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Functions {
            /// Looks all of them up.
            ///
            /// # Safety
            /// A library that exports these names must export functions of these signatures.
            pub(super) unsafe fn find(library: &libloading::Library) -> Result<Self, libloading::Error> {
                Ok(Self {
                    $(
                        $field: {
                            // SAFETY: by this function's contract the symbol is a function of this signature.
                            let symbol = unsafe { library.get::<unsafe extern "C" fn($($argument),*) $(-> $result)?>($symbol) };
                            *symbol?
                        },
                    )*
                })
            }
        }
    };
}

functions! {
    abi_version b"ng_abi_version\0" () -> u32;
    last_error b"ng_last_error\0" () -> *const c_char;
    device_count b"ng_device_count\0" (*mut u32) -> Code;
    device_properties b"ng_device_properties\0" (u32, *mut Properties) -> Code;
    open b"ng_open\0" (u32, *const Options, *mut Handle) -> Code;
    close b"ng_close\0" (Handle);
    memory b"ng_memory\0" (Handle, *mut u64, *mut u64) -> Code;
    bases_load b"ng_bases_load\0" (Handle, u32, *const u64, u64, *mut Handle) -> Code;
    bases_free b"ng_bases_free\0" (Handle);
    multiply b"ng_multiply\0" (Handle, *const Scalars, u64, *mut u64) -> Code;
    vector_new b"ng_vector_new\0" (Handle, *const u64, u64, *mut Handle) -> Code;
    vector_free b"ng_vector_free\0" (Handle);
    vector_read b"ng_vector_read\0" (*const c_void, *mut u64, u64) -> Code;
    vector_transform b"ng_vector_transform\0" (Handle, u32, *const u64, *const u64, u32) -> Code;
    vector_combine b"ng_vector_combine\0" (Handle, u32, *const c_void) -> Code;
    key_load b"ng_key_load\0" (Handle, *const KeyParts, *mut Handle) -> Code;
    key_free b"ng_key_free\0" (Handle);
    key_capacity b"ng_key_capacity\0" (Handle, *mut u64) -> Code;
    key_sums b"ng_key_sums\0" (Handle, *const *const u64, u64, u64, *mut Sums) -> Code;
}
