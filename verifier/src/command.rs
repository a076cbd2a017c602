//! The commands and their arguments. Output is one line for a person, or JSON; errors are one line on stderr.

mod audit;
mod claim;
mod cohort;
mod expect;
mod export;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use nightingale_circuits::unseen::is_unseen;
use nightingale_verifier::{
    ClaimProof, KeyDirectory, Verified, VerifyError, VerifyingKey, calldata::Calldata, verify_claim,
};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Verifies Nightingale's proofs.
///
/// A claim's proof says that it was adjudicated by the rules of its payer's committed policy; a cohort's, that its figures were
/// counted over a whole registered table. This program checks them with nothing but the proof, what was published, and a
/// verifying key. It exits with 0 when the proof is valid, 1 when it is not, and 2 when something could not be read.
///
/// Of claims, say what you know: without `--expect` or `--epoch-root` a valid proof may be about another payer's policy, and
/// without `--claim-commitment` about another claim.
#[derive(Parser)]
#[command(name = "nightingale-verify", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Verifies a claim proof and says what it proves.
    Claim(claim::Claim),
    /// Writes a proof as the 32-byte words that the contracts take, as JSON: key, A, B (imaginary parts first), C and
    /// inputs. The proof is read strictly but not verified: the chain does that.
    Calldata {
        /// The proof file, JSON or binary.
        proof: PathBuf,
    },
    /// Verifies a claim proof and writes it, or its decision, in another format.
    Export(export::Export),
    /// Verifies answers about a registered dataset and says what they are.
    Cohort(cohort::Cohort),
    /// Verifies one opened row of a registered dataset and shows it.
    Row(cohort::Row),
    /// Verifies an export of a service's audit log, or a part of one.
    Audit(audit::Audit),
}

/// The proof and the key to verify it with.
#[derive(Args)]
struct Subject {
    /// The proof file, JSON or binary.
    proof: PathBuf,
    /// A directory of verifying keys (`<class>.<digest>.vk`), or one key file.
    #[arg(long, value_name = "DIR|FILE")]
    keys: PathBuf,
    #[command(flatten)]
    expect: expect::Expect,
}

impl Subject {
    fn read(&self) -> Result<(ClaimProof, VerifyingKey), VerifyError> {
        let proof = read_proof(&self.proof)?;
        let key = if self.keys.is_file() {
            VerifyingKey::from_bytes(&read(&self.keys)?)?
        } else {
            KeyDirectory::new(&self.keys).key(proof.class, proof.key)?
        };
        Ok((proof, key))
    }

    fn verify(&self, proof: &ClaimProof, key: &VerifyingKey) -> Result<Verified, VerifyError> {
        verify_claim(key, proof, &self.expect.context()?)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, VerifyError> {
    std::fs::read(path).map_err(|source| VerifyError::Io { path: path.to_owned(), source })
}

fn read_proof(path: &Path) -> Result<ClaimProof, VerifyError> {
    ClaimProof::from_file(&read(path)?)
}

/// One line of what may repeat somebody else's file: characters that do not show, with which it could pass for several lines or for another
/// one, are shown as their codes.
fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if is_unseen(c) { c.escape_default().collect() } else { vec![c] }).collect()
}

/// Writes to stdout. A reader that went away is no error.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

/// Runs a command and turns its result into an exit code.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let result = match arguments.command {
        Command::Claim(claim) => claim.run(),
        Command::Calldata { proof } => read_proof(&proof)
            .map_err(Into::into)
            .and_then(|proof| print(&Calldata::from(&proof).to_json()))
            .map(|()| ExitCode::SUCCESS),
        Command::Export(export) => export.run(),
        Command::Cohort(cohort) => cohort.run(),
        Command::Row(row) => row.run(),
        Command::Audit(audit) => audit.run(),
    };
    result.unwrap_or_else(|error| {
        // The exit code says it too where stderr is closed.
        let _ = writeln!(io::stderr(), "nightingale-verify: {}", one_line(&format!("{error:#}")));
        error.downcast_ref::<VerifyError>().map_or(ExitCode::from(2), exit_code)
    })
}

/// 2 for what could not be read, 1 for what was read and found wrong.
fn exit_code(error: &VerifyError) -> ExitCode {
    ExitCode::from(if error.is_unreadable() { 2 } else { 1 })
}
