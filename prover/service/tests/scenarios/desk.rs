//! A payer, its operator and a provider on a local chain, whose every step is a command of `nightingale-poster`, from one outbox:
//! what it takes to have a proven claim paid.

use crate::{
    anvil::{Anvil, RICH},
    end_to_end::keys,
};
use anyhow::{Context, Result, ensure};
use nightingale_circuits::{
    Fr,
    claim::{Address, Request, Venue},
    field::to_be_bytes,
};
use nightingale_contracts::deploy::Deployment;
use nightingale_poster::{Account, deployment, endorsement::commitment};
use nightingale_verifier::ClaimProof;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// Pays for gas, and plays registrar, consent authority and payer.
pub(crate) const OPERATOR: &str = RICH;
/// Endorses, and is paid.
pub(crate) const PROVIDER: &str = "7c1f0d3a5b7e99c24d6a8b13e5f70211c3d4a59687b8f9e0d1c2b3a4958677e1";
/// What is in escrow, in cents.
const ESCROW: &str = "5000000000";
/// Commands that need no node.
const BY_THEMSELVES: [&str; 2] = ["endorse", "status"];

/// A chain with a deployment, and a folder in which the poster writes all that it writes.
pub(crate) struct Desk {
    program: PathBuf,
    pub(crate) anvil: Anvil,
    pub(crate) folder: TempDir,
    /// Variables for the commands from now on.
    pub(crate) surroundings: Vec<(&'static str, String)>,
    /// What each command said, on both streams.
    pub(crate) told: Vec<(String, Vec<u8>)>,
}

/// What a command ended with.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) json: Value,
    pub(crate) err: String,
}

/// The poster's program, which a build of the whole workspace puts beside the service's; none, with a word on stderr, where only
/// the service was built.
fn program() -> Result<Option<PathBuf>> {
    let program = Path::new(env!("CARGO_BIN_EXE_nightingale")).with_file_name("nightingale-poster");
    if program.exists() {
        return Ok(Some(program));
    }
    let required = std::env::var_os("NIGHTINGALE_REQUIRE_TOOLS").is_some();
    ensure!(!required, "nightingale-poster is not built: cargo test --workspace builds it");
    #[expect(clippy::print_stderr, reason = "a skipped check says so")]
    {
        eprintln!("skipped: nightingale-poster is not built; cargo test --workspace builds it");
    }
    Ok(None)
}

impl Desk {
    /// A fresh chain with the contracts and the development keys; none, with a word on stderr, where a program is missing.
    pub(crate) fn open() -> Result<Option<Self>> {
        let keys = keys()?.display().to_string();
        Self::deployed(&["--keys", &keys, "--no-cohort", "--out", "deployment.json"])
    }

