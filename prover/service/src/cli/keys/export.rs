//! `nightingale keys export`: what snarkjs reads.

use super::super::{Outcome, Trouble, files, say, warn};
use clap::Args;
use nightingale_circuits::claim::{SizeClass, circuit};
use nightingale_prover::{
    ProveError, ceremony,
    keys::{constraint_system, system_digest},
};
use nightingale_verifier::key::class_from_name;
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "docs/ceremony.md has the whole ceremony, command by command.")]
pub(in super::super) struct Export {
    /// The size class: claim-2 or claim-8. Not needed with a request.
    #[arg(long, value_parser = class, required_unless_present = "request")]
    class: Option<SizeClass>,
    /// Where to write the circuit, for `snarkjs groth16 setup`.
    #[arg(long, value_name = "FILE", required_unless_present = "wtns")]
    r1cs: Option<PathBuf>,
    /// A request, whose assignment --wtns writes.
    #[arg(long, value_name = "FILE", requires = "wtns")]
    request: Option<PathBuf>,
    /// Where to write the assignment, for `snarkjs groth16 prove`. It holds the record in clear: delete it afterwards.
    #[arg(long, value_name = "FILE", requires = "request")]
    wtns: Option<PathBuf>,
}

pub(super) fn class(text: &str) -> Result<SizeClass, String> {
    class_from_name(text).map_err(|error| error.to_string())
}

impl Export {
    pub(super) fn run(&self) -> Outcome {
        let request = self.request.as_deref().map(files::request).transpose()?;
        let asked = match &request {
            Some(request) => Some(request.check().map_err(|refusal| Trouble::Refused(refusal.to_string()))?),
            None => None,
        };
        if let (Some(class), Some(asked)) = (self.class, asked)
            && class != asked
        {
            return Err(Trouble::Refused(format!(
                "the request is of class {}, not {}; leave out --class",
                asked.name(),
                class.name()
            )));
        }
        if let (Some(path), Some(class)) = (&self.r1cs, self.class.or(asked)) {
            let system = constraint_system(class)?;
            if let Some(row) = ceremony::first_empty_row(&system) {
                return Err(ProveError::from(ceremony::CeremonyError::EmptyRow(row)).into());
            }
            files::publish(path, &ceremony::r1cs(&system))?;
            say(format_args!(
                "{}: circuit {} with {} constraints, written to {}",
                class.name(),
                hex::encode(system_digest(class)),
                system.a.len(),
                path.display()
            ));
        }
        if let (Some(path), Some(request)) = (&self.wtns, &request) {
            let (_, assignment) =
                circuit::assign(request).map_err(|refusal| Trouble::Refused(refusal.to_string()))?;
            files::write(path, &ceremony::wtns(&assignment.values))?;
            warn(format_args!("{} holds the record in clear; delete it when it has served", path.display()));
        }
        Ok(())
    }
}
