//! A consent authority's epochs on the chain: the newest root once, again only when asked, and never from a list that is older than the chain.

use super::{
    proofs::root,
    proxy::{Moment, Proxy},
    world::{World, program, said, secret},
};
use alloy_primitives::B256;
use alloy_sol_types::SolCall;
use anyhow::{Context, Result, ensure};
use nightingale_contracts::bindings::Registry::{
    consentStampCall, newestConsentRootCall, publishConsentRootCall,
};
use nightingale_poster::{How, Posted, Poster, PosterError, Terms, outbox::State};
use nightingale_verifier::{ConsentEpoch, ConsentEpochs, expectation::parse_root};
use serde_json::{Value, json};
use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

/// A list of roots with the times of their epochs.
fn epochs(list: &[(&str, u64)]) -> Result<ConsentEpochs> {
    let epochs = (1..).zip(list).map(|(number, (label, published))| {
        let root = parse_root(&root(label).to_string(), "root")?;
        Ok(ConsentEpoch { number, root, published: *published })
    });
    Ok(ConsentEpochs::new(epochs.collect::<Result<_>>()?)?)
}

/// The chain's time, after so many seconds in which nothing happens there.
fn after(world: &World, seconds: u64) -> Result<u64> {
    world.anvil.ask("evm_increaseTime", json!([seconds]))?;
    world.anvil.ask("evm_mine", json!([]))?;
    let block = world.anvil.ask("eth_getBlockByNumber", json!(["latest", false]))?;
    let time = block["timestamp"].as_str().context("no time")?;
    Ok(u64::from_str_radix(time.trim_start_matches("0x"), 16)?)
}

async fn newest(poster: &Poster, world: &World) -> Result<B256> {
    let call = newestConsentRootCall { authority: poster.address() };
    Ok(poster.node().ask(world.deployment.registry, &call).await?)
}

fn is_sent(posted: Result<Option<Posted>, PosterError>) -> Result<bool> {
    Ok(posted?.is_some_and(|posted| posted.how == How::Sent))
}

/// In the world, `consents` is the newest root.
#[tokio::test(flavor = "multi_thread")]
async fn the_newest_root_is_published_once_and_renewed_when_asked() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let poster = world.poster("operator", |terms| terms).await?;
    let (deployment, authority) = (&world.deployment, poster.address());
    let mut list = vec![("consents", after(&world, 100)?)];
    let first = poster.publish_consents(deployment, &epochs(&list)?, false).await?;
    ensure!(first.is_none(), "{first:?}");
    // Forth, back to a root that this outbox has published before, and forth again.
    for label in ["revoked", "consents", "revoked"] {
        list.push((label, after(&world, 100)?));
        ensure!(is_sent(poster.publish_consents(deployment, &epochs(&list)?, false).await)?, "{list:?}");
        ensure!(newest(&poster, &world).await? == root(label));
        ensure!(poster.publish_consents(deployment, &epochs(&list)?, false).await?.is_none());
    }
    let stamp = async || {
        let call = consentStampCall { authority, consentRoot: root("revoked") };
        poster.node().ask(deployment.registry, &call).await
    };
    let before = stamp().await?.publishedAt;
    after(&world, 86_400)?;
    ensure!(is_sent(poster.publish_consents(deployment, &epochs(&list)?, true).await)?);
    ensure!(stamp().await?.publishedAt >= before + 86_400, "its age did not start anew");
    Ok(())
}

/// A cron job that goes on with the file of an authority that has gone silent.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_older_than_the_registrys_age_renews_nothing() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let poster = world.poster("operator", |terms| terms).await?;
    let mut list = vec![("consents", after(&world, 100)?)];
    // The registry's age is 30 days.
    after(&world, 30 * 86_400 - 3_600)?;
    ensure!(is_sent(poster.publish_consents(&world.deployment, &epochs(&list)?, true).await)?);
    after(&world, 3_700)?;
    let mined = || world.anvil.mined_of(poster.address());
    let before = mined()?;
    let silent = poster.publish_consents(&world.deployment, &epochs(&list)?, true).await;
    ensure!(matches!(silent, Err(PosterError::ConsentListSilent { .. })), "{silent:?}");
    // Nor does it make another root look new.
    let other = [list[0], ("revoked", list[0].1)];
    let silent = poster.publish_consents(&world.deployment, &epochs(&other)?, false).await;
    ensure!(silent.is_err() && mined()? == before, "{silent:?}");
    // Nothing new, and the authority has said so.
    list.push(("consents", after(&world, 1)?));
    ensure!(is_sent(poster.publish_consents(&world.deployment, &epochs(&list)?, true).await)?);
    Ok(())
}

