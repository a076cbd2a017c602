//! A researcher and a regulator ask about the trial over gRPC, and every answer is verified as a third party would.

use super::{
    At, DemoError,
    publication::LoggedSummary,
    trial::{Registered, SUBJECTS, TENANT},
};
use crate::client::{Client, ClientError};
use nightingale_circuits::cohort::Mode;
use nightingale_proto::v1::{self, job::Outcome};
use nightingale_verifier::{
    cohort::{Expectation, QueryProof, Venue, VerifiedQuery, verify_query},
    statistics::Source,
};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

const AGE_BY_ARM: &str = "SELECT ARM, AVG(AGE), STDDEV(AGE) FROM trial WHERE AGE IS NOT NULL GROUP BY ARM";

/// One question of the demonstration.
pub(super) struct Story {
    /// The name of its proof file.
    name: &'static str,
    /// What it is about.
    pub(super) title: &'static str,
    mode: Mode,
    sql: &'static str,
    /// Whether its answer is proven for the log of the chain, and goes there.
    pub(super) on_chain: bool,
}

const STORIES: [Story; 10] = [
    researcher("subjects", "Table 1: subjects by arm", "SELECT ARM, COUNT(*) FROM trial GROUP BY ARM"),
    researcher("age", "Table 1: age by arm", AGE_BY_ARM),
    Story { on_chain: true, ..researcher("age-on-chain", "Table 1: age by arm", AGE_BY_ARM) },
    researcher(
        "age-groups",
        "Table 1: age groups by arm",
        "SELECT ARM, AGEGR, COUNT(*) FROM trial GROUP BY ARM, AGEGR",
    ),
    researcher(
        "response",
        "Response by arm",
        "SELECT ARM, RESPONDER, COUNT(*) FROM trial GROUP BY ARM, RESPONDER",
    ),
    researcher(
        "adverse-events",
        "Adverse events by arm",
        "SELECT ARM, TERM, COUNT(*) FROM trial_events GROUP BY ARM, TERM",
    ),
    survival("survival-placebo", "SELECT DAY, SUM(EVENT) FROM trial WHERE ARM = 'Placebo' GROUP BY DAY"),
    survival("survival-low", "SELECT DAY, SUM(EVENT) FROM trial WHERE ARM = 'Low dose' GROUP BY DAY"),
    survival("survival-high", "SELECT DAY, SUM(EVENT) FROM trial WHERE ARM = 'High dose' GROUP BY DAY"),
    researcher(
        "refused",
        "Somebody in particular",
        "SELECT COUNT(*) FROM trial WHERE AGE = 44 AND SEX = 'F' AND SITE = 'S03'",
    ),
];

const fn researcher(name: &'static str, title: &'static str, sql: &'static str) -> Story {
    Story { name, title, mode: Mode::Plan, sql, on_chain: false }
}

/// One arm a question: days and arms together would be more groups than one proof has.
const fn survival(name: &'static str, sql: &'static str) -> Story {
    Story { name, title: "Time to event", mode: Mode::Exact, sql, on_chain: false }
}

/// What became of a question.
pub(super) struct Answer {
    pub(super) story: &'static Story,
    /// The proof that was read; none where it was refused.
    pub(super) proof: Option<QueryProof>,
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
    /// What anybody runs in the demonstration's folder to verify it.
    pub check: Option<String>,
    /// The answer in the log of the chain, where it was sent there.
    pub logged: Option<LoggedSummary>,
    /// Why it was refused, or that it was opened with the regulator's key.
    pub note: String,
}

