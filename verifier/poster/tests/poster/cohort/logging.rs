//! An answer is logged once, and the log says what was proven.

use super::{
    super::{proxy::Proxy, world::account},
    fixture::{proof, statement, table_of, trial},
    world::{World, log_with, refusal},
};
use alloy_primitives::{Bytes, U256};
use alloy_sol_types::{SolCall, SolEvent};
use anyhow::{Context, Result, ensure};
use nightingale_contracts::bindings::CohortLog::{AnswerLogged, logCall};
use nightingale_poster::{
    How, Mined,
    cohort::{Logging, Outcome, Refusal},
    report::LogReport,
};
use serde_json::json;

/// Where this outbox logged the answers.
fn logged(logging: &Logging) -> Result<Vec<(Mined, How)>> {
    let entries = logging.entries.iter().map(|entry| match entry.outcome {
        Outcome::Logged { mined, how } => Ok((mined, how)),
        ref other => anyhow::bail!("{other:?}"),
    });
    entries.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_logged_and_read_back_as_it_was_proven() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    let logging = world.logs("stranger", &dataset, &["main"]).await?;
    let [(mined, How::Sent)] = logged(&logging)?[..] else { anyhow::bail!("{logging:?}") };
    let kept = statement("main")?;
    ensure!(logging.entries[0].query == kept.digest && logging.entries[0].table == table_of("main")?);
    let events = world.logged(kept.digest)?;
    ensure!(events.len() == 1 && events[0]["transactionHash"] == mined.transaction.to_string());
    let data: Bytes = serde_json::from_value(events[0]["data"].clone())?;
    let (version, threshold, _, cells) = AnswerLogged::abi_decode_data(&data)?;
    ensure!(version.is_zero() && threshold == U256::from(11) && cells == kept.packed);
    // `gas.json` of the contracts has 632,503 for it.
    ensure!((600_000..660_000).contains(&mined.gas_used), "{mined:?}");
    let report = serde_json::to_value(LogReport::from(&logging))?;
    ensure!(report["gas_used"] == mined.gas_used && report["entries"][0]["logged"] == true, "{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_answer_again_sends_nothing() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    let first = logged(&world.logs("stranger", &dataset, &["main"]).await?)?;
    let again = logged(&world.logs("stranger", &dataset, &["main", "main"]).await?)?;
    ensure!(again == [(first[0].0, How::AlreadyDone); 2], "{again:?}");
    ensure!(world.anvil.mined_of(account("stranger")?.address())? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_answers_go_in_a_transaction_each_and_one_that_is_given_twice_in_one() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    let names = ["main", "sites", "main", "everybody", "exact"];
    let logging = world.logs("stranger", &dataset, &names).await?;
    ensure!(!logging.all_logged());
    let last = logging.entries.last().context("no entries")?;
    ensure!(matches!(last.outcome, Outcome::Refused(Refusal::NotForContracts(_))), "{last:?}");
    let first = Logging { entries: logging.entries[..4].to_vec(), ..logging.clone() };
    let all = logged(&first)?;
    ensure!(all.iter().all(|(_, how)| *how == How::Sent) && all[0] == all[2], "{all:?}");
    ensure!(world.anvil.mined_of(account("stranger")?.address())? == 3);
    for name in ["main", "sites", "everybody"] {
        ensure!(world.answered(statement(name)?.digest).await? == U256::ONE, "{name}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_without_the_answers_event_is_named_and_not_repeated() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    let proxy = Proxy::lying(world.anvil.address(), |request, answer| {
        if request["method"] == "eth_getTransactionReceipt" && !answer["result"].is_null() {
            answer["result"]["logs"] = json!([]);
        }
    })?;
    let poster = world.poster_at(proxy.url(), "stranger").await?;
    let proofs = [proof(&dataset, "main")?];
    for _ in 0..2 {
        let found = refusal(&log_with(&poster, &world.deployment, &dataset, &proofs).await?)?;
        ensure!(matches!(found, Refusal::Unexpected { .. }), "{found:?}");
    }
    ensure!(world.anvil.mined_of(poster.address())? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_contracts_refuse_though_it_verifies_here_is_named_and_not_sent() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    let verifier = world.deployment.cohort.as_ref().context("no cohort")?.verifier;
    // PUSH4 LinkRejected(), PUSH0, MSTORE; PUSH1 4, PUSH1 28, REVERT.
    let rejected = &alloy_primitives::keccak256("LinkRejected()")[..4];
    let code = Bytes::from([&[0x63], rejected, &[0x5f, 0x52, 0x60, 4, 0x60, 28, 0xfd]].concat());
    world.anvil.ask("anvil_setCode", json!([verifier, code]))?;
    let Refusal::RefusedOnChain(words) = world.refuses(&dataset, "main").await? else {
        anyhow::bail!("another reason")
    };
    ensure!(words.contains("LinkRejected"), "{words}");
    Ok(())
}

#[test]
fn an_answers_calldata_is_the_logs() -> Result<()> {
    // What the tests send and read is what the contract is called with, by its published signature.
    let answer =
        "(bytes32,bytes32,uint256[],uint256,uint256,uint256[2],uint256[10],uint256[],bytes,uint256[10])";
    let selector = &alloy_primitives::keccak256(format!("log({answer})"))[..4];
    ensure!(logCall::SELECTOR == selector);
    Ok(())
}