/// Signs the renewal of `consents` by this list, which does not reach the node. Gives the bytes.
async fn held_back(world: &World, list: &[(&str, u64)]) -> Result<String> {
    let proxy = Proxy::holding(world.anvil.address(), "eth_sendRawTransaction", 0, Moment::Before)?;
    let poster = world.poster_at(proxy.url(), "operator", |terms| terms).await?;
    let (deployment, list) = (world.deployment.clone(), epochs(list)?);
    let posting = tokio::spawn(async move { poster.publish_consents(&deployment, &list, true).await });
    tokio::task::block_in_place(|| proxy.reached())?;
    posting.abort();
    let _ = posting.await;
    let rows = world.watch("operator.sqlite", |_| true).await?;
    ensure!(rows.len() == 1 && rows[0].state == State::Open, "{rows:?}");
    Ok(rows[0].newest().context("nothing signed")?.raw.to_string())
}

/// What was signed long ago says nothing now, whoever has it.
#[tokio::test(flavor = "multi_thread")]
async fn a_publication_that_was_held_back_renews_nothing_once_its_time_is_over() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let mut list = vec![("consents", after(&world, 100)?)];
    let raw = held_back(&world, &list).await?;
    // A day by the later clock, and no longer than the registry's age of 30 days allows.
    let rows = world.watch("operator.sqlite", |_| true).await?;
    let until = publishConsentRootCall::abi_decode(&rows[0].data)?.notAfter;
    let here = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let (day, silent) = (here.max(list[0].1) + 86_400 + 60, list[0].1 + 30 * 86_400);
    ensure!(until <= day && until <= silent && until > list[0].1 + 3_600, "{until}");
    let now = after(&world, 31 * 86_400)?;
    world.anvil.ask("eth_sendRawTransaction", json!([raw]))?;
    world.anvil.mine(1)?;
    let poster = world.poster("operator", |terms| terms).await?;
    let call = consentStampCall { authority: poster.address(), consentRoot: root("consents") };
    let stamp = poster.node().ask(world.deployment.registry, &call).await?;
    ensure!(stamp.publishedAt < now - 86_400, "{stamp:?}");
    // It was mined and did nothing: what the authority says now is published.
    list.push(("consents", now));
    ensure!(is_sent(poster.publish_consents(&world.deployment, &epochs(&list)?, true).await)?);
    ensure!(poster.node().ask(world.deployment.registry, &call).await?.publishedAt >= now);
    Ok(())
}

/// It is sent again only where the list would have it sent now, and its nonce goes to what the authority says now.
#[tokio::test(flavor = "multi_thread")]
async fn a_publication_that_was_cut_off_is_judged_again_and_gives_its_nonce_to_the_next() -> Result<()> {
    for wanted in ["consents", "revoked"] {
        let Some(world) = World::new().await? else { return Ok(()) };
        let mut list = vec![("consents", after(&world, 100)?)];
        held_back(&world, &list).await?;
        let poster = world.poster("operator", |terms| terms).await?;
        let mined = || world.anvil.mined_of(poster.address());
        let before = mined()?;
        after(&world, 31 * 86_400)?;
        let silent = poster.publish_consents(&world.deployment, &epochs(&list)?, true).await;
        ensure!(matches!(silent, Err(PosterError::ConsentListSilent { .. })), "{silent:?}");
        ensure!(mined()? == before, "it was sent");
        list.push((wanted, after(&world, 1)?));
        ensure!(is_sent(poster.publish_consents(&world.deployment, &epochs(&list)?, true).await)?);
        ensure!(newest(&poster, &world).await? == root(wanted) && mined()? == before + 1);
        let rows = world.watch("operator.sqlite", |_| true).await?;
        ensure!(rows.len() == 1 && rows[0].state == State::Done && rows[0].attempts.len() == 2, "{rows:?}");
        ensure!(rows[0].purpose.contains(&root(wanted).to_string()), "{rows:?}");
    }
    Ok(())
}

