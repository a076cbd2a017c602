//! The registers that were published: root, number, time, and through which line of the ledger.

use super::{
    super::{Store, accounts::element, audit, jobs::leave_room, rows, sql::Connection, sql::Row, sql::sql},
    Answer, Asked, COLUMNS, NEWEST, Naming, Statement,
};
use crate::{
    audit::Event,
    error::StoreError,
    jobs::{Instant, Tenant},
};
use nightingale_circuits::{Fr, claim::Consent, field::to_be_bytes};
use std::time::Duration;

/// How far clocks that are right may differ.
const AHEAD: Duration = Duration::from_secs(nightingale_verifier::consent::AHEAD);

/// A published register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochRow {
    /// From 1, one more each time.
    pub number: i64,
    /// The register's root.
    pub root: Fr,
    /// Its leaves.
    pub consents: u32,
    /// The ledger's last line in it.
    pub through: i64,
    /// When it was published; never before the one before it.
    pub published: Instant,
}

impl EpochRow {
    /// Whether its date is of a clock that was ahead, then or before: clocks that are right do not differ by so much.
    #[must_use]
    pub fn is_ahead(&self, now: Instant) -> bool {
        self.published > now.plus(AHEAD)
    }
}

/// A register that was built from the ledger.
#[derive(Clone, Copy)]
pub struct Built {
    /// The ledger's last line in it.
    pub through: i64,
    /// Its root.
    pub root: Fr,
    /// Its leaves.
    pub consents: u32,
}

/// What became of a publication.
pub enum Publication {
    /// As a request's outcome.
    Asked(Asked<EpochRow>),
    /// The ledger has grown since the register was built.
    Outdated,
}

const EPOCH: &str = "number, root, consents, through, published";

fn epoch(row: &Row) -> Result<EpochRow, StoreError> {
    Ok(EpochRow {
        number: rows::column(row, "number")?,
        root: element(rows::column(row, "root")?)?,
        consents: rows::column(row, "consents")?,
        through: rows::column(row, "through")?,
        published: Instant(rows::column(row, "published")?),
    })
}

