//! The epochs that payers published, and how a request's epoch stands against them.

use super::{
    Store,
    accounts::{Publication, element},
    audit,
    jobs::{leave_room, payer_bytes},
    rows,
    sql::{Row, sql},
};
use crate::{
    audit::Draft,
    error::StoreError,
    jobs::{Instant, Tenant},
};
use nightingale_circuits::{
    Fr,
    claim::{Epoch, Id, Venue, types::Address},
    field::to_be_bytes,
};
use std::time::Duration;

/// An epoch as it was published.
pub struct PublishedEpoch {
    /// The epoch.
    pub epoch: Epoch,
    /// When.
    pub published: Instant,
}

/// How a root stands against a payer's epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochStanding {
    /// It is the newest, or the one before it within its grace.
    Current,
    /// Nothing of this payer was published.
    Unpublished,
    /// It is none that may still be used; this number is the newest.
    Superseded(u64),
}

fn epoch(row: &Row, payer: Id) -> Result<PublishedEpoch, StoreError> {
    let damaged = || rows::damaged("epochs");
    let number: &[u8] = rows::column(row, "number")?;
    let venue: &[u8] = rows::column(row, "venue")?;
    let (chain, contract) = venue.split_first_chunk::<8>().ok_or_else(damaged)?;
    let roots: &[u8] = rows::column(row, "roots")?;
    let roots = roots.chunks(32).map(element).collect::<Result<Vec<_>, _>>()?;
    let [policy_root, diagnosis_root, enrolment_root, provider_root, authorisation_root] =
        roots.try_into().map_err(|_| damaged())?;
    let epoch = Epoch {
        payer,
        venue: Venue {
            chain_id: u64::from_be_bytes(*chain),
            contract: Address(contract.try_into().map_err(|_| damaged())?),
        },
        policy_root,
        diagnosis_root,
        enrolment_root,
        provider_root,
        authorisation_root,
        number: u64::from_be_bytes(number.try_into().map_err(|_| damaged())?),
    };
    Ok(PublishedEpoch { epoch, published: Instant(rows::column(row, "published")?) })
}

impl Store {
    /// Publishes an epoch, and puts that on record.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn publish_epoch(
        &self,
        tenant: &Tenant,
        epoch: &Epoch,
        entry: Draft,
        now: Instant,
    ) -> Result<Publication, StoreError> {
        let number = epoch.number.to_be_bytes().to_vec();
        let root = to_be_bytes(&epoch.root()).to_vec();
        let mut tx = self.begin_for(tenant).await?;
        let newest = tx
            .optional(
                sql("SELECT number, root FROM epochs WHERE tenant = $1 AND payer = $2 AND number >= $3 \
             ORDER BY number = $4 DESC LIMIT 1")
                .bind(tenant.as_str())
                .bind(payer_bytes(epoch.payer))
                .bind(number.clone())
                .bind(number.clone()),
            )
            .await?;
        if let Some(row) = newest {
            let same_number = rows::column::<&[u8]>(&row, "number")? == number;
            let same_root = rows::column::<&[u8]>(&row, "root")? == root;
            return Ok(match (same_number, same_root) {
                (false, _) => Publication::Old,
                (true, true) => Publication::Known,
                (true, false) => Publication::Differs,
            });
        }
        let entry = entry.digest("payer", &payer_bytes(epoch.payer));
        let entry = entry.number("epoch", epoch.number).digest("epoch_root", &root);
        let venue = [epoch.venue.chain_id.to_be_bytes().as_slice(), &epoch.venue.contract.0].concat();
        let roots = [
            epoch.policy_root,
            epoch.diagnosis_root,
            epoch.enrolment_root,
            epoch.provider_root,
            epoch.authorisation_root,
        ];
        tx.execute(sql("INSERT INTO epochs (tenant, payer, number, root, venue, roots, published) VALUES ($1, $2, $3, $4, $5, $6, $7)").bind(tenant.as_str()).bind(payer_bytes(epoch.payer)).bind(number).bind(root).bind(venue).bind(roots.iter().flat_map(to_be_bytes).collect::<Vec<u8>>()).bind(now.0))
        .await?;
        audit::append(&mut tx, tenant, vec![entry], now).await?;
        leave_room(&mut tx).await?;
        tx.commit().await?;
        Ok(Publication::Published)
    }

    /// A payer's newest epochs, the newest first, at most `most`.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn epochs(
        &self,
        tenant: &Tenant,
        payer: Id,
        most: u32,
    ) -> Result<Vec<PublishedEpoch>, StoreError> {
        let found = self
            .all(
                sql("SELECT number, venue, roots, published FROM epochs WHERE tenant = $1 AND payer = $2 \
             ORDER BY number DESC LIMIT $3")
                .bind(tenant.as_str())
                .bind(payer_bytes(payer))
                .bind(most),
            )
            .await?;
        found.iter().map(|row| epoch(row, payer)).collect()
    }

    /// How `root` stands: the newest is current, and the one before it until `grace` after the newest's publication.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn epoch_standing(
        &self,
        tenant: &Tenant,
        payer: Id,
        root: Fr,
        grace: Duration,
        now: Instant,
    ) -> Result<EpochStanding, StoreError> {
        let epochs = self.epochs(tenant, payer, 2).await?;
        let Some(newest) = epochs.first() else { return Ok(EpochStanding::Unpublished) };
        let in_grace = now < newest.published.plus(grace);
        let before = epochs.get(1).filter(|_| in_grace);
        let current = [Some(newest), before].into_iter().flatten().any(|e| e.epoch.root() == root);
        Ok(if current { EpochStanding::Current } else { EpochStanding::Superseded(newest.epoch.number) })
    }
}