    /// The same, deployed with these arguments.
    pub(crate) fn deployed(arguments: &[&str]) -> Result<Option<Self>> {
        let (Some(program), Some(anvil)) = (program()?, Anvil::start()?) else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        for name in ["run", "tmp"] {
            fs::create_dir(folder.path().join(name))?;
        }
        let mut desk = Self { program, anvil, folder, surroundings: Vec::new(), told: Vec::new() };
        desk.done(OPERATOR, "deploy", arguments)?;
        Ok(Some(desk))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn deployment(&self) -> Result<Deployment> {
        Ok(deployment::read(&self.path("run/deployment.json"))?)
    }

    /// Where claims must say that they are settled.
    pub(crate) fn venue(&self) -> Result<Venue> {
        let deployment = self.deployment()?;
        let contract = Address(deployment.settlement.into_array());
        Ok(Venue { chain_id: deployment.chain_id, contract })
    }

    /// Where the provider is paid.
    pub(crate) fn payee() -> Result<Address> {
        Ok(Address(Account::from_hex(PROVIDER)?.address().into_array()))
    }

    /// A command that would leave a core dump and a backtrace if it could.
    pub(crate) fn command(&self, key: &str, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$0\" \"$@\""]).arg(&self.program);
        command.arg(name).args(arguments);
        if !BY_THEMSELVES.contains(&name) {
            command.args(["--rpc", self.anvil.url()]);
        }
        command.env_clear().env("HOME", self.folder.path()).env("TMPDIR", self.path("tmp"));
        command.env("RUST_BACKTRACE", "full").env("RUST_LOG", "trace").env("NIGHTINGALE_LOG", "trace");
        command.env("NIGHTINGALE_POSTER_KEY", key).envs(self.surroundings.iter().cloned());
        command.current_dir(self.path("run")).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Keeps what a command said.
    pub(crate) fn hear(&mut self, name: &str, output: Output) -> Said {
        let said = Said {
            code: output.status.code(),
            json: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        self.told.push((format!("what was said by {name}"), [output.stdout, output.stderr].concat()));
        said
    }

    /// Runs a command that says JSON.
    pub(crate) fn run(&mut self, key: &str, name: &str, arguments: &[&str]) -> Result<Said> {
        let output = self.command(key, name, arguments).arg("--json").output()?;
        Ok(self.hear(name, output))
    }

    /// Runs a command that must succeed, and gives its JSON.
    pub(crate) fn done(&mut self, key: &str, name: &str, arguments: &[&str]) -> Result<Value> {
        let said = self.run(key, name, arguments)?;
        ensure!(said.code == Some(0), "{name} ended with {:?}: {}{}", said.code, said.json, said.err);
        Ok(said.json)
    }

    fn told_by_operator(&mut self, name: &str, arguments: &[&str]) -> Result<Value> {
        self.done(OPERATOR, name, &[arguments, &["--deployment", "deployment.json"]].concat())
    }

    /// Adds the payer, publishes the registers that a request is made from, and fills the escrow.
    pub(crate) fn publish(&mut self, payer: &str, request: &Request) -> Result<()> {
        let payer = format!("name:{payer}");
        let root = |root: &Fr| format!("0x{}", hex::encode(to_be_bytes(root)));
        let epoch = root(&request.epoch.root());
        let (accounts, consents) = (root(&request.account_root), root(&request.consent_root));
        self.told_by_operator("add-payer", &["--payer", &payer])?;
        self.told_by_operator("accept-authority", &[])?;
        self.told_by_operator("publish-epoch", &["--payer", &payer, "--root", &epoch])?;
        self.told_by_operator("publish-accounts", &["--payer", &payer, "--root", &accounts])?;
        self.told_by_operator("publish-consents", &["--root", &consents])?;
        self.told_by_operator("deposit", &["--payer", &payer, "--cents", ESCROW, "--mint"])?;
        Ok(())
    }

    /// Has the payer record the claim's receipt.
    pub(crate) fn receive(&mut self, payer: &str, proof: &ClaimProof) -> Result<()> {
        let (payer, claim) = (format!("name:{payer}"), commitment(proof).to_string());
        let (_, received, _) = proof.public.unpack_amount().context("malformed")?;
        let (year, month, day) = received.calendar();
        let day = format!("{year:04}-{month:02}-{day:02}");
        self.told_by_operator("receive", &["--payer", &payer, "--claim", &claim, "--day", &day])?;
        Ok(())
    }

    /// Has the provider endorse the claim, in the file beside the proof or in the one named.
    pub(crate) fn endorse(&mut self, payer: &str, proof: &Path, out: Option<&str>) -> Result<()> {
        let authority = Account::from_hex(OPERATOR)?.address().to_string();
        let (payer, proof) = (format!("name:{payer}"), proof.display().to_string());
        let arguments = ["--deployment", "deployment.json", "--payer", &payer, "--authority", &authority];
        let out = out.map_or_else(Vec::new, |out| vec!["--out", out]);
        self.done(PROVIDER, "endorse", &[&arguments[..], &out, &[&proof]].concat())?;
        Ok(())
    }

    /// Settles what these files hold.
    pub(crate) fn settle(&mut self, arguments: &[&str]) -> Result<Said> {
        self.run(OPERATOR, "settle", &[&["--deployment", "deployment.json"], arguments].concat())
    }
}
