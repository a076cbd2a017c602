//! The audit log in the database: appended to in the transaction of what an entry tells of, read in order, never changed.

use super::{
    Store,
    jobs::leave_room,
    rows,
    sql::{Connection, Dialect, Row, sql},
};
use crate::{
    audit::{Draft, Event, Facts},
    error::StoreError,
    jobs::{Instant, JobId, Tenant},
};
use nightingale_verifier::audit::{BEFORE_FIRST, Entry, Hash};

/// A log, up to its newest entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its name.
    pub log: Hash,
    /// The newest entry.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
    /// When it was made.
    pub at: Instant,
}

/// What is released of a tenant's job, to whom: not yet on record.
pub(crate) struct Release {
    pub(crate) job: JobId,
    pub(crate) draft: Draft,
}

const ENTRY: &str = "sequence, at, event, subject, roles, method, facts, hash";
/// What a release repeats of its job's acceptance: about whom, what for, under which rule.
const INHERITED: [&str; 9] =
    ["member", "dataset", "payer", "purpose", "basis", "asked_as", "mode", "query", "question"];

fn hash(row: &Row, name: &str) -> Result<Hash, StoreError> {
    rows::column::<&[u8]>(row, name)?.try_into().map_err(|_| rows::damaged(name))
}

fn facts(row: &Row) -> Result<Facts, StoreError> {
    serde_json::from_str(rows::column(row, "facts")?).map_err(|_| rows::damaged("facts"))
}

fn entry(row: &Row) -> Result<(Entry, Hash), StoreError> {
    let roles: &str = rows::column(row, "roles")?;
    let entry = Entry {
        sequence: rows::column(row, "sequence")?,
        at: rows::column(row, "at")?,
        event: rows::column(row, "event")?,
        subject: rows::column(row, "subject")?,
        roles: roles.split(',').filter(|role| !role.is_empty()).map(str::to_owned).collect(),
        method: rows::column(row, "method")?,
        facts: facts(row)?,
    };
    Ok((entry, hash(row, "hash")?))
}

/// The number of a sequence as the database has it.
fn number(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

async fn newest(connection: &mut Connection, tenant: &Tenant) -> Result<Option<Head>, StoreError> {
    let text = "SELECT l.log, e.sequence, e.hash, e.at FROM audit_logs l LEFT JOIN audit_entries e ON e.tenant = l.tenant \
         AND e.sequence = (SELECT MAX(sequence) FROM audit_entries WHERE tenant = $1) WHERE l.tenant = $2";
    let row = connection.optional(sql(text).bind(tenant.as_str()).bind(tenant.as_str())).await?;
    row.map(|row| head(&row)).transpose()
}

fn head(row: &Row) -> Result<Head, StoreError> {
    let log = hash(row, "log")?;
    let Some(sequence) = rows::column::<Option<i64>>(row, "sequence")? else {
        return Ok(Head { log, sequence: 0, hash: BEFORE_FIRST, at: Instant(0) });
    };
    let sequence = sequence.try_into().map_err(|_| rows::damaged("sequence"))?;
    Ok(Head { log, sequence, hash: hash(row, "hash")?, at: Instant(rows::column(row, "at")?) })
}

/// Appends to a tenant's log, in the transaction of what the entries tell of. Last before the commit: from here on nobody else appends to this log.
/// Whoever appends to several does so in the order of their tenants' names.
///
/// # Errors
/// The database refuses; the caller commits nothing.
pub(crate) async fn append(
    connection: &mut Connection,
    tenant: &Tenant,
    drafts: Vec<Draft>,
    now: Instant,
) -> Result<(), StoreError> {
    if drafts.is_empty() {
        return Ok(());
    }
    if connection.dialect() == Dialect::Postgres {
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))";
        connection.execute(sql(lock).bind(tenant.as_str())).await?;
    }
    let held = match newest(connection, tenant).await? {
        Some(held) => held,
        None => {
            let log: Hash = rand::random();
            let begin = "INSERT INTO audit_logs (tenant, log) VALUES ($1, $2)";
            connection.execute(sql(begin).bind(tenant.as_str()).bind(log)).await?;
            Head { log, sequence: 0, hash: BEFORE_FIRST, at: now }
        }
    };
    let mut previous = held.hash;
    for (sequence, draft) in (held.sequence + 1..).zip(drafts) {
        let entry = Entry {
            sequence,
            at: now.0,
            event: draft.event.name().to_owned(),
            subject: draft.actor.subject().to_owned(),
            roles: draft.actor.roles().iter().map(|role| (*role).to_owned()).collect(),
            // Paths are written as the contract's names are.
            method: draft.method.replace('/', "."),
            facts: draft.facts,
        };
        previous = entry.hash(tenant.as_str(), &held.log, &previous);
        let facts = serde_json::to_string(&entry.facts).map_err(|_| rows::damaged("facts"))?;
        let insert = "INSERT INTO audit_entries (tenant, sequence, at, event, subject, roles, method, facts, hash, \
             job, member, dataset) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        connection
            .execute(
                sql(insert)
                    .bind(tenant.as_str())
                    .bind(number(sequence))
                    .bind(entry.at)
                    .bind(entry.event)
                    .bind(entry.subject)
                    .bind(entry.roles.join(","))
                    .bind(entry.method)
                    .bind(facts)
                    .bind(previous)
                    .bind(draft.job.map(|id| id.0.to_vec()))
                    .bind(draft.member.map(|digest| digest.to_vec()))
                    .bind(draft.dataset.map(|digest| digest.to_vec())),
            )
            .await?;
    }
    Ok(())
}

