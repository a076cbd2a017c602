//! Messages and configurations that fuzzing found and kept, given to the edge of the service again.

#[path = "../../../../verifier/fuzz/src/replay.rs"]
mod replay;
#[path = "../../../fuzz/src/service.rs"]
#[expect(unreachable_pub, reason = "public in the fuzz package")]
mod service;

use anyhow::Result;
use std::path::Path;

fn replay(test: &str, target: &str, body: fn(&[u8])) -> Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    Ok(replay::replay(&format!("corpora::{test}"), &corpus, 3, body)?)
}

#[test]
fn strangers_messages_hold_what_fuzzing_asked() -> Result<()> {
    replay("strangers_messages_hold_what_fuzzing_asked", "wire", service::wire)
}

#[test]
fn configurations_hold_what_fuzzing_asked() -> Result<()> {
    replay("configurations_hold_what_fuzzing_asked", "config", service::config)
}
