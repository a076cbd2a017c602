//! What all processes on one database should be told alike: how consents are required, and how long things are kept.
//!
//! Each goes by its own configuration. So the server that started last keeps there what it was told; a worker that was told otherwise does not start, and
//! a server says what differs, and purges nothing for a day: one that was told nothing would otherwise remove within a second what the others keep
//! for years. To change a value, change it on every machine and start servers, then workers, anew, one after the other.

use super::{Store, doubt, meta, rows, sql::Connection};
use crate::{
    config::{Config, Consent, Retention},
    error::{ServiceError, StoreError},
    jobs::Instant,
};
use std::{collections::BTreeMap, time::Duration};

/// Held by `meta`: values by key, as a JSON object.
const NAME: &str = "rules";

type Rules = BTreeMap<String, String>;

/// A value that is not what the server that started last was told.
struct Differing {
    key: String,
    here: String,
    there: String,
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

fn of_consents(consent: &Consent) -> Rules {
    [
        ("consent.required", consent.required.to_string()),
        ("consent.grace_seconds", seconds(consent.grace)),
        ("consent.max_age_days", seconds(consent.greatest_age)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

fn of_retention(keep: &Retention) -> Rules {
    [
        ("retention.ended_jobs_days", seconds(keep.ended_jobs)),
        ("retention.results_days", seconds(keep.results)),
        ("retention.datasets_days", keep.datasets.map_or("not set".to_owned(), seconds)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// What differs from what is held. A key that is not held is of a release to come, or of one before: it differs from nothing.
fn differing(own: &Rules, held: &Rules) -> Vec<Differing> {
    let other = |(key, here): (&String, &String)| {
        let there = held.get(key).filter(|there| *there != here)?;
        Some(Differing { key: key.clone(), here: here.clone(), there: there.clone() })
    };
    own.iter().filter_map(other).collect()
}

async fn held(connection: &mut Connection) -> Result<Rules, StoreError> {
    let Some(rules) = meta::held(connection, NAME).await? else { return Ok(Rules::new()) };
    serde_json::from_slice(&rules).map_err(|_| rows::damaged("value"))
}

impl Store {
    /// Keeps what a server was told, and says what the one before was told otherwise. Where it is how long things are kept, nothing is purged for a day.
    ///
    /// # Errors
    /// The database refuses.
    pub(crate) async fn keep_rules(&self, config: &Config) -> Result<(), StoreError> {
        let (consents, retention) = (of_consents(&config.consent), of_retention(&config.retention));
        let mut tx = self.begin().await?;
        let held = held(&mut tx).await?;
        let (consent, keep) = (differing(&consents, &held), differing(&retention, &held));
        let own: Rules = consents.into_iter().chain(retention).collect();
        let own = serde_json::to_vec(&own).map_err(|_| rows::damaged("value"))?;
        meta::put(&mut tx, NAME, &own).await?;
        if !keep.is_empty() {
            doubt::begin(&mut tx, Instant::now()).await?;
        }
        tx.commit().await?;
        for Differing { key, here, there } in consent.iter().chain(&keep) {
            tracing::warn!(
                key,
                here,
                there,
                "the server that started before was told otherwise: give all servers and workers the same"
            );
        }
        Ok(())
    }

    /// Refuses a worker that was told otherwise how consents are required than the server that started last.
    ///
    /// # Errors
    /// It was, by its first key; the database refuses.
    pub(crate) async fn expect_rules(&self, config: &Config) -> Result<(), ServiceError> {
        let mut reading = self.snapshot().await?;
        let held = held(&mut reading).await?;
        let Some(Differing { key, here, there }) =
            differing(&of_consents(&config.consent), &held).into_iter().next()
        else {
            return Ok(());
        };
        let problem = format!(
            "is {here} here, and {there} for the server that started last: give this worker the server's [consent], or start the server anew with this one"
        );
        Err(ServiceError::Config { key, problem })
    }
}
