//! `nightingale synth`.

use super::{Outcome, Trouble, files, say};
use clap::{Args, Subcommand};
use nightingale::cohort::plan::invent;
use nightingale_records::synth::world;
use std::path::PathBuf;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Synth {
    #[command(subcommand)]
    what: Option<What>,
    /// The same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Insured people.
    #[arg(long, default_value_t = 12)]
    members: usize,
    /// Claims among them.
    #[arg(long, default_value_t = 20)]
    claims: usize,
    /// The folder for registers.json and claims/.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    /// Invent a trial: subjects, adverse events, a schema file and a plan for researchers.
    Trial(Trial),
}

#[derive(Args)]
struct Trial {
    /// Subjects.
    #[arg(long, default_value_t = 1000)]
    rows: usize,
    /// The same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file of the subjects: .parquet, .csv or .xpt. Adverse events, schema file and plan are written beside it.
    #[arg(long)]
    out: PathBuf,
}

impl Synth {
    pub(super) fn run(&self) -> Outcome {
        if let Some(What::Trial(trial)) = &self.what {
            return trial.run();
        }
        let Some(out) = &self.out else {
            return Err(Trouble::Unusable("name the folder for registers and claims with --out".to_owned()));
        };
        let world = world(self.seed, self.members, self.claims);
        let folder = out.join("claims");
        files::folder(&folder)?;
        files::write(&out.join("registers.json"), world.registers.to_json().as_bytes())?;
        for (number, claim) in (1..).zip(&world.claims) {
            files::write(&folder.join(format!("{number:05}.json")), claim.to_json().as_bytes())?;
        }
        say(format_args!(
            "{} members and {} claims written to {}",
            self.members,
            world.claims.len(),
            out.display()
        ));
        Ok(())
    }
}

impl Trial {
    fn run(&self) -> Outcome {
        let invented = invent(self.seed, self.rows, &self.out)?;
        say(format_args!(
            "{} subjects in {}, their adverse events in {}, schema in {}, plan in {}",
            self.rows,
            invented.files.subjects.display(),
            invented.files.events.display(),
            invented.files.schema.display(),
            invented.plan.display()
        ));
        Ok(())
    }
}
