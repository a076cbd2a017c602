//! `nightingale demo`: one insurer, one provider, 12 members and 20 claims, from registers to a settled payment; and one trial of
//! 1,000 subjects, from its files to a page of proven results, one of them on-chain.
//!
//! Everything is real: the service runs in this process and is spoken to over gRPC, every proof is verified as a third
//! party would, and the contracts run on an EVM in this process or on a node. Only the people are invented.

mod cast;
mod insurer;
mod ledger;
mod page;
mod publication;
mod questions;
mod report;
mod settle;
mod trial;

use crate::{Config, adjudicator::groth16::Groth16, cohort::Sponsor, server::Server};
use cast::Cast;
use insurer::Answers;
use ledger::Ledger;
use nightingale_contracts::deploy::Deployment;
use nightingale_prover::{KeyStore, keys::SetupStep};
use questions::Answer;
use report::{Report, Stopwatch};
use settle::Batch;
use std::{
    fmt::Display,
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;
use tokio::sync::oneshot;
use trial::{Registered, Registering};

pub use publication::LoggedSummary;
pub use questions::CohortSummary;
pub use report::{StepSummary, Summary};

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
    let mut watch = Stopwatch::start();
    let folder = |name: &str| options.dir.join(name);
    for name in ["keys", "proofs", "chain", "service"] {
        std::fs::create_dir_all(folder(name)).at("making the folder")?;
    }
    make_keys(&folder("keys"), say)?;
    watch.done("making the keys of claims");

    let mut ledger = Ledger::open(options.chain.as_deref(), &folder("chain")).await?;
    say(&format!(
        "Deploying the registry, the settlement, the log of answers and the verifiers on {}",
        ledger.name()
    ));
    let deployment = ledger.deploy(&folder("keys")).await?;
    let text = serde_json::to_string_pretty(&deployment).at("writing the deployment")?;
    write(&folder("chain").join("deployment.json"), &text)?;
    let cast = Cast::new(options.seed, &deployment)?;
    say("An insurer publishes its registers and funds its escrow; a provider has 20 claims of 12 members");
    settle::prepare(&mut ledger, &deployment, &cast).await?;
    watch.done("deploying, registers and escrow");

    let (stop, stopped) = oneshot::channel::<()>();
    let prover = Arc::new(Groth16::open(&folder("keys")).at("reading the keys")?);
    // Data of its own: an epoch that an earlier demonstration published would be another one with the same number.
    let service = folder("service").join(format!("{:08x}", rand::random::<u32>()));
    let config = Config::local(service.clone(), folder("keys"));
    let server = Server::bind(config, prover).await.at("starting the service")?;
    let address = server.address();
    let serving = tokio::spawn(server.serve(async {
        // The sender is dropped when the demonstration fails: that ends the service as well.
        let _ = stopped.await;
    }));
    say(&format!("The service listens on {address}; the insurer asks it over gRPC"));
    watch.done("starting the service");

    say("Meanwhile a sponsor registers and signs a trial of 1,000 subjects");
    let sponsor = Sponsor::from(ledger.account());
    let registering = Registering::begin(options.dir.clone(), service, options.seed, sponsor);

    let address = address.to_string();
    let (answers, batches) = claims(&options, &address, &mut ledger, &deployment, &cast, say).await?;
    let credit = settle::credit(&mut ledger, &deployment, &cast).await?;
    watch.done("claims: proving, verifying, settling; beside them, registering the trial");
    let registered = registering.end().await?;
    watch.done("trial: the rest of registering");
    let questions = cohort(&options, &address, &mut ledger, &deployment, &registered, say).await?;
    watch.done("trial: proving, verifying and logging answers");
    drop(stop);
    serving.await.at("stopping the service")?.at("stopping the service")?;

    let report =
        Report { answers: &answers, batches: &batches, ledger: &ledger, credit, elapsed: watch.elapsed() };
    report.table().iter().for_each(|line| say(line));
    questions::table(&registered, &questions).iter().for_each(|line| say(line));
    write(&folder("report.html"), &page::page(&registered, &questions))?;
    let cohort = questions.into_iter().map(|question| question.summary).collect();
    let summary = Summary { cohort, steps: watch.into_steps(), ..report.summary() };
    write(&folder("summary.json"), &serde_json::to_string_pretty(&summary).at("writing the summary")?)?;
    say(&format!(
        "\nProofs, keys, chain receipts, summary.json and report.html are in {}",
        options.dir.display()
    ));
    Ok(summary)
}

/// The claims' part: asked, verified, settled, and once more for those that lost a race.
async fn claims(
    options: &Options,
    address: &str,
    ledger: &mut Ledger,
    deployment: &Deployment,
    cast: &Cast,
    say: &mut dyn FnMut(&str),
) -> Result<(Answers, Vec<Batch>), DemoError> {
    let (keys, proofs) = (options.dir.join("keys"), options.dir.join("proofs"));
    let mut insurer = insurer::Insurer::connect(address, cast).await?;
    let mut answers: Answers = insurer.ask(cast).await?;
    insurer::verify(&mut answers, &keys, &proofs)?;
    let first = settle::batch(ledger, deployment, cast, &mut answers).await?;
    say(&format!("Settled {} claims in one batch, {} gas", first.settled, questions::grouped(first.gas)));

    let mut batches = vec![first];
    if answers.any_waiting() {
        say(
            "A claim lost the race for its member's account: the insurer publishes the new accounts, and it is proven again",
        );
        settle::publish_accounts(ledger, deployment, cast, &batches).await?;
        insurer.publish_accounts(cast, &batches).await?;
        insurer.await_waiting(&mut answers).await?;
        insurer::verify(&mut answers, &keys, &proofs)?;
        batches.push(settle::batch(ledger, deployment, cast, &mut answers).await?);
    }
    Ok((answers, batches))
}

/// The trial's part: its table goes to the registry, it is asked, and one answer is sent to the chain.
async fn cohort(
    options: &Options,
    address: &str,
    ledger: &mut Ledger,
    deployment: &Deployment,
    registered: &Registered,
    say: &mut dyn FnMut(&str),
) -> Result<Vec<Answer>, DemoError> {
    let planned = publication::register(ledger, deployment, registered).await?;
    say(&format!(
        "The trial is registered, on-chain with the {planned} queries of its plan that contracts verify; a researcher and a regulator \
         ask about it"
    ));
    let venue = publication::venue(deployment)?;
    let mut questions = questions::ask(address, &options.dir, registered, venue).await?;
    for question in questions.iter_mut().filter(|question| question.story.on_chain) {
        publication::log(ledger, deployment, registered, question).await?;
        if let Some(logged) = &question.summary.logged {
            say(&format!("The chain verified and logged an answer, {} gas", questions::grouped(logged.gas)));
        }
    }
    Ok(questions)
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