impl Store {
    /// What the ledger permits and forbids now, and through which line. Whoever gives up before it is read leaves a connection that is not free
    /// yet, for which another may have a turn.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn consents_in_force(&self, tenant: &Tenant) -> Result<(i64, Vec<Consent>), StoreError> {
        let _turn = self.long_reads.turn_to_publish(tenant).await?;
        let mut connection = self.snapshot().await?;
        let through = last_line(&mut connection, tenant).await?;
        let select = format!(
            "SELECT {COLUMNS} FROM consent_statements s \
             WHERE s.tenant = $1 AND s.effect <> 'revoke' AND {NEWEST}) ORDER BY s.sequence"
        );
        let rows = connection.all(sql(select).bind(tenant.as_str())).await?;
        drop(connection);
        let statements = self.statements(tenant, &rows).await?;
        Ok((through, statements.into_iter().map(|statement| statement.consent).collect()))
    }

    /// The epoch of a publication that was made before.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn known_publication(
        &self,
        tenant: &Tenant,
        naming: &Naming<'_>,
    ) -> Result<Option<Asked<EpochRow>>, StoreError> {
        self.seal(tenant).await?;
        let mut connection = self.snapshot().await?;
        self.known_epoch(&mut connection, tenant, naming).await
    }

    async fn known_epoch(
        &self,
        connection: &mut Connection,
        tenant: &Tenant,
        naming: &Naming<'_>,
    ) -> Result<Option<Asked<EpochRow>>, StoreError> {
        Ok(match self.answered(connection, tenant, naming).await? {
            None => None,
            Some(Answer::Reused) => Some(Asked::KeyReused),
            Some(Answer::Given(plain)) => {
                let number: i64 = serde_json::from_slice(&plain).map_err(|_| rows::damaged("outcome"))?;
                let select = format!("SELECT {EPOCH} FROM consent_epochs WHERE tenant = $1 AND number = $2");
                let row = connection.one(sql(select).bind(tenant.as_str()).bind(number)).await?;
                Some(Asked::Known(epoch(&row)?))
            }
        })
    }

    /// Makes a register the newest epoch, unless the ledger has grown since it was built.
    ///
    /// # Errors
    /// The database refuses; nothing was changed.
    pub async fn publish_consents(
        &self,
        tenant: &Tenant,
        naming: &Naming<'_>,
        built: &Built,
        now: Instant,
    ) -> Result<Publication, StoreError> {
        self.seal(tenant).await?;
        let mut tx = self.begin_for(tenant).await?;
        if let Some(known) = self.known_epoch(&mut tx, tenant, naming).await? {
            return Ok(Publication::Asked(known));
        }
        if last_line(&mut tx, tenant).await? != built.through {
            return Ok(Publication::Outdated);
        }
        let select =
            format!("SELECT {EPOCH} FROM consent_epochs WHERE tenant = $1 ORDER BY number DESC LIMIT 1");
        let newest = tx.optional(sql(select).bind(tenant.as_str())).await?;
        let newest = newest.as_ref().map(epoch).transpose()?;
        let number = newest.map_or(0, |newest| newest.number) + 1;
        // A clock that was put back does not make a newer epoch look older.
        let published = newest.map_or(now, |newest| newest.published.max(now));
        let Built { through, root, consents } = *built;
        let insert = "INSERT INTO consent_epochs (tenant, number, root, consents, through, published) \
                      VALUES ($1, $2, $3, $4, $5, $6)";
        let added = sql(insert)
            .bind(tenant.as_str())
            .bind(number)
            .bind(to_be_bytes(&root).as_slice())
            .bind(consents)
            .bind(through)
            .bind(published.0);
        tx.execute(added).await?;
        let entry = naming.entry(Event::Published).word("what", "consents");
        let entry = entry.number("number", number.unsigned_abs()).digest("root", &to_be_bytes(&root));
        audit::append(&mut tx, tenant, vec![entry], now).await?;
        let outcome = serde_json::to_vec(&number).map_err(|_| rows::damaged("outcome"))?;
        self.remember(&mut tx, tenant, naming, &outcome, now).await?;
        if newest.is_none() {
            // Others may bring a revocation to verifiers.
            leave_room(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(Publication::Asked(Asked::Done(EpochRow { number, root, consents, through, published })))
    }

    /// A tenant's newest epochs, the newest first.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn consent_epochs(&self, tenant: &Tenant, most: u32) -> Result<Vec<EpochRow>, StoreError> {
        let select =
            format!("SELECT {EPOCH} FROM consent_epochs WHERE tenant = $1 ORDER BY number DESC LIMIT $2");
        self.all(sql(select).bind(tenant.as_str()).bind(most)).await?.iter().map(epoch).collect()
    }

    /// One epoch of a tenant.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn consent_epoch(&self, tenant: &Tenant, number: i64) -> Result<Option<EpochRow>, StoreError> {
        let select = format!("SELECT {EPOCH} FROM consent_epochs WHERE tenant = $1 AND number = $2");
        let row = self.optional(sql(select).bind(tenant.as_str()).bind(number)).await?;
        row.as_ref().map(epoch).transpose()
    }

    /// A page of the leaves of an epoch's register, after the line of the ledger with this number.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn register_page(
        &self,
        tenant: &Tenant,
        epoch: &EpochRow,
        after: i64,
        most: u32,
    ) -> Result<Vec<Statement>, StoreError> {
        let select = format!(
            "SELECT {COLUMNS} FROM consent_statements s \
             WHERE s.tenant = $1 AND s.number > $2 AND s.sequence <= $3 AND s.effect <> 'revoke' \
             AND {NEWEST} AND n.sequence <= $3) ORDER BY s.number LIMIT $4"
        );
        let page = sql(select).bind(tenant.as_str()).bind(after).bind(epoch.through).bind(most);
        self.statements(tenant, &self.all_in_turn(tenant, page).await?).await
    }

    /// Whether a root may be relied on: the newest, or superseded within the grace, and published for the last time not too long ago. What
    /// superseded it is there, whatever date it has: where that is ahead, of a clock that was, nobody knows when, and there is no grace.
    pub(super) async fn counts_as_root(
        &self,
        connection: &mut Connection,
        tenant: &Tenant,
        root: &Fr,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let rules = self.consent_rules;
        let select = format!(
            "SELECT {EPOCH} FROM consent_epochs WHERE tenant = $1 AND root = $2 ORDER BY number DESC LIMIT 1"
        );
        let root = to_be_bytes(root);
        let found = connection.optional(sql(select).bind(tenant.as_str()).bind(root.as_slice())).await?;
        let Some(found) = found.as_ref().map(epoch).transpose()? else { return Ok(false) };
        if found.published.plus(rules.greatest_age) < now {
            return Ok(false);
        }
        let select = format!(
            "SELECT {EPOCH} FROM consent_epochs WHERE tenant = $1 AND number > $2 ORDER BY number LIMIT 1"
        );
        let next = connection.optional(sql(select).bind(tenant.as_str()).bind(found.number)).await?;
        let next = next.as_ref().map(epoch).transpose()?;
        Ok(next.is_none_or(|next| !next.is_ahead(now) && next.published.plus(rules.grace) >= now))
    }
}

async fn last_line(connection: &mut Connection, tenant: &Tenant) -> Result<i64, StoreError> {
    let select = "SELECT COALESCE(MAX(sequence), 0) AS last FROM consent_statements WHERE tenant = $1";
    rows::column(&connection.one(sql(select).bind(tenant.as_str())).await?, "last")
}
