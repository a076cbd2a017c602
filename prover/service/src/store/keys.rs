//! Tenants' data keys: random, wrapped by the master key, kept in the database, opened once and then held in memory.
//!
//! Every use asks the database which keys the tenant has now: a rotation in another process takes effect with the next value, and an
//! erasure with the next request, whatever is held in memory.

mod erasure;
mod questions;
mod rotation;

pub use erasure::Erased;
pub use rotation::Rotated;

use super::{
    Store, audit,
    jobs::leave_room,
    master::{
        self, KEY_BYTES, KeyId, MasterKeys,
        source::{MasterSource, Place},
    },
    meta, rows,
    seal::{DataKey, Seal, TenantKeys},
    sql::{Connection, Dialect, Pools, Row, Statement, Wait, sql},
    times::Times,
};
use crate::{
    audit::{Draft, Event},
    error::{ServiceError, StoreError},
    jobs::{Instant, Tenant},
};
use questions::Questions;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use zeroize::Zeroizing;

/// Held by `meta` in databases of the releases before data keys: the master key's fingerprint.
const EARLIER: &str = "master";
/// Held by `meta`: the name of the master key that wraps all data keys.
const NAME: &str = "master_key";

/// The master key in use and the data keys that it has opened.
pub(super) struct Keyring {
    source: MasterSource,
    master: Mutex<Arc<dyn MasterKeys>>,
    opened: Mutex<HashMap<Tenant, Arc<TenantKeys>>>,
    questions: Questions,
}

/// How long a lane waits for a key that is asked for: longer than a file, or a service that is well, takes.
const LANE: Duration = Duration::from_secs(1);

/// What the database says about its master key.
enum Recorded {
    Nothing,
    Earlier(Vec<u8>),
    Named(KeyId),
}

/// A data key as the database has it.
struct Wrapped {
    version: u32,
    wrapped: Vec<u8>,
    by: KeyId,
    derived: bool,
}

impl Wrapped {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let by = KeyId::parse(rows::column(row, "wrapped_by")?);
        Ok(Self {
            version: rows::column(row, "version")?,
            wrapped: rows::column(row, "wrapped")?,
            by: by.ok_or_else(|| rows::damaged("wrapped_by"))?,
            derived: rows::column(row, "derived")?,
        })
    }
}

/// A tenant's newest version; an error when the tenant was erased.
fn newest(row: Option<&Row>) -> Result<Option<u32>, StoreError> {
    let row = row.ok_or_else(|| StoreError::Bug("a statement gave no row".into()))?;
    match rows::column::<Option<i64>>(row, "erased")? {
        Some(_) => Err(StoreError::TenantErased),
        None => rows::column::<Option<i64>>(row, "newest")?
            .map(|version| version.try_into().map_err(|_| rows::damaged("version")))
            .transpose(),
    }
}

fn newest_of(tenant: &Tenant) -> Statement {
    let text = "SELECT (SELECT MAX(version) FROM tenant_keys WHERE tenant = $1) AS newest, \
                (SELECT erased FROM erased_tenants WHERE tenant = $1) AS erased";
    sql(text).bind(tenant.as_str())
}

/// Runs what may wait for a key service.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    // What waits for a key is not given up for it.
    done.map_err(|_| StoreError::KeyService("asking for it panicked; report it".into()))?
}

async fn recorded(pools: &Pools) -> Result<Recorded, StoreError> {
    let all = pools.all(sql("SELECT name, value FROM meta WHERE name IN ('master', 'master_key')")).await?;
    let value = |name: &str| -> Result<Option<Vec<u8>>, StoreError> {
        for row in &all {
            if rows::column::<&str>(row, "name")? == name {
                return rows::column(row, "value").map(Some);
            }
        }
        Ok(None)
    };
    if let Some(name) = value(NAME)? {
        let id = String::from_utf8(name).ok().and_then(|name| KeyId::parse(&name));
        return id.map(Recorded::Named).ok_or_else(|| rows::damaged(NAME));
    }
    Ok(value(EARLIER)?.map_or(Recorded::Nothing, Recorded::Earlier))
}

