//! The sponsor's side: an invented trial is registered, asked over gRPC by a researcher and a regulator, and every answer is verified as
//! a third party would.

use super::{At, DemoError};
use crate::{
    client::{Client, ClientError},
    cohort::{Registration, RegulatorSecret, plan::invent, register},
};
use nightingale_circuits::cohort::Mode;
use nightingale_proto::v1::{self, job::Outcome};
use nightingale_prover::cohort::CohortKeyStore;
use nightingale_verifier::{
    cohort::{
        CohortKeys, Dataset, Expectation, QueryProof, VerifiedQuery, verify_query, verify_registration,
    },
    statistics::Source,
};
use serde::Serialize;
use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Instant,
};

const TENANT: &str = "demo-sponsor";
const SUBJECTS: usize = 1000;

/// One question of the demonstration.
pub(super) struct Story {
    /// The name of its proof file.
    name: &'static str,
    /// What it is about.
    pub(super) title: &'static str,
    mode: Mode,
    sql: &'static str,
}

const STORIES: [Story; 8] = [
    Story {
        name: "age",
        title: "Table 1: age by arm",
        mode: Mode::Plan,
        sql: "SELECT ARM, AVG(AGE), STDDEV(AGE) FROM trial GROUP BY ARM",
    },
    Story {
        name: "age-groups",
        title: "Table 1: age groups by arm",
        mode: Mode::Plan,
        sql: "SELECT ARM, AGEGR, COUNT(*) FROM trial GROUP BY ARM, AGEGR",
    },
    Story {
        name: "response",
        title: "Response by arm",
        mode: Mode::Plan,
        sql: "SELECT ARM, RESPONDER, COUNT(*) FROM trial GROUP BY ARM, RESPONDER",
    },
    Story {
        name: "adverse-events",
        title: "Adverse events by arm",
        mode: Mode::Plan,
        sql: "SELECT ARM, TERM, COUNT(*) FROM trial_events GROUP BY ARM, TERM",
    },
    survival("survival-placebo", "SELECT DAY, SUM(EVENT) FROM trial WHERE ARM = 'Placebo' GROUP BY DAY"),
    survival("survival-low", "SELECT DAY, SUM(EVENT) FROM trial WHERE ARM = 'Low dose' GROUP BY DAY"),
    survival("survival-high", "SELECT DAY, SUM(EVENT) FROM trial WHERE ARM = 'High dose' GROUP BY DAY"),
    Story {
        name: "refused",
        title: "Somebody in particular",
        mode: Mode::Plan,
        sql: "SELECT COUNT(*) FROM trial WHERE AGE = 44 AND SEX = 'F' AND SITE = 'S03'",
    },
];

/// One arm a question: days and arms together would be more groups than one proof has.
const fn survival(name: &'static str, sql: &'static str) -> Story {
    Story { name, title: "Time to event", mode: Mode::Exact, sql }
}

/// What became of a question.
pub(super) struct Answer {
    pub(super) story: &'static Story,
    /// The verified figures; none where it was refused.
    pub(super) verified: Option<VerifiedQuery>,
    pub(super) summary: CohortSummary,
}

/// One question in `summary.json`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CohortSummary {
    /// The question, in its canonical text where it was answered.
    pub query: String,
    /// Who asked.
    pub role: String,
    /// `valid` once its proof is verified, or `refused`.
    pub verdict: String,
    /// Cells.
    pub groups: u32,
    /// Hidden cells.
    pub suppressed: u32,
    /// Bytes of the halo2 proof and its link.
    pub proof_bytes: usize,
    /// Proving, in milliseconds.
    pub prove_ms: u64,
    /// Reading and verifying, in milliseconds.
    pub verify_ms: f64,
    /// The proof file, below the demonstration's folder.
    pub proof: Option<String>,
    /// Why it was refused, or that it was opened with the regulator's key.
    pub note: String,
}

/// A registered trial, as the sponsor and the regulator hold it.
pub(super) struct Registered {
    pub(super) dataset: Dataset,
    /// The folder's name among the service's datasets.
    folder: String,
    regulator: RegulatorSecret,
    /// Registering it, in milliseconds.
    pub(super) register_ms: u128,
}

/// Invents a trial and registers it where the service keeps datasets. Computes for seconds.
pub(super) fn commit(dir: &Path, seed: u64) -> Result<Registered, DemoError> {
    let trial = dir.join("trial");
    fs::create_dir_all(&trial).at("making the folder")?;
    let invented = invent(seed, SUBJECTS, &trial.join("trial.csv")).at("inventing a trial")?;
    let regulator = RegulatorSecret::random();
    // A name of its own: a registration is never overwritten.
    let folder = format!("trial-{:08x}", rand::random::<u32>());
    let start = Instant::now();
    let registration = Registration {
        files: vec![invented.files.subjects, invented.files.events],
        schema: invented.files.schema,
        key_column: None,
        regulator: Some(regulator.public()),
        sponsor: None,
        out: dir.join("service/datasets").join(TENANT).join(&folder),
    };
    if let Some(parent) = registration.out.parent() {
        fs::create_dir_all(parent).at("making the folder")?;
    }
    let keys = CohortKeyStore::development(dir.join("keys/cohort")).at("making the setup")?;
    let registered =
        register(&registration, &keys, &mut |_| ControlFlow::Continue(())).at("registering the trial")?;
    let dataset = registered.public().clone();
    let public = trial.join("public");
    fs::create_dir_all(&public).at("making the folder")?;
    fs::write(public.join("dataset.json"), dataset.to_json()).at("writing the registration")?;
    verify_registration(&dataset, &CohortKeys::development(), false).at("verifying the registration")?;
    Ok(Registered { dataset, folder, regulator, register_ms: start.elapsed().as_millis() })
}

