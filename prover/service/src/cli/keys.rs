//! `nightingale keys`.

mod export;
mod import;

use super::{Outcome, Remote, meter::meter, say, wait};
use clap::{Args, Subcommand};
use nightingale_prover::{
    KeyStore,
    ceremony::Contribution,
    cohort::{Setups, keys::check_production},
    keys::{Entry, SetupStep},
};
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub(super) enum Keys {
    /// Make development keys where there are none. Their seed is public: anybody can forge proofs under them.
    Init(Init),
    /// List keys, with where each comes from: of a folder, or of a server.
    List(List),
    /// Write a circuit for a ceremony with snarkjs, or a request's assignment.
    Export(export::Export),
    /// Check a file of a ceremony that is under way, before contributing to it.
    Check(import::Check),
    /// Check a ceremony and take its key.
    Import(import::Import),
    /// Check powers of tau and make the setup for cohort statistics from them.
    ImportPtau(import::ImportPtau),
}

#[derive(Args)]
pub(super) struct Init {
    /// The folder.
    #[arg(long)]
    keys: PathBuf,
}

#[derive(Args)]
pub(super) struct List {
    /// The folder; without it, the server is asked.
    #[arg(long)]
    keys: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

impl Keys {
    pub(super) fn run(&self) -> Outcome {
        match self {
            Self::Init(command) => {
                let bar = meter("making keys");
                let store = KeyStore::development(&command.keys, &mut |step| match step {
                    SetupStep::Making(class) => bar.set_message(class.name()),
                    SetupStep::Made(_) | SetupStep::Present(_) => bar.inc(50),
                });
                bar.finish_and_clear();
                list(&store?);
                Ok(())
            }
            Self::List(command) => match &command.keys {
                Some(folder) => {
                    list(&KeyStore::open(folder)?);
                    list_setups(&folder.join("cohort"))
                }
                None => wait(async {
                    for key in command.remote.connect().await?.keys().await? {
                        let kind = key.kind().as_str_name().trim_start_matches("KEY_KIND_").to_lowercase();
                        say(format_args!("{} {} {kind}", key.size_class, hex::encode(&key.digest)));
                    }
                    Ok(())
                }),
            },
            Self::Export(command) => command.run(),
            Self::Check(command) => command.run(),
            Self::Import(command) => command.run(),
            Self::ImportPtau(command) => command.run(),
        }
    }
}

/// What a key is by its `.vk` file, whose digest covers it; the list's word for it nothing covers.
fn kind(store: &KeyStore, entry: &Entry) -> String {
    match store.verifying_key(entry.class, entry.digest) {
        Ok(key) if key.kind() == entry.kind => entry.kind.to_string(),
        Ok(key) => format!("{}, though keys.json says {}", key.kind(), entry.kind),
        Err(_) => format!("{} by keys.json alone: its .vk file cannot be read", entry.kind),
    }
}

/// A line for each key; what is known of its origin follows, indented.
fn list(store: &KeyStore) {
    for entry in store.entries() {
        say(format_args!("{} {} {}", entry.class.name(), entry.digest, kind(store, entry)));
        if let Some(proving) = entry.proving {
            say(format_args!("  proving key  {}", hex::encode(proving)));
        }
        let Some(manifest) = store.manifest(entry.digest) else { continue };
        // Nothing binds what keys.json says here, and it may have characters that do not show.
        say(format_args!("  circuit      {}", manifest.circuit.escape_debug()));
        say(format_args!("  circuit hash {}", manifest.circuit_hash.escape_debug()));
        say(format_args!("  zkey         {}", manifest.zkey.escape_debug()));
        say(format_args!("  ptau         {} (2^{})", manifest.ptau.escape_debug(), manifest.power));
        for (number, part) in (1..).zip(&manifest.contributions) {
            let name = part.name.as_deref().unwrap_or("unnamed").escape_debug();
            let compared = part.compared();
            match &part.beacon {
                Some((value, iterations)) => {
                    let value = value.escape_debug();
                    say(format_args!("  {number:<12} beacon {value}, 2^{iterations} hashes ({name})"));
                }
                None => {
                    let hash = part.hash.escape_debug();
                    say(format_args!("  {number:<12} {hash} {name} ({compared})"));
                }
            }
        }
    }
}

/// A line for each contribution. Names are the file's word, which nobody compared.
fn list_contributions(contributions: &[Contribution]) {
    if contributions.is_empty() {
        say(format_args!("  nobody contributed yet: whoever proves with it can forge"));
    }
    for (number, made) in (1..).zip(contributions) {
        let name = made.name().unwrap_or("unnamed").escape_debug();
        let kind = if made.beacon().is_some() { "beacon " } else { "" };
        say(format_args!("  {number:<12} {kind}{} {name}", made.hash()));
    }
}

fn list_setups(folder: &Path) -> Outcome {
    let Some(setups) = Setups::read(folder)? else { return Ok(()) };
    check_production(folder)?;
    for setup in &setups.sizes {
        say(format_args!("cohort.{} {} production", setup.k, setup.sha256.escape_debug()));
        say(format_args!("  setup digest {}", setup.digest));
    }
    say(format_args!("  ptau         {} (2^{})", setups.ptau, setups.power));
    for (number, name) in (1..).zip(&setups.contributions) {
        // Nobody compared it, and it may have characters that do not show.
        say(format_args!("  {number:<12} {}", name.escape_debug()));
    }
    Ok(())
}
