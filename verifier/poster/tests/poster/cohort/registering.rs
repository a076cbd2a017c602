//! A dataset is verified before it is registered; each table once, with the queries that can be logged.

use super::{
    super::{
        proxy::Proxy,
        world::{account, said},
    },
    fixture::{dataset, dataset_from, statement, trial},
    world::World,
};
use anyhow::{Context, Result, ensure};
use nightingale_circuits::cohort::Size;
use nightingale_poster::{
    PosterError,
    cohort::{Registering, read_dataset},
};
use nightingale_verifier::cohort::{CohortKeys, Dataset, keys::DEVELOPMENT};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// A dataset whose registration was proven and signed: `adsl` with a narrow query and a wide one, `adae` with a wide one.
fn registered() -> Result<Dataset> {
    Ok(read_dataset(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cohort"))?)
}

impl World {
    fn register(&self, who: &str, sponsor: &str, arguments: &[&str]) -> Result<(i32, Value, String)> {
        let mut command = self.command(who, "register-dataset", &self.anvil.url());
        command.args(["--sponsor", &account(sponsor)?.address().to_string()]).args(arguments);
        said(&command.output()?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_dataset_is_registered_once_and_what_is_left_out_is_named() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    world.write(&registered()?, &[])?;
    let (code, report, stderr) = world.register("operator", "sponsor", &[])?;
    ensure!(code == 0 && stderr.is_empty(), "{stderr}");
    let (adsl, adae) = (&report[0], &report[1]);
    ensure!(adsl["name"] == "adsl" && adsl["registered"] == true && adsl["how"] == "sent", "{report}");
    ensure!(adsl["planned"].as_array().is_some_and(|all| all.len() == 1));
    let left_out = adsl["left_out"].as_array().context("no list")?;
    ensure!(left_out.len() == 1 && left_out[0]["detail"].as_str().is_some_and(|why| why.contains("narrow")));
    ensure!(adae["registered"] == false && adae["transaction"].is_null(), "{report}");
    ensure!(adae["detail"].as_str().is_some_and(|why| why.contains("nothing to log on-chain")), "{report}");
    let sent = world.anvil.mined_of(account("operator")?.address())?;

    let (_, again, _) = world.register("operator", "sponsor", &[])?;
    ensure!(again[0]["how"] == "already_done" && again[0]["transaction"] == adsl["transaction"], "{again}");
    // Anybody is told that it is registered, by whom it was, and sends nothing.
    let (code, seen, stderr) = world.register("stranger", "sponsor", &["--table", "adsl"])?;
    ensure!(code == 0 && seen[0]["how"] == "elsewhere", "{stderr}");
    ensure!(
        seen[0]["transaction"] == adsl["transaction"] && seen.as_array().is_some_and(|all| all.len() == 1)
    );
    let (code, only, _) = world.register("operator", "sponsor", &["--table", "adae"])?;
    ensure!(code == 1 && only[0]["registered"] == false, "{only}");
    ensure!(world.anvil.mined_of(account("operator")?.address())? == sent);
    ensure!(world.anvil.mined_of(account("stranger")?.address())? == 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_without_a_signature_is_not_registered() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (whole, sponsor) = (dataset("trial", 1, &["main"])?, account("sponsor")?.address());
    let plan = whole.plan().iter().map(|planned| (planned.table.clone(), planned.query.clone())).collect();
    let unsigned = Dataset::new(whole.tables().to_vec(), plan, whole.modes().to_vec())?;
    let operator = world.poster("operator", |terms| terms).await?;
    let sent = world.anvil.mined_of(operator.address())?;
    let refused = operator.register_dataset(&world.deployment, &unsigned, None, sponsor).await.err();
    ensure!(refused.as_ref().is_some_and(|error| error.to_string().contains("signature")), "{refused:?}");
    ensure!(world.anvil.mined_of(operator.address())? == sent);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_verify_or_is_not_the_sponsors_is_not_sent() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let operator = account("operator")?.address();
    let sent = world.anvil.mined_of(operator)?;
    world.write(&registered()?, &[])?;
    let (code, _, stderr) = world.register("operator", "rival", &[])?;
    ensure!(code == 1 && stderr.contains("sponsor is 0x") && stderr.contains("nothing was sent"), "{stderr}");
    // Under keys that are not those of the setup whose digest was published.
    for (name, bytes) in DEVELOPMENT {
        fs::write(world.path(name), bytes)?;
    }
    let here = world.path("").display().to_string();
    let digest = CohortKeys::directory(&here).setup_digest(Size::Medium)?.to_string();
    let (code, _, stderr) =
        world.register("operator", "sponsor", &["--keys", &here, "--setup-digest", &digest])?;
    ensure!(code == 1 && stderr.contains("which was not asked for"), "{stderr}");
    let mut forged = registered()?;
    let proof = forged.tables_mut()[0].proofs.first_mut().context("no proofs")?;
    *proof.proof.last_mut().context("empty")? ^= 1;
    world.write(&forged, &[])?;
    let (code, _, stderr) = world.register("operator", "sponsor", &[])?;
    ensure!(code == 1 && stderr.contains("registration of adsl"), "{stderr}");
    let mut unsigned = registered()?;
    unsigned.tables_mut()[0].consents[0].signature = None;
    world.write(&unsigned, &[])?;
    let (code, _, stderr) = world.register("operator", "sponsor", &[])?;
    ensure!(code != 0 && stderr.contains("sign"), "{stderr}");
    ensure!(world.anvil.mined_of(operator)? == sent);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_registrar_registers_and_a_plan_stays() -> Result<()> {
    let Some(world) = World::with(&dataset("trial", 1, &["main"])?).await? else { return Ok(()) };
    let sponsor = account("sponsor")?.address();
    let stranger = world.poster("stranger", |terms| terms).await?;
    let other = dataset("other", 1, &["main"])?;
    let refused = stranger.register_dataset(&world.deployment, &other, None, sponsor).await.err();
    ensure!(refused.as_ref().is_some_and(|error| error.to_string().contains("RoleMissing")), "{refused:?}");
    let operator = world.poster("operator", |terms| terms).await?;
    let wider = operator.register_dataset(&world.deployment, &trial(1)?, None, sponsor).await;
    ensure!(matches!(wider, Err(PosterError::PlanDiffers { .. })), "{wider:?}");
    let same = dataset("trial", 1, &["main"])?;
    let found = stranger.register_dataset(&world.deployment, &same, None, sponsor).await?;
    ensure!(matches!(found[0].outcome, Registering::Elsewhere { by: Some(_) }), "{found:?}");
    Ok(())
}

/// The dataset that is already registered is another one of the same table: what is wrong with it for who verified `mine`.
async fn registered_before(theirs: &Dataset, mine: &Dataset) -> Result<Option<PosterError>> {
    let Some(world) = World::with(theirs).await? else { return Ok(None) };
    let sponsor = account("sponsor")?.address();
    let second = world.poster("stranger", |terms| terms).await?;
    let found = second.register_dataset(&world.deployment, mine, None, sponsor).await;
    ensure!(world.anvil.mined_of(second.address())? == 0);
    Ok(Some(found.err().context("called done")?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_of_other_consents_is_not_called_this_one() -> Result<()> {
    // Both are signed, of the same columns, and so of one digest: in one of them nobody has revoked yet.
    let (theirs, mine) = (dataset_from("trial", 0..1, &["main"])?, dataset_from("trial", 1..2, &["main"])?);
    ensure!(theirs.tables()[0].digest() == mine.tables()[0].digest());
    for (theirs, mine) in [(&theirs, &mine), (&mine, &theirs)] {
        let Some(found) = registered_before(theirs, mine).await? else { return Ok(()) };
        ensure!(matches!(found, PosterError::ConsentsDiffer { version: 0, .. }), "{found:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_with_a_query_more_is_not_called_this_one() -> Result<()> {
    let (theirs, mine) = (dataset("trial", 1, &["main", "sites"])?, dataset("trial", 1, &["main"])?);
    let Some(found) = registered_before(&theirs, &mine).await? else { return Ok(()) };
    let sites = statement("sites")?.digest;
    ensure!(matches!(found, PosterError::PlanWider { query, .. } if query == sites), "{found:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_the_node_does_not_show_is_not_believed() -> Result<()> {
    let mine = dataset("trial", 1, &["main"])?;
    let Some(world) = World::with(&mine).await? else { return Ok(()) };
    let proxy = Proxy::lying(world.anvil.address(), |request, answer| {
        if request["method"] == "eth_getLogs" {
            answer["result"] = json!([]);
        }
    })?;
    let second = world.poster_within(Duration::from_millis(300), proxy.url(), "stranger").await?;
    let sponsor = account("sponsor")?.address();
    let found = second.register_dataset(&world.deployment, &mine, None, sponsor).await;
    ensure!(matches!(found, Err(PosterError::PlanUnseen { .. })), "{found:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_the_node_shows_later_is_waited_for() -> Result<()> {
    let mine = dataset("trial", 1, &["main"])?;
    let Some(world) = World::with(&mine).await? else { return Ok(()) };
    let hidden = AtomicU32::new(0);
    let proxy = Proxy::lying(world.anvil.address(), move |request, answer| {
        if request["method"] == "eth_getLogs" && hidden.fetch_add(1, Ordering::Relaxed) == 0 {
            answer["result"] = json!([]);
        }
    })?;
    let second = world.poster_at(proxy.url(), "stranger").await?;
    let found =
        second.register_dataset(&world.deployment, &mine, None, account("sponsor")?.address()).await?;
    ensure!(matches!(found[0].outcome, Registering::Elsewhere { .. }), "{found:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn development_keys_are_refused_on_other_chains() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    world.anvil.move_to_chain(11_155_111)?;
    let text = fs::read_to_string(world.path("D.json"))?;
    fs::write(world.path("D.json"), text.replace("\"chainId\":31337", "\"chainId\":11155111"))?;
    world.write(&registered()?, &[])?;
    let (code, _, stderr) = world.register("operator", "sponsor", &[])?;
    ensure!(code == 1 && stderr.contains("is a development key"), "{stderr}");
    Ok(())
}
