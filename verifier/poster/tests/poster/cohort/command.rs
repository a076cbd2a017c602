//! `log` as a command: its JSON, its lines and its exit codes.

use super::{
    super::world::said,
    fixture::{statement, table_of, trial},
    world::World,
};
use anyhow::{Result, ensure};
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn says_what_became_of_each_answer() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    world.write(&dataset, &["main", "abroad"])?;
    let url = world.anvil.url();
    let log = |names: &[&str]| said(&world.command("stranger", "log", &url).args(names).output()?);
    let (code, report, stderr) = log(&["main.json"])?;
    ensure!(code == 0 && stderr.is_empty(), "{stderr}");
    let entry = &report["entries"][0];
    ensure!(report["log"] == serde_json::to_value(world.log()?)?, "{report}");
    ensure!(entry["query"] == statement("main")?.digest.to_string() && entry["name"] == "adsl");
    ensure!(entry["table"] == table_of("main")?.to_string() && entry["consent_version"] == 0);
    ensure!(entry["logged"] == true && entry["how"] == "sent" && entry["reason"].is_null());
    ensure!(
        entry["block"].is_u64()
            && entry["gas_used"] == report["gas_used"]
            && entry["transaction"].is_string()
    );
    let (code, report, _) = log(&["main.json", "abroad.json"])?;
    ensure!(code == 1 && report["entries"][0]["how"] == "already_done", "{report}");
    let refused = &report["entries"][1];
    ensure!(refused["logged"] == false && refused["reason"] == "OtherVenue", "{report}");
    ensure!(
        refused["transaction"].is_null() && refused["gas_used"].is_null() && refused["detail"].is_string()
    );
    let mut spoken = super::super::world::program(world.folder.path());
    spoken
        .current_dir(world.folder.path())
        .env("NIGHTINGALE_POSTER_KEY", super::super::world::secret("rival"));
    spoken.args(["log", "--rpc", &url, "--deployment", "D.json", "--dataset", "DS/public/dataset.json"]);
    let output = spoken.arg("main.json").output()?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success() && text.contains("somebody else did it already: logged: 0x"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_stops_it_before_anything_is_sent() -> Result<()> {
    let dataset = trial(1)?;
    let Some(world) = World::with(&dataset).await? else { return Ok(()) };
    world.write(&dataset, &["main"])?;
    fs::write(world.path("bad.json"), "{}")?;
    let other = super::fixture::dataset("other", 1, &["main"])?;
    fs::write(world.path("other.json"), super::fixture::proof(&other, "other")?.to_json(&other)?)?;
    let url = world.anvil.url();
    let log = |names: &[&str]| said(&world.command("stranger", "log", &url).args(names).output()?);
    for (file, words) in [("bad.json", "bad.json"), ("none.json", "none.json"), ("other.json", "dataset")] {
        let (code, _, stderr) = log(&["main.json", file])?;
        ensure!(
            code == 2 && stderr.contains(words) && stderr.trim_end().lines().count() == 1,
            "{file}: {stderr}"
        );
    }
    let mut keys = world.command("stranger", "log", &url);
    let (code, _, stderr) = said(&keys.args(["--keys", "DS", "main.json"]).output()?)?;
    ensure!(code == 2 && stderr.contains("narrow.14.vk"), "{stderr}");
    let without = nightingale_contracts::deploy::Deployment { cohort: None, ..world.deployment.clone() };
    fs::write(world.path("D.json"), serde_json::to_string(&without)?)?;
    let (code, _, stderr) = log(&["main.json"])?;
    ensure!(code == 2 && stderr.contains("no log of cohort answers"), "{stderr}");
    ensure!(world.logged(statement("main")?.digest)?.is_empty());
    Ok(())
}
