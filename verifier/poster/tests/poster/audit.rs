//! Heads of audit logs: anchored once each, only forwards, and read back for the verifier.

use super::{
    anvil::Anvil,
    proxy::Proxy,
    world::{account, open, program, said, secret},
};
use alloy_primitives::{Address, B256, Bytes};
use anyhow::{Context, Result, ensure};
use nightingale_poster::{
    How, Node, Poster, PosterError,
    audit::{Anchorage, Anchoring, Head, anchors},
};
use nightingale_verifier::audit::{
    Anchors, BEFORE_FIRST, Closing, Entry, Hash, Opening, Reader, entry_line, line,
};
use serde_json::json;
use std::{fs, path::PathBuf};
use tempfile::TempDir;

const LOG: Hash = [0x5a; 32];

struct World {
    anvil: Anvil,
    folder: TempDir,
    contract: Address,
}

impl World {
    async fn new() -> Result<Option<Self>> {
        let Some(anvil) = Anvil::start()? else { return Ok(None) };
        for who in ["operator", "stranger"] {
            anvil.give_ether(account(who)?.address())?;
        }
        let mut world = Self { anvil, folder: TempDir::new()?, contract: Address::ZERO };
        let (contract, _) = world.poster("operator").await?.deploy_anchors(false).await?;
        world.contract = contract;
        Ok(Some(world))
    }

