//! What is not there, and what is not what it should be, is an error that says so.

use super::{StandIn, WRONG};
use nightingale_prover::device::{DeviceError, Icicle, icicle::Options};
use std::{env, fs, process::Command};

fn absent(error: DeviceError) -> String {
    assert!(matches!(error, DeviceError::Absent { .. }), "{error:?}");
    assert!(error.ends_device() && error.elsewhere());
    error.to_string()
}

fn broken(error: DeviceError) -> String {
    assert!(matches!(error, DeviceError::Broken { .. }), "{error:?}");
    error.to_string()
}

fn refusal(stand_in: &StandIn, name: &str) -> DeviceError {
    stand_in.open(name).err().unwrap()
}

#[test]
fn opens_both_devices_of_a_whole_installation() {
    let stand_in = StandIn::new();
    for name in ["icicle:CPU:0", "icicle:CUDA:0", "icicle:CUDA:1"] {
        use nightingale_prover::Device;
        assert_eq!(stand_in.open(name).unwrap().name(), name);
    }
    assert_eq!(stand_in.calls("icicle_load_backend"), 1, "loaded once, and not for the CPU");
    assert_eq!(stand_in.live(), 0);
}

#[test]
fn a_name_that_is_none_is_a_mistake() {
    let stand_in = StandIn::new();
    for name in [
        "icicle",
        "icicle:CUDA",
        "icicle:CUDA:",
        "icicle:CUDA:x",
        "icicle:CUDA:-1",
        "icicle:CUDA:+1",
        "cuda:0",
        "icicle:CUDA:99999999999",
    ] {
        assert!(matches!(refusal(&stand_in, name), DeviceError::Input(_)), "{name}");
    }
    for name in ["icicle:METAL:0", "icicle:cuda:0", "icicle::0"] {
        assert!(matches!(refusal(&stand_in, name), DeviceError::Unsupported { .. }), "{name}");
    }
}

#[test]
fn a_library_that_is_not_there_is_absent() {
    let stand_in = StandIn::new();
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("text.so");
    fs::write(&text, "no library").unwrap();
    for library in [directory.path().join("none"), directory.path().to_owned(), text] {
        let options = Options { library: Some(library), ..stand_in.options() };
        assert!(
            absent(Icicle::open("icicle:CPU:0", &options).err().unwrap())
                .contains("NIGHTINGALE_ICICLE_LIBRARY")
        );
    }
}

#[test]
fn finds_the_three_files_of_a_real_installation() {
    let stand_in = StandIn::new();
    let directory = tempfile::tempdir().unwrap();
    for file in ["libicicle_device.so", "libicicle_field_bn254.so", "libicicle_curve_bn254.so"] {
        fs::copy(stand_in.options().library.unwrap(), directory.path().join(file)).unwrap();
    }
    let options = Options { library: Some(directory.path().to_owned()), ..stand_in.options() };
    Icicle::open("icicle:CPU:0", &options).unwrap();
}

#[test]
fn a_library_that_lacks_a_function_is_broken() {
    for function in [
        "icicle_load_backend",
        "icicle_get_registered_devices",
        "icicle_set_device",
        "icicle_get_device_count",
        "icicle_malloc",
        "icicle_free",
        "icicle_memset",
        "icicle_copy_to_device",
        "icicle_copy_to_host",
        "bn254_msm",
        "bn254_g2_msm",
        "bn254_ntt",
        "bn254_ntt_init_domain",
        "bn254_ntt_release_domain",
        "bn254_get_root_of_unity_from_domain",
        "bn254_vector_add",
        "bn254_vector_sub",
        "bn254_vector_mul",
    ] {
        let why = broken(refusal(&StandIn::without(function), "icicle:CPU:0"));
        assert!(why.contains(function), "{why}");
    }
    for function in ["cuInit", "cuDriverGetVersion", "cuDeviceGetCount"] {
        assert!(absent(refusal(&StandIn::without(function), "icicle:CUDA:0")).contains(function));
    }
}