/// Puts a release on record, unless this caller had the result before; says whether it did.
async fn record(
    tx: &mut Connection,
    tenant: &Tenant,
    release: &Release,
    now: Instant,
) -> Result<bool, StoreError> {
    let Release { job, draft } = release;
    let text = format!(
        "SELECT event, subject, roles, facts FROM audit_entries WHERE tenant = $1 AND job = $2 \
         AND event IN ('{}', '{}')",
        Event::Accepted.name(),
        Event::Released.name()
    );
    let known = tx.all(sql(text).bind(tenant.as_str()).bind(job.0)).await?;
    let (mut accepted, mut is_released) = (Facts::new(), false);
    for row in &known {
        match rows::column::<&str>(row, "event")? == Event::Accepted.name() {
            true => accepted = facts(row)?,
            false => {
                is_released |= rows::column::<&str>(row, "subject")? == draft.actor.subject()
                    && rows::column::<&str>(row, "roles")? == draft.actor.roles().join(",");
            }
        }
    }
    if is_released && draft.event == Event::Released {
        return Ok(false);
    }
    append(tx, tenant, vec![draft.clone().inherit(&accepted, &INHERITED)], now).await?;
    Ok(true)
}

impl Store {
    /// Puts something on record that changes nothing else.
    ///
    /// # Errors
    /// The database refuses; nothing is on record.
    pub async fn audit(&self, tenant: &Tenant, drafts: Vec<Draft>, now: Instant) -> Result<(), StoreError> {
        // Nothing is sealed: the log of a tenant that was erased is still read, and that is on record too.
        let mut tx = self.begin_even_erased(tenant).await?;
        append(&mut tx, tenant, drafts, now).await?;
        tx.commit().await
    }

    /// As [`Store::audit`], of what comes in numbers: it leaves room to end jobs.
    ///
    /// # Errors
    /// [`StoreError::Full`]; the database refuses; nothing is on record.
    pub(crate) async fn audit_where_room_is(
        &self,
        tenant: &Tenant,
        drafts: Vec<Draft>,
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_even_erased(tenant).await?;
        append(&mut tx, tenant, drafts, now).await?;
        leave_room(&mut tx).await?;
        tx.commit().await
    }

    /// As [`Store::audit_where_room_is`], of what can be put off.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where the tenant is; the database refuses; nothing is on record.
    pub(crate) async fn audit_briefly(
        &self,
        tenant: &Tenant,
        drafts: Vec<Draft>,
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_briefly(tenant).await?;
        append(&mut tx, tenant, drafts, now).await?;
        leave_room(&mut tx).await?;
        tx.commit().await
    }

