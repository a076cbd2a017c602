//! ICICLE's C ABI as its headers say it (`icicle/{device,errors,msm,ntt,vec_ops}.h`, the same in v3.9.2 and v4.0.0).
//! Nothing in a built library tells its version: sizes are asserted here, and what a library really does is found out by
//! [`super::rehearsal`].

use std::{
    ffi::{CStr, c_void},
    mem::{offset_of, size_of},
};

/// A function of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Function {
    LoadBackend,
    RegisteredDevices,
    SetDevice,
    DeviceCount,
    Malloc,
    Free,
    Memset,
    CopyToDevice,
    CopyToHost,
    Msm,
    G2Msm,
    Ntt,
    NttInitDomain,
    NttReleaseDomain,
    RootFromDomain,
    VectorAdd,
    VectorSub,
    VectorMul,
}

impl Function {
    /// All of them, in the order of their numbers.
    pub(super) const ALL: [Self; 18] = [
        Self::LoadBackend,
        Self::RegisteredDevices,
        Self::SetDevice,
        Self::DeviceCount,
        Self::Malloc,
        Self::Free,
        Self::Memset,
        Self::CopyToDevice,
        Self::CopyToHost,
        Self::Msm,
        Self::G2Msm,
        Self::Ntt,
        Self::NttInitDomain,
        Self::NttReleaseDomain,
        Self::RootFromDomain,
        Self::VectorAdd,
        Self::VectorSub,
        Self::VectorMul,
    ];

    /// What the library exports it as.
    pub(super) const fn symbol(self) -> &'static CStr {
        match self {
            Self::LoadBackend => c"icicle_load_backend",
            Self::RegisteredDevices => c"icicle_get_registered_devices",
            Self::SetDevice => c"icicle_set_device",
            Self::DeviceCount => c"icicle_get_device_count",
            Self::Malloc => c"icicle_malloc",
            Self::Free => c"icicle_free",
            Self::Memset => c"icicle_memset",
            Self::CopyToDevice => c"icicle_copy_to_device",
            Self::CopyToHost => c"icicle_copy_to_host",
            Self::Msm => c"bn254_msm",
            Self::G2Msm => c"bn254_g2_msm",
            Self::Ntt => c"bn254_ntt",
            Self::NttInitDomain => c"bn254_ntt_init_domain",
            Self::NttReleaseDomain => c"bn254_ntt_release_domain",
            Self::RootFromDomain => c"bn254_get_root_of_unity_from_domain",
            Self::VectorAdd => c"bn254_vector_add",
            Self::VectorSub => c"bn254_vector_sub",
            Self::VectorMul => c"bn254_vector_mul",
        }
    }
}

/// What `eIcicleError` calls a number.
pub(super) const fn meaning(code: i32) -> &'static str {
    match code {
        0 => "SUCCESS",
        INVALID_DEVICE => "INVALID_DEVICE",
        OUT_OF_MEMORY => "OUT_OF_MEMORY",
        3 => "INVALID_POINTER",
        ALLOCATION_FAILED => "ALLOCATION_FAILED",
        DEALLOCATION_FAILED => "DEALLOCATION_FAILED",
        COPY_FAILED => "COPY_FAILED",
        SYNCHRONIZATION_FAILED => "SYNCHRONIZATION_FAILED",
        STREAM_CREATION_FAILED => "STREAM_CREATION_FAILED",
        STREAM_DESTRUCTION_FAILED => "STREAM_DESTRUCTION_FAILED",
        API_NOT_IMPLEMENTED => "API_NOT_IMPLEMENTED",
        11 => "INVALID_ARGUMENT",
        BACKEND_LOAD_FAILED => "BACKEND_LOAD_FAILED",
        LICENSE_CHECK_ERROR => "LICENSE_CHECK_ERROR",
        UNKNOWN_ERROR => "UNKNOWN_ERROR",
        _ => "a code that ICICLE does not have",
    }
}

