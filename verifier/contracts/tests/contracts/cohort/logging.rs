//! What the log accepts, and what it and the verifier refuse.

use super::{
    case::Sponsor,
    fixture::{self, numbers},
    generated::INSTANCES,
    world::{SPONSOR, World, answer, entry, link, refused, registration},
};
use crate::contracts::world::{DEPLOYER, STRANGER};
use alloy_primitives::{Address, Bytes, U256, b256, uint};
use alloy_sol_types::SolError;
use anyhow::{Context, Result, ensure};
use nightingale_contracts::{
    Error,
    bindings::{
        CohortAnswer,
        CohortLog::{
            AlreadyAnswered, AnswerLogged, ColumnsDiffer, ConsentNotNewest, ConsentUnconfirmed, KeyNotUsable,
            QueryNotPlanned, ThresholdDiffers,
        },
        CohortVerifier::{
            CellNotInField, LinkRejected, ProofLength, ProofRejected, ResponseNotInField, TooManyCells,
            VerifierReplaced,
        },
        Registry::{
            ConsentConfirmed, DatasetConsentsConfirmed, DatasetUnknown, NotTheNewestConsents, RoleMissing,
            confirmDatasetConsentsCall, disableCohortKeyCall, publishDatasetConsentsCall,
        },
    },
};

const R: U256 = uint!(0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001_U256);

fn changed(name: &str, change: impl FnOnce(&mut CohortAnswer)) -> Result<CohortAnswer> {
    let mut answer = answer(name)?;
    change(&mut answer);
    Ok(answer)
}

/// The trial's second consents, as they are confirmed.
fn second(world: &World) -> Result<confirmDatasetConsentsCall> {
    let table = world.fixture.tables.get("trial").context("trial")?;
    let consent = *table.consents.get(1).context("version")?;
    Ok(confirmDatasetConsentsCall { table: table.digest, version: U256::ONE, consent })
}

fn publish(world: &mut World) -> Result<()> {
    let confirmDatasetConsentsCall { table, version, consent } = second(world)?;
    world.send(SPONSOR, world.registry, &publishDatasetConsentsCall { table, version, consent })?;
    Ok(())
}

fn confirm(world: &mut World) -> Result<()> {
    let call = second(world)?;
    world.send(DEPLOYER, world.registry, &call)?;
    Ok(())
}

#[test]
fn an_answer_is_logged_once_under_each_version_of_the_consents() -> Result<()> {
    let mut world = World::new()?;
    let first = answer("main")?;
    let receipt = world.log(&first)?;
    let logged: Vec<AnswerLogged> = receipt.events().collect();
    let expected = AnswerLogged {
        table: first.table,
        query: entry("main")?.digest,
        version: U256::ZERO,
        threshold: U256::from(11),
        key: first.key,
        cells: first.cells.clone(),
    };
    ensure!(logged == [expected], "{logged:?}");
    ensure!(first.cells.len() == 4 && first.cells.iter().any(|cell| *cell > U256::ONE));
    refused::<AlreadyAnswered>(world.log(&first), "again")?;
    publish(&mut world)?;
    confirm(&mut world)?;
    refused::<ConsentNotNewest>(world.log(&first), "under older consents")?;
    world.log(&answer("newer")?)?;
    refused::<AlreadyAnswered>(world.log(&answer("newer")?), "again")
}

#[test]
fn queries_of_every_shape_are_logged() -> Result<()> {
    for (name, cells) in [("dose", 4), ("sites", 16), ("everybody", 1), ("other", 4)] {
        let mut world = World::new()?;
        let answer = answer(name)?;
        ensure!(answer.cells.len() == cells);
        world.log(&answer).with_context(|| name.to_owned())?;
    }
    Ok(())
}

#[test]
fn a_fresh_proof_is_logged() -> Result<()> {
    let mut world = World::new()?;
    let sponsor = Sponsor::new(3)?;
    let proven = fixture::main()?.prove(&sponsor)?;
    let mut given = registration("trial", &["main"])?;
    given.commitments = numbers(sponsor.commitments().as_flattened());
    given.consent = sponsor.consents().first().context("consent")?.map(U256::from_be_bytes);
    let consent = given.consent;
    world.register(given)?;
    let fresh = CohortAnswer {
        table: sponsor.digest().into(),
        consent,
        columns: <[U256; 10]>::try_from(numbers(proven.columns.as_flattened()))
            .map_err(|_| anyhow::anyhow!("five points"))?,
        cells: numbers(&proven.packed),
        link: link(&proven.link)?,
        proof: proven.proof.into(),
        ..answer("main")?
    };
    world.log(&fresh)?;
    Ok(())
}

