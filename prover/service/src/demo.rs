//! `nightingale demo`: one insurer, one provider, 12 members and 20 claims, from registers to a settled payment; and one trial of
//! 1,000 subjects, from its files to a page of proven results.
//!
//! Everything is real: the service runs in this process and is spoken to over gRPC, every proof is verified as a third
//! party would, and the contracts run on an EVM in this process or on a node. Only the people are invented.

mod cast;
mod insurer;
mod ledger;
mod page;
mod report;
mod settle;
mod trial;

use crate::{Config, adjudicator::groth16::Groth16, server::Server};
use cast::Cast;
use insurer::Answers;
use ledger::Ledger;
use nightingale_prover::{KeyStore, keys::SetupStep};
use report::Report;
use std::{
    fmt::Display,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};
use thiserror::Error;
use tokio::sync::oneshot;

pub use report::Summary;
pub use trial::CohortSummary;

/// What to demonstrate, and where to put it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder for keys, proofs, chain receipts, `summary.json` and `report.html`; made when absent.
    pub dir: PathBuf,
    /// A node to settle on, with its key in the environment; an EVM in this process when absent.
    pub chain: Option<String>,
    /// The same seed gives the same people.
    pub seed: u64,
}

/// The step that failed, and why.
#[derive(Debug, Error)]
#[error("{step}: {problem}")]
pub struct DemoError {
    step: &'static str,
    problem: String,
}

/// Names the step of an error.
trait At<T> {
    fn at(self, step: &'static str) -> Result<T, DemoError>;
}

impl<T, E: Display> At<T> for Result<T, E> {
    fn at(self, step: &'static str) -> Result<T, DemoError> {
        self.map_err(|error| DemoError { step, problem: error.to_string() })
    }
}

/// Runs the demonstration; `say` is given each line for the reader.
///
/// # Errors
/// The step that failed.
pub async fn run(options: Options, say: &mut dyn FnMut(&str)) -> Result<Summary, DemoError> {
    let start = Instant::now();
    let folder = |name: &str| options.dir.join(name);
    for name in ["keys", "proofs", "chain", "service"] {
        std::fs::create_dir_all(folder(name)).at("making the folder")?;
    }
    make_keys(&folder("keys"), say)?;

    let mut ledger = Ledger::open(options.chain.as_deref(), &folder("chain")).await?;
    say(&format!("Deploying the registry, the settlement and the verifiers on {}", ledger.name()));
    let deployment = ledger.deploy(&folder("keys")).await?;
    let cast = Cast::new(options.seed, &deployment)?;
    say("An insurer publishes its registers and funds its escrow; a provider has 20 claims of 12 members");
    settle::prepare(&mut ledger, &deployment, &cast).await?;

    let (stop, stopped) = oneshot::channel::<()>();
    let prover = Arc::new(Groth16::open(&folder("keys")).at("reading the keys")?);
    let config = Config::local(folder("service"), folder("keys"));
    let server = Server::bind(config, prover).await.at("starting the service")?;
    let address = server.address();
    let serving = tokio::spawn(server.serve(async {
        // The sender is dropped when the demonstration fails: that ends the service as well.
        let _ = stopped.await;
    }));
    say(&format!("The service listens on {address}; the insurer asks it over gRPC"));

    let mut insurer = insurer::Insurer::connect(&address.to_string(), &cast).await?;
    let mut answers: Answers = insurer.ask(&cast).await?;
    insurer::verify(&mut answers, &folder("keys"), &folder("proofs"))?;
    let first = settle::batch(&mut ledger, &deployment, &cast, &mut answers).await?;
    say(&format!("Settled {} claims in one batch, {} gas", first.settled, first.gas));

    let mut batches = vec![first];
    if answers.any_waiting() {
        say(
            "A claim lost the race for its member's account: the insurer publishes the new accounts, and it is proven again",
        );
        settle::publish_accounts(&mut ledger, &deployment, &cast, &batches).await?;
        insurer.publish_accounts(&cast, &batches).await?;
        insurer.await_waiting(&mut answers).await?;
        insurer::verify(&mut answers, &folder("keys"), &folder("proofs"))?;
        batches.push(settle::batch(&mut ledger, &deployment, &cast, &mut answers).await?);
    }
    let credit = settle::credit(&mut ledger, &deployment, &cast).await?;

    say("A sponsor registers a trial of 1,000 subjects; a researcher and a regulator ask about it");
    let (dir, seed) = (options.dir.clone(), options.seed);
    let registering = tokio::task::spawn_blocking(move || trial::commit(&dir, seed)).await;
    let registered = registering.at("registering the trial")??;
    let questions = trial::ask(&address.to_string(), &options.dir, &registered).await?;
    drop(stop);
    serving.await.at("stopping the service")?.at("stopping the service")?;

    let report =
        Report { answers: &answers, batches: &batches, ledger: &ledger, credit, elapsed: start.elapsed() };
    report.table().iter().for_each(|line| say(line));
    trial::table(&registered, &questions).iter().for_each(|line| say(line));
    write(&folder("report.html"), &page::page(&registered, &questions))?;
    let cohort = questions.into_iter().map(|question| question.summary).collect();
    let summary = Summary { cohort, ..report.summary() };
    write(&folder("summary.json"), &serde_json::to_string_pretty(&summary).at("writing the summary")?)?;
    write(
        &folder("chain").join("deployment.json"),
        &serde_json::to_string_pretty(&deployment).at("writing")?,
    )?;
    say(&format!(
        "\nProofs, keys, chain receipts, summary.json and report.html are in {}",
        options.dir.display()
    ));
    Ok(summary)
}

fn make_keys(folder: &Path, say: &mut dyn FnMut(&str)) -> Result<(), DemoError> {
    KeyStore::development(folder, &mut |step| {
        if let SetupStep::Making(class) = step {
            say(&format!(
                "Making the development key of {} (a public seed: for trying out only)",
                class.name()
            ));
        }
    })
    .at("making keys")
    .map(drop)
}

fn write(path: &Path, text: &str) -> Result<(), DemoError> {
    std::fs::write(path, text).map_err(|error| DemoError {
        step: "writing the results",
        problem: format!("{}: {error}; free space or choose another --dir", path.display()),
    })
}
