//! Accounts: the newest version that an approval of this service made, and the registers that payers published.

use super::{
    Store, audit,
    jobs::{leave_room, payer_bytes},
    queue::Lease,
    rows,
    sql::{Connection, Row, Statement, sql},
};
use crate::{
    audit::Draft,
    error::StoreError,
    jobs::{Instant, JobId, Tenant},
    store::seal::{Kind, Seal},
};
use nightingale_circuits::{
    Fr,
    claim::{Account, Balances, Id, account::Secret},
    field::{from_be_bytes, to_be_bytes},
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// An account as it is sealed. No `Debug`.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct AccountFile {
    year: u32,
    version: u32,
    deductible_cents: u64,
    out_of_pocket_cents: u64,
    maximum_cents: u64,
    salt: String,
}

/// A published account register.
pub struct PublishedAccounts {
    /// Its revision.
    pub revision: u64,
    /// Its root.
    pub root: Fr,
    /// Its notes, in the order of publication.
    pub notes: Vec<Fr>,
}

/// What became of a publication.
#[derive(Debug, PartialEq, Eq)]
pub enum Publication {
    /// It is the newest now.
    Published,
    /// It was published before.
    Known,
    /// Its number was published with another content.
    Differs,
    /// A higher number was published.
    Old,
}

/// Asks for a payer's newest account register, without its notes.
fn newest(tenant: &Tenant, payer: Id) -> Statement {
    let text = "SELECT revision, root FROM account_registers WHERE tenant = $1 AND payer = $2";
    sql(text).bind(tenant.as_str()).bind(payer_bytes(payer))
}

fn published(row: &Row) -> Result<(u64, Fr), StoreError> {
    Ok((rows::column(row, "revision")?, element(rows::column(row, "root")?)?))
}

/// Queues a tenant's jobs that wait for a publication of `payer`.
async fn resume(connection: &mut Connection, tenant: &Tenant, payer: Id) -> Result<Vec<JobId>, StoreError> {
    let text = "UPDATE jobs SET state = 'queued', waiting = NULL \
                WHERE state = 'waiting' AND tenant = $1 AND payer = $2 RETURNING id";
    let resumed = connection.all(sql(text).bind(tenant.as_str()).bind(payer_bytes(payer))).await?;
    resumed.iter().map(rows::id).collect()
}

/// The revision of a payer's newest account register, within a transaction of this tenant: none is published before it ends.
pub(super) async fn revision_within(
    connection: &mut Connection,
    tenant: &Tenant,
    payer: Id,
) -> Result<Option<u64>, StoreError> {
    let row = connection.optional(newest(tenant, payer)).await?;
    Ok(row.map(|row| published(&row)).transpose()?.map(|(revision, _)| revision))
}

impl Store {
    /// Keeps the account after an approval, in the approval's own transaction.
    pub(super) async fn keep_account(
        &self,
        connection: &mut Connection,
        seal: &Seal,
        lease: &Lease,
        lock: &[u8],
        account: &Account,
    ) -> Result<(), StoreError> {
        let file = AccountFile {
            year: account.year,
            version: account.version,
            deductible_cents: account.balances.deductible,
            out_of_pocket_cents: account.balances.out_of_pocket,
            maximum_cents: account.balances.maximum,
            salt: rows::hex_element(&account.salt.expose()),
        };
        let plain = Zeroizing::new(serde_json::to_vec(&file).map_err(|_| rows::damaged("account"))?);
        let sealed = seal.seal(Kind::Account, &lease.id, &plain)?;
        connection.execute(sql("INSERT INTO accounts (tenant, account_lock, version, job, account) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (tenant, account_lock) DO UPDATE \
             SET version = excluded.version, job = excluded.job, account = excluded.account \
             WHERE excluded.version > accounts.version").bind(lease.tenant.as_str()).bind(lock).bind(account.version).bind(lease.id.0.as_slice()).bind(sealed))
        .await?;
        Ok(())
    }