#[test]
fn every_public_input_is_bound_by_the_generated_verifier() -> Result<()> {
    let mut world = World::new()?;
    let statement = entry("sites")?;
    let mut run = |instances: &[U256]| {
        let mut input: Vec<u8> = instances.iter().flat_map(U256::to_be_bytes::<32>).collect();
        input.extend(&statement.proof);
        world.chain.call(Address::ZERO, world.halo2, input.into())
    };
    run(&statement.instances)?;
    ensure!(statement.instances.len() == INSTANCES);
    for place in 0..INSTANCES {
        let mut instances = statement.instances.clone();
        instances[place] = (instances[place] + U256::ONE) % R;
        ensure!(matches!(run(&instances), Err(Error::Reverted(_))), "input {place} is free");
        // This is why nobody but the wrapper may call it.
        instances[place] = statement.instances[place] + R;
        run(&instances)
            .with_context(|| format!("input {place} is not reduced any more: tell the wrapper's page"))?;
    }
    Ok(())
}

#[test]
fn every_released_cell_is_bound_and_below_the_field() -> Result<()> {
    let mut world = World::new()?;
    for name in ["main", "sites"] {
        for cell in 0..answer(name)?.cells.len() {
            let what = format!("{name}, cell {cell}");
            let other = changed(name, |it| it.cells[cell] = (it.cells[cell] + U256::from(2)) % R)?;
            refused::<ProofRejected>(world.log(&other), &what)?;
            let alias = changed(name, |it| it.cells[cell] += R)?;
            refused::<CellNotInField>(world.log(&alias), &what)?;
        }
    }
    let short = changed("sites", |it| it.cells.truncate(15))?;
    refused::<ProofRejected>(world.log(&short), "a cell left out that is not 0")?;
    let long = changed("sites", |it| it.cells.push(U256::ZERO))?;
    refused::<TooManyCells>(world.log(&long), "seventeen cells")?;
    let hidden = changed("main", |it| it.cells[1] = U256::ONE)?;
    refused::<ProofRejected>(world.log(&hidden), "an unwelcome cell hidden")?;
    // Cells that the query does not have are 0; to say so is the same answer.
    world.log(&changed("main", |it| it.cells.push(U256::ZERO))?)?;
    Ok(())
}

#[test]
fn a_proof_is_taken_whole_and_unchanged() -> Result<()> {
    let mut world = World::new()?;
    let proof = answer("main")?.proof;
    for length in [0, 1, proof.len() - 32, proof.len() - 1] {
        let cut = changed("main", |it| it.proof = proof.slice(..length))?;
        refused::<ProofLength>(world.log(&cut), &format!("{length} bytes"))?;
    }
    let longer = changed("main", |it| it.proof = [proof.as_ref(), &[0; 32]].concat().into())?;
    refused::<ProofLength>(world.log(&longer), "extended")?;
    for word in 0..proof.len() / 32 {
        let mut bytes = proof.to_vec();
        bytes[32 * word + 31] ^= 1;
        let other = changed("main", |it| it.proof = Bytes::from(bytes))?;
        refused::<ProofRejected>(world.log(&other), &format!("word {word}"))?;
    }
    Ok(())
}

#[test]
fn a_link_is_of_its_own_proof() -> Result<()> {
    let mut world = World::new()?;
    for word in 0..10 {
        let other = changed("main", |it| it.link[word] ^= U256::ONE)?;
        refused::<LinkRejected>(world.log(&other), &format!("word {word}"))?;
    }
    let alias = changed("main", |it| it.link[5] += R)?;
    refused::<ResponseNotInField>(world.log(&alias), "a response and r")?;
    for name in ["newer", "raised", "other"] {
        let link = answer(name)?.link;
        let other = changed("main", |it| it.link = link)?;
        refused::<LinkRejected>(world.log(&other), name)?;
    }
    Ok(())
}

