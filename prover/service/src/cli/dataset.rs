//! `nightingale dataset`: register trial data, show what was registered, revoke consents, open a row for an auditor.

mod describe;
mod import;

use super::{Outcome, Trouble, files, meter::watched, say, store};
use clap::{Args, Subcommand};
use nightingale::{
    CohortError,
    cohort::{
        Folder, Registered, Registration, RegulatorKey, Sponsor,
        folder::vacant,
        register,
        registration::read,
        revocation::{expect_unserved, revoke},
    },
    store::consents::versions::TableVersion,
};
use nightingale_circuits::cohort::Mode;
use nightingale_records::trial;
use nightingale_verifier::cohort::{not_for_researchers, text};
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub(super) enum Dataset {
    /// Register trial data: commit to every column, prove that the tables are what their schema says, write the dataset folder.
    Commit(Commit),
    /// Propose a schema file for trial data, on standard output. Everything in it becomes public: read and edit it.
    Infer(Infer),
    /// Show what was registered: tables, columns, thresholds, roles and the plan.
    Describe(describe::Describe),
    /// Revoke the consent of subjects: later answers do not count them.
    Revoke(Revoke),
    /// Open one row for the subject or an auditor: the file proves that this row was registered, and shows no other.
    Row(Row),
    /// Take a dataset folder into a server's artefact store, its private half sealed, and register it.
    Import(import::Import),
    /// Show who asked what.
    Ledger(ShowLedger),
}

#[derive(Args)]
pub(super) struct Commit {
    /// SAS transport (.xpt), CSV or Parquet files; each is a table named after the file.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The schema file: what is registered, and under which rules.
    #[arg(long)]
    schema: PathBuf,
    /// The dataset folder to make: public/ for everybody, private/ for the custodian.
    #[arg(long)]
    out: PathBuf,
    /// The subject key of every table, instead of the schema file's.
    #[arg(long)]
    key_column: Option<String>,
    /// Write a proposed schema file to --schema and stop; needs --key-column.
    #[arg(long, requires = "key_column")]
    infer: bool,
    /// Seal exact answers to this public key, which the regulator made with `nightingale cohort regulator-key`.
    #[arg(long, value_name = "FILE")]
    regulator_key: Option<PathBuf>,
    /// Sign the dataset, and the first version of its consents, with this account's key: 64 hexadecimal digits, mode 600.
    #[arg(long, value_name = "FILE")]
    sponsor_key: Option<PathBuf>,
    /// Register a plan although two of its answers tell together the sum of a value over fewer subjects than the threshold.
    #[arg(long)]
    accept_differences: bool,
    #[command(flatten)]
    keys: store::Keys,
}

#[derive(Args)]
pub(super) struct Infer {
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The subject key of every table.
    #[arg(long)]
    key_column: String,
}

#[derive(Args)]
pub(super) struct Revoke {
    /// The dataset folder.
    #[arg(long)]
    dataset: PathBuf,
    /// Keys of subjects, as the data files write them.
    #[arg(required = true)]
    subjects: Vec<String>,
    /// The sponsor's key, which signs the new version; needed where the dataset is signed.
    #[arg(long, value_name = "FILE")]
    sponsor_key: Option<PathBuf>,
    #[command(flatten)]
    keys: store::Keys,
}

#[derive(Args)]
#[group(id = "which", required = true, multiple = false, args = ["row", "subject"])]
pub(super) struct Row {
    /// The dataset folder.
    #[arg(long)]
    dataset: PathBuf,
    /// The table.
    #[arg(long)]
    table: String,
    /// The row's place among the registered rows, from 0.
    #[arg(long)]
    row: Option<usize>,
    /// The row of this subject.
    #[arg(long)]
    subject: Option<String>,
    /// Which of the subject's rows, in a table of several: a word of its dimension.
    #[arg(long, requires = "subject")]
    dimension: Option<String>,
    /// Where to write the row. It holds the record in clear.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    keys: store::Keys,
}

