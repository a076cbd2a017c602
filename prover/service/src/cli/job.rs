//! `nightingale job`.

use super::{Outcome, Remote, files, say, submit::PATIENCE, wait};
use clap::{Args, Subcommand, ValueEnum};
use nightingale_proto::v1::{self, JobState};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(super) enum Job {
    /// Show a job; write its proof where asked.
    Get(Get),
    /// Show a job whenever it changes, until it has ended.
    Watch(One),
    /// Cancel a job that has not ended.
    Cancel(One),
    /// List jobs, the newest first.
    List(List),
}

#[derive(Args)]
pub(super) struct One {
    /// The job's identifier.
    id: String,
    #[command(flatten)]
    remote: Remote,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Get {
    #[command(flatten)]
    one: One,
    /// Where to write the proof of a done job.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    remote: Remote,
    /// Only jobs in this state; may be given more than once.
    #[arg(long)]
    state: Vec<State>,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    most: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum State {
    Queued,
    Running,
    Waiting,
    Done,
    Failed,
    Cancelled,
}

impl From<State> for JobState {
    fn from(state: State) -> Self {
        match state {
            State::Queued => Self::Queued,
            State::Running => Self::Running,
            State::Waiting => Self::Waiting,
            State::Done => Self::Done,
            State::Failed => Self::Failed,
            State::Cancelled => Self::Cancelled,
        }
    }
}

impl Job {
    pub(super) fn run(&self) -> Outcome {
        wait(async {
            match self {
                Self::Get(Get { one, out }) => {
                    let job = one.remote.connect().await?.job(&one.id).await?;
                    let proof = match &job.outcome {
                        Some(v1::job::Outcome::Result(result)) => Some(&result.proof_json),
                        Some(v1::job::Outcome::Answer(answer)) => Some(&answer.proof_json),
                        Some(v1::job::Outcome::Failure(_)) | None => None,
                    };
                    if let (Some(out), Some(proof)) = (out, proof) {
                        files::write(out, proof)?;
                    }
                    show(&job, one.json);
                }
                Self::Watch(one) => {
                    one.remote.connect().await?.watch(&one.id, PATIENCE, |job| show(job, one.json)).await?;
                }
                Self::Cancel(one) => show(&one.remote.connect().await?.cancel(&one.id).await?, one.json),
                Self::List(list) => {
                    let states: Vec<JobState> = list.state.iter().map(|state| (*state).into()).collect();
                    for job in list.remote.connect().await?.jobs(&states, list.most).await? {
                        show(&job, list.json);
                    }
                }
            }
            Ok(())
        })
    }
}

fn state_name(job: &v1::Job) -> String {
    job.state().as_str_name().trim_start_matches("JOB_STATE_").to_lowercase()
}

pub(super) fn show(job: &v1::Job, json: bool) {
    if json {
        return say(to_json(job));
    }
    let tail = match (&job.outcome, &job.waiting) {
        (Some(v1::job::Outcome::Failure(failure)), _) => format!(" {}: {}", failure.code, failure.message),
        (Some(v1::job::Outcome::Result(result)), _) => {
            let decision = if result.approved { "approve" } else { "deny" };
            format!(" {decision} {}", super::claim::amount(result.payable_cents))
        }
        (Some(v1::job::Outcome::Answer(answer)), _) => {
            format!(" {} of {} cells hidden: {}", answer.suppressed, answer.groups, answer.query)
        }
        (None, Some(waiting)) => format!(" {}: {}", waiting.reason, waiting.message),
        (None, None) if job.percent > 0 => format!(" {}%", job.percent),
        (None, None) => String::new(),
    };
    say(format_args!("{} {} {}{tail}", job.id, job.size_class, state_name(job)));
}

/// One line of JSON.
fn to_json(job: &v1::Job) -> Value {
    let (mut result, mut answer, mut failure) = (Value::Null, Value::Null, Value::Null);
    match &job.outcome {
        Some(v1::job::Outcome::Result(r)) => {
            result = json!({
                "decision": if r.approved { "approve" } else { "deny" },
                "reasons": r.reasons,
                "payable_cents": r.payable_cents,
                "key_digest": hex::encode(&r.key_digest),
                "prove_ms": r.prove_ms,
            });
        }
        Some(v1::job::Outcome::Answer(a)) => {
            answer = json!({
                "query": a.query,
                "dataset": hex::encode(&a.dataset),
                "role": a.role,
                "threshold": a.threshold,
                "consent_version": a.consent_version,
                "groups": a.groups,
                "suppressed": a.suppressed,
                "sealed": a.sealed,
                "key_digest": hex::encode(&a.key_digest),
                "prove_ms": a.prove_ms,
            });
        }
        Some(v1::job::Outcome::Failure(f)) => {
            failure = json!({"code": f.code, "message": f.message, "lines": f.lines, "carc": f.carc});
        }
        None => {}
    }
    json!({
        "id": job.id,
        "state": state_name(job),
        "percent": job.percent,
        "size_class": job.size_class,
        "priority": job.priority,
        "attempts": job.attempts,
        "rebases": job.rebases,
        "waiting": job.waiting.as_ref().map(|w| &w.reason),
        "result": result,
        "answer": answer,
        "failure": failure,
    })
}
