//! A new master key: all data keys are wrapped anew in one transaction, which is on record in the log of every tenant that has one, and in the
//! operator's own.
//!
//! Three steps, each durable before the next: the new key is in its file, the database's keys are under it, the file is in its place. A
//! process that is killed between two leaves a database that opens with exactly one of the two keys, and the same command goes on.

use super::{KeyId, NAME, Wrapped, blocking, master, wrapped_by};
use crate::{
    audit::{Draft, Event},
    error::{ServiceError, StoreError},
    jobs::{Instant, Tenant},
    store::{
        Store, audit,
        master::{MasterKeys, source::MasterSource},
        rows,
        sql::{Row, sql},
    },
};
use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
};

const ALL: &str =
    "SELECT tenant, version, wrapped, wrapped_by, derived FROM tenant_keys ORDER BY tenant, version";

/// What a rotation did.
pub struct Rotated {
    /// The key that wrapped before.
    pub from: KeyId,
    /// The key that wraps now.
    pub to: KeyId,
    /// Data keys that were wrapped anew.
    pub keys: u64,
    /// Where the old key file is kept: with it, backups from before still open. [`Store::old_masters`] are all.
    pub retired: Option<PathBuf>,
}

/// A data key as it was wrapped, and as it is wrapped under the new master key, by tenant and version.
type Rewrapped = HashMap<(Tenant, u32), (Vec<u8>, Vec<u8>)>;

impl Store {
    /// Wraps all data keys under a new master key: the service's where `to_service`, else a new one in the key file's place. Servers and
    /// workers that run meanwhile go on, and find the new key when they need it.
    ///
    /// # Errors
    /// The old key does not open a data key, and nothing is changed; the key service or the database does not answer.
    pub async fn rotate_master(&self, to_service: bool) -> Result<Rotated, ServiceError> {
        let _alone = self.keyring.source.alone()?;
        let to = self.prepare_master(to_service).await?;
        let (from, keys) = self.rewrap(to.clone()).await?;
        let retired = self.promote_master(to.id())?;
        Ok(Rotated { from, to: to.id().clone(), keys, retired })
    }

    /// Key files that wrap nothing any more: those that rotations retired, and what one that ended half-way left. With them, backups from before still
    /// open.
    ///
    /// # Errors
    /// The database or a folder cannot be read.
    pub async fn old_masters(&self) -> Result<Vec<PathBuf>, ServiceError> {
        self.keyring.source.left(&self.master_name().await?)
    }

    /// Overwrites and removes them. Returns where they were.
    ///
    /// # Errors
    /// As [`Store::old_masters`]; a rotation runs; a file that cannot be written or removed: some are gone.
    pub async fn destroy_old_masters(&self) -> Result<Vec<PathBuf>, ServiceError> {
        // Whoever rotates has a key in hand that the database does not name yet.
        let _alone = self.keyring.source.alone()?;
        let old = self.old_masters().await?;
        for file in &old {
            MasterSource::destroy(file)?;
        }
        Ok(old)
    }

    /// The first step: the new key is made, or found where an interrupted rotation left it.
    ///
    /// # Errors
    /// It cannot be written; the service does not answer.
    pub async fn prepare_master(&self, to_service: bool) -> Result<Arc<dyn MasterKeys>, ServiceError> {
        let source = self.keyring.source.clone();
        let made = tokio::task::spawn_blocking(move || -> Result<Arc<dyn MasterKeys>, ServiceError> {
            if to_service { Ok(Arc::new(source.service()?)) } else { Ok(Arc::new(source.prepare()?)) }
        });
        made.await.map_err(|_| ServiceError::Bug("making a master key panicked"))?
    }

