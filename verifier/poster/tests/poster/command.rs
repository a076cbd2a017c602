//! The command line: from nothing to a payment, its JSON, and its exit codes.

use super::{
    anvil::Anvil,
    proofs::{approval, key, prove, root},
    proxy::{Moment, Proxy},
    world::{ESCROW, World, account, payer, program, said, secret, write_keys},
};
use alloy_primitives::Bytes;
use alloy_sol_types::SolCall;
use anyhow::{Context, Result, ensure};
use nightingale_circuits::claim::{PublicInputs, SizeClass};
use nightingale_contracts::{bindings::ClaimSettlement::announceReleaseCall, deploy::Request};
use nightingale_poster::deployment;
use nightingale_verifier::key::file_name;
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};
use tempfile::TempDir;

struct Desk {
    anvil: Anvil,
    folder: TempDir,
}

impl Desk {
    fn new() -> Result<Option<Self>> {
        let Some(anvil) = Anvil::start()? else { return Ok(None) };
        for who in ["operator", "provider"] {
            anvil.give_ether(account(who)?.address())?;
        }
        let folder = TempDir::new()?;
        write_keys(&folder.path().join("keys"))?;
        Ok(Some(Self { anvil, folder }))
    }

    fn command(&self, who: &str, name: &str) -> Command {
        let mut command = program(self.folder.path());
        command.arg(name).current_dir(self.folder.path()).env("NIGHTINGALE_POSTER_KEY", secret(who));
        command
    }

    fn on_chain(&self, who: &str, name: &str) -> Command {
        let mut command = self.command(who, name);
        command.args(["--json", "--rpc", &self.anvil.url()]);
        command
    }

    /// Runs a command that must work, and gives its JSON.
    fn run(&self, who: &str, name: &str, arguments: &[&str]) -> Result<Value> {
        let (code, json, stderr) = said(&self.on_chain(who, name).args(arguments).output()?)?;
        ensure!(code == 0 && stderr.is_empty(), "{name}: {code} {stderr}");
        Ok(json)
    }

    fn fails(&self, mut command: Command, code: i32, words: &str) -> Result<()> {
        let (found, _, stderr) = said(&command.output()?)?;
        ensure!(found == code && stderr.contains(words), "{command:?}: {found} {stderr}");
        ensure!(!stderr.contains(&secret("operator")), "the key was shown");
        ensure!(stderr.trim_end().lines().count() == 1, "{stderr}");
        Ok(())
    }
}

#[test]
fn goes_from_nothing_to_a_payment() -> Result<()> {
    let Some(desk) = Desk::new()? else { return Ok(()) };
    let deployed = desk.run("operator", "deploy", &["--keys", "keys", "--out", "D.json"])?;
    ensure!(
        deployed["version"] == 2
            && deployed["chainId"] == 31337
            && deployed["keys"][1]["kind"] == "development"
    );
    let file = desk.folder.path().join("D.json");
    let deployment = deployment::read(&file)?;
    ensure!(serde_json::to_value(&deployment)? == deployed);
    // Contracts of an earlier release are not spoken to.
    let older = fs::read_to_string(&file)?.replace("\"version\": 2", "\"version\": 1");
    fs::write(desk.folder.path().join("older.json"), older)?;
    let refused = deployment::read(&desk.folder.path().join("older.json"));
    ensure!(refused.is_err_and(|error| error.to_string().contains("deploy anew")));

    let proof = prove(approval("a", account("provider")?.address())?)?;
    fs::write(desk.folder.path().join("P.json"), proof.to_json())?;
    let (d, payer) = (["--deployment", "D.json"], ["--payer", "name:Harbour Mutual"]);
    let [epoch, accounts, consents] = ["epoch", "accounts", "consents"].map(|label| root(label).to_string());
    let claim = root("a commitment").to_string();
    let authority = account("operator")?.address().to_string();
    let steps: [(&str, &[&str], bool); 7] = [
        ("add-payer", &[], true),
        ("accept-authority", &[], false),
        ("publish-epoch", &["--root", &epoch], true),
        ("publish-accounts", &["--root", &accounts], true),
        ("publish-consents", &["--root", &consents], false),
        ("deposit", &["--cents", "20000", "--mint"], true),
        ("receive", &["--claim", &claim, "--day", "2026-01-15"], true),
    ];
    for (name, arguments, of_payer) in steps {
        let payer: &[&str] = if of_payer { &payer } else { &[] };
        let posted = desk.run("operator", name, &[&d, payer, arguments].concat())?;
        ensure!(posted[0]["transaction"].is_string() && posted[0]["block"].is_u64(), "{name}: {posted}");
    }
    let (code, _, stderr) = said(
        &desk
            .command("provider", "endorse")
            .args(["P.json", "--authority", &authority])
            .args(d)
            .args(payer)
            .output()?,
    )?;
    ensure!(code == 0, "{stderr}");

    let report = desk.run("operator", "settle", &["--deployment", "D.json", "P.json"])?;
    ensure!(report["entries"][0]["settled"] == true && report["transaction"].is_string(), "{report}");
    ensure!(report["gas_used"].as_u64().is_some_and(|gas| gas > 200_000));
    let (code, again, _) = said(&desk.on_chain("operator", "settle").args(d).arg("P.json").output()?)?;
    ensure!(code == 0 && again["transaction"] == report["transaction"]);

    let provider = account("provider")?.address().to_string();
    let balance = |arguments: &[&str]| -> Result<Value> {
        Ok(desk.run("operator", "balance", &[&d, arguments].concat())?["cents"].clone())
    };
    ensure!(balance(&payer)? == 20_000 - 12_345);
    ensure!(balance(&["--payee", &provider])? == 12_345);
    desk.run("provider", "withdraw", &d)?;
    ensure!(balance(&["--payee", &provider])? == 0);

    let (code, all, _) = said(&desk.command("operator", "status").arg("--json").output()?)?;
    ensure!(
        code == 0 && all.as_array().is_some_and(|all| all.iter().all(|row| row["state"] == "done")),
        "{all}"
    );
    Ok(())
}

