//! A chain with a deployment whose log is where the fixture's proofs are for.

use super::{
    super::{
        anvil::Anvil,
        world::{account, open, program, secret},
    },
    fixture::{LOGGER, proof},
};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::SolCall;
use anyhow::{Context, Result, ensure};
use nightingale_contracts::{
    bindings::CohortLog::{answeredCall, logCall},
    calldata::cohort,
    deploy::{CohortKeyToRegister, Config, Deployment, Grace, Request, TokenChoice, log_creation_code},
};
use nightingale_poster::{
    Poster, PosterError, Terms,
    cohort::{Logging, Outcome, Refusal},
};
use nightingale_verifier::cohort::{CohortKeys, Dataset, QueryProof};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

pub(super) struct World {
    pub(super) anvil: Anvil,
    pub(super) folder: TempDir,
    pub(super) deployment: Deployment,
}

/// The accounts that a test may sign with.
pub(super) const PEOPLE: [&str; 4] = ["operator", "stranger", "rival", "sponsor"];

impl World {
    /// None, with a word on stderr, where anvil is not installed. The log stands where the proofs say; no table is registered.
    pub(super) async fn new() -> Result<Option<Self>> {
        let Some(anvil) = Anvil::start()? else { return Ok(None) };
        for who in PEOPLE {
            anvil.give_ether(account(who)?.address())?;
        }
        anvil.give_ether(LOGGER)?;
        let folder = TempDir::new()?;
        let operator =
            open(&anvil.url(), &folder.path().join("operator.sqlite"), "operator", |terms| terms).await?;
        let config = Config {
            chain_id: 31337,
            admin: operator.address(),
            token: TokenChoice::Test,
            units_per_cent: U256::ONE,
            grace: Grace::default(),
            keys: Vec::new(),
            cohort: CohortKeyToRegister::for_chain(31337)?,
        };
        let mut deployment = operator.deploy(config, "cohort").await?;
        anvil.ask("anvil_impersonateAccount", json!([LOGGER]))?;
        let code = log_creation_code(deployment.registry)?;
        anvil.ask("eth_sendTransaction", json!([{"from": LOGGER, "data": code, "gas": "0x500000"}]))?;
        deployment.cohort.as_mut().context("no cohort")?.log = LOGGER.create(0);
        fs::write(folder.path().join("D.json"), serde_json::to_string(&deployment)?)?;
        Ok(Some(Self { anvil, folder, deployment }))
    }

