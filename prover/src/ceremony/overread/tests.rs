//! The arithmetic of wasmcurves, by wasmcurves itself.
#![expect(clippy::unwrap_used, reason = "a test ends where a value is not there")]
#![expect(clippy::print_stderr, reason = "a skipped check says so")]

use super::*;
use ark_ec::{AffineRepr, CurveGroup};
use std::{path::Path, process::Command};

/// Reads pairs of points in hexadecimal, takes one from the other as the setup does, and prints what it hashes.
const SCRIPT: &str = r#"
const { getCurveFromName } = require("ffjavascript");
(async () => {
    const curve = await getCurveFromName("bn128", true);
    const { exports } = curve.tm.instance;
    for (const pair of process.argv.slice(1)) {
        const bytes = Buffer.from(pair, "hex");
        const [first, second, out] = [64, 64, 96].map((length) => curve.tm.alloc(length));
        curve.tm.setBuff(first, bytes.subarray(0, 64));
        curve.tm.setBuff(second, bytes.subarray(64));
        exports.g1m_subAffine(first, second, out);
        exports.g1m_batchToAffine(out, 1, out);
        exports.g1m_batchLEMtoU(out, 1, out);
        console.log(Buffer.from(curve.tm.getBuff(out, 64)).toString("hex"));
    }
    process.exit(0);
})();
"#;

fn in_file(point: &G1Affine) -> Vec<u8> {
    [point.x, point.y].iter().flat_map(|c| c.0.0).flat_map(u64::to_le_bytes).collect()
}

#[test]
fn takes_a_point_from_whatever_lies_behind_the_powers_as_wasmcurves_does() {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/node_modules");
    if !modules.join("ffjavascript").is_dir() {
        let required = std::env::var_os("NIGHTINGALE_REQUIRE_TOOLS").is_some_and(|value| value == "1");
        assert!(!required, "ffjavascript is required and not in target/tools; run .ci/tools/install");
        eprintln!("skipped: ffjavascript is not in target/tools; run .ci/tools/install");
        return;
    }
    let g = G1Affine::generator();
    let multiple = |k: u64| (g * ark_bn254::Fr::from(k)).into_affine();
    // What lies behind 2^16 powers: the header of section 3 and the start of the generator of G2.
    let mut header = vec![3, 0, 0, 0];
    header.extend((128_u64 << 16).to_le_bytes());
    let g2 = ark_bn254::G2Affine::generator();
    header.extend([g2.x.c0, g2.x.c1].iter().flat_map(|c| c.0.0).flat_map(u64::to_le_bytes));
    header.truncate(64);
    let mut behind = vec![header, in_file(&multiple(77)), vec![0xff; 64], vec![0x80; 64]];
    // Anything at all.
    behind.extend((0..40_u8).map(|i| blake3::hash(&[i]).as_bytes().repeat(2)));
    let pairs: Vec<(Vec<u8>, G1Affine)> =
        behind.into_iter().zip(3..).map(|(bytes, k)| (bytes, multiple(k))).collect();
    let text = pairs.iter().map(|(bytes, point)| hex::encode([bytes.clone(), in_file(point)].concat()));
    let output =
        Command::new("node").args(["-e", SCRIPT]).args(text).env("NODE_PATH", &modules).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let theirs: Vec<&str> = printed.lines().collect();
    let ours: Vec<String> =
        pairs.iter().map(|(bytes, point)| hex::encode(difference(bytes, point))).collect();
    assert_eq!(theirs, ours, "{}", String::from_utf8_lossy(&output.stderr));
    // Where it is a point, it is the difference.
    let mut sum = Vec::new();
    multiple(77 - 4).hashed(&mut sum);
    assert_eq!(ours[1], hex::encode(sum));
}