#[derive(Args)]
pub(super) struct ShowLedger {
    /// The dataset folder.
    #[arg(long)]
    dataset: PathBuf,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Dataset {
    pub(super) fn run(&self) -> Outcome {
        match self {
            Self::Commit(command) => command.run(),
            Self::Infer(command) => command.run(),
            Self::Describe(command) => command.run(),
            Self::Revoke(command) => command.run(),
            Self::Row(command) => command.run(),
            Self::Import(command) => command.run(),
            Self::Ledger(command) => command.run(),
        }
    }
}

impl Commit {
    fn run(&self) -> Outcome {
        if self.infer {
            return self.propose();
        }
        vacant(&self.out)?;
        let regulator = self.regulator_key.as_deref().map(regulator_key).transpose()?;
        let sponsor = self.sponsor_key.as_deref().map(Sponsor::from_file).transpose()?;
        let registration = Registration {
            files: self.files.clone(),
            schema: self.schema.clone(),
            key_column: self.key_column.clone(),
            regulator,
            sponsor,
            accept_differences: self.accept_differences,
            out: self.out.clone(),
        };
        let keys = self.keys.open()?;
        let Registered { folder, differences } =
            watched("registering", |progress| register(&registration, &keys, progress))?;
        let dataset = folder.public();
        for table in dataset.tables() {
            say(format_args!(
                "{}: {} rows, {} columns, 2^{} domain",
                table.name(),
                table.rows(),
                table.schema().columns().len(),
                table.size().k()
            ));
        }
        let planned = match dataset.plan().len() {
            0 => "no plan, so a researcher may ask nothing".to_owned(),
            1 => "1 planned query".to_owned(),
            queries => format!("{queries} planned queries"),
        };
        if dataset.modes().contains(&Mode::Plan) {
            for (planned, reason) in not_for_researchers(dataset) {
                let sql = text::sql(
                    dataset.table(&planned.table).map_err(CohortError::Release)?.schema(),
                    &planned.query,
                );
                say(format_args!("no researcher is answered {sql}: {reason}"));
            }
        }
        for told in differences {
            for words in told.named {
                say(format_args!("for the sponsor alone, of two planned answers: {words}"));
            }
            if told.more > 0 {
                say(format_args!("for the sponsor alone: {} more such pairs", told.more));
            }
        }
        match dataset.sponsor() {
            Some(sponsor) => say(format_args!("signed by 0x{}", hex::encode(sponsor.address.0))),
            None => say("signed by nobody: --sponsor-key signs"),
        }
        say(format_args!("{planned}; development keys: anybody can forge proofs under them"));
        say(format_args!("dataset 0x{} written to {}", hex::encode(dataset.digest()), self.out.display()));
        Ok(())
    }

    fn propose(&self) -> Outcome {
        if self.schema.exists() {
            return Err(Trouble::Unusable(format!(
                "{} is there already and is not overwritten; commit without --infer, or name another file",
                self.schema.display()
            )));
        }
        let key = self.key_column.as_deref().unwrap_or_default();
        let inferred = trial::infer(&read(&self.files)?, key).map_err(CohortError::from)?;
        files::publish(&self.schema, inferred.to_string().as_bytes())?;
        say(format_args!(
            "a schema was proposed in {}; nothing is registered yet: everything in it becomes public, so read and edit it, \
             then commit without --infer",
            self.schema.display()
        ));
        Ok(())
    }
}

fn regulator_key(path: &Path) -> Result<RegulatorKey, Trouble> {
    let bytes = files::read(path)?;
    let place = |error: CohortError| Trouble::Unusable(format!("{}: {error}", path.display()));
    RegulatorKey::parse(&String::from_utf8_lossy(&bytes)).map_err(place)
}

impl Infer {
    fn run(&self) -> Outcome {
        let inferred = trial::infer(&read(&self.files)?, &self.key_column).map_err(CohortError::from)?;
        say(inferred.to_string().trim_end());
        Ok(())
    }
}

impl Revoke {
    fn run(&self) -> Outcome {
        expect_unserved(&self.dataset)?;
        let sponsor = self.sponsor_key.as_deref().map(Sponsor::from_file).transpose()?;
        let keys = self.keys.open()?;
        let revoked = watched("revoking", |progress| {
            revoke(&self.dataset, None, &self.subjects, sponsor.as_ref(), &keys, progress)
        })?;
        if revoked.changed.is_empty() {
            say("nothing to revoke: none of them has a row in use");
            return Ok(());
        }
        for TableVersion { table: name, version, .. } in
            revoked.newest.iter().filter(|newest| revoked.changed.contains(&newest.table))
        {
            say(format_args!(
                "{name}: consent version {version}; proofs under an earlier one are refused from now on"
            ));
        }
        Ok(())
    }
}

impl Row {
    fn run(&self) -> Outcome {
        let folder = Folder::open(&self.dataset)?;
        let row = match (&self.subject, self.row) {
            (Some(subject), _) => folder.row(&self.table, subject, self.dimension.as_deref())?,
            (None, row) => row.unwrap_or_default(),
        };
        let keys = self.keys.open()?;
        let proof = folder.dataset.open_row(&keys, &self.table, row).map_err(CohortError::from)?;
        let json = proof.to_json(folder.public()).map_err(CohortError::Release)?;
        files::write(&self.out, json.as_bytes())?;
        say(format_args!(
            "row {row} of {} written to {}; give it to whom the record concerns only",
            proof.table,
            self.out.display()
        ));
        Ok(())
    }
}

impl ShowLedger {
    fn run(&self) -> Outcome {
        let folder = Folder::open(&self.dataset)?;
        for entry in folder.ledger().entries()? {
            if self.json {
                say(serde_json::to_string(&entry).map_err(Trouble::unusable)?);
            } else {
                let outcome = entry.reason.as_deref().unwrap_or(&entry.outcome);
                say(format_args!("{} {} {} {outcome}: {}", entry.number, entry.at, entry.role, entry.query));
            }
        }
        Ok(())
    }
}
