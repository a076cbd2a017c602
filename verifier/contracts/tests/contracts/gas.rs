//! Gas, against the floor that the precompiles set and against the checked-in snapshot `gas.json`.
//!
//! Whole transactions, calldata included, on the rules of Osaka unless a name says otherwise. After a change that is meant:
//! `NIGHTINGALE_BLESS=1 cargo test --release -p nightingale-contracts gas`.

use super::{
    proofs::{LARGE, SMALL},
    single::{Bench, entry},
    world::{Claim, DEPLOYER, World, element, verdicts},
};
use anyhow::{Context, Result, ensure};
use nightingale_contracts::{bindings::Verdict, chain::Fork};
use std::{collections::BTreeMap, path::Path};

const SIZES: [usize; 4] = [1, 4, 16, 64];

/// What a call costs that only sends the words and calls the precompiles: 100 gas each, 6,000 and 150 for each input, and
/// a pairing of four.
fn floor(entry: &[u8], inputs: u64) -> u64 {
    21_000 + calldata_gas(entry) + inputs * (6_000 + 150 + 200) + 45_000 + 4 * 34_000 + 100
}

fn calldata_gas(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| if *byte == 0 { 4 } else { 16 }).sum()
}

fn verification(bench: &mut Bench, entries: Vec<u8>) -> Result<u64> {
    Ok(bench.chain.transact(DEPLOYER, Some(bench.verifier), entries.into())?.gas_used)
}

fn entries(count: usize, size: usize) -> Result<Vec<u8>> {
    let entries: Result<Vec<_>> = (0..size).map(|index| entry(count, &format!("gas {index}"))).collect();
    Ok(entries?.concat())
}

fn claims(size: usize, lines: usize) -> Result<Vec<Claim>> {
    (0..size)
        .map(|index| {
            let mut claim = Claim::new(&format!("gas {index}"))?;
            for line in 0..lines {
                claim.nullifiers[line] = element(&format!("gas {index} nullifier {line}"));
            }
            Ok(claim)
        })
        .collect()
}

/// The whole transaction that settles these, in a world where the payee has been paid before.
fn settlement(fork: Fork, claims: &[Claim]) -> Result<u64> {
    let mut world = World::on_fork(fork)?;
    world.settle(&[Claim::new("the payee's first")?])?;
    let receipt = world.settle(claims)?;
    ensure!(verdicts(&receipt)? == vec![Verdict::Payable; claims.len()]);
    Ok(receipt.gas_used)
}

/// What a second paid line adds to settling a claim, without what it adds to verifying it.
fn paid_line(fork: Fork) -> Result<u64> {
    let (one, two) = (claims(1, 1)?, claims(1, 2)?);
    let mut bench = Bench::new(SMALL)?;
    let verified = verification(&mut bench, two[0].entry()?)? - verification(&mut bench, one[0].entry()?)?;
    Ok(settlement(fork, &two)? - settlement(fork, &one)? - verified)
}

fn measure() -> Result<BTreeMap<String, u64>> {
    let mut gas = BTreeMap::new();
    for (class, inputs) in [("2_lines", SMALL), ("8_lines", LARGE)] {
        let mut bench = Bench::new(inputs)?;
        let single = entries(inputs, 1)?;
        gas.insert(format!("verify_{class}_floor"), floor(&single, inputs as u64));
        for size in SIZES {
            let used = verification(&mut bench, entries(inputs, size)?)?;
            gas.insert(format!("verify_{class}_batch_{size:02}"), used);
            gas.insert(format!("verify_{class}_batch_{size:02}_per_claim"), used / size as u64);
        }
    }
    let mut bench = Bench::new(SMALL)?;
    let (half, whole) = (entries(SMALL, 32)?, entries(SMALL, 64)?);
    let halves =
        verification(&mut bench, half.clone())? + verification(&mut bench, whole[half.len()..].to_vec())?;
    gas.insert("verify_second_group_adds".to_owned(), halves - verification(&mut bench, whole)? - 21_000);
    for size in SIZES {
        let used = settlement(Fork::Osaka, &claims(size, 1)?)?;
        gas.insert(format!("settle_2_lines_1_paid_batch_{size:02}"), used);
        gas.insert(format!("settle_2_lines_1_paid_batch_{size:02}_per_claim"), used / size as u64);
    }
    let used = settlement(Fork::Osaka, &claims(64, 2)?)?;
    gas.insert("settle_2_lines_2_paid_batch_64_per_claim".to_owned(), used / 64);
    gas.insert("settle_paid_line_storage_osaka".to_owned(), paid_line(Fork::Osaka)?);
    gas.insert("settle_paid_line_storage_amsterdam".to_owned(), paid_line(Fork::Amsterdam)?);
    gas.extend(super::cohort::measure()?);
    gas.extend(super::audit::measure()?);
    Ok(gas)
}

#[test]
fn gas_is_within_its_limits_and_as_in_the_snapshot() -> Result<()> {
    let gas = measure()?;
    let of = |name: &str| gas.get(name).copied().with_context(|| name.to_owned());
    for class in ["2_lines", "8_lines"] {
        let (floor, single) =
            (of(&format!("verify_{class}_floor"))?, of(&format!("verify_{class}_batch_01"))?);
        ensure!(single * 100 <= floor * 101, "{class}: {single} is over 1 % above {floor}");
    }
    ensure!(of("verify_2_lines_batch_64_per_claim")? <= 64_000);

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("gas.json");
    let text = serde_json::to_string_pretty(&gas)? + "\n";
    if std::env::var_os("NIGHTINGALE_BLESS").is_some() {
        std::fs::write(&file, &text)?;
    }
    let expected: BTreeMap<String, u64> = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
    for (name, used) in &gas {
        let before = expected.get(name).with_context(|| format!("{name} is not in gas.json"))?;
        ensure!(used == before, "{name}: {used}, and {before} in gas.json");
    }
    ensure!(expected.len() == gas.len(), "gas.json has entries that are measured no more");
    Ok(())
}