    /// As [`Store::audit`], of a tenant that is served: an entry of what its caller is shown.
    ///
    /// # Errors
    /// [`StoreError::TenantErased`]; the database refuses; nothing is on record.
    pub(crate) async fn audit_shown(
        &self,
        tenant: &Tenant,
        draft: Draft,
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_for(tenant).await?;
        append(&mut tx, tenant, vec![draft], now).await?;
        tx.commit().await
    }

    /// Puts releases of a tenant's jobs on record, in one transaction: each once for a job and a caller. Says of each whether it is new.
    ///
    /// # Errors
    /// [`StoreError::TenantErased`]; the database refuses; none is on record, and none may leave.
    pub(crate) async fn record_releases(
        &self,
        tenant: &Tenant,
        releases: &[Release],
        now: Instant,
    ) -> Result<Vec<bool>, StoreError> {
        let mut tx = self.begin_for(tenant).await?;
        let mut new = Vec::with_capacity(releases.len());
        for release in releases {
            new.push(record(&mut tx, tenant, release, now).await?);
        }
        tx.commit().await?;
        Ok(new)
    }

    /// A tenant's log up to now; `None` where nothing was put on record yet.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn audit_head(&self, tenant: &Tenant) -> Result<Option<Head>, StoreError> {
        let mut reading = self.snapshot().await?;
        newest(&mut reading, tenant).await
    }

    /// The hash of an entry; `None` where there is none. Of entry 0, that which stands before the first.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn audit_hash(&self, tenant: &Tenant, sequence: u64) -> Result<Option<Hash>, StoreError> {
        if sequence == 0 {
            return Ok(Some(BEFORE_FIRST));
        }
        let text = "SELECT hash FROM audit_entries WHERE tenant = $1 AND sequence = $2";
        let row = self.optional(sql(text).bind(tenant.as_str()).bind(number(sequence))).await?;
        row.map(|row| hash(&row, "hash")).transpose()
    }

    /// Entries from `first` on, at most `most`, in order.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn audit_entries(
        &self,
        tenant: &Tenant,
        first: u64,
        most: u32,
    ) -> Result<Vec<(Entry, Hash)>, StoreError> {
        let text = format!(
            "SELECT {ENTRY} FROM audit_entries WHERE tenant = $1 AND sequence >= $2 ORDER BY sequence LIMIT $3"
        );
        let page = self.all(sql(text).bind(tenant.as_str()).bind(number(first)).bind(most)).await?;
        page.iter().map(entry).collect()
    }

    /// Releases from a time on that are about a member, by its keyed digest, or about a dataset.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn disclosures(
        &self,
        tenant: &Tenant,
        member: Option<&[u8; 32]>,
        dataset: Option<&[u8; 32]>,
        from: Instant,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut found = Vec::new();
        for (column, value) in [("member", member), ("dataset", dataset)] {
            let Some(value) = value else { continue };
            let text = format!(
                "SELECT {ENTRY} FROM audit_entries WHERE tenant = $1 AND {column} = $2 AND at >= $3 \
                 AND event IN ('{}', '{}') ORDER BY sequence",
                Event::Released.name(),
                Event::BreakGlass.name()
            );
            let all = sql(text).bind(tenant.as_str()).bind(*value).bind(from.0);
            let all = self.all_in_turn(tenant, all).await?;
            for row in &all {
                found.push(entry(row)?.0);
            }
        }
        Ok(found)
    }

    /// How many entries tell of break-glass access, and when the last was made.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn break_glass(&self, tenant: &Tenant) -> Result<(u64, Option<Instant>), StoreError> {
        let text = format!(
            "SELECT COUNT(*) AS entries, MAX(at) AS last FROM audit_entries WHERE tenant = $1 AND event = '{}'",
            Event::BreakGlass.name()
        );
        let row =
            self.optional(sql(text).bind(tenant.as_str())).await?.ok_or_else(|| rows::damaged("event"))?;
        Ok((rows::column(&row, "entries")?, rows::column::<Option<i64>>(&row, "last")?.map(Instant)))
    }
}