/// Asks all questions; verifies and keeps every answer.
pub(super) async fn ask(address: &str, dir: &Path, trial: &Registered) -> Result<Vec<Answer>, DemoError> {
    let mut client = Client::connect(address, TENANT).await.at("reaching the service")?;
    client.register_dataset(&trial.folder).await.at("registering the trial with the service")?;
    let mut answers = Vec::new();
    for story in &STORIES {
        let question = v1::QueryRequest {
            idempotency_key: format!("{}-{}", trial.folder, story.name),
            dataset: trial.dataset.digest().to_vec(),
            sql: story.sql.to_owned(),
            role: if story.mode == Mode::Exact {
                v1::Role::Regulator.into()
            } else {
                v1::Role::Researcher.into()
            },
            wait: true,
            ..v1::QueryRequest::default()
        };
        let answer = match client.query(question).await {
            Ok(job) => story.receive(job, dir, trial)?,
            Err(ClientError::Refused { message, .. }) => story.refused(message),
            Err(error) => return Err(error).at("asking the service"),
        };
        answers.push(answer);
    }
    Ok(answers)
}

impl Story {
    const fn role(&self) -> &'static str {
        nightingale_verifier::cohort::proof::role(self.mode)
    }

    fn refused(&'static self, note: String) -> Answer {
        let summary = CohortSummary {
            query: self.sql.to_owned(),
            role: self.role().to_owned(),
            verdict: "refused".to_owned(),
            note,
            ..CohortSummary::default()
        };
        Answer { story: self, verified: None, summary }
    }

    fn receive(&'static self, job: v1::Job, dir: &Path, trial: &Registered) -> Result<Answer, DemoError> {
        let result = match job.outcome {
            Some(Outcome::Answer(result)) => result,
            Some(Outcome::Failure(failure)) => return Err(failure.message).at("proving an answer"),
            Some(Outcome::Result(_)) | None => return Err("ended without an answer").at("proving an answer"),
        };
        let file = if result.sealed {
            trial.regulator.open(&result.proof_json).at("opening a sealed answer")?
        } else {
            result.proof_json
        };
        let name = PathBuf::from("proofs").join(format!("trial-{}.json", self.name));
        fs::write(dir.join(&name), &file).at("writing a proof")?;
        let start = Instant::now();
        let proof = QueryProof::from_json(&file, &trial.dataset).at("reading a proof")?;
        let expectation = Expectation { mode: Some(self.mode), ..Expectation::default() };
        let verified = verify_query(&trial.dataset, &proof, &expectation, &CohortKeys::development())
            .at("verifying a proof")?;
        let verify_ms = start.elapsed().as_secs_f64() * 1000.0;
        let summary = CohortSummary {
            query: result.query,
            role: result.role,
            verdict: "valid".to_owned(),
            groups: result.groups,
            suppressed: result.suppressed,
            proof_bytes: proof.proof.proof.len() + proof.proof.link.to_bytes().len(),
            prove_ms: result.prove_ms,
            verify_ms,
            proof: Some(name.display().to_string()),
            note: if result.sealed {
                "sealed to the regulator, opened with its key".to_owned()
            } else {
                String::new()
            },
        };
        Ok(Answer { story: self, verified: Some(verified), summary })
    }
}

impl Answer {
    /// For statistics.
    pub(super) fn source(&self) -> Option<Source> {
        let verified = self.verified.as_ref()?;
        Source::new(verified.schema.clone(), verified.query.clone(), verified.answer.clone()).ok()
    }
}

/// The table for a terminal.
pub(super) fn table(trial: &Registered, answers: &[Answer]) -> Vec<String> {
    let header = format!(
        "\nTrial 0x{}: {SUBJECTS} subjects registered in {:.1} s\n{:<28} {:<10} {:<8} {:>7} {:>7} {:>7} {:>9} {:>10}  note",
        hex::encode(trial.dataset.digest()),
        u64::try_from(trial.register_ms).map_or(0.0, |ms| std::time::Duration::from_millis(ms).as_secs_f64()),
        "question",
        "role",
        "verdict",
        "groups",
        "hidden",
        "proof",
        "prove ms",
        "verify ms"
    );
    let row = |answer: &Answer| {
        let summary = &answer.summary;
        let note = if summary.verdict == "refused" {
            "not a query of the registered plan"
        } else {
            summary.note.as_str()
        };
        format!(
            "{:<28} {:<10} {:<8} {:>7} {:>7} {:>7} {:>9} {:>10.1}  {note}",
            answer.story.title,
            summary.role,
            summary.verdict,
            summary.groups,
            summary.suppressed,
            summary.proof_bytes,
            summary.prove_ms,
            summary.verify_ms
        )
    };
    std::iter::once(header).chain(answers.iter().map(row)).collect()
}