    /// The second step: in one transaction, every data key is under the new key, the database says so, and it is on record. Where it is already, nothing
    /// changes. Returns which key wrapped before, and how many data keys it was.
    ///
    /// # Errors
    /// As [`Store::rotate_master`].
    pub async fn rewrap(&self, to: Arc<dyn MasterKeys>) -> Result<(KeyId, u64), StoreError> {
        let from = self.master_name().await?;
        if from == *to.id() {
            return Ok((from, 0));
        }
        // Before the transaction: a key service may take its time for each.
        let mut done = Rewrapped::new();
        for row in self.all(sql(ALL)).await? {
            self.wrap_anew(&to, &mut done, &row).await?;
        }
        let mut tx = self.begin().await?;
        if wrapped_by(&mut tx, self.dialect()).await? != from {
            return Err(StoreError::Busy);
        }
        let name = "UPDATE meta SET value = $1 WHERE name = $2";
        tx.execute(sql(name).bind(to.id().as_str().as_bytes()).bind(NAME)).await?;
        // From here on nobody makes a data key under the old one. Those that were made meanwhile are few.
        let (mut keys, mut of) = (0, BTreeMap::<String, (Tenant, u64)>::new());
        for row in tx.all(sql(ALL)).await? {
            let (tenant, key) = (rows::tenant(&row)?, Wrapped::of(&row)?);
            let place = (tenant, key.version);
            if done.get(&place).is_none_or(|(before, _)| *before != key.wrapped) {
                self.wrap_anew(&to, &mut done, &row).await?;
            }
            let pair = done.remove(&place);
            let (before, after) = pair.ok_or_else(|| StoreError::Bug("a key was not wrapped anew".into()))?;
            let update = "UPDATE tenant_keys SET wrapped = $1, wrapped_by = $2 \
                          WHERE tenant = $3 AND version = $4 AND wrapped = $5";
            let update = sql(update).bind(after).bind(to.id().as_str()).bind(place.0.as_str());
            if tx.execute(update.bind(place.1).bind(before)).await? != 1 {
                return Err(StoreError::Busy);
            }
            keys += 1;
            let tenant = place.0;
            of.entry(tenant.as_str().to_owned()).or_insert((tenant, 0)).1 += 1;
        }
        let (now, entry) = (Instant::now(), Draft::by_service(Event::Rotated).word("what", "master_key"));
        let entry = entry.keys(&from, to.id());
        let tenants = u64::try_from(of.len()).unwrap_or(u64::MAX);
        let whole = entry.clone().number("keys", keys).number("tenants", tenants);
        // The operator's comes first, by its name as well.
        audit::append(&mut tx, &Tenant::operator(), vec![whole], now).await?;
        for (tenant, keys) in of.into_values() {
            audit::append(&mut tx, &tenant, vec![entry.clone().number("keys", keys)], now).await?;
        }
        tx.commit().await?;
        self.keyring.hold(to);
        Ok((from, keys))
    }

    /// The last step: the new key takes the old one's place. Returns where the old one is kept.
    ///
    /// # Errors
    /// The files cannot be renamed.
    pub fn promote_master(&self, to: &KeyId) -> Result<Option<PathBuf>, ServiceError> {
        let source = &self.keyring.source;
        if to.of_service().is_some() { source.retire() } else { source.promote() }
    }

    async fn wrap_anew(
        &self,
        to: &Arc<dyn MasterKeys>,
        done: &mut Rewrapped,
        row: &Row,
    ) -> Result<(), StoreError> {
        let (tenant, key) = (rows::tenant(row)?, Wrapped::of(row)?);
        let (keyring, new) = (self.keyring.clone(), to.clone());
        let (owner, version) = (tenant.clone(), key.version);
        let pair = blocking(move || {
            let old = keyring.master(&key.by)?;
            let opened = master::unwrap(old.as_ref(), &owner, version, &key.wrapped)?;
            let after = master::wrap(new.as_ref(), &owner, version, &opened)?;
            // What cannot be opened again would be lost with the old key.
            if *master::unwrap(new.as_ref(), &owner, version, &after)? != *opened {
                return Err(StoreError::KeyService("what was wrapped does not open as it was".into()));
            }
            Ok((key.wrapped, after))
        });
        done.insert((tenant, version), pair.await?);
        Ok(())
    }
}