impl Keyring {
    /// Finds the master key that the database names, names one in a new database, and brings the keys of a database of an earlier release over, where
    /// `may_change`.
    pub(super) async fn open(
        pools: &Pools,
        source: MasterSource,
        may_change: bool,
    ) -> Result<Self, ServiceError> {
        let id = match recorded(pools).await? {
            Recorded::Named(id) => id,
            _ if !may_change => {
                let problem = "the database's keys are of an earlier release; start the server, which brings them over, and then this";
                return Err(ServiceError::Path { path: source.file().to_owned(), problem: problem.into() });
            }
            Recorded::Nothing => name_first(pools, source.clone()).await?,
            Recorded::Earlier(fingerprint) => bring_over(pools, &source, &fingerprint).await?,
        };
        let found = {
            let (source, id) = (source.clone(), id.clone());
            tokio::task::spawn_blocking(move || source.find(&id)).await
        };
        let found = found.map_err(|_| ServiceError::Bug("looking for a master key panicked"))??;
        match found.place {
            Place::Next if may_change => {
                source.promote()?;
                tracing::warn!(key = %id, "an interrupted rotation of the master key is ended: the new key is in use");
            }
            Place::File if source.has_service() => tracing::warn!(
                key = %id,
                "secrets.kms_command is set, but the key file still wraps the data keys; `nightingale store rotate-master` changes that"
            ),
            Place::File if may_change && source.next_file().exists() => tracing::warn!(
                key = %id,
                "a rotation of the master key was interrupted before it took effect: the old key is in use; `nightingale store rotate-master` goes on"
            ),
            _ => {}
        }
        tracing::info!(key = %id, "master key");
        Ok(Self {
            source,
            master: Mutex::new(found.master),
            opened: Mutex::default(),
            questions: Questions::default(),
        })
    }

    fn held(&self) -> Arc<dyn MasterKeys> {
        self.master.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self, master: Arc<dyn MasterKeys>) {
        *self.master.lock().unwrap_or_else(PoisonError::into_inner) = master;
    }

    fn opened(&self, tenant: &Tenant) -> Option<Arc<TenantKeys>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    fn keep(&self, tenant: &Tenant, keys: Arc<TenantKeys>) {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), keys);
    }

    pub(super) fn forget(&self, tenant: &Tenant) {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant);
    }

    /// The master key of this name: the one in hand, or the one that a rotation elsewhere has put in its place. Reads files.
    fn master(&self, id: &KeyId) -> Result<Arc<dyn MasterKeys>, StoreError> {
        let held = self.held();
        if held.id() == id {
            return Ok(held);
        }
        let found = self.source.find(id).map_err(|error| {
            tracing::error!(%error, "the master key was rotated, and this process has no new one");
            // Whoever rotated it brings it here next: nothing is damaged, and nothing is given up.
            StoreError::KeyService("this process was not given the new master key yet".into())
        })?;
        self.hold(found.master.clone());
        Ok(found.master)
    }
}

/// Names the master key of a new database.
async fn name_first(pools: &Pools, source: MasterSource) -> Result<KeyId, ServiceError> {
    let found = tokio::task::spawn_blocking(move || source.first()).await;
    let found = found.map_err(|_| ServiceError::Bug("making a master key panicked"))??;
    let name = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    pools.execute(sql(name).bind(NAME).bind(found.master.id().as_str().as_bytes())).await?;
    // Another server may have been quicker.
    match recorded(pools).await? {
        Recorded::Named(id) => Ok(id),
        _ => Err(ServiceError::Bug("a database that forgets its master key")),
    }
}

/// Wraps the keys that an earlier release derived, as their tenants' first data keys, all in one transaction.
async fn bring_over(pools: &Pools, source: &MasterSource, fingerprint: &[u8]) -> Result<KeyId, ServiceError> {
    let master = source.find_earlier(fingerprint)?;
    // Once in a database's life: not among the times that are told.
    let mut tx = pools.begin(None, Wait::Patient, &Times::new("upgrade")?).await?;
    if meta::held(&mut tx, EARLIER).await?.is_some() {
        let tenants = tx
            .all(sql(
                "SELECT tenant FROM jobs UNION SELECT tenant FROM accounts UNION SELECT tenant FROM datasets \
                      ORDER BY tenant",
            ))
            .await?;
        for row in &tenants {
            let tenant = rows::tenant(row)?;
            let key = master.derived(tenant.as_str());
            let wrapped = master::wrap(&master, &tenant, 1, &key).map_err(StoreError::from)?;
            insert(&mut tx, &tenant, 1, wrapped, master.id(), true).await?;
        }
        let name = "INSERT INTO meta (name, value) VALUES ($1, $2)";
        tx.execute(sql(name).bind(NAME).bind(master.id().as_str().as_bytes())).await?;
        meta::removed(&mut tx, EARLIER).await?;
        tracing::warn!(tenants = tenants.len(), "keys of an earlier release were wrapped as data keys");
    }
    tx.commit().await?;
    Ok(master.id().clone())
}

