//! `nightingale cohort`: ask a registered dataset, and what a regulator needs to read sealed answers.

use super::{Outcome, Trouble, files, meter::watched, say, store, warn};
use clap::{Args, Subcommand, ValueEnum};
use nightingale::{
    CohortError,
    cohort::{Folder, Outcome as Asked, Question, RegulatorSecret, Released, Understood, answer, understand},
};
use nightingale_circuits::cohort::Mode;
use nightingale_records::trial::Role;
use nightingale_verifier::{
    cohort::Venue,
    expectation::parse_address,
    statistics::{Source, Statistics},
};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(super) enum Cohort {
    /// Answer a question about a dataset folder, with proof.
    Query(Query),
    /// Make a regulator's key pair: the secret file, and FILE.pub for the sponsor's `dataset commit --regulator-key`.
    RegulatorKey(MakeKey),
    /// Open an answer that was sealed to a regulator.
    Open(Open),
}

#[derive(Args)]
pub(super) struct Query {
    /// The dataset folder.
    #[arg(long)]
    dataset: PathBuf,
    /// The question: SELECT groups, aggregates FROM table WHERE conditions GROUP BY groups.
    #[arg(long)]
    sql: String,
    /// Who asks: a researcher gets the queries of the registered plan, small cells hidden; a regulator any query, exactly.
    #[arg(long, default_value = "researcher")]
    role: RoleName,
    /// Where to write the proof; sealed when the role is regulator and the dataset was registered with a regulator's key.
    #[arg(long)]
    out: PathBuf,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
    /// The proof is for this chain; needs --contract.
    #[arg(long, value_name = "ID", requires = "contract")]
    chain_id: Option<u64>,
    /// The proof is for this contract; needs --chain-id.
    #[arg(long, value_name = "0xADDRESS", requires = "chain_id")]
    contract: Option<String>,
    #[command(flatten)]
    keys: store::Keys,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleName {
    Regulator,
    Researcher,
}

#[derive(Args)]
pub(super) struct MakeKey {
    /// Where to write the secret key; the public one is written beside it as FILE.pub.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args)]
pub(super) struct Open {
    /// The sealed answer.
    sealed: PathBuf,
    /// The regulator's secret key.
    #[arg(long)]
    key: PathBuf,
    /// Where to write the proof.
    #[arg(long)]
    out: PathBuf,
}

impl Cohort {
    pub(super) fn run(&self) -> Outcome {
        match self {
            Self::Query(command) => command.run(),
            Self::RegulatorKey(command) => command.run(),
            Self::Open(command) => command.run(),
        }
    }
}

impl Query {
    fn run(&self) -> Outcome {
        let question = self.question()?;
        while !self.answer(&question)? {
            warn("subjects' consents were revoked meanwhile; the question is answered anew, without them");
        }
        Ok(())
    }

    /// Answers under the consents that the folder has now; `false` when others have taken their place before the answer was there.
    fn answer(&self, question: &Question) -> Result<bool, Trouble> {
        let folder = Folder::open(&self.dataset)?;
        let understood = understand(folder.public(), question)?;
        if let Err(refusal) = understood.allow(folder.public()) {
            folder.ledger().append(&understood, &Asked::Refused(refusal.reason()))?;
            return Err(refusal.into());
        }
        // A ledger that cannot be continued is found before the work, not after it.
        folder.ledger().entries()?;
        if understood.ask.mode == Mode::Exact && folder.regulator.is_none() {
            warn(
                "the exact answer is written in clear, since the dataset was registered without a regulator's key; keep it as a record",
            );
        }
        let keys = self.keys.open()?;
        let released = watched("proving", |progress| answer::prove(&folder, &keys, &understood, progress))?;
        // Whoever is told that somebody was revoked is told so after this answer, or before the next.
        let Some(_held) = folder.hold()? else { return Ok(false) };
        // What was asked is on record before the answer is.
        let consent_version = released.proof.consent_version;
        folder.ledger().append(&understood, &Asked::Answered { consent_version })?;
        files::write(&self.out, &released.file)?;
        if self.json {
            let json = released.json(folder.public(), &understood.sql)?;
            say(serde_json::to_string_pretty(&json).map_err(Trouble::unusable)?);
        } else {
            self.print(&folder, &understood, &released)?;
        }
        Ok(true)
    }

    fn question(&self) -> Result<Question, Trouble> {
        let role = match self.role {
            RoleName::Regulator => Role::Regulator,
            RoleName::Researcher => Role::Researcher,
        };
        let venue = match (self.chain_id, &self.contract) {
            (Some(chain_id), Some(contract)) => Venue {
                chain_id,
                contract: parse_address(contract, "--contract").map_err(Trouble::unusable)?,
            },
            _ => Venue::NONE,
        };
        Ok(Question { sql: self.sql.clone(), role, venue })
    }

    fn print(&self, folder: &Folder, understood: &Understood, released: &Released) -> Outcome {
        let proof = &released.proof;
        if released.sealed {
            say("the answer is sealed to the regulator's key: `nightingale cohort open` opens it");
        } else {
            let schema = understood.table(folder.public())?.schema().clone();
            let source = Source::new(schema, proof.query.clone(), proof.answer.clone(), proof.threshold)
                .map_err(Trouble::unusable)?;
            say(Statistics::of(&[source]));
        }
        say(format_args!(
            "{} proof in {:.1} s, threshold {}, {} keys, written to {}",
            proof.class.name(),
            std::time::Duration::from_millis(released.prove_ms).as_secs_f64(),
            proof.threshold,
            proof.key_kind,
            self.out.display()
        ));
        Ok(())
    }
}

impl MakeKey {
    fn run(&self) -> Outcome {
        let mut public = self.out.as_os_str().to_owned();
        public.push(".pub");
        let public = PathBuf::from(public);
        if self.out.exists() || public.exists() {
            let problem = "is there already; a key that answers are sealed to is not overwritten";
            return Err(Trouble::Unusable(format!("{}: {problem}", self.out.display())));
        }
        let secret = RegulatorSecret::random();
        files::write(&self.out, secret.to_text().as_bytes())?;
        files::publish(&public, secret.public().to_text().as_bytes())?;
        say(format_args!("secret key in {}, public key in {}", self.out.display(), public.display()));
        Ok(())
    }
}

impl Open {
    fn run(&self) -> Outcome {
        let within = |path: &PathBuf| {
            let place = path.display().to_string();
            move |error: CohortError| Trouble::Unusable(format!("{place}: {error}"))
        };
        let key = files::read(&self.key)?;
        let secret = RegulatorSecret::parse(&String::from_utf8_lossy(&key)).map_err(within(&self.key))?;
        let opened = secret.open(&files::read(&self.sealed)?).map_err(within(&self.sealed))?;
        files::write(&self.out, &opened)?;
        say(format_args!("written to {}; verify it with nightingale-verify cohort", self.out.display()));
        Ok(())
    }
}