#[test]
fn a_proof_about_one_table_says_nothing_of_another() -> Result<()> {
    let mut world = World::new()?;
    let (main, other) = (answer("main")?, answer("other")?);
    let moved = changed("main", |it| it.table = other.table)?;
    refused::<ColumnsDiffer>(world.log(&moved), "the other's name")?;
    let dressed = CohortAnswer { cells: main.cells, proof: main.proof, link: main.link, ..other };
    refused::<LinkRejected>(world.log(&dressed), "the other's columns")?;
    let unknown = changed("main", |it| it.table.0[0] ^= 1)?;
    refused::<QueryNotPlanned>(world.log(&unknown), "no table")
}

#[test]
fn each_slot_holds_the_column_that_the_query_names() -> Result<()> {
    let (mut world, mut bare) = (World::new()?, World::without_log()?);
    let dose = answer("dose")?;
    for slot in 0..5 {
        let swapped = changed("main", |it| {
            // The value's column in the term's slot, and the term's in all others.
            let from = if slot == 0 { 8 } else { 0 };
            (it.columns[2 * slot], it.columns[2 * slot + 1]) = (dose.columns[from], dose.columns[from + 1]);
        })?;
        refused::<ColumnsDiffer>(world.log(&swapped), &format!("slot {slot}, log"))?;
        refused::<LinkRejected>(bare.verify(&swapped), &format!("slot {slot}, verifier"))?;
    }
    Ok(())
}

#[test]
fn slots_that_are_not_used_are_empty() -> Result<()> {
    let mut world = World::new()?;
    for name in ["smuggled noise", "smuggled value"] {
        let honest = answer(if name == "smuggled noise" { "main" } else { "everybody" })?;
        let smuggled = CohortAnswer { columns: honest.columns, ..answer(name)? };
        refused::<LinkRejected>(world.log(&smuggled), name)?;
    }
    Ok(())
}

#[test]
fn the_question_is_the_one_that_was_proven() -> Result<()> {
    let (mut world, mut bare) = (World::new()?, World::without_log()?);
    let wider = changed("main", |it| it.query[3] -= U256::ONE)?;
    refused::<QueryNotPlanned>(world.log(&wider), "another range, log")?;
    refused::<ProofRejected>(bare.verify(&wider), "another range, verifier")?;
    let column = changed("main", |it| it.query[1] += U256::ONE)?;
    refused::<LinkRejected>(bare.verify(&column), "another column, verifier")
}

#[test]
fn the_threshold_is_the_registered_and_the_proven_one() -> Result<()> {
    let (mut world, mut bare) = (World::new()?, World::without_log()?);
    for name in ["lowered", "exact", "raised"] {
        refused::<ThresholdDiffers>(world.log(&answer(name)?), name)?;
        let dressed = changed(name, |it| it.threshold = U256::from(11))?;
        refused::<ProofRejected>(world.log(&dressed), name)?;
    }
    for threshold in [0, 10, 12, 1_u64 << 32] {
        let other = changed("main", |it| it.threshold = U256::from(threshold))?;
        refused::<ThresholdDiffers>(world.log(&other), &format!("{threshold}"))?;
    }
    bare.verify(&answer("lowered")?)?;
    bare.verify(&answer("raised")?)?;
    refused::<LinkRejected>(bare.verify(&answer("exact")?), "another mode")?;
    let alias = changed("main", |it| it.threshold += R)?;
    refused::<ThresholdDiffers>(world.log(&alias), "the threshold and r")?;
    world.log(&answer("main")?)?;
    Ok(())
}

#[test]
fn consents_are_the_newest_and_the_proven_ones() -> Result<()> {
    let mut world = World::new()?;
    refused::<ConsentNotNewest>(world.log(&answer("newer")?), "not published yet")?;
    publish(&mut world)?;
    confirm(&mut world)?;
    let newer = answer("newer")?;
    let dressed = changed("main", |it| (it.version, it.consent) = (newer.version, newer.consent))?;
    refused::<LinkRejected>(world.log(&dressed), "older consents under the newer's name")?;
    world.log(&newer)?;
    Ok(())
}

#[test]
fn nothing_is_logged_under_consents_that_nobody_confirmed() -> Result<()> {
    let mut world = World::new()?;
    publish(&mut world)?;
    let (first, newer) = (answer("main")?, answer("newer")?);
    refused::<ConsentUnconfirmed>(world.log(&newer), "before they are confirmed")?;
    refused::<ConsentNotNewest>(world.log(&first), "older consents meanwhile")?;
    confirm(&mut world)?;
    world.log(&newer)?;
    Ok(())
}