#[test]
fn a_deployment_that_was_cut_off_goes_on_and_one_that_is_done_is_found() -> Result<()> {
    let Some(desk) = Desk::new()? else { return Ok(()) };
    let proxy = Proxy::holding(desk.anvil.address(), "eth_sendRawTransaction", 3, Moment::After)?;
    let mut cut = desk.command("operator", "deploy");
    let mut child = cut.args(["--keys", "keys", "--rpc", proxy.url()]).stdout(Stdio::null()).spawn()?;
    let reached = proxy.reached();
    child.kill()?;
    child.wait()?;
    reached?;
    let first = desk.run("operator", "deploy", &["--keys", "keys"])?;
    let operator = account("operator")?.address();
    ensure!(
        desk.anvil.mined_of(operator)? == 12,
        "token, registry, settlement, its binding, twice a verifier and its key, and for answers two verifiers, a key and the log"
    );
    ensure!(desk.run("operator", "deploy", &["--keys", "keys"])? == first);
    ensure!(desk.anvil.mined_of(operator)? == 12);
    let other = desk.run("operator", "deploy", &["--keys", "keys", "--label", "second"])?;
    ensure!(other["settlement"] != first["settlement"] && desk.anvil.mined_of(operator)? == 24);
    ensure!(first["cohort"]["kind"] == "development" && first["cohort"]["log"] != other["cohort"]["log"]);
    let bare = desk.run("operator", "deploy", &["--keys", "keys", "--no-cohort"])?;
    ensure!(bare.get("cohort").is_none() && desk.anvil.mined_of(operator)? == 32, "{bare}");
    Ok(())
}

#[test]
fn a_command_that_is_repeated_is_reported_as_done_unless_it_is_asked_for_again() -> Result<()> {
    let Some(desk) = Desk::new()? else { return Ok(()) };
    desk.run("operator", "deploy", &["--keys", "keys", "--out", "D.json"])?;
    let (d, payer) = (["--deployment", "D.json"], ["--payer", "name:Harbour Mutual"]);
    let run = |name: &str, arguments: &[&str]| -> Result<Value> {
        desk.run("operator", name, &[&d, &payer, arguments].concat())
    };
    ensure!(run("add-payer", &[])?[0]["how"] == "sent");
    let again = run("add-payer", &[])?;
    ensure!(again[0]["how"] == "already_done" && again[0]["transaction"].is_string(), "{again}");
    let deposit = ["--cents", "500", "--mint"];
    let first = run("deposit", &deposit)?;
    ensure!(first.as_array().is_some_and(|all| all.iter().all(|posted| posted["how"] == "sent")), "{first}");
    let second = run("deposit", &deposit)?;
    ensure!(second[2]["how"] == "already_done" && second[2]["transaction"] == first[2]["transaction"]);
    ensure!(run("balance", &[])?["cents"] == 500);
    run("deposit", &["--cents", "500", "--mint", "--again"])?;
    ensure!(run("balance", &[])?["cents"] == 1_000);
    let mut spoken = desk.command("operator", "deposit");
    spoken.args(["--rpc", &desk.anvil.url()]).args(d).args(payer).args(deposit);
    let said = String::from_utf8(spoken.output()?.stdout)?;
    ensure!(said.contains("already done, and not sent again: deposit 500 cents"), "{said}");
    ensure!(said.trim_end().ends_with("nothing was sent; --again does it once more"), "{said}");
    // A transaction is named only where one of this very command came to nothing.
    let hash = first[2]["transaction"].as_str().unwrap_or_default().to_owned();
    let named = run("deposit", &["--cents", "500", "--again", &hash])?;
    ensure!(named[2]["how"] == "already_done" && run("balance", &[])?["cents"] == 1_000, "{named}");
    let mut other = desk.on_chain("operator", "deposit");
    other.args(d).args(payer).args(["--cents", "501", "--again", &hash]);
    desk.fails(other, 2, "this outbox has no transaction")?;
    Ok(())
}

