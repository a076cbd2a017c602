//! Anchors of audit logs: each account for itself, each log only forwards.

use alloy_primitives::{Address, B256, keccak256};
use anyhow::{Result, ensure};
use nightingale_contracts::{
    Error, artefacts,
    bindings::{
        AuditAnchors::{Anchored, anchorCall, newestCall},
        explain,
    },
    chain::{Chain, LOCAL_CHAIN, Receipt},
};
use std::collections::BTreeMap;

const CUSTODIAN: Address = Address::repeat_byte(0xc1);
const OTHER: Address = Address::repeat_byte(0xc2);
const NOON: u64 = 1_800_000_000;

struct World {
    chain: Chain,
    anchors: Address,
    log: B256,
}

impl World {
    fn new() -> Result<Self> {
        let mut chain = Chain::new(LOCAL_CHAIN, NOON);
        let anchors = chain.deploy(OTHER, artefacts::audit_anchors()?.bytecode)?;
        Ok(Self { chain, anchors, log: keccak256("log") })
    }

    fn anchor(&mut self, from: Address, sequence: u64, head: &str) -> Result<Receipt, Error> {
        let call = anchorCall { log: self.log, sequence, head: keccak256(head) };
        self.chain.send(from, self.anchors, &call)
    }

    fn refusal(&mut self, call: &anchorCall) -> Result<String> {
        match self.chain.send(CUSTODIAN, self.anchors, call) {
            Err(Error::Reverted(output)) => Ok(explain(&output)),
            other => anyhow::bail!("{other:?}"),
        }
    }
}

#[test]
fn an_anchor_is_kept_with_its_time_and_told() -> Result<()> {
    let mut world = World::new()?;
    let receipt = world.anchor(CUSTODIAN, 7, "seven")?;
    let told: Vec<Anchored> = receipt.events().collect();
    let (log, head) = (world.log, keccak256("seven"));
    ensure!(told == [Anchored { custodian: CUSTODIAN, log, sequence: 7, head }]);
    let held = world.chain.ask(world.anchors, &newestCall { custodian: CUSTODIAN, log })?;
    ensure!((held.sequence, held.anchoredAt, held.head) == (7, NOON, head));
    world.chain.advance(60);
    world.anchor(CUSTODIAN, 9, "nine")?;
    let held = world.chain.ask(world.anchors, &newestCall { custodian: CUSTODIAN, log })?;
    ensure!((held.sequence, held.anchoredAt, held.head) == (9, NOON + 60, keccak256("nine")));
    Ok(())
}

#[test]
fn a_log_never_goes_back_and_nothing_is_anchored_twice() -> Result<()> {
    let mut world = World::new()?;
    world.anchor(CUSTODIAN, 7, "seven")?;
    for (sequence, head) in [(7, "seven"), (7, "another seven"), (6, "six"), (0, "nothing")] {
        let call = anchorCall { log: world.log, sequence, head: keccak256(head) };
        let text = world.refusal(&call)?;
        ensure!(text == "NotBeyond { newest: 7 }" || text == "NotBeyond(NotBeyond { newest: 7 })", "{text}");
    }
    world.anchor(CUSTODIAN, u64::MAX, "the last that there can be")?;
    Ok(())
}

#[test]
fn whoever_anchors_does_so_for_itself() -> Result<()> {
    let mut world = World::new()?;
    world.anchor(CUSTODIAN, 7, "seven")?;
    // A stranger neither moves the custodian's anchor nor is kept from an own one.
    world.anchor(OTHER, 1, "one")?;
    world.anchor(OTHER, 1_000, "far ahead")?;
    let held = world.chain.ask(world.anchors, &newestCall { custodian: CUSTODIAN, log: world.log })?;
    ensure!(held.sequence == 7 && held.head == keccak256("seven"));
    world.anchor(CUSTODIAN, 8, "eight")?;
    let unknown = newestCall { custodian: CUSTODIAN, log: keccak256("another log") };
    ensure!(world.chain.ask(world.anchors, &unknown)?.sequence == 0);
    Ok(())
}

#[test]
fn hashes_of_zero_are_refused() -> Result<()> {
    let mut world = World::new()?;
    let (log, head) = (world.log, keccak256("seven"));
    for call in
        [anchorCall { log: B256::ZERO, sequence: 7, head }, anchorCall { log, sequence: 7, head: B256::ZERO }]
    {
        let text = world.refusal(&call)?;
        ensure!(text.contains("HashZero"), "{text}");
    }
    Ok(())
}

/// What anchoring costs: a log's first time, and each later one.
pub(crate) fn measure() -> Result<BTreeMap<String, u64>> {
    let mut world = World::new()?;
    let first = world.anchor(CUSTODIAN, 1_000_000, "first")?.gas_used;
    let later = world.anchor(CUSTODIAN, 2_000_000, "later")?.gas_used;
    Ok([("audit_anchor_first".to_owned(), first), ("audit_anchor_later".to_owned(), later)].into())
}
