//! `nightingale keys`.

use super::{Outcome, Remote, meter::meter, say, wait};
use clap::{Args, Subcommand};
use nightingale_prover::{KeyStore, keys::SetupStep};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(super) enum Keys {
    /// Make development keys where there are none. Their seed is public: anybody can forge proofs under them.
    Init(Init),
    /// List keys: of a folder, or of a server.
    List(List),
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
                    Ok(())
                }
                None => wait(async {
                    for key in command.remote.connect().await?.keys().await? {
                        let kind = key.kind().as_str_name().trim_start_matches("KEY_KIND_").to_lowercase();
                        say(format_args!("{} {} {kind}", key.size_class, hex::encode(&key.digest)));
                    }
                    Ok(())
                }),
            },
        }
    }
}

fn list(store: &KeyStore) {
    for entry in store.entries() {
        say(format_args!("{} {} {}", entry.class.name(), entry.digest, entry.kind));
    }
}