pub(super) const INVALID_DEVICE: i32 = 1;
pub(super) const OUT_OF_MEMORY: i32 = 2;
pub(super) const ALLOCATION_FAILED: i32 = 4;
pub(super) const DEALLOCATION_FAILED: i32 = 5;
pub(super) const COPY_FAILED: i32 = 6;
pub(super) const SYNCHRONIZATION_FAILED: i32 = 7;
pub(super) const STREAM_CREATION_FAILED: i32 = 8;
pub(super) const STREAM_DESTRUCTION_FAILED: i32 = 9;
pub(super) const API_NOT_IMPLEMENTED: i32 = 10;
pub(super) const BACKEND_LOAD_FAILED: i32 = 12;
pub(super) const LICENSE_CHECK_ERROR: i32 = 13;
/// What backends make of most of their driver's errors.
pub(super) const UNKNOWN_ERROR: i32 = 14;

/// `icicle::Device`: a type such as `CPU`, ended by 0, and a number.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Device {
    pub(super) kind: [u8; 64],
    pub(super) id: i32,
}

/// `icicle::MSMConfig`.
#[repr(C)]
pub(super) struct MsmConfig {
    pub(super) stream: *mut c_void,
    pub(super) precompute_factor: i32,
    pub(super) window_bits: i32,
    pub(super) scalar_bits: i32,
    pub(super) batch_size: i32,
    pub(super) points_shared_in_batch: bool,
    pub(super) scalars_on_device: bool,
    pub(super) scalars_montgomery: bool,
    pub(super) points_on_device: bool,
    pub(super) points_montgomery: bool,
    pub(super) results_on_device: bool,
    pub(super) is_async: bool,
    pub(super) extension: *mut c_void,
}

/// `icicle::NTTConfig<scalar_t>`.
#[repr(C)]
pub(super) struct NttConfig {
    pub(super) stream: *mut c_void,
    pub(super) coset: [u64; 4],
    pub(super) batch_size: i32,
    pub(super) columns_batch: bool,
    /// 0 is natural order on both sides.
    pub(super) ordering: i32,
    pub(super) inputs_on_device: bool,
    pub(super) outputs_on_device: bool,
    pub(super) is_async: bool,
    pub(super) extension: *mut c_void,
}

/// `icicle::NTTInitDomainConfig`.
#[repr(C)]
pub(super) struct DomainConfig {
    pub(super) stream: *mut c_void,
    pub(super) is_async: bool,
    pub(super) extension: *mut c_void,
}

/// `icicle::VecOpsConfig`.
#[repr(C)]
pub(super) struct VectorConfig {
    pub(super) stream: *mut c_void,
    pub(super) a_on_device: bool,
    pub(super) b_on_device: bool,
    pub(super) result_on_device: bool,
    pub(super) is_async: bool,
    pub(super) batch_size: i32,
    pub(super) columns_batch: bool,
    pub(super) extension: *mut c_void,
}

const _: () = {
    assert!(size_of::<Device>() == 68);
    assert!(size_of::<MsmConfig>() == 40);
    assert!(offset_of!(MsmConfig, points_shared_in_batch) == 24 && offset_of!(MsmConfig, extension) == 32);
    assert!(size_of::<NttConfig>() == 64);
    assert!(offset_of!(NttConfig, coset) == 8 && offset_of!(NttConfig, ordering) == 48);
    assert!(offset_of!(NttConfig, is_async) == 54 && offset_of!(NttConfig, extension) == 56);
    assert!(size_of::<DomainConfig>() == 24);
    assert!(size_of::<VectorConfig>() == 32);
    assert!(offset_of!(VectorConfig, batch_size) == 12 && offset_of!(VectorConfig, extension) == 24);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_numbered_in_their_order() {
        assert!(Function::ALL.iter().enumerate().all(|(i, function)| *function as usize == i));
    }
}
