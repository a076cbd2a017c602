//! `nightingale store`: what a custodian's security officer does with a server's keys. Servers and workers may run meanwhile.

use super::{Outcome, Trouble, say, wait, warn};
use clap::{Args, Subcommand};
use nightingale::{
    Config, StoreError,
    jobs::{Instant, Tenant},
    store::{Store, keys::Rotated},
};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(super) enum Custody {
    /// Wrap all tenants' data keys under a new master key, in one transaction. Killed at any moment, it goes on when called again.
    RotateMaster(RotateMaster),
    /// Give a tenant a new data key: what is stored from now on is sealed under it, what was stored still opens.
    RotateTenant(RotateTenant),
    /// Destroy a tenant's data keys, for good: nothing that was sealed for it can be opened any more, and the name is never served again.
    EraseTenant(EraseTenant),
}

#[derive(Args)]
pub(super) struct RotateMaster {
    /// The server's configuration file.
    #[arg(long)]
    config: PathBuf,
    /// Where the new master key is: `file` or `service`; when absent, the service where secrets.kms_command is set.
    #[arg(long, value_name = "PLACE", value_parser = ["file", "service"])]
    to: Option<String>,
    /// Overwrite and remove every old key file that is left: backups from before cannot be opened any more.
    #[arg(long)]
    destroy_old: bool,
}

#[derive(Args)]
pub(super) struct RotateTenant {
    /// The tenant.
    tenant: String,
    /// The server's configuration file.
    #[arg(long)]
    config: PathBuf,
}

#[derive(Args)]
pub(super) struct EraseTenant {
    /// The tenant.
    tenant: String,
    /// The server's configuration file.
    #[arg(long)]
    config: PathBuf,
    /// Why, for the record. It is kept in clear: no names of persons.
    #[arg(long)]
    reason: String,
    /// The tenant once more: this cannot be undone.
    #[arg(long, value_name = "TENANT")]
    confirm: String,
}

pub(super) fn tenant(name: &str) -> Result<Tenant, Trouble> {
    let problem =
        || Trouble::Unusable(format!("{name}: is no tenant: 1 to 64 of a-z, 0-9, '-', '_' and '.'"));
    Tenant::new(name).ok_or_else(problem)
}

impl Custody {
    pub(super) fn run(&self) -> Outcome {
        match self {
            Self::RotateMaster(command) => command.run(),
            Self::RotateTenant(command) => command.run(),
            Self::EraseTenant(command) => command.run(),
        }
    }
}

impl RotateMaster {
    fn run(&self) -> Outcome {
        let config = Config::read(&self.config)?;
        let to_service = match self.to.as_deref() {
            Some(place) => place == "service",
            None => !config.secrets.kms_command.is_empty(),
        };
        wait(async {
            let store = Store::attach(&config).await?;
            let rotated = store.rotate_master(to_service).await?;
            // Those of earlier rotations too, and of one that ended half-way.
            let old = match self.destroy_old {
                true => store.destroy_old_masters().await?,
                false => store.old_masters().await?,
            };
            store.close().await;
            if rotated.from == rotated.to {
                say(format_args!("the data keys are wrapped by {}", rotated.to));
            } else {
                let Rotated { keys, to, from, .. } = &rotated;
                say(format_args!("{keys} data keys are wrapped by {to} now, before by {from}"));
            }
            for kept in &old {
                let kept = kept.display();
                match self.destroy_old {
                    true => say(format_args!("the old key in {kept} was destroyed")),
                    false => say(format_args!(
                        "the old key is kept in {kept}: destroy it when no backup from before is needed"
                    )),
                }
            }
            if self.destroy_old {
                say("no old key is left beside it; backups from before cannot be opened any more");
            }
            if config.database.is_some() && !to_service {
                warn("give the new key file to every machine that uses this database");
            }
            Ok(())
        })
    }
}

impl RotateTenant {
    fn run(&self) -> Outcome {
        let (config, tenant) = (Config::read(&self.config)?, tenant(&self.tenant)?);
        wait(async {
            let store = Store::attach(&config).await?;
            let version = store.rotate_tenant(&tenant).await?;
            store.close().await;
            say(format_args!("{}: new values are sealed under data key {version}", tenant.as_str()));
            Ok(())
        })
    }
}

impl EraseTenant {
    fn run(&self) -> Outcome {
        let (config, tenant) = (Config::read(&self.config)?, tenant(&self.tenant)?);
        if self.confirm != self.tenant {
            return Err(Trouble::Refused(format!(
                "nothing was erased: --confirm is not {}, and this cannot be undone",
                self.tenant
            )));
        }
        wait(async {
            let store = Store::attach(&config).await?;
            let erased = store.erase_tenant(&tenant, &self.reason, Instant::now()).await?;
            store.close().await;
            say(format_args!(
                "{}: {} data keys were destroyed, {} open jobs ended",
                tenant.as_str(),
                erased.keys,
                erased.jobs.len()
            ));
            if !erased.is_swept {
                warn(
                    "copies of the destroyed keys are left in the database, for a transaction that began before and has not ended: call again",
                );
                return Err(StoreError::Busy.into());
            }
            let clear = config.data_dir.join("datasets").join(tenant.as_str());
            if clear.exists() {
                warn(format_args!(
                    "{} is left: dataset folders are in clear, and the operator's to remove",
                    clear.display()
                ));
            }
            warn(
                "backups from before still hold the wrapped keys: they open with the master key of their time (docs/secrets.md)",
            );
            Ok(())
        })
    }
}
