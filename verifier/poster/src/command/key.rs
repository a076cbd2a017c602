//! `nightingale-poster register-key`.

use super::{administer::Subject, show};
use alloy_primitives::B256;
use anyhow::Result;
use clap::Args;
use nightingale_poster::{PosterError, deployment, report::PostedReport};
use nightingale_verifier::KeyDigest;
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

/// Registers a claim key in a registry that is deployed: deploys its verifier, registers it, and compares what the registry has then.
///
/// Whoever holds the role Keys sends it. A key that is registered already, by whoever, is compared, and nothing is sent.
#[derive(Args)]
pub(super) struct RegisterKey {
    #[command(flatten)]
    subject: Subject,
    /// A directory of verifying keys (`<class>.<digest>.vk`).
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// The key to register, by the digest that the ceremony's auditors published.
    #[arg(long, value_name = "DIGEST")]
    key: KeyDigest,
}

impl RegisterKey {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let digest = B256::from(self.key.0);
        let keys = deployment::keys(&self.keys)?;
        let key =
            keys.into_iter().find(|key| key.digest == digest).ok_or_else(|| PosterError::Malformed {
                what: self.keys.display().to_string(),
                problem: format!("holds no verifying key {}", self.key),
            })?;
        let (poster, deployment) = self.subject.open().await?;
        let registered = poster.register_key(&deployment, &key).await?;
        let posted: Vec<_> = registered.posted.iter().map(PostedReport::from).collect();
        let verifier = registered.verifier;
        show(self.subject.json, &json!({"key": digest, "verifier": verifier, "posted": posted}), || {
            let mut lines: Vec<String> = posted.iter().map(PostedReport::line).collect();
            if lines.is_empty() {
                lines.push("somebody else registered it already; nothing was sent".to_owned());
            }
            lines.push(format!("verifier {verifier} of key {}", self.key));
            lines
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
