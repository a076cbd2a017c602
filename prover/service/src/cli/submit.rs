//! `nightingale claim submit`: has a server prove a request, watches, verifies and writes the proof.

use super::{Outcome, Remote, Trouble, claim::amount, files, meter::meter, say, trace::Traced, wait};
use clap::Args;
use indicatif::ProgressBar;
use nightingale::client::{Options, has_ended};
use nightingale_circuits::claim::Request;
use nightingale_proto::v1;
use nightingale_trace::Traceparent;
use nightingale_verifier::{ClaimProof, Context, KeyDirectory, VerifyingKey, verify_claim};
use sha2::{Digest, Sha256};
use std::{path::PathBuf, time::Duration};

/// How long a server may be away while a job is watched.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Args)]
pub(super) struct Submit {
    /// The request.
    request: PathBuf,
    #[command(flatten)]
    remote: Remote,
    /// Where to write the proof.
    #[arg(long)]
    out: PathBuf,
    /// Verify under the keys of this folder, and not under those that the server names.
    #[arg(long)]
    keys: Option<PathBuf>,
    /// Names the request once and for all; when absent, its digest.
    #[arg(long)]
    idempotency_key: Option<String>,
    /// Higher goes first, -100 to 100.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// Give up after so many seconds.
    #[arg(long)]
    deadline_seconds: Option<u64>,
    /// Refuse when the payer has published no epoch there.
    #[arg(long)]
    require_epoch: bool,
    /// Fail, and do not wait, when an earlier approval has used up the account version.
    #[arg(long)]
    fail_if_spent: bool,
}

impl Submit {
    pub(super) fn run(&self) -> Outcome {
        let bytes = files::read(&self.request)?;
        // Read here too: a file that is no request never leaves the machine.
        let request = files::request(&self.request)?;
        let options = Options {
            idempotency_key: self
                .idempotency_key
                .clone()
                .unwrap_or_else(|| hex::encode(Sha256::digest(&bytes))),
            priority: self.priority,
            deadline: self.deadline_seconds.map(Duration::from_secs),
            epoch_check: if self.require_epoch {
                v1::EpochCheck::Required
            } else {
                v1::EpochCheck::Unspecified
            },
            spent_account: if self.fail_if_spent { v1::SpentAccount::Fail } else { v1::SpentAccount::Rebase },
        };
        wait(async {
            let traced = Traced::begin("submit claim")?;
            let submitted = self.submit(&bytes, &request, options, traced.context()).await;
            traced.end(submitted).await
        })
    }

    async fn submit(
        &self,
        bytes: &[u8],
        request: &Request,
        options: Options,
        trace: Option<Traceparent>,
    ) -> Outcome {
        let mut client = self.remote.connect().await?.within(trace);
        let mut job = client.adjudicate(bytes.to_vec(), options, false).await?;
        if !has_ended(&job) {
            let bar = meter("proving");
            let watched = client.watch(&job.id, PATIENCE, |job| show(&bar, job)).await;
            bar.finish_and_clear();
            job = watched?;
        }
        let result = outcome(client.job(&job.id).await?)?;
        let keys = match self.keys {
            Some(_) => Vec::new(),
            None => client.keys().await?,
        };
        self.accept(request, &result, &keys)
    }

    /// Verifies that the proof is of this request, and writes it.
    fn accept(&self, request: &Request, result: &v1::ClaimResult, keys: &[v1::VerifyingKey]) -> Outcome {
        let bad = |error: &dyn std::fmt::Display| Trouble::Refused(format!("the server's proof: {error}"));
        let proof = ClaimProof::from_json(&result.proof_json).map_err(|error| bad(&error))?;
        let key = match &self.keys {
            Some(folder) => {
                KeyDirectory::new(folder).key(proof.class, proof.key).map_err(Trouble::unusable)?
            }
            None => {
                let named = keys.iter().find(|key| key.digest == proof.key.0);
                let named = named.ok_or_else(|| bad(&"names a key that the server does not list"))?;
                VerifyingKey::from_bytes(&named.key).map_err(|error| bad(&error))?
            }
        };
        let context = Context {
            epoch_root: Some(request.epoch.root()),
            consent_root: Some(request.consent_root),
            claim_commitment: Some(request.claim.commitment(&request.claim_salt)),
            received: Some(request.received),
            ..Context::default()
        };
        let verified = verify_claim(&key, &proof, &context).map_err(|error| bad(&error))?;
        files::write(&self.out, &result.proof_json)?;
        let out = self.out.display();
        let kind = verified.kind;
        say(format_args!(
            "{}, {} payable; verified under {kind} key {}, written to {out}",
            verified.decision.name(),
            amount(verified.payable_cents),
            verified.key
        ));
        Ok(())
    }
}

/// A job's result, or why there is none.
pub(super) fn outcome(job: v1::Job) -> Result<v1::ClaimResult, Trouble> {
    match job.outcome {
        Some(v1::job::Outcome::Result(result)) => Ok(result),
        Some(v1::job::Outcome::Failure(failure)) => {
            let lines: Vec<String> = failure.lines.iter().map(u32::to_string).collect();
            let lines =
                if lines.is_empty() { String::new() } else { format!(" (lines {})", lines.join(", ")) };
            Err(Trouble::Refused(format!("{}{lines}: {}", failure.code, failure.message)))
        }
        Some(v1::job::Outcome::Answer(_)) => {
            Err(Trouble::Refused(format!("the job {} answers a question and holds no claim", job.id)))
        }
        None => Err(Trouble::Refused(format!("the job {} was cancelled", job.id))),
    }
}

fn show(bar: &ProgressBar, job: &v1::Job) {
    bar.set_position(job.percent.into());
    let text = match (job.state(), &job.waiting) {
        (_, Some(waiting)) => format!("waiting: {}", waiting.reason),
        (v1::JobState::Queued, _) => "queued".to_owned(),
        _ => match job.phase() {
            v1::Phase::Checking => "checking".to_owned(),
            v1::Phase::Assigning => "assigning".to_owned(),
            v1::Phase::Verifying => "verifying".to_owned(),
            v1::Phase::Proving | v1::Phase::Unspecified => String::new(),
        },
    };
    bar.set_message(text);
}
