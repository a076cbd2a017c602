//! Proving key files, whose bytes are what the prover computes with.
#![expect(clippy::panic, reason = "a property that does not hold ends the process")]

use nightingale_circuits::Fr;
use nightingale_prover::{
    device::Reference,
    groth16::{Blinding, Prover},
    keys::read_proving_key,
};
use nightingale_verifier::KeyDigest;
use std::{env, fs, ops::ControlFlow, process, sync::Arc};

/// More columns than this are read, but not proven with: the reference prover is slow.
const MOST_COLUMNS: usize = 1 << 12;

/// A proving key file without the digest at its end, which is appended, and with whatever digests its header names: so that only the
/// reader's checks stand between the bytes and the prover. If they are a key, proving with it ends, in whatever result.
pub fn proving_key(bytes: &[u8]) {
    let digest =
        |from: usize| bytes.get(from..from + 32).and_then(|digest| digest.try_into().ok()).unwrap_or([0; 32]);
    let (key, system) = (KeyDigest(digest(16)), digest(48));
    let path = env::temp_dir().join(format!("k{}.pk", process::id()));
    let file = [bytes, &blake3::hash(bytes).as_bytes()[..]].concat();
    fs::write(&path, &file).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let read = read_proving_key(&path, key, &system);
    let _ = fs::remove_file(&path);
    let Ok(read) = read else { return };
    let variables = read.system().variables();
    if variables > MOST_COLUMNS {
        return;
    }
    let _ = read.to_arkworks();
    let values: Vec<Fr> = (1u64..).take(variables).map(Fr::from).collect();
    if let Ok(prover) = Prover::new(Arc::new(read), &Reference) {
        let blinding = Blinding::fixed(Fr::from(5u64), Fr::from(6u64));
        let _ = prover.prove(&values, &blinding, &mut |_| ControlFlow::Continue(()));
    }
}
