//! `nightingale synth`.

use super::{Outcome, files, say};
use clap::Args;
use nightingale_records::synth::world;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Synth {
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
    out: PathBuf,
}

impl Synth {
    pub(super) fn run(&self) -> Outcome {
        let world = world(self.seed, self.members, self.claims);
        let folder = self.out.join("claims");
        files::folder(&folder)?;
        files::write(&self.out.join("registers.json"), world.registers.to_json().as_bytes())?;
        for (number, claim) in (1..).zip(&world.claims) {
            files::write(&folder.join(format!("{number:05}.json")), claim.to_json().as_bytes())?;
        }
        say(format_args!(
            "{} members and {} claims written to {}",
            self.members,
            world.claims.len(),
            self.out.display()
        ));
        Ok(())
    }
}