#[test]
fn the_newest_consents_alone_are_confirmed_by_a_registrar() -> Result<()> {
    let mut world = World::new()?;
    let (registry, call) = (world.registry, second(&world)?);
    let with = |change: &dyn Fn(&mut confirmDatasetConsentsCall)| {
        let mut call = call.clone();
        change(&mut call);
        call
    };
    let first = world.fixture.tables.get("trial").context("trial")?.consents[0];
    let older = with(&|it| (it.version, it.consent) = (U256::ZERO, first));
    refused::<ConsentConfirmed>(world.send(DEPLOYER, registry, &older), "the first, with their table")?;
    refused::<NotTheNewestConsents>(world.send(DEPLOYER, registry, &call), "before they are published")?;
    publish(&mut world)?;
    for who in [SPONSOR, STRANGER] {
        refused::<RoleMissing>(world.send(who, registry, &call), "without the role")?;
    }
    let unknown = with(&|it| it.table.0[0] ^= 1);
    refused::<DatasetUnknown>(world.send(DEPLOYER, registry, &unknown), "no table")?;
    let point = with(&|it| it.consent = first);
    for (other, what) in [(older, "older"), (point, "another point")] {
        refused::<NotTheNewestConsents>(world.send(DEPLOYER, registry, &other), what)?;
    }
    refused::<ConsentUnconfirmed>(world.log(&answer("newer")?), "still not confirmed")?;
    let receipt = world.send(DEPLOYER, registry, &call)?;
    let told: Vec<DatasetConsentsConfirmed> = receipt.events().collect();
    ensure!(told == [DatasetConsentsConfirmed { table: call.table, version: U256::ONE, by: DEPLOYER }]);
    refused::<ConsentConfirmed>(world.send(DEPLOYER, registry, &call), "again")
}

#[test]
fn revoked_consents_that_the_sponsor_gives_back_log_nothing() -> Result<()> {
    let mut world = World::new()?;
    publish(&mut world)?;
    confirm(&mut world)?;
    // The first consents once more, as the third: proofs under them are easy to make, and no frame shows that they only revoke.
    let table = world.fixture.tables.get("trial").context("trial")?;
    let (digest, consent) = (table.digest, table.consents[0]);
    let version = U256::from(2);
    world.send(SPONSOR, world.registry, &publishDatasetConsentsCall { table: digest, version, consent })?;
    let back = changed("main", |it| it.version = version)?;
    refused::<ConsentUnconfirmed>(world.log(&back), "the first consents as the third")?;
    refused::<ConsentNotNewest>(world.log(&answer("newer")?), "the second")
}

#[test]
fn a_proof_is_for_one_chain_and_one_log() -> Result<()> {
    let mut world = World::new()?;
    for name in ["elsewhere", "abroad"] {
        refused::<LinkRejected>(world.log(&answer(name)?), name)?;
    }
    let main = answer("main")?;
    let mut bare = World::without_log()?;
    bare.verify(&main)?;
    bare.chain = bare.chain.forked(1);
    refused::<LinkRejected>(bare.verify(&main), "another chain")?;
    world.chain = world.chain.forked(1);
    // The development key stays behind too.
    refused::<KeyNotUsable>(world.log(&main), "a public chain")
}

#[test]
fn a_key_is_registered_and_not_disabled() -> Result<()> {
    let mut world = World::new()?;
    let unknown = changed("main", |it| it.key.0[0] ^= 1)?;
    refused::<KeyNotUsable>(world.log(&unknown), "unknown")?;
    let call = disableCohortKeyCall { digest: world.fixture.key };
    world.send(DEPLOYER, world.registry, &call)?;
    refused::<KeyNotUsable>(world.log(&answer("main")?), "disabled")
}

#[test]
fn a_verifier_without_code_is_none() -> Result<()> {
    let mut world = World::new()?;
    let error = world.cohort_verifier(Address::repeat_byte(0x77)).err().context("deployed")?;
    let reverted = error.downcast_ref::<Error>();
    let named =
        matches!(reverted, Some(Error::Reverted(output)) if output.starts_with(&VerifierReplaced::SELECTOR));
    ensure!(named, "{error:#}");
    let empty = b256!("0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    ensure!(world.code_hash(Address::repeat_byte(0x77))? == empty);
    Ok(())
}
