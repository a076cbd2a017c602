//! `nightingale epoch`.

use super::{Outcome, Remote, consent::number, say, wait};
use clap::{Args, Subcommand};
use nightingale::client::{ClientError, epoch_message};
use nightingale_circuits::field::to_be_bytes;
use nightingale_proto::v1;
use nightingale_records::Registers;
use std::path::PathBuf;

#[derive(Subcommand)]
pub(super) enum Epoch {
    /// Publish the epoch and the account register of registers.
    Publish(Publish),
    /// Show the newest epoch of a payer.
    Get(Get),
}

#[derive(Args)]
pub(super) struct Publish {
    /// The registers: a file, or a folder with one file for each.
    #[arg(long)]
    registers: PathBuf,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
pub(super) struct Get {
    /// The payer's identifier, as registers name it.
    #[arg(long)]
    payer: String,
    #[command(flatten)]
    remote: Remote,
}

impl Epoch {
    pub(super) fn run(&self) -> Outcome {
        match self {
            Self::Publish(command) => command.run(),
            Self::Get(command) => command.run(),
        }
    }
}

impl Publish {
    fn run(&self) -> Outcome {
        let registers = Registers::open(&self.registers)?.build()?;
        let epoch = epoch_message(registers.epoch());
        let root = to_be_bytes(&registers.account_root()).to_vec();
        wait(async {
            let mut client = self.remote.connect().await?;
            let published = client.publish(Some(epoch.clone()), None).await?;
            let accounts = (published.accounts_root != root).then(|| v1::AccountRegister {
                payer: epoch.payer.clone(),
                revision: published.accounts_revision + 1,
                root,
                notes: registers.notes().iter().map(|note| to_be_bytes(note).to_vec()).collect(),
            });
            let published = match accounts {
                Some(accounts) => client.publish(None, Some(accounts)).await?,
                None => published,
            };
            show(&published);
            if published.resumed_jobs > 0 {
                say(format_args!("{} waiting jobs go on", published.resumed_jobs));
            }
            Ok(())
        })
    }
}

impl Get {
    fn run(&self) -> Outcome {
        let payer = number(&self.payer, "payer")?;
        wait(async {
            let published: Result<_, ClientError> = self.remote.connect().await?.epoch(payer).await;
            show(&published?);
            Ok(())
        })
    }
}

fn show(published: &v1::PublishedEpoch) {
    if let Some(epoch) = &published.epoch {
        say(format_args!("epoch {} 0x{}", epoch.number, hex::encode(&published.root)));
    }
    if published.accounts_revision > 0 {
        let root = hex::encode(&published.accounts_root);
        say(format_args!("accounts {} 0x{root}", published.accounts_revision));
    }
}
