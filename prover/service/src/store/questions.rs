//! Questions: their ledger, which only grows, and answers committed together with their line in it.

use super::{
    Store, audit,
    consents::versions::{TableVersion, is_superseded},
    jobs::leave_room,
    queue::Lease,
    rows,
    seal::Kind,
    sql::{Connection, Row, sql},
};
use crate::{
    audit::{Draft, Event},
    error::StoreError,
    jobs::{Answer, Instant, JobId, Tenant},
};
use nightingale_circuits::cohort::Keccak;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A question as a job holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredQuestion {
    /// The dataset's digest.
    pub dataset: Keccak,
    /// In SQL, as it was asked.
    pub sql: String,
    /// Whether the regulator asks, and not a researcher.
    pub regulator: bool,
    /// The chain that the proof is for.
    pub chain_id: u64,
    /// The contract that the proof is for.
    pub contract: [u8; 20],
}

/// A line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerLine {
    /// The dataset's digest.
    pub dataset: Keccak,
    /// As whom.
    pub role: String,
    /// The query in its canonical text.
    pub query: String,
    /// Its digest.
    pub digest: Keccak,
    /// The disclosure threshold.
    pub threshold: u32,
    /// The version of the consents that answered, or the reason of the refusal.
    pub outcome: Result<u32, String>,
}

impl LedgerLine {
    /// What it says, in an entry of the audit log.
    fn said_in(&self, entry: Draft) -> Draft {
        let entry = entry.dataset(&self.dataset);
        let entry = entry.question(&self.role, &self.query, &self.digest, self.threshold);
        match &self.outcome {
            Ok(version) => entry.number("consent_version", u64::from(*version)),
            Err(reason) => entry.reason(reason),
        }
    }
}

/// What became of a finished answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Answered {
    /// It is the job's result, and on record.
    Committed,
    /// The lease is no longer held: the proof is dropped.
    Stale,
    /// Newer consents were recorded meanwhile: the proof is dropped, and the job still leased.
    Superseded,
}

async fn record(
    connection: &mut Connection,
    tenant: &Tenant,
    line: &LedgerLine,
    job: Option<&JobId>,
    now: Instant,
) -> Result<(), StoreError> {
    connection.execute(sql("INSERT INTO query_ledger (tenant, dataset, at, role, query, digest, threshold, consent_version, refused, job) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)").bind(tenant.as_str()).bind(line.dataset.as_slice()).bind(now.0).bind(&line.role).bind(&line.query).bind(line.digest.as_slice()).bind(i64::from(line.threshold)).bind(line.outcome.as_ref().ok().map(|version| i64::from(*version))).bind(line.outcome.as_ref().err()).bind(job.map(|id| id.0.as_slice())))
    .await?;
    Ok(())
}

impl Store {
    /// Puts a refusal on record, in the ledger of questions and in the audit log.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn record_refusal(
        &self,
        tenant: &Tenant,
        line: &LedgerLine,
        entry: Draft,
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut connection = self.begin_for(tenant).await?;
        record(&mut connection, tenant, line, None, now).await?;
        audit::append(&mut connection, tenant, vec![line.said_in(entry)], now).await?;
        leave_room(&mut connection).await?;
        connection.commit().await
    }

    /// Ends the job with its answer, which was made under `consents`, and puts it on record, or changes nothing.
    ///
    /// # Errors
    /// The database refuses; nothing was changed.
    pub async fn finish_question(
        &self,
        lease: &Lease,
        answer: &Answer,
        consents: &TableVersion,
        line: &LedgerLine,
        clock: impl Fn() -> Instant + Send,
    ) -> Result<Answered, StoreError> {
        let plain = Zeroizing::new(serde_json::to_vec(answer).map_err(|_| rows::damaged("result"))?);
        let sealed = self.seal(&lease.tenant).await?.seal(Kind::Result, &lease.id, &plain)?;
        // Alone among those of the tenant, as what records new consents is.
        let mut tx = self.begin_for(&lease.tenant).await?;
        // Its turn may have been long in coming: a deadline that passed meanwhile has passed.
        let now = clock();
        if !lease.conclude(&mut tx, sealed, now).await? {
            return Ok(Answered::Stale);
        }
        if is_superseded(&mut tx, &lease.tenant, &answer.dataset, consents).await? {
            return Ok(Answered::Superseded);
        }
        record(&mut tx, &lease.tenant, line, Some(&lease.id), now).await?;
        let entry = line.said_in(Draft::by_service(Event::Answered)).job(&lease.id);
        let entry = entry.digest("key", &answer.key_digest);
        let entry = entry.digest("proof", &Sha256::digest(answer.file.as_bytes()));
        audit::append(&mut tx, &lease.tenant, vec![entry], now).await?;
        tx.commit().await?;
        Ok(Answered::Committed)
    }

    /// The ledger of a dataset, the oldest line first.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn query_ledger(
        &self,
        tenant: &Tenant,
        dataset: &Keccak,
    ) -> Result<Vec<LedgerLine>, StoreError> {
        let rows = self.all(sql("SELECT dataset, role, query, digest, threshold, consent_version, refused FROM query_ledger \
             WHERE tenant = $1 AND dataset = $2 ORDER BY sequence").bind(tenant.as_str()).bind(dataset.as_slice()))
        .await?;
        let line = |row: &Row| {
            let digest = |name: &str| {
                let bytes: &[u8] = rows::column(row, name)?;
                Keccak::try_from(bytes).map_err(|_| rows::damaged(name))
            };
            let number = |value: i64, name: &str| u32::try_from(value).map_err(|_| rows::damaged(name));
            let refused: Option<String> = rows::column(row, "refused")?;
            let version: Option<i64> = rows::column(row, "consent_version")?;
            Ok(LedgerLine {
                dataset: digest("dataset")?,
                role: rows::column(row, "role")?,
                query: rows::column(row, "query")?,
                digest: digest("digest")?,
                threshold: number(rows::column(row, "threshold")?, "threshold")?,
                outcome: match (refused, version) {
                    (Some(reason), None) => Err(reason),
                    (None, Some(version)) => Ok(number(version, "consent_version")?),
                    _ => return Err(rows::damaged("refused")),
                },
            })
        };
        rows.iter().map(line).collect()
    }
}