/// After a reorganisation the chain's clock is earlier, and an older publication uses the nonce that was given to the next one.
#[tokio::test(flavor = "multi_thread")]
async fn a_publication_is_not_done_by_an_older_one_that_used_its_nonce() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let mut list = vec![("consents", after(&world, 100)?)];
    let raw = held_back(&world, &list).await?;
    let snapshot = world.anvil.ask("evm_snapshot", json!([]))?;
    list.push(("revoked", after(&world, 31 * 86_400)?));
    held_back(&world, &list).await?;
    let rows = world.watch("operator.sqlite", |_| true).await?;
    ensure!(
        rows[0].attempts.len() == 2 && rows[0].purpose.contains(&root("revoked").to_string()),
        "{rows:?}"
    );
    world.anvil.ask("evm_revert", json!([snapshot]))?;
    world.anvil.ask("eth_sendRawTransaction", json!([raw]))?;
    world.anvil.mine(1)?;
    let poster = world.poster("operator", |terms| terms).await?;
    ensure!(newest(&poster, &world).await? == root("consents"), "the older one was not mined");
    let before = world.anvil.mined_of(poster.address())?;
    ensure!(is_sent(poster.publish_consents(&world.deployment, &epochs(&list)?, false).await)?);
    ensure!(newest(&poster, &world).await? == root("revoked"), "what was revoked is still granted");
    ensure!(world.anvil.mined_of(poster.address())? == before + 1);
    let rows = world.watch("operator.sqlite", |_| true).await?;
    let states: Vec<State> = rows.iter().map(|row| row.state).collect();
    ensure!(states == [State::Failed, State::Done], "{rows:?}");
    Ok(())
}