#[test]
fn without_a_driver_the_cuda_backend_is_never_loaded() {
    // It ends the process: the stand-in does, too.
    let stand_in = StandIn::new();
    let options = Options { driver: Some("libcuda_that_is_not_there.so.1".into()), ..stand_in.options() };
    assert!(absent(Icicle::open("icicle:CUDA:0", &options).err().unwrap()).contains("no CUDA driver"));
    stand_in.fault("cuInit", 100, 0, u64::MAX);
    assert!(absent(refusal(&stand_in, "icicle:CUDA:0")).contains("error 100"));
    stand_in.open("icicle:CPU:0").unwrap();
    assert_eq!(stand_in.calls("icicle_load_backend"), 0);
    stand_in.fault("cuInit", 0, 0, 0);
    for function in ["cuDriverGetVersion", "cuDeviceGetCount"] {
        for kind in [WRONG, 3] {
            stand_in.fault(function, kind, 0, 1);
            absent(refusal(&stand_in, "icicle:CUDA:0"));
        }
    }
    stand_in.open("icicle:CUDA:0").unwrap();
}

#[test]
fn a_backend_that_is_not_there_is_absent_though_loading_it_says_success() {
    let stand_in = StandIn::new();
    let directory = tempfile::tempdir().unwrap();
    for backends in [directory.path().join("none"), directory.path().to_owned()] {
        let options = Options { backends: Some(backends), ..stand_in.options() };
        let why = absent(Icicle::open("icicle:CUDA:0", &options).err().unwrap());
        assert!(why.contains(&*directory.path().to_string_lossy()), "{why}");
    }
    stand_in.fault("icicle_get_registered_devices", WRONG, 0, 1);
    absent(refusal(&stand_in, "icicle:CPU:0"));
}

#[test]
fn a_number_that_no_device_has_is_absent() {
    let stand_in = StandIn::new();
    for name in ["icicle:CUDA:2", "icicle:CPU:1"] {
        absent(refusal(&stand_in, name));
    }
    stand_in.fault("icicle_get_device_count", WRONG, 0, 1);
    absent(refusal(&stand_in, "icicle:CPU:0"));
}

#[test]
fn a_licence_that_is_refused_is_absence_and_says_licence() {
    let stand_in = StandIn::new();
    stand_in.fault("icicle_set_device", 13, 0, 1);
    assert!(absent(refusal(&stand_in, "icicle:CUDA:0")).contains("LICENSE_CHECK_ERROR"));
}

#[test]
fn a_library_with_other_structures_is_broken() {
    // A field more at the start, in the counts, among the flags and at the end.
    for (offset, bytes) in [(0, 8), (8, 4), (12, 4), (24, 1), (25, 1), (8, 32)] {
        let stand_in = StandIn::new();
        stand_in.layout(offset, bytes);
        broken(refusal(&stand_in, "icicle:CPU:0"));
        assert_eq!(stand_in.live(), 0);
    }
}

#[test]
fn a_library_that_is_wrong_from_the_start_is_broken() {
    for function in [
        "bn254_msm",
        "bn254_g2_msm",
        "bn254_ntt",
        "bn254_vector_add",
        "bn254_vector_sub",
        "bn254_vector_mul",
        "icicle_copy_to_host",
    ] {
        let stand_in = StandIn::new();
        stand_in.fault(function, WRONG, 0, 1);
        broken(refusal(&stand_in, "icicle:CPU:0"));
        stand_in.open("icicle:CPU:0").unwrap();
    }
}

#[test]
fn finds_the_installation_by_the_environment() {
    const CHILD: &str = "NIGHTINGALE_TEST_ICICLE_CHILD";
    if env::var_os(CHILD).is_some() {
        let driver = env::var_os("NIGHTINGALE_ICICLE_LIBRARY").map(Into::into);
        Icicle::open("icicle:CUDA:0", &Options { driver, ..Options::default() }).unwrap();
        return;
    }
    let stand_in = StandIn::new();
    let options = stand_in.options();
    let run = |backends: &str| {
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "prover::icicle::opening::finds_the_installation_by_the_environment"])
            .env(CHILD, "1")
            .env("NIGHTINGALE_ICICLE_LIBRARY", options.library.as_ref().unwrap())
            .env("ICICLE_BACKEND_INSTALL_DIR", options.backends.as_ref().unwrap().join(backends))
            .output()
            .unwrap()
    };
    let right = run("");
    assert!(
        right.status.success() && String::from_utf8_lossy(&right.stdout).contains("1 passed"),
        "{right:?}"
    );
    assert!(!run("none").status.success());
}
