//! `EpochService`: what payers publish, checked before it is kept.

use super::{
    building::{self, Building},
    status::{draining, invalid, typed},
    wire,
};
use crate::{
    audit::{Draft, Event},
    engine::{BuiltAccounts, Engine},
    gate::limits::Load,
    identity,
    jobs::{Instant, Tenant},
    store::accounts::{Publication, PublishedAccounts},
};
use nightingale_circuits::{
    claim::{Id, NoteLeaf},
    field::to_be_bytes,
    merkle::Register,
};
use nightingale_proto::v1::{self, epoch_service_server::EpochService};
use std::sync::Arc;
use tonic::{Code, Request, Response, Status};

/// The service.
pub(super) struct Epochs {
    engine: Arc<Engine>,
    building: Building,
}

fn outcome(publication: &Publication, differs: &'static str, old: &'static str) -> Result<(), Status> {
    match publication {
        Publication::Published | Publication::Known => Ok(()),
        Publication::Differs => {
            let text = "this number was published with another content; publish the next number";
            Err(typed(Code::AlreadyExists, differs, text))
        }
        Publication::Old => {
            let text = "a higher number was published; publish a number above it";
            Err(typed(Code::FailedPrecondition, old, text))
        }
    }
}

impl Epochs {
    pub(super) const fn new(engine: Arc<Engine>, building: Building) -> Self {
        Self { engine, building }
    }

    async fn publish_accounts(
        &self,
        tenant: &Tenant,
        entry: Draft,
        wire: v1::AccountRegister,
        load: Option<Arc<Load>>,
    ) -> Result<(Id, u32), Status> {
        let payer = wire::payer("accounts.payer", &wire.payer)?;
        let root = wire::element("accounts.root", &wire.root)?;
        if wire.revision == 0 || i64::try_from(wire.revision).is_err() {
            return Err(invalid("accounts.revision", "expected 1 to 2^63 - 1"));
        }
        let notes = (wire.notes.iter().enumerate())
            .map(|(i, note)| wire::element(&format!("accounts.notes[{i}]"), note))
            .collect::<Result<Vec<_>, _>>()?;
        let accounts = PublishedAccounts { revision: wire.revision, root, notes };
        let build = move || {
            let register = Register::build(accounts.notes.iter().copied().map(NoteLeaf).collect());
            (accounts, register)
        };
        let (accounts, register) = self.building.work(tenant, load, build).await?;
        let register = register.map_err(|error| invalid("accounts.notes", &error.to_string()))?;
        if register.root() != root {
            return Err(invalid("accounts.root", "is not the root of these notes"));
        }
        let now = Instant::now();
        let (publication, resumed) =
            self.engine.store.publish_accounts(tenant, payer, &accounts, entry, now).await?;
        outcome(&publication, "ACCOUNTS_DIFFER", "ACCOUNTS_OLD")?;
        self.engine.keep_accounts(BuiltAccounts {
            tenant: tenant.clone(),
            payer,
            revision: accounts.revision,
            register: Arc::new(register),
        });
        for id in &resumed {
            tracing::info!(job = %id, "goes on: the account register was published");
            self.engine.events.changed(*id);
            self.engine.events.work_arrived();
        }
        Ok((payer, u32::try_from(resumed.len()).unwrap_or(u32::MAX)))
    }

    /// What a payer has published, the newest of each.
    async fn newest(&self, tenant: &Tenant, payer: Id) -> Result<v1::PublishedEpoch, Status> {
        let newest = self.engine.store.epochs(tenant, payer, 1).await?.into_iter().next();
        let accounts = self.engine.store.accounts_revision(tenant, payer).await?;
        Ok(v1::PublishedEpoch {
            root: newest.as_ref().map(|n| to_be_bytes(&n.epoch.root()).to_vec()).unwrap_or_default(),
            published: newest.as_ref().map(|n| wire::timestamp(n.published)),
            epoch: newest.map(|n| wire::epoch_message(&n.epoch)),
            accounts_revision: accounts.map_or(0, |(revision, _)| revision),
            accounts_root: accounts.map(|(_, root)| to_be_bytes(&root).to_vec()).unwrap_or_default(),
            resumed_jobs: 0,
        })
    }
}

#[tonic::async_trait]
impl EpochService for Epochs {
    async fn publish(
        &self,
        request: Request<v1::PublishEpochRequest>,
    ) -> Result<Response<v1::PublishedEpoch>, Status> {
        if self.engine.is_draining() {
            return Err(draining());
        }
        let (caller, load) = (identity::caller(&request)?, building::load(request.extensions()));
        let message = request.into_inner();
        let tenant = self.engine.tenant(&caller, &message.tenant).await?;
        let epoch = message.epoch.as_ref().map(wire::epoch).transpose()?;
        let mut payer = None;
        if let (Some(epoch), Some(accounts)) = (&epoch, &message.accounts)
            && wire::payer("accounts.payer", &accounts.payer)? != epoch.payer
        {
            return Err(invalid("accounts.payer", "expected the payer of the epoch"));
        }
        let entry = Draft::new(Event::Published, &caller, "EpochService.Publish");
        if let Some(epoch) = &epoch {
            let publication =
                self.engine.store.publish_epoch(&tenant, epoch, entry.clone(), Instant::now()).await?;
            outcome(&publication, "EPOCH_DIFFERS", "EPOCH_OLD")?;
            tracing::info!(tenant = tenant.as_str(), number = epoch.number, "epoch published");
            payer = Some(epoch.payer);
        }
        let mut resumed_jobs = 0;
        if let Some(accounts) = message.accounts {
            let (of, resumed) = self.publish_accounts(&tenant, entry, accounts, load).await?;
            (payer, resumed_jobs) = (Some(of), resumed);
        }
        let payer =
            payer.ok_or_else(|| invalid("epoch", "expected an epoch, an account register, or both"))?;
        let newest = self.newest(&tenant, payer).await?;
        Ok(Response::new(v1::PublishedEpoch { resumed_jobs, ..newest }))
    }

    async fn get(
        &self,
        request: Request<v1::GetEpochRequest>,
    ) -> Result<Response<v1::PublishedEpoch>, Status> {
        let caller = identity::caller(&request)?;
        let message = request.into_inner();
        let (tenant, payer) =
            (self.engine.tenant(&caller, &message.tenant).await?, wire::payer("payer", &message.payer)?);
        let newest = self.newest(&tenant, payer).await?;
        if newest.epoch.is_none() {
            let text = "payer: has published no epoch here; publish one first";
            return Err(typed(Code::NotFound, "EPOCH_UNKNOWN", text));
        }
        Ok(Response::new(newest))
    }
}