async fn insert(
    connection: &mut Connection,
    tenant: &Tenant,
    version: u32,
    wrapped: Vec<u8>,
    by: &KeyId,
    derived: bool,
) -> Result<(), StoreError> {
    let text = "INSERT INTO tenant_keys (tenant, version, wrapped, wrapped_by, derived, created) \
                VALUES ($1, $2, $3, $4, $5, $6)";
    let statement = sql(text).bind(tenant.as_str()).bind(version).bind(wrapped).bind(by.as_str());
    connection.execute(statement.bind(derived).bind(Instant::now().0)).await.map(drop)
}

impl Store {
    /// A tenant's seal, with a new data key where the tenant has none yet.
    ///
    /// # Errors
    /// [`StoreError::TenantErased`]; the database or the key service does not answer; a wrapped key that does not open.
    pub async fn seal(&self, tenant: &Tenant) -> Result<Seal, StoreError> {
        if let Some(seal) = self.seal_if_any(tenant).await? {
            return Ok(seal);
        }
        self.add_key(tenant, 0).await?;
        self.seal_if_any(tenant).await?.ok_or(StoreError::TenantErased)
    }

    /// A tenant's seal; `None` when nothing was ever sealed for it.
    ///
    /// # Errors
    /// As [`Store::seal`].
    pub(crate) async fn seal_if_any(&self, tenant: &Tenant) -> Result<Option<Seal>, StoreError> {
        self.opened(tenant, None).await
    }

    /// The seal of a tenant for whom something was sealed. Where its key is asked for it is waited for no longer than by a lane, which others' jobs wait
    /// for: it is left out of leasing until there is an answer.
    ///
    /// # Errors
    /// As [`Store::seal`]; [`StoreError::KeyService`] when there is no answer yet.
    pub(super) async fn seal_soon(&self, tenant: &Tenant) -> Result<Seal, StoreError> {
        self.opened(tenant, Some(LANE)).await?.ok_or(StoreError::Sealed)
    }

    async fn opened(&self, tenant: &Tenant, patience: Option<Duration>) -> Result<Option<Seal>, StoreError> {
        loop {
            let found = self.optional(newest_of(tenant)).await?;
            let version = newest(found.as_ref()).inspect_err(|_| self.keyring.forget(tenant))?;
            let Some(version) = version else { return Ok(None) };
            if let Some(keys) = self.keyring.opened(tenant).filter(|keys| keys.newest().version == version) {
                return Ok(Some(Seal::new(keys)));
            }
            let all = "SELECT version, wrapped, wrapped_by, derived FROM tenant_keys WHERE tenant = $1 ORDER BY version";
            let all = self.all(sql(all).bind(tenant.as_str())).await?;
            let all = all.iter().map(Wrapped::of).collect::<Result<Vec<_>, _>>()?;
            let owner = tenant.clone();
            let open = move |keyring: &Keyring| {
                let by = all.first().map(|key| key.by.clone()).ok_or(StoreError::TenantErased)?;
                let master = keyring.master(&by)?;
                let open = |key: Wrapped| {
                    let opened = master::unwrap(master.as_ref(), &owner, key.version, &key.wrapped)?;
                    Ok(DataKey { version: key.version, key: opened, derived: key.derived })
                };
                let keys = all.into_iter().map(open).collect::<Result<Vec<_>, StoreError>>()?;
                let keys = TenantKeys::new(owner.clone(), keys).ok_or(StoreError::TenantErased)?;
                keyring.keep(&owner, Arc::new(keys));
                Ok(())
            };
            // Then it is looked for again: the answer took its time, and the tenant may have been erased meanwhile, or its key rotated.
            self.keyring.ask(tenant, patience, open).await?;
        }
    }

    /// Whose jobs are left to other processes for now: their keys are asked for, or could not be had a moment ago.
    pub(super) fn left_out(&self) -> Vec<Tenant> {
        self.keyring.questions.left_out()
    }

    /// A tenant's seal as it was last opened, within a transaction: nothing is asked of the database, and no connection is waited for. Call
    /// [`Store::seal`] before the transaction begins.
    ///
    /// # Errors
    /// It is not open, or was closed meanwhile: by an erasure, or by a newer key.
    pub(super) fn held_seal(&self, tenant: &Tenant) -> Result<Seal, StoreError> {
        self.keyring.opened(tenant).map(Seal::new).ok_or(StoreError::Busy)
    }