#[test]
fn says_what_is_wrong_in_one_line_and_by_its_exit_code() -> Result<()> {
    let Some(desk) = Desk::new()? else { return Ok(()) };
    let folder = desk.folder.path();
    desk.run("operator", "deploy", &["--keys", "keys", "--out", "D.json"])?;
    let with = |arguments: &[&str]| {
        let mut command = desk.command("operator", "settle");
        command.args(arguments);
        command
    };
    let url = desk.anvil.url();
    desk.fails(with(&["--rpc", &url, "--deployment", "D.json", "none.json"]), 2, "none.json")?;
    desk.fails(with(&["--rpc", &url, "--deployment", "none.json", "P.json"]), 2, "none.json")?;
    desk.fails(with(&["--rpc", "https://127.0.0.1:1", "--deployment", "D.json", "P.json"]), 2, "http://")?;
    desk.fails(
        with(&["--rpc", "http://127.0.0.1:9", "--deployment", "D.json", "P.json"]),
        2,
        "does not answer",
    )?;
    fs::write(folder.join("bad.json"), "{}")?;
    desk.fails(with(&["--rpc", &url, "--deployment", "D.json", "bad.json"]), 2, "bad.json")?;
    desk.fails(with(&["--rpc", &url, "--deployment", "bad.json", "bad.json"]), 2, "deployment file")?;
    let elsewhere = fs::read_to_string(folder.join("D.json"))?.replace("31337", "1337");
    fs::write(folder.join("E.json"), elsewhere)?;
    desk.fails(with(&["--rpc", &url, "--deployment", "E.json", "bad.json"]), 2, "chain 1337")?;
    desk.fails(
        with(&["--rpc", &url, "--deployment", "D.json", "--confirmations", "0", "P.json"]),
        2,
        "1 to 64",
    )?;

    let mut keyless = desk.on_chain("operator", "resume");
    keyless.env_remove("NIGHTINGALE_POSTER_KEY");
    desk.fails(keyless, 2, "signing key")?;
    let mut wrong = desk.on_chain("operator", "resume");
    wrong.env("NIGHTINGALE_POSTER_KEY", format!("{}zz", &secret("operator")[2..]));
    desk.fails(wrong, 2, "64 hexadecimal digits")?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = folder.join("key");
        fs::write(&file, secret("operator"))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
        let named = || {
            let mut command = desk.on_chain("stranger", "resume");
            command.arg("--key-file").arg(&file);
            command
        };
        desk.fails(named(), 2, "chmod 600")?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        ensure!(named().output()?.status.success());
    }
    let empty = folder.join("empty");
    fs::create_dir(&empty)?;
    let mut no_keys = desk.on_chain("operator", "deploy");
    no_keys.arg("--keys").arg(&empty);
    desk.fails(no_keys, 2, "no verifying key")?;
    let mut not_owner = desk.on_chain("provider", "publish-epoch");
    not_owner.args(["--deployment", "D.json", "--payer", "7", "--root", &root("epoch").to_string()]);
    desk.fails(not_owner, 1, "NotPayerOwner")?;
    let mut busy = desk.on_chain("operator", "resume");
    let held = fs::File::create(folder.join("held.sqlite.lock"))?;
    held.lock()?;
    busy.args(["--outbox", "held.sqlite"]);
    desk.fails(busy, 2, "another poster")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_balance_of_a_payer_shows_what_it_takes_back_and_when() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    fs::write(world.path("deployment.json"), serde_json::to_string(&world.deployment)?)?;
    let balance = |json: &[&str]| -> Result<(i32, Value, String)> {
        let mut command = program(world.folder.path());
        command.args(["balance", "--rpc", &world.anvil.url(), "--payer", "0xc0ffee"]).args(json);
        let output = command.arg("--deployment").arg(world.path("deployment.json")).output()?;
        let (code, report, _) = said(&output)?;
        Ok((code, report, String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    let (code, before, _) = balance(&["--json"])?;
    ensure!(code == 0 && before["cents"] == ESCROW && before["release"].is_null(), "{before}");
    ensure!(before["keys_pending_until"].is_null(), "{before}");
    let call = announceReleaseCall { payer: payer(), amount: 700 };
    let announce = Request {
        purpose: "announce a release".to_owned(),
        to: Some(world.deployment.settlement),
        data: call.abi_encode().into(),
    };
    world.prepare(&[announce]).await?;
    let (_, report, _) = balance(&["--json"])?;
    let release = &report["release"];
    ensure!(release["cents"] == 700 && release["units"] == "700" && release["firm"] == false, "{report}");
    let (from, until) = (release["from"].as_str(), release["until"].as_str());
    ensure!(from.is_some_and(|time| time.starts_with("2026-01-18T")), "{report}");
    ensure!(until.is_some_and(|time| time.starts_with("2026-01-19T")), "{report}");
    let (code, _, told) = balance(&[])?;
    ensure!(code == 0 && told.contains("release announced: 700 cents"), "{told}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn endorsements_are_checked_before_anything_is_asked() -> Result<()> {
    let Some(world) = World::new().await? else { return Ok(()) };
    let (one, two) = (world.claim("one").await?, world.claim("two").await?);
    let (first, second) = (world.write("one", &one)?, world.write("two", &two)?);
    let beside = first.with_extension("endorsement.json");
    let whole = fs::read_to_string(&beside)?;
    let settle = |proof: &Path| -> Result<(i32, Value, String)> {
        said(&world.settle_command(&world.anvil.url(), &[proof]).output()?)
    };
    for (from, to) in [
        ("31337", "1"),
        ("nightingale endorsement 2", "nightingale endorsement 3"),
        ("\"cents\": 12345", "\"cents\": 12346"),
        ("\"payer\": \"0x", "\"payer\": \"0x1"),
        ("\"signature\": \"0x", "\"signature\": \"0x00"),
    ] {
        fs::write(&beside, whole.replace(from, to))?;
        let (code, _, stderr) = settle(&first)?;
        ensure!(code == 2 && stderr.contains("endorsement"), "{from}: {code} {stderr}");
    }
    // One of an earlier release, which signed no amount.
    fs::write(&beside, whole.replace("endorsement 2", "endorsement 1").replace("\"cents\": 12345,", ""))?;
    let (code, _, stderr) = settle(&first)?;
    ensure!(code == 2 && stderr.contains("sign this proof again with endorse"), "{code} {stderr}");
    // Another proof of the same claim pays another amount: what is signed for one is not good for it.
    let mut cheaper = approval("one", account("provider")?.address())?;
    let (_, day, _) = cheaper.unpack_amount().context("no amount")?;
    cheaper.packed = PublicInputs::pack_amount(12_000, day);
    let cheaper = world.write("cheaper", &world.endorsed(prove(cheaper)?)?)?;
    fs::copy(cheaper.with_extension("endorsement.json"), &beside)?;
    let (code, _, stderr) = settle(&first)?;
    ensure!(code == 2 && stderr.contains("signed for 12000 cents"), "{code} {stderr}");
    fs::copy(second.with_extension("endorsement.json"), &beside)?;
    let (code, _, stderr) = settle(&first)?;
    ensure!(code == 2 && stderr.contains("another claim"), "{stderr}");
    fs::remove_file(&beside)?;
    let (code, report, _) = settle(&first)?;
    ensure!(code == 1 && report["entries"][0]["reason"] == "EndorsementMissing");
    fs::write(world.path("elsewhere"), whole)?;
    let mut command = world.settle_command(&world.anvil.url(), &[&first]);
    let (code, report, stderr) = said(&command.arg("--endorsement").arg(world.path("elsewhere")).output()?)?;
    ensure!(code == 0 && report["entries"][0]["settled"] == true, "{stderr}");
    Ok(())
}

#[test]
fn who_administers_until_the_named_administrator_accepts_is_said() -> Result<()> {
    let Some(desk) = Desk::new()? else { return Ok(()) };
    let [deployer, admin] =
        [account("operator")?, account("provider")?].map(|account| account.address().to_string());
    let deploy = || -> Result<(i32, Value, String)> {
        let mut command = desk.on_chain("operator", "deploy");
        command.args(["--keys", "keys", "--no-cohort", "--out", "D.json", "--admin", &admin]);
        said(&command.output()?)
    };
    let (code, _, stderr) = deploy()?;
    ensure!(code == 0 && stderr.contains(&format!("{deployer} administers registry")), "{stderr}");
    ensure!(stderr.contains(&format!("until {admin} runs accept-administration")), "{stderr}");
    desk.run("provider", "accept-administration", &["--deployment", "D.json"])?;
    let (code, _, stderr) = deploy()?;
    ensure!(code == 0 && stderr.is_empty(), "{stderr}");
    Ok(())
}

#[test]
fn a_key_is_registered_later_once_and_compared_whoever_registered_it() -> Result<()> {
    let Some(desk) = Desk::new()? else { return Ok(()) };
    let folder = desk.folder.path();
    // One of the two keys is in the folder when it is deployed; the other comes later.
    let late = key(SizeClass::Eight)?;
    fs::create_dir(folder.join("later"))?;
    let name = file_name(SizeClass::Eight, late.digest());
    fs::rename(folder.join("keys").join(&name), folder.join("later").join(&name))?;
    desk.run("operator", "deploy", &["--keys", "keys", "--no-cohort", "--out", "D.json"])?;
    let digest = late.digest().to_string();
    let arguments = ["--deployment", "D.json", "--keys", "later", "--key", &digest];
    let operator = account("operator")?.address();
    let before = desk.anvil.mined_of(operator)?;
    let first = desk.run("operator", "register-key", &arguments)?;
    ensure!(first["posted"][0]["how"] == "sent" && first["posted"][1]["how"] == "sent", "{first}");
    ensure!(desk.anvil.mined_of(operator)? == before + 2);
    let again = desk.run("operator", "register-key", &arguments)?;
    ensure!(again["posted"][1]["how"] == "already_done" && again["verifier"] == first["verifier"], "{again}");
    let elsewhere = desk.run("provider", "register-key", &arguments)?;
    ensure!(elsewhere["posted"] == json!([]) && elsewhere["verifier"] == first["verifier"], "{elsewhere}");
    ensure!(desk.anvil.mined_of(operator)? == before + 2);
    // What the registry has is compared with the key's own constants.
    let verifier = first["verifier"].as_str().unwrap_or_default();
    let code: Bytes = serde_json::from_value(desk.anvil.ask("eth_getCode", json!([verifier, "latest"]))?)?;
    let mut altered = code.to_vec();
    altered.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1);
    desk.anvil.ask("anvil_setCode", json!([verifier, Bytes::from(altered)]))?;
    let registering = |who: &str, keys: &str| {
        let mut command = desk.on_chain(who, "register-key");
        command.args(["--deployment", "D.json", "--keys", keys, "--key", &digest]);
        command
    };
    desk.fails(registering("provider", "later"), 1, "its code is not this key's")?;
    desk.fails(registering("operator", "keys"), 2, "holds no verifying key")?;
    // Nobody pays for a verifier that it may not register.
    desk.run("operator", "deploy", &["--keys", "keys", "--no-cohort", "--label", "b", "--out", "D.json"])?;
    desk.fails(registering("provider", "later"), 1, "has not the role Keys")?;
    ensure!(desk.anvil.mined_of(account("provider")?.address())? == 0);
    Ok(())
}

#[test]
fn a_deployment_on_a_chain_that_is_not_local_names_the_chain() -> Result<()> {
    let Some(desk) = Desk::new()? else { return Ok(()) };
    desk.anvil.move_to_chain(11_155_111)?;
    for (name, more) in [
        ("deploy", &["--keys", "keys", "--no-cohort"][..]),
        ("audit-deploy", &[]),
        (
            "audit-anchor",
            &["--contract", "0x00000000000000000000000000000000000000aa", "--head", "head.json"],
        ),
    ] {
        let command = |chain: &[&str]| {
            let mut command = desk.on_chain("operator", name);
            command.args(more).args(chain);
            command
        };
        desk.fails(command(&[]), 2, "chain 11155111")?;
        desk.fails(
            command(&["--chain-id", "1"]),
            2,
            "this is for chain 1, and the node is on chain 11155111",
        )?;
    }
    // What is named, it goes on with.
    let mut named = desk.on_chain("operator", "deploy");
    named.args(["--keys", "keys", "--no-cohort", "--chain-id", "11155111"]);
    desk.fails(named, 2, "name each key")?;
    ensure!(desk.anvil.mined_of(account("operator")?.address())? == 0);
    Ok(())
}