    /// The newest account that an approval made for this member and year.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn newest_account(&self, tenant: &Tenant, lock: &[u8]) -> Result<Option<Account>, StoreError> {
        let row = self
            .optional(
                sql("SELECT job AS id, account FROM accounts WHERE tenant = $1 AND account_lock = $2")
                    .bind(tenant.as_str())
                    .bind(lock),
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let id: JobId = rows::id(&row)?;
        let plain = self.seal(tenant).await?.open(Kind::Account, &id, rows::column(&row, "account")?)?;
        let file: AccountFile = serde_json::from_slice(&plain).map_err(|_| rows::damaged("account"))?;
        Ok(Some(Account {
            year: file.year,
            version: file.version,
            balances: Balances {
                deductible: file.deductible_cents,
                out_of_pocket: file.out_of_pocket_cents,
                maximum: file.maximum_cents,
            },
            salt: Secret::new(rows::element(&file.salt).ok_or_else(|| rows::damaged("account"))?),
        }))
    }

    /// Publishes a payer's account register; only the newest is kept. The caller has recomputed the root. Jobs that wait for it are queued with it, in
    /// one transaction, and where it was published before, once more: the second value names them.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn publish_accounts(
        &self,
        tenant: &Tenant,
        payer: Id,
        accounts: &PublishedAccounts,
        entry: Draft,
        now: Instant,
    ) -> Result<(Publication, Vec<JobId>), StoreError> {
        let revision =
            i64::try_from(accounts.revision).map_err(|_| StoreError::Bug("revision above 2^63".into()))?;
        let root = to_be_bytes(&accounts.root);
        let mut tx = self.begin_for(tenant).await?;
        let held = tx.optional(newest(tenant, payer)).await?.map(|row| published(&row)).transpose()?;
        match held {
            Some((held, _)) if held > accounts.revision => return Ok((Publication::Old, Vec::new())),
            Some(held) if held == (accounts.revision, accounts.root) => {
                let resumed = resume(&mut tx, tenant, payer).await?;
                tx.commit().await?;
                return Ok((Publication::Known, resumed));
            }
            Some((held, _)) if held == accounts.revision => return Ok((Publication::Differs, Vec::new())),
            _ => {}
        }
        let notes: Vec<u8> = accounts.notes.iter().flat_map(to_be_bytes).collect();
        tx.execute(sql("INSERT INTO account_registers (tenant, payer, revision, root, notes, published) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (tenant, payer) DO UPDATE SET revision = excluded.revision, root = excluded.root, \
             notes = excluded.notes, published = excluded.published").bind(tenant.as_str()).bind(payer_bytes(payer)).bind(revision).bind(root.as_slice()).bind(notes).bind(now.0))
        .await?;
        let resumed = resume(&mut tx, tenant, payer).await?;
        let entry = entry.digest("payer", &payer_bytes(payer));
        let entry = entry.number("revision", accounts.revision).digest("account_root", &root);
        audit::append(&mut tx, tenant, vec![entry], now).await?;
        // One that replaces another is what waiting jobs need to end.
        if held.is_none() {
            leave_room(&mut tx).await?;
        }
        tx.commit().await?;
        Ok((Publication::Published, resumed))
    }

    /// Revision and root of a payer's newest account register.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn accounts_revision(
        &self,
        tenant: &Tenant,
        payer: Id,
    ) -> Result<Option<(u64, Fr)>, StoreError> {
        self.optional(newest(tenant, payer)).await?.map(|row| published(&row)).transpose()
    }

    /// A payer's newest account register.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn accounts(
        &self,
        tenant: &Tenant,
        payer: Id,
    ) -> Result<Option<PublishedAccounts>, StoreError> {
        let row = self
            .optional(
                sql("SELECT revision, root, notes FROM account_registers WHERE tenant = $1 AND payer = $2")
                    .bind(tenant.as_str())
                    .bind(payer_bytes(payer)),
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let revision: i64 = rows::column(&row, "revision")?;
        let notes: &[u8] = rows::column(&row, "notes")?;
        Ok(Some(PublishedAccounts {
            revision: revision.try_into().map_err(|_| rows::damaged("revision"))?,
            root: element(rows::column(&row, "root")?)?,
            notes: notes.chunks(32).map(element).collect::<Result<_, _>>()?,
        }))
    }
}

pub(super) fn element(bytes: &[u8]) -> Result<Fr, StoreError> {
    let bytes: &[u8; 32] = bytes.try_into().map_err(|_| rows::damaged("a field element"))?;
    from_be_bytes(bytes).ok_or_else(|| rows::damaged("a field element"))
}
