//! `nightingale dataset import`.

use crate::cli::{Outcome, Trouble, custody::tenant, say, wait};
use clap::Args;
use nightingale::{
    Config,
    artefacts::{Artefacts, folder::FolderArtefacts},
    audit::{Draft, Event},
    cohort::archive::{Importer, remove_clear},
    jobs::Instant,
    store::Store,
};
use std::{
    path::{Component, Path, PathBuf},
    sync::Arc,
};

#[derive(Args)]
pub(in crate::cli) struct Import {
    /// The dataset folder.
    #[arg(long)]
    dataset: PathBuf,
    /// The server's configuration file. The server may run, or not.
    #[arg(long)]
    config: PathBuf,
    /// Whose dataset it is.
    #[arg(long, default_value = "default")]
    tenant: String,
    /// The name under which it is registered; when absent, the folder's.
    #[arg(long)]
    name: Option<String>,
    /// Overwrite and remove the folder's private half afterwards, but for its ledger of questions. Keep a copy where revocations are made: they need it.
    #[arg(long)]
    remove_clear: bool,
}

impl Import {
    pub(super) fn run(&self) -> Outcome {
        let (config, tenant) = (Config::read(&self.config)?, tenant(&self.tenant)?);
        let folder = || self.dataset.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = self.name.clone().or_else(folder).unwrap_or_default();
        let is_inside = |part: Component<'_>| matches!(part, Component::Normal(_));
        if name.is_empty() || !Path::new(&name).components().all(is_inside) {
            return Err(Trouble::Unusable("--name: expected a relative path without `..`".to_owned()));
        }
        wait(async {
            let store = Store::attach(&config).await?;
            let artefacts: Arc<dyn Artefacts> =
                Arc::new(FolderArtefacts::open(&config.secrets.artefacts_dir)?);
            let importer = Importer::of(&store, &artefacts, &config);
            let entry = Draft::by_service(Event::Registered);
            let imported = importer.import(&tenant, &self.dataset, &name, entry, Instant::now()).await?;
            store.close().await;
            let digest = hex::encode(imported.dataset.digest());
            say(match imported.is_new {
                true => format!("dataset 0x{digest} is registered and sealed for {}", tenant.as_str()),
                false => format!("dataset 0x{digest} was imported before, with these consents"),
            });
            if self.remove_clear {
                say(match remove_clear(&self.dataset, &imported.dataset)? {
                    true => {
                        "the folder's private half was removed, but for private/ledger.jsonl: keep it as a record"
                    }
                    false => "the folder's private half was removed",
                });
            }
            Ok(())
        })
    }
}
