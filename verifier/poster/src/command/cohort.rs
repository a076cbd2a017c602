//! `nightingale-poster register-dataset`, `publish-dataset-consents`, `confirm-dataset-consents` and `log`.

use super::{administer::Subject, show};
use alloy_primitives::Address;
use anyhow::Result;
use clap::Args;
use nightingale_poster::{
    PosterError,
    cohort::read_dataset,
    report::{LogReport, PostedReport, TableReport},
};
use nightingale_verifier::cohort::{CohortKeys, Dataset, QueryProof, SetupDigest};
use std::{fs, path::PathBuf, process::ExitCode};

/// The dataset and the keys.
#[derive(Args)]
struct About {
    /// The dataset's public directory, or its `dataset.json`.
    #[arg(long, value_name = "DIR|FILE")]
    dataset: PathBuf,
    /// A directory of verifying keys (`<circuit>.<k>.vk`) instead of the development keys of this program, which count on
    /// local chains only.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// Accept keys of this setup only: 64 digits, as the ceremony's publisher tells them by another way than the keys came; may be repeated,
    /// once for each size.
    #[arg(long, value_name = "DIGEST", requires = "keys")]
    setup_digest: Vec<SetupDigest>,
}

impl About {
    fn dataset(&self) -> Result<Dataset, PosterError> {
        read_dataset(&self.dataset)
    }

    fn keys(&self) -> CohortKeys {
        let keys = self.keys.as_ref().map_or_else(CohortKeys::development, CohortKeys::directory);
        keys.pinned(self.setup_digest.clone())
    }
}

/// Registers the tables of a dataset of which answers can be logged, with their plan.
///
/// The proofs of the dataset's registration and its sponsor's signatures are verified here first: the registry believes that somebody
/// did. Queries that cannot be logged are left out of the plan and named with the reason. A table that is registered already is
/// reported, and nothing is sent. It exits with 1 when no table is registered.
#[derive(Args)]
pub(super) struct RegisterDataset {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    about: About,
    /// Only this table. Without it: all of which answers can be logged.
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// The account that publishes the tables' consents, and signed the dataset.
    #[arg(long, value_name = "ADDRESS")]
    sponsor: Address,
}

impl RegisterDataset {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let dataset = self.about.dataset()?;
        let (poster, deployment) = self.subject.open().await?;
        poster.verify_dataset(&dataset, &self.about.keys(), self.sponsor)?;
        let table = self.table.as_deref();
        let all = poster.register_dataset(&deployment, &dataset, table, self.sponsor).await?;
        let reports: Vec<_> = all.iter().map(TableReport::from).collect();
        show(self.subject.json, &reports, || reports.iter().flat_map(TableReport::lines).collect())?;
        Ok(ExitCode::from(u8::from(!reports.iter().any(TableReport::is_registered))))
    }
}

/// Publishes the newest consents of registered tables, as their sponsor.
///
/// The dataset is verified here first, as for register-dataset. Then the versions of the consents that the chain does not know yet are
/// published in their order; answers under older ones are logged no more, and under the newest once a registrar has confirmed it
/// (confirm-dataset-consents).
#[derive(Args)]
pub(super) struct PublishDatasetConsents {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    about: About,
    /// Only this table. Without it: all that are registered.
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
}

impl PublishDatasetConsents {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let dataset = self.about.dataset()?;
        let (poster, deployment) = self.subject.open().await?;
        poster.verify_dataset(&dataset, &self.about.keys(), poster.address())?;
        let posted = poster.publish_dataset_consents(&deployment, &dataset, self.table.as_deref()).await?;
        let reports: Vec<_> = posted.iter().map(PostedReport::from).collect();
        show(self.subject.json, &reports, || match reports.len() {
            0 => vec!["the chain has all versions of the consents; nothing was sent".to_owned()],
            _ => reports.iter().map(PostedReport::line).collect(),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Confirms the newest consents of registered tables, as a registrar.
///
/// The dataset is verified here first, as for register-dataset: the registry does not see that a version only revokes, and believes whoever
/// confirms it. From then on answers under it are logged.
#[derive(Args)]
pub(super) struct ConfirmDatasetConsents {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    about: About,
    /// Only this table. Without it: all that are registered.
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
}

impl ConfirmDatasetConsents {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let dataset = self.about.dataset()?;
        let sponsor = dataset
            .sponsor()
            .ok_or(nightingale_contracts::Error::DatasetUnsigned)
            .map_err(PosterError::from)?;
        let (poster, deployment) = self.subject.open().await?;
        poster.verify_dataset(&dataset, &self.about.keys(), Address::from(sponsor.address.0))?;
        let posted = poster.confirm_dataset_consents(&deployment, &dataset, self.table.as_deref()).await?;
        let reports: Vec<_> = posted.iter().map(PostedReport::from).collect();
        show(self.subject.json, &reports, || match reports.len() {
            0 => vec!["the newest consents on the chain are confirmed; nothing was sent".to_owned()],
            _ => reports.iter().map(PostedReport::line).collect(),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Logs proven answers about registered tables.
///
/// Every proof is verified here first, for this chain and this log; then the chain is asked whether its table, query, key and
/// consents count, and whether it is logged already. It exits with 0 when the log has every answer, by whoever, and with 1 when it does
/// not have one.
#[derive(Args)]
pub(super) struct Log {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    about: About,
    /// Proof files.
    #[arg(required = true)]
    proofs: Vec<PathBuf>,
}

impl Log {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let dataset = self.about.dataset()?;
        let proof = |path: &PathBuf| {
            let bytes = fs::read(path).map_err(|source| PosterError::Io { path: path.clone(), source })?;
            QueryProof::from_json(&bytes, &dataset)
                .map_err(|source| PosterError::Unreadable { path: path.clone(), source })
        };
        let proofs = self.proofs.iter().map(proof).collect::<Result<Vec<_>, _>>()?;
        let (poster, deployment) = self.subject.open().await?;
        let logging = poster.log_answers(&deployment, &dataset, &self.about.keys(), &proofs).await?;
        let report = LogReport::from(&logging);
        show(self.subject.json, &report, || report.lines())?;
        Ok(ExitCode::from(u8::from(!logging.all_logged())))
    }
}