    /// The same, with a dataset's tables registered.
    pub(super) async fn with(dataset: &Dataset) -> Result<Option<Self>> {
        let Some(world) = Self::new().await? else { return Ok(None) };
        let sponsor = account("sponsor")?.address();
        let operator = world.poster("operator", |terms| terms).await?;
        let registered = operator.register_dataset(&world.deployment, dataset, None, sponsor).await?;
        ensure!(registered.len() == 1);
        Ok(Some(world))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn log(&self) -> Result<Address> {
        Ok(self.deployment.cohort.as_ref().context("no cohort")?.log)
    }

    pub(super) async fn poster(&self, who: &str, terms: impl FnOnce(Terms) -> Terms) -> Result<Poster> {
        open(&self.anvil.url(), &self.path(&format!("{who}.sqlite")), who, terms).await
    }

    /// The same through another URL.
    pub(super) async fn poster_at(&self, url: &str, who: &str) -> Result<Poster> {
        open(url, &self.path(&format!("{who}.sqlite")), who, |terms| terms).await
    }

    /// The same, which waits no longer than so.
    pub(super) async fn poster_within(&self, timeout: Duration, url: &str, who: &str) -> Result<Poster> {
        let terms = |terms| Terms { timeout, ..terms };
        open(url, &self.path(&format!("{who}.sqlite")), who, terms).await
    }

    /// Logs proofs of the fixture from an account's outbox.
    pub(super) async fn logs(&self, who: &str, dataset: &Dataset, names: &[&str]) -> Result<Logging> {
        let proofs = names.iter().map(|name| proof(dataset, name)).collect::<Result<Vec<_>>>()?;
        let poster = self.poster(who, |terms| terms).await?;
        Ok(log_with(&poster, &self.deployment, dataset, &proofs).await?)
    }

    /// The one reason why an answer of the fixture is not logged; nothing is sent for it.
    pub(super) async fn refuses(&self, dataset: &Dataset, name: &str) -> Result<Refusal> {
        let sender = account("stranger")?.address();
        let before = self.anvil.mined_of(sender)?;
        let logging = self.logs("stranger", dataset, &[name]).await?;
        ensure!(self.anvil.mined_of(sender)? == before, "{name} was sent");
        refusal(&logging).with_context(|| name.to_owned())
    }

    /// Sends an answer to the log, whatever it says.
    pub(super) async fn send_altered(
        &self,
        who: &str,
        dataset: &Dataset,
        name: &str,
        alter: impl FnOnce(&mut Vec<U256>),
    ) -> Result<B256> {
        let log = self.log()?;
        let mut answer = cohort::answer(dataset, &proof(dataset, name)?, cohort::venue(31337, log))?;
        alter(&mut answer.cells);
        let data = logCall { answer }.abi_encode().into();
        let request = Request { purpose: "log by another program".to_owned(), to: Some(log), data };
        Ok(self.poster(who, |terms| terms).await?.send(&request).await?.mined.transaction)
    }

    /// The events of the log about a query, newest last: transaction and data.
    pub(super) fn logged(&self, query: B256) -> Result<Vec<Value>> {
        let topic = keccak256("AnswerLogged(bytes32,bytes32,uint256,uint256,bytes32,uint256[])");
        let filter = json!([{"fromBlock": "0x0", "address": self.log()?, "topics": [topic, null, query]}]);
        Ok(serde_json::from_value(self.anvil.ask("eth_getLogs", filter)?)?)
    }

    pub(super) async fn answered(&self, query: B256) -> Result<U256> {
        let poster = self.poster("operator", |terms| terms).await?;
        Ok(poster.node().ask(self.log()?, &answeredCall { query }).await?)
    }

    /// Writes a dataset and proofs of it as files, `DS/public/dataset.json` and `NAME.json`.
    pub(super) fn write(&self, dataset: &Dataset, names: &[&str]) -> Result<()> {
        fs::create_dir_all(self.path("DS/public"))?;
        fs::write(self.path("DS/public/dataset.json"), dataset.to_json())?;
        for name in names {
            fs::write(self.path(&format!("{name}.json")), proof(dataset, name)?.to_json(dataset)?)?;
        }
        Ok(())
    }

    /// A command about the dataset's files, as `who`.
    pub(super) fn command(&self, who: &str, name: &str, url: &str) -> Command {
        let mut command = program(self.folder.path());
        command.arg(name).current_dir(self.folder.path()).env("NIGHTINGALE_POSTER_KEY", secret(who));
        command.args(["--json", "--rpc", url, "--deployment", "D.json", "--dataset", "DS/public"]);
        command.arg("--outbox").arg(Path::new(&format!("{who}.sqlite")));
        command
    }
}

pub(super) async fn log_with(
    poster: &Poster,
    deployment: &Deployment,
    dataset: &Dataset,
    proofs: &[QueryProof],
) -> Result<Logging, PosterError> {
    poster.log_answers(deployment, dataset, &CohortKeys::development(), proofs).await
}

/// Why the only answer is not logged.
pub(super) fn refusal(logging: &Logging) -> Result<Refusal> {
    match logging.entries.as_slice() {
        [entry] => match &entry.outcome {
            Outcome::Refused(refusal) => Ok(refusal.clone()),
            other => anyhow::bail!("{other:?}"),
        },
        all => anyhow::bail!("{all:?}"),
    }
}
