//! What is not there, or not what it should be, is an error that says what to do.

use super::emulation::{Emulation, Quirk};
use nightingale_prover::device::{
    Cuda, Device, DeviceError,
    cuda::{self, Options},
};
use std::{fs, path::PathBuf, process::Command};

fn at(path: impl Into<PathBuf>) -> Options {
    Options { library: Some(path.into()), ..Options::default() }
}

fn error(options: &Options, index: u32) -> DeviceError {
    Cuda::open(index, options).err().unwrap()
}

#[test]
fn no_library_is_absent_and_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        folder.path().join("libnightingale_gpu.so"),
        folder.path().to_owned(),
        "libnightingale_gpu.so".into(),
    ] {
        let options = at(path);
        let error = error(&options, 0);
        assert!(
            matches!(&error, DeviceError::Absent { why, .. } if why.contains("prover/gpu/build")),
            "{error}"
        );
        assert!(matches!(cuda::devices(&options), Err(DeviceError::Absent { .. })));
    }
}

#[test]
fn a_file_that_is_no_library_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libnightingale_gpu.so");
    for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF\x02\x01\x01"] {
        fs::write(&path, bytes).unwrap();
        assert!(matches!(error(&at(&path), 0), DeviceError::Broken { .. }));
    }
}

#[test]
fn another_library_is_broken() {
    if Emulation::new().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, path) = (folder.path().join("other.c"), folder.path().join("libnightingale_gpu.so"));
    fs::write(&source, "unsigned ng_abi_version(void) { return 1; }\n").unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&path).arg(&source).status();
    assert!(made.unwrap().success());
    let error = error(&at(&path), 0);
    assert!(matches!(&error, DeviceError::Broken { why, .. } if why.contains("another library")), "{error}");
}

#[test]
fn another_version_is_absent_and_names_both() {
    let Some(emulation) = Emulation::new() else { return };
    emulation.set(Quirk::Version, 99);
    let error = error(&at(emulation.path()), 0);
    assert!(
        matches!(&error, DeviceError::Absent { why, .. } if why.contains("99") && why.contains('1')),
        "{error}"
    );
}

#[test]
fn no_driver_and_no_gpu_are_told_apart() {
    let Some(emulation) = Emulation::new() else { return };
    let options = at(emulation.path());
    emulation.set(Quirk::Devices, u64::from(u32::MAX));
    let no_driver = cuda::devices(&options);
    assert!(
        matches!(&no_driver, Err(DeviceError::Absent { why, .. }) if why.contains("driver")),
        "{no_driver:?}"
    );
    assert!(matches!(error(&options, 0), DeviceError::Absent { why, .. } if why.contains("driver")));
    emulation.set(Quirk::Devices, 0);
    assert_eq!(cuda::devices(&options).unwrap(), []);
    assert!(
        matches!(error(&options, 0), DeviceError::Absent { why, .. } if why.contains("device 0 among 0"))
    );
}

#[test]
fn a_number_beyond_the_gpus_is_absent() {
    let Some(emulation) = Emulation::new() else { return };
    let options = at(emulation.path());
    emulation.set(Quirk::Devices, 2);
    let found = cuda::devices(&options).unwrap();
    assert_eq!(
        found.iter().map(|found| (found.index, found.name.as_str())).collect::<Vec<_>>(),
        [(0, "emulation"), (1, "emulation")]
    );
    assert_eq!(Cuda::open(1, &options).unwrap().name(), "cuda:1");
    assert!(
        matches!(error(&options, 2), DeviceError::Absent { why, .. } if why.contains("device 2 among 2"))
    );
}

#[test]
fn options_without_meaning_are_refused() {
    let Some(emulation) = Emulation::new() else { return };
    let options = Options { streams: Some(65), ..at(emulation.path()) };
    assert!(matches!(error(&options, 0), DeviceError::Input(_)));
}