    async fn poster(&self, who: &str) -> Result<Poster> {
        open(&self.anvil.url(), &self.path(&format!("{who}.sqlite")), who, |terms| terms).await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes an export of entries `first` to `last`; those from `forged` on say something else.
    fn export(&self, first: u64, last: u64, forged: u64) -> Result<(PathBuf, Hash)> {
        let (mut previous, mut lines) = (BEFORE_FIRST, Vec::new());
        for sequence in 1..=last {
            if sequence == first {
                lines.push(line(&Opening::new("north", &LOG, first, &previous)));
            }
            let subject = if sequence >= forged { "nobody" } else { "insurer" }.to_owned();
            let (event, method) = ("released".to_owned(), "JobService.Get".to_owned());
            let (roles, facts) = (Vec::new(), [("job".to_owned(), sequence.to_string())].into());
            let at = i64::try_from(sequence)?;
            let entry = Entry { sequence, at, event, subject, roles, method, facts };
            previous = entry.hash("north", &LOG, &previous);
            if sequence >= first {
                lines.push(entry_line(&entry, &previous));
            }
        }
        lines.push(line(&Closing { last, head: hex(&previous) }));
        let path = self.path(&format!("{first}-{last}-{forged}.jsonl"));
        fs::write(&path, lines.join("\n") + "\n")?;
        Ok((path, previous))
    }

    fn anchorage(&self, custodian: Address) -> Anchorage {
        Anchorage { contract: self.contract, custodian, log: LOG.into() }
    }
}

fn hex(hash: &Hash) -> String {
    alloy_primitives::hex::encode(hash)
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_anchored_forwards_and_the_verifier_holds_exports_against_them() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let custodian = account("operator")?.address();
    let poster = world.poster("operator").await?;
    let (whole, head) = world.export(1, 4, 99)?;
    let (anchored, how) = poster.anchor_export(world.contract, &whole).await?;
    ensure!(matches!(how, Anchoring::Posted(_)));
    ensure!(anchored == Head { log: LOG.into(), sequence: 4, head: head.into() });
    let mined = world.anvil.mined_of(custodian)?;
    // The same again sends nothing, nor does a new outbox of the same account.
    poster.anchor_export(world.contract, &whole).await?;
    let second = open(&world.anvil.url(), &world.path("second.sqlite"), "operator", |terms| terms).await?;
    let (_, how) = second.anchor_export(world.contract, &whole).await?;
    ensure!(matches!(how, Anchoring::Known), "{how:?}");
    ensure!(world.anvil.mined_of(custodian)? == mined, "anchored twice");
    // From the anchored entry on is enough; a gap is not.
    let (part, head) = world.export(5, 9, 99)?;
    poster.anchor_export(world.contract, &part).await?;
    let (late, _) = world.export(11, 12, 99)?;
    let gap = poster.anchor_export(world.contract, &late).await;
    ensure!(
        matches!(&gap, Err(PosterError::Malformed { problem, .. }) if problem.contains("entry 9")),
        "{gap:?}"
    );
    // What was written anew, or cut off, is not anchored.
    for (first, last, forged) in [(1, 12, 3), (1, 12, 9), (5, 12, 6), (1, 8, 99)] {
        let (forged, _) = world.export(first, last, forged)?;
        let refused = poster.anchor_export(world.contract, &forged).await;
        ensure!(matches!(refused, Err(PosterError::AuditLog { .. })), "{refused:?}");
    }
    let earlier = Head { log: LOG.into(), sequence: 8, head: B256::repeat_byte(1) };
    ensure!(matches!(
        poster.anchor(world.contract, earlier).await,
        Err(PosterError::AnchorBehind { sequence: 8, anchored: 9 })
    ));
    let differs = Head { sequence: 9, ..earlier };
    ensure!(matches!(
        poster.anchor(world.contract, differs).await,
        Err(PosterError::AnchorDiffers { sequence: 9, .. })
    ));
    ensure!(world.anvil.mined_of(custodian)? == mined + 1);

    let node = Node::new(&world.anvil.url())?;
    let file = anchors(&node, world.anchorage(custodian), 0, None).await?;
    let told: Vec<(u64, B256)> = file.anchors.iter().map(|anchor| (anchor.sequence, anchor.head)).collect();
    ensure!(told == [(4, anchored.head), (9, head.into())], "{told:?}");
    let file = Anchors::from_json(&serde_json::to_vec(&file)?)?;
    let read = |path: PathBuf| -> Result<_> {
        let bytes = fs::read(path)?;
        Ok(Reader::new(std::slice::from_ref(&file)).read(bytes.as_slice(), |_, _| {}))
    };
    let good = read(world.export(1, 12, 99)?.0)?.map_err(|error| anyhow::anyhow!("{error}"))?;
    ensure!(good.anchored.context("not anchored")?.sequence == 9);
    // After the newest anchor it may still be written anew; before, it shows.
    ensure!(read(world.export(1, 12, 10)?.0)?.is_ok());
    ensure!(read(world.export(1, 12, 9)?.0)?.is_err() && read(world.export(1, 8, 99)?.0)?.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_anchors_nothing_of_the_custodians() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (whole, _) = world.export(1, 4, 99)?;
    world.poster("stranger").await?.anchor_export(world.contract, &world.export(1, 9, 2)?.0).await?;
    let custodian = account("operator")?.address();
    let node = Node::new(&world.anvil.url())?;
    ensure!(anchors(&node, world.anchorage(custodian), 0, None).await?.anchors.is_empty());
    world.poster("operator").await?.anchor_export(world.contract, &whole).await?;
    ensure!(anchors(&node, world.anchorage(custodian), 0, None).await?.anchors.len() == 1);
    let nowhere = Anchorage { contract: Address::repeat_byte(9), ..world.anchorage(custodian) };
    let nowhere = anchors(&node, nowhere, 0, None).await;
    ensure!(matches!(nowhere, Err(PosterError::NothingDeployed(_))), "{nowhere:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anchor_of_one_account_is_not_anothers_in_the_same_outbox() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (whole, head) = world.export(1, 4, 99)?;
    let node = Node::new(&world.anvil.url())?;
    for who in ["operator", "stranger"] {
        let poster = open(&world.anvil.url(), &world.path("shared.sqlite"), who, |terms| terms).await?;
        let (_, how) = poster.anchor_export(world.contract, &whole).await?;
        ensure!(matches!(&how, Anchoring::Posted(posted) if posted.how == How::Sent), "{who}: {how:?}");
        let told = anchors(&node, world.anchorage(poster.address()), 0, None).await?.anchors;
        ensure!(told.iter().any(|anchor| anchor.head == B256::from(head)), "{who}: {told:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_deploy_anchor_and_read_back() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (url, folder) = (world.anvil.url(), world.folder.path());
    let run = |name: &str, arguments: &[&str]| {
        let mut command = program(folder);
        command.current_dir(folder).env("NIGHTINGALE_POSTER_KEY", secret("operator"));
        said(&command.arg(name).args(["--rpc", &url]).args(arguments).output()?)
    };
    let outbox = ["--outbox", "operator.sqlite", "--json"];
    let (code, report, stderr) = run("audit-deploy", &outbox)?;
    ensure!(code == 0 && report["posted"]["how"] == "already_done", "{stderr}");
    let contract = world.contract.to_string();
    ensure!(report["contract"].as_str().context("no contract")?.eq_ignore_ascii_case(&contract));
    let (whole, head) = world.export(1, 4, 99)?;
    let (export, contract) = (whole.display().to_string(), contract.as_str());
    let anchor =
        |more: &[&str]| run("audit-anchor", &[&outbox[..], &["--contract", contract], more].concat());
    let (code, report, stderr) = anchor(&["--export", &export])?;
    ensure!(code == 0 && report["sequence"] == 4 && report["posted"]["how"] == "sent", "{stderr}");
    let (forged, _) = world.export(1, 6, 2)?;
    let (code, _, stderr) = anchor(&["--export", &forged.display().to_string()])?;
    ensure!(code == 1 && stderr.contains("entry 4") && stderr.contains("nothing was anchored"), "{stderr}");
    let file = format!(
        r#"{{"tenant":"north","log":"0x{0}","sequence":7,"head":"0x{0}","break_glass":0}}"#,
        hex(&LOG)
    );
    fs::write(world.path("head.json"), file)?;
    let (code, report, stderr) = anchor(&["--head", "head.json"])?;
    ensure!(code == 0 && report["sequence"] == 7, "{stderr}");
    fs::write(world.path("bad.json"), "{}")?;
    ensure!(anchor(&["--head", "bad.json"])?.0 == 2 && anchor(&[])?.0 == 2);
    let custodian = account("operator")?.address().to_string();
    let mut command = program(folder);
    command.current_dir(folder).args(["audit-anchors", "--rpc", &url, "--contract", contract]);
    command.args(["--custodian", &custodian, "--log", &format!("0x{}", hex(&LOG)), "--out", "anchors.json"]);
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = Anchors::from_json(&fs::read(world.path("anchors.json"))?)?;
    ensure!(read.all.len() == 2 && read.all.first().is_some_and(|anchor| anchor.head == head));
    ensure!(read.all.iter().all(|anchor| anchor.at.is_some()), "the block's time");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_that_only_looks_like_the_one_of_anchors_is_not_read_and_not_anchored_in() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let code: Bytes =
        serde_json::from_value(world.anvil.ask("eth_getCode", json!([world.contract, "latest"]))?)?;
    let theirs = Address::repeat_byte(0xe7);
    world.anvil.ask("anvil_setCode", json!([theirs, Bytes::from([code.as_ref(), &[0]].concat())]))?;
    let custodian = account("operator")?.address();
    let about = Anchorage { contract: theirs, ..world.anchorage(custodian) };
    let found = anchors(&Node::new(&world.anvil.url())?, about, 0, None).await;
    ensure!(matches!(found, Err(PosterError::NotAnchors(contract)) if contract == theirs), "{found:?}");
    let head = Head { log: LOG.into(), sequence: 1, head: B256::repeat_byte(1) };
    let refused = world.poster("operator").await?.anchor(theirs, head).await;
    ensure!(matches!(refused, Err(PosterError::NotAnchors(_))), "{refused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn anchors_of_another_account_or_contract_that_a_node_gives_are_not_the_custodians() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (whole, _) = world.export(1, 4, 99)?;
    let stranger = world.poster("stranger").await?;
    stranger.anchor_export(world.contract, &whole).await?;
    let all = world.anvil.ask("eth_getLogs", json!([{"fromBlock": "0x0", "address": world.contract}]))?;
    ensure!(all.as_array().is_some_and(|all| all.len() == 1));
    let custodian = account("operator")?.address();
    let (mut elsewhere, mut given) = (all[0].clone(), all[0].clone());
    elsewhere["address"] = json!(Address::repeat_byte(0xe7));
    elsewhere["topics"][1] = json!(custodian.into_word());
    given["removed"] = json!(false);
    let proxy = Proxy::lying(world.anvil.address(), move |request, answer| {
        if request["method"] == "eth_getLogs" {
            answer["result"] = json!([given, elsewhere]);
        }
    })?;
    let node = Node::new(proxy.url())?;
    let found = anchors(&node, world.anchorage(custodian), 0, None).await?;
    ensure!(found.anchors.is_empty(), "{found:?}");
    ensure!(anchors(&node, world.anchorage(stranger.address()), 0, None).await?.anchors.len() == 1);
    Ok(())
}

/// The newest block has the head, and a reorganisation, or a node that mixes two states, another one as deep as wanted.
#[tokio::test(flavor = "multi_thread")]
async fn another_head_that_the_chain_has_as_deep_as_wanted_is_not_called_known() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let head = |byte| Head { log: LOG.into(), sequence: 3, head: B256::repeat_byte(byte) };
    world.poster("operator").await?.anchor(world.contract, head(0xa1)).await?;
    let proxy = Proxy::lying(world.anvil.address(), |request, answer| {
        let is_newest = request["method"] == "eth_call" && request["params"][1] == "latest";
        if let Some(said) = answer["result"].as_str().filter(|_| is_newest) {
            answer["result"] = json!(said.replace(&"a1".repeat(32), &"b2".repeat(32)));
        }
    })?;
    let poster = open(proxy.url(), &world.path("second.sqlite"), "operator", |terms| terms).await?;
    let differs = poster.anchor(world.contract, head(0xb2)).await;
    ensure!(matches!(differs, Err(PosterError::AnchorDiffers { sequence: 3, .. })), "{differs:?}");
    Ok(())
}
