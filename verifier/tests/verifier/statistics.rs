//! Statistics against values that other programs computed (`statistics/reference.json` says which, and how).

mod bad_input;
mod cdisc;
mod distributions;
mod formulas;
mod printing;
mod reports;
mod survival;
mod trial;

use serde::Deserialize;
use std::path::Path;

/// A fixture in the tests' own types, so that no number passes through `serde_json::Value`.
fn fixture<T: for<'a> Deserialize<'a>>(name: &str) -> T {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verifier/statistics").join(name);
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// Equal to nine digits, or both as good as nothing.
#[track_caller]
fn assert_close(ours: f64, expected: f64, what: &str) {
    let scale = ours.abs().max(expected.abs());
    assert!(
        (ours - expected).abs() <= 1e-9 * scale || scale < 1e-280,
        "{what}: {ours:e}, expected {expected:e}"
    );
}

#[track_caller]
fn assert_both(ours: Option<(f64, f64)>, expected: Option<[f64; 2]>, what: &str) {
    assert_eq!(ours.is_some(), expected.is_some(), "{what}: {ours:?}, expected {expected:?}");
    if let (Some(ours), Some(expected)) = (ours, expected) {
        assert_close(ours.0, expected[0], what);
        assert_close(ours.1, expected[1], what);
    }
}
