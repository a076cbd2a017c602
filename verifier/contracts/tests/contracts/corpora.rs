//! Calldata that fuzzing found and kept: decoded by Rust, and given to the verifier contract.

#[path = "../../../fuzz/src/chain.rs"]
#[expect(unreachable_pub, reason = "public in the fuzz package")]
mod chain;
#[path = "../../../fuzz/src/replay.rs"]
mod replay;

use anyhow::Result;
use std::path::Path;

#[test]
fn strangers_calldata_holds_what_fuzzing_asked() -> Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/calldata");
    let test = "contracts::corpora::strangers_calldata_holds_what_fuzzing_asked";
    Ok(replay::replay(test, &corpus, 3, chain::calldata)?)
}