/// What such a node is given must not renew a root in years.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_ahead_does_not_have_a_publication_signed_for_later() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    world.anvil.move_to_chain(11_155_111)?;
    let ahead = |request: &Value, answer: &mut Value| {
        if request["method"] == "eth_getBlockByNumber" && answer["result"]["timestamp"].is_string() {
            answer["result"]["timestamp"] = json!("0xffffffff");
        }
    };
    let proxy = Proxy::lying(world.anvil.address(), ahead)?;
    let poster =
        world.poster_at(proxy.url(), "operator", |terms| Terms { confirmations: 1, ..terms }).await?;
    poster.publish_consent_root(&world.deployment, root("revoked"), false).await?;
    let rows = world.watch("operator.sqlite", |_| true).await?;
    let until = publishConsentRootCall::abi_decode(&rows[0].data)?.notAfter;
    let here = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    ensure!((here..=here + 86_400).contains(&until), "{until}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_list_does_not_bring_back_a_root_that_the_chain_left() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let poster = world.poster("operator", |terms| terms).await?;
    let mut list = vec![("consents", after(&world, 100)?)];
    for label in ["granted", "consents"] {
        list.push((label, after(&world, 100)?));
        ensure!(is_sent(poster.publish_consents(&world.deployment, &epochs(&list)?, false).await)?);
    }
    // The file of the second epoch has the chain's newest root in it, as the first.
    let mined = || world.anvil.mined_of(poster.address());
    let before = mined()?;
    for renew in [false, true] {
        let older = poster.publish_consents(&world.deployment, &epochs(&list[..2])?, renew).await;
        ensure!(matches!(older, Err(PosterError::ConsentListOlder { .. })), "{older:?}");
    }
    ensure!(poster.publish_consents(&world.deployment, &epochs(&list)?, false).await?.is_none());
    ensure!(mined()? == before && newest(&poster, &world).await? == root("consents"));
    // It is granted once more.
    list.push(("granted", after(&world, 100)?));
    ensure!(is_sent(poster.publish_consents(&world.deployment, &epochs(&list)?, false).await)?);
    ensure!(newest(&poster, &world).await? == root("granted"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_list_does_not_bring_a_root_that_the_chain_never_had() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let poster = world.poster("operator", |terms| terms).await?;
    let mut list = vec![("consents", after(&world, 100)?)];
    // Granted and revoked before anybody published it: the chain hears that the list came back to the root that it has.
    list.push(("granted", after(&world, 100)?));
    list.push(("consents", after(&world, 7_200)?));
    ensure!(is_sent(poster.publish_consents(&world.deployment, &epochs(&list)?, false).await)?);
    ensure!(poster.publish_consents(&world.deployment, &epochs(&list)?, false).await?.is_none());
    let older = poster.publish_consents(&world.deployment, &epochs(&list[..2])?, false).await;
    ensure!(matches!(older, Err(PosterError::ConsentListOlder { .. })), "{older:?}");
    // The next epoch's time may be before that of the block which the one before it had to wait for.
    list.push(("revoked", list[2].1));
    ensure!(is_sent(poster.publish_consents(&world.deployment, &epochs(&list)?, false).await)?);
    Ok(())
}

/// A poster with an older list was slower than the grant and its revocation, which nobody posted meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_came_back_to_the_chains_root_is_sent_though_it_left_it_before() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let poster = world.poster("operator", |terms| terms).await?;
    let mut list = vec![("consents", after(&world, 100)?)];
    list.push(("granted", after(&world, 100)?));
    after(&world, 100)?;
    ensure!(is_sent(poster.publish_consents(&world.deployment, &epochs(&list[..1])?, true).await)?);
    list.push(("consents", after(&world, 7_200)?));
    ensure!(is_sent(poster.publish_consents(&world.deployment, &epochs(&list)?, false).await)?);
    let older = poster.publish_consents(&world.deployment, &epochs(&list[..2])?, false).await;
    ensure!(matches!(older, Err(PosterError::ConsentListOlder { .. })), "{older:?}");
    Ok(())
}

/// Nothing later would be the newer list until then.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_ends_later_than_now_is_not_believed() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let poster = world.poster("operator", |terms| terms).await?;
    // The chain's clock or the poster's, whichever is later.
    let here = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let now = after(&world, 100)?.max(here);
    let ahead = [("consents", now), ("granted", now + 86_400)];
    let refused = poster.publish_consents(&world.deployment, &epochs(&ahead)?, false).await;
    ensure!(matches!(refused, Err(PosterError::ConsentListAhead { .. })), "{refused:?}");
    let nearly = [("consents", now), ("granted", now + 200)];
    ensure!(is_sent(poster.publish_consents(&world.deployment, &epochs(&nearly)?, false).await)?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_list_and_strangers_publish_nothing() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let poster = world.poster("operator", |terms| terms).await?;
    let (now, mined) = (after(&world, 1)?, || world.anvil.mined_of(poster.address()));
    let before = mined()?;
    // It ends before what the chain has: it would bring revoked consents back.
    let older = poster.publish_consents(&world.deployment, &epochs(&[("long ago", now)])?, true).await;
    let Err(error @ PosterError::ConsentListBehind { .. }) = older else { anyhow::bail!("{older:?}") };
    ensure!(error.to_string().contains(&root("consents").to_string()) && mined()? == before, "{error}");
    let stranger = world.poster("stranger", |terms| terms).await?;
    let refused = stranger.publish_consents(&world.deployment, &epochs(&[("mine", now)])?, false).await;
    ensure!(refused.err().is_some_and(|error| error.to_string().contains("NotAuthority")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_takes_the_file_that_the_service_writes() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let now = after(&world, 1)?;
    fs::write(world.path("epochs.json"), epochs(&[("consents", now), ("c2", now)])?.to_json())?;
    fs::write(world.path("deployment.json"), serde_json::to_string(&world.deployment)?)?;
    let run = |more: &[&str]| {
        let mut command = program(world.folder.path());
        command.args(["publish-consents", "--json", "--rpc", &world.anvil.url()]);
        command.args(["--deployment", "deployment.json"]).args(more);
        said(
            &command
                .current_dir(world.folder.path())
                .env("NIGHTINGALE_POSTER_KEY", secret("operator"))
                .output()?,
        )
    };
    let (code, report, stderr) = run(&["--consents", "epochs.json"])?;
    ensure!(code == 0 && report[0]["how"] == "sent", "{code} {report} {stderr}");
    let (code, report, _) = run(&["--consents", "epochs.json"])?;
    ensure!(code == 0 && report == json!([]), "{code} {report}");
    ensure!(
        run(&[])?.0 == 2 && run(&["--root", &B256::ZERO.to_string(), "--consents", "epochs.json"])?.0 == 2
    );
    fs::write(world.path("epochs.json"), "{}")?;
    ensure!(run(&["--consents", "epochs.json"])?.0 == 2);
    // Of a publication that came to nothing there is nothing to name: the same command signs the next one.
    let hash = B256::repeat_byte(7).to_string();
    let (code, _, stderr) = run(&["--root", &root("c2").to_string(), "--again", &hash])?;
    ensure!(code == 2 && stderr.contains("leave HASH out"), "{code} {stderr}");
    Ok(())
}
