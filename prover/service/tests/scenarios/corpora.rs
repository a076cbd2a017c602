//! Messages and configurations that fuzzing found and kept, given to the edge of the service again.

#[path = "../../../../verifier/fuzz/src/replay.rs"]
mod replay;
#[path = "../../../fuzz/src/service.rs"]
#[expect(unreachable_pub, reason = "public in the fuzz package")]
mod service;

use anyhow::{Context, Result};
use nightingale::identity::{Caller, edge};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

fn replay(test: &str, target: &str, body: fn(&[u8])) -> Result<()> {
    Ok(replay::replay(&format!("corpora::{test}"), &corpus(target), 3, body)?)
}

#[test]
fn strangers_messages_hold_what_fuzzing_asked() -> Result<()> {
    replay("strangers_messages_hold_what_fuzzing_asked", "wire", service::wire)
}

#[test]
fn what_callers_show_holds_what_fuzzing_asked() -> Result<()> {
    replay("what_callers_show_holds_what_fuzzing_asked", "credentials", service::credentials)
}

/// Fuzzing begins at what is read.
#[test]
fn the_seeds_of_what_callers_show_are_read() -> Result<()> {
    let seed = |name: &str| -> Result<Vec<u8>> {
        Ok(fs::read(corpus("credentials").join(name))?.get(1..).context("an empty seed")?.to_vec())
    };
    let named = |caller: Option<Caller>| caller.map(|caller| caller.subject).unwrap_or_default();
    assert_eq!(named(edge::claims(&service::oidc(), &seed("claims")?)), "front");
    assert_eq!(named(edge::claims(&service::oidc(), &seed("claims_of_all_tenants")?)), "watch");
    assert_eq!(named(edge::claims(&service::oidc(), &seed("claims_twice")?)), "");
    assert_eq!(named(edge::certificate(&seed("certificate")?)), "north/front");
    let mut keys = edge::key_set(&seed("keys")?).context("no key set")?;
    keys.sort();
    assert_eq!(keys, ["a", "b"]);
    assert!(edge::discovery(&seed("discovery")?, &service::oidc().issuer).is_some());
    Ok(())
}

#[test]
fn configurations_hold_what_fuzzing_asked() -> Result<()> {
    replay("configurations_hold_what_fuzzing_asked", "config", service::config)
}