/// Asks all questions; verifies and keeps every answer. `log` is where the answer for the chain is proven for.
pub(super) async fn ask(
    address: &str,
    dir: &Path,
    trial: &Registered,
    log: Venue,
) -> Result<Vec<Answer>, DemoError> {
    let mut client = Client::connect(address, TENANT).await.at("reaching the service")?;
    client.register_dataset(&trial.folder).await.at("registering the trial with the service")?;
    let mut answers = Vec::new();
    for story in &STORIES {
        let venue = story.on_chain.then_some(log);
        let question = v1::QueryRequest {
            idempotency_key: format!("{}-{}", trial.folder, story.name),
            dataset: trial.dataset.digest().to_vec(),
            sql: story.sql.to_owned(),
            role: if story.mode == Mode::Exact {
                v1::Role::Regulator.into()
            } else {
                v1::Role::Researcher.into()
            },
            chain_id: venue.map_or(0, |venue| venue.chain_id),
            contract: venue.map(|venue| venue.contract.0.to_vec()).unwrap_or_default(),
            wait: true,
            ..v1::QueryRequest::default()
        };
        let answer = match client.query(question).await {
            Ok(job) => story.receive(job, dir, trial, venue)?,
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
        Answer { story: self, proof: None, verified: None, summary }
    }

    fn receive(
        &'static self,
        job: v1::Job,
        dir: &Path,
        trial: &Registered,
        venue: Option<Venue>,
    ) -> Result<Answer, DemoError> {
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
        let expectation = Expectation {
            mode: Some(self.mode),
            venue,
            sponsor: Some(trial.sponsor),
            ..Expectation::default()
        };
        let verified =
            verify_query(&trial.dataset, &proof, &expectation, &trial.keys).at("verifying a proof")?;
        let verify_ms = start.elapsed().as_secs_f64() * 1000.0;
        let name = name.display().to_string();
        let summary = CohortSummary {
            query: result.query,
            role: result.role,
            verdict: "valid".to_owned(),
            groups: result.groups,
            suppressed: result.suppressed,
            proof_bytes: proof.proof.proof.len() + proof.proof.link.to_bytes().len(),
            prove_ms: result.prove_ms,
            verify_ms,
            check: Some(check(trial, &[&name], venue)),
            proof: Some(name),
            logged: None,
            note: if result.sealed {
                "sealed to the regulator, opened with its key".to_owned()
            } else {
                String::new()
            },
        };
        Ok(Answer { story: self, proof: Some(proof), verified: Some(verified), summary })
    }
}

impl Answer {
    /// For statistics.
    pub(super) fn source(&self) -> Option<Source> {
        let verified = self.verified.as_ref()?;
        Source::of(verified).ok()
    }
}

/// What anybody runs in the demonstration's folder to verify proof files, and to derive the statistics from them.
pub(super) fn check(trial: &Registered, files: &[&str], venue: Option<Venue>) -> String {
    let venue = venue.map_or_else(String::new, |venue| {
        format!(" --chain-id {} --contract 0x{}", venue.chain_id, hex::encode(venue.contract.0))
    });
    let (files, sponsor) = (files.join(" "), hex::encode(trial.sponsor.0));
    format!("nightingale-verify cohort {files} --dataset trial/public --sponsor 0x{sponsor}{venue} --stats")
}

/// The table for a terminal.
pub(super) fn table(trial: &Registered, answers: &[Answer]) -> Vec<String> {
    let header = format!(
        "\nTrial 0x{}: {SUBJECTS} subjects registered in {:.1} s, signed by 0x{}\n{:<28} {:<10} {:<8} {:>7} {:>7} {:>7} {:>9} {:>10}  note",
        hex::encode(trial.dataset.digest()),
        trial.took.as_secs_f64(),
        hex::encode(trial.sponsor.0),
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
        let note = match &summary.logged {
            Some(logged) => format!("logged on-chain, {} gas", grouped(logged.gas)),
            None if summary.verdict == "refused" => "not a query of the registered plan".to_owned(),
            None => summary.note.clone(),
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

/// A number with a comma before each three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped_by_three_digits() {
        assert_eq!([0, 999, 1000, 631_958].map(grouped), ["0", "999", "1,000", "631,958"]);
    }
}