    /// Refuses a tenant that was erased.
    ///
    /// # Errors
    /// [`StoreError::TenantErased`]; the database does not answer.
    pub async fn refuse_erased(&self, tenant: &Tenant) -> Result<(), StoreError> {
        newest(self.optional(newest_of(tenant)).await?.as_ref())
            .map(drop)
            .inspect_err(|_| self.keyring.forget(tenant))
    }

    /// As [`Store::refuse_erased`], within a transaction of this tenant or of all, or within a snapshot: nobody is erased before it ends. A seal that was
    /// opened before the tenant's newest key is closed, so that [`Store::held_seal`] has it opened anew: what is read in this transaction may be
    /// sealed under that key.
    pub(super) async fn refuse_erased_within(
        &self,
        connection: &mut Connection,
        tenant: &Tenant,
    ) -> Result<(), StoreError> {
        let version = newest(connection.optional(newest_of(tenant)).await?.as_ref())
            .inspect_err(|_| self.keyring.forget(tenant))?;
        if self.keyring.opened(tenant).is_some_and(|keys| Some(keys.newest().version) < version) {
            self.keyring.forget(tenant);
        }
        Ok(())
    }

    /// Makes the data key that follows version `after`, unless somebody else was quicker; the newest version then.
    async fn add_key(&self, tenant: &Tenant, after: u32) -> Result<u32, StoreError> {
        let version = after + 1;
        // Twice at most: a rotation of the master key may come between wrapping and storing.
        for _ in 0..3 {
            let (id, wrapped) = loop {
                let id = self.master_name().await?;
                let (owner, by) = (tenant.clone(), id.clone());
                let wrap = move |keyring: &Keyring| {
                    let key = Zeroizing::new(rand::random::<[u8; KEY_BYTES]>());
                    Ok(master::wrap(keyring.master(&by)?.as_ref(), &owner, version, &key)?)
                };
                if let Some(wrapped) = self.keyring.ask(tenant, None, wrap).await? {
                    break (id, wrapped);
                }
                // Somebody else asked, maybe for the same.
                match newest(self.optional(newest_of(tenant)).await?.as_ref())? {
                    Some(newest) if newest > after => return Ok(newest),
                    _ => {}
                }
            };
            let mut tx = self.begin_for(tenant).await?;
            let wraps_still = wrapped_by(&mut tx, self.dialect()).await? == id;
            match newest(tx.optional(newest_of(tenant)).await?.as_ref())? {
                Some(newest) if newest > after => return Ok(newest),
                _ if wraps_still => {
                    insert(&mut tx, tenant, version, wrapped, &id, false).await?;
                    if after == 0 {
                        leave_room(&mut tx).await?;
                    } else {
                        let entry = Draft::by_service(Event::Rotated).word("what", "data_key");
                        let entry = entry.number("version", version.into());
                        audit::append(&mut tx, tenant, vec![entry], Instant::now()).await?;
                    }
                    tx.commit().await?;
                    tracing::info!(tenant = tenant.as_str(), version, "data key made");
                    return Ok(version);
                }
                _ => {}
            }
        }
        Err(StoreError::Busy)
    }

    /// The master key that wraps now.
    async fn master_name(&self) -> Result<KeyId, StoreError> {
        match recorded(&self.pools).await? {
            Recorded::Named(id) => Ok(id),
            _ => Err(rows::damaged(NAME)),
        }
    }

    /// Gives a tenant a new data key, which is put on record: what is stored from now on is sealed under it, what was stored still opens.
    ///
    /// # Errors
    /// As [`Store::seal`].
    pub async fn rotate_tenant(&self, tenant: &Tenant) -> Result<u32, StoreError> {
        let newest = self.seal(tenant).await?.version();
        self.add_key(tenant, newest).await
    }
}

/// The master key that wraps, held still until the transaction ends.
async fn wrapped_by(connection: &mut Connection, dialect: Dialect) -> Result<KeyId, StoreError> {
    let text = format!("SELECT value FROM meta WHERE name = $1{}", dialect.held_still());
    let row = connection.one(sql(text).bind(NAME)).await?;
    let name = String::from_utf8(rows::column(&row, "value")?).ok();
    name.and_then(|name| KeyId::parse(&name)).ok_or_else(|| rows::damaged(NAME))
}
