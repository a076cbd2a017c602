//! `ConsentService`: the ledger of consents, its register, and the consents of datasets.
//!
//! What a call answers is committed before it answers: from then on no job ends with a proof that relies on what was revoked.

mod subjects;
pub(super) mod wire;

use super::{
    building::{self, Building},
    status::{draining, invalid, typed},
    wire as edge,
};
use crate::{
    audit::{Draft, Event},
    engine::Engine,
    identity::{self, Caller},
    jobs::{Instant, JobId, Tenant},
    store::{
        consents::{
            Asked, Effect, Ledgered, Listing, Naming, Proposal, Stated,
            epochs::{Built, EpochRow, Publication},
        },
        idempotency::Space,
    },
};
use nightingale_circuits::claim::{Consent, Date};
use nightingale_proto::v1::{self, consent_service_server::ConsentService};
use nightingale_records::{
    RecordsError,
    consent::{ConsentImport, ConsentSays, Payer, build_register, import_fhir},
};
use std::sync::Arc;
use tonic::{Code, Request, Response, Status};
use zeroize::Zeroizing;

/// How often a register is built anew because the ledger grew meanwhile.
const BUILDS: usize = 8;
/// Leaves of one page of a register.
const LEAVES: u32 = 10_000;
/// Consents of one import: they are one transaction, and others wait for it.
const PROPOSALS: usize = 5_000;
/// Epochs of one answer.
const EPOCHS: u32 = 10_000;

/// The service.
#[derive(Clone)]
pub(super) struct Consents {
    engine: Arc<Engine>,
    building: Building,
    registering: Building,
}

pub(super) fn key_reused() -> Status {
    let text = "idempotency_key: names another request; use a new key for a new request";
    typed(Code::AlreadyExists, "IDEMPOTENCY_KEY_REUSED", text)
}

fn defect() -> Status {
    typed(Code::Internal, "INTERNAL", "the ledger of consents does not hold what it was told; report it")
}

impl Consents {
    pub(super) const fn new(engine: Arc<Engine>, building: Building, registering: Building) -> Self {
        Self { engine, building, registering }
    }

    async fn open(&self, caller: &Caller, tenant: &str, key: &str) -> Result<Tenant, Status> {
        if self.engine.is_draining() {
            return Err(draining());
        }
        edge::naming(key, 0)?;
        self.engine.tenant(caller, tenant).await
    }

    /// Tells watchers and workers of jobs that a statement failed.
    fn tell(&self, failed: &[JobId]) {
        for id in failed {
            self.engine.ended(*id, "CONSENT_REVOKED");
        }
    }

    /// One statement.
    async fn state(
        &self,
        tenant: &Tenant,
        naming: &Naming<'_>,
        proposal: Proposal,
    ) -> Result<v1::StatementResponse, Status> {
        let effect = proposal.effect;
        let asked = self.engine.store.state_consents(tenant, naming, &[proposal], Instant::now()).await?;
        let (ledgered, known) = match asked {
            Asked::Done(ledgered) => (ledgered, false),
            Asked::Known(ledgered) => (ledgered, true),
            Asked::KeyReused => return Err(key_reused()),
        };
        self.tell(&ledgered.failed);
        let Some(Stated::Line(line)) = ledgered.stated.first() else { return Err(defect()) };
        let statement = self.engine.store.consent_line(tenant, *line).await?.ok_or_else(defect)?;
        if !known {
            tracing::info!(tenant = tenant.as_str(), ?effect, failed = ledgered.failures, "consent stated");
        }
        let statement = Some(wire::statement(&statement));
        Ok(v1::StatementResponse { statement, failed_jobs: ledgered.failures, known })
    }

    async fn publication(&self, tenant: &Tenant, naming: &Naming<'_>) -> Result<Asked<EpochRow>, Status> {
        if let Some(known) = self.engine.store.known_publication(tenant, naming).await? {
            return Ok(known);
        }
        for _ in 0..BUILDS {
            // In its place before the ledger is read: each that waits would hold all of it.
            let place = self.building.hold(tenant, None).await?;
            let (engine, of) = (self.engine.clone(), tenant.clone());
            // Read to its end, whether or not the caller waits for it: so does the database.
            let built = tokio::spawn(async move {
                let (through, consents) = engine.store.consents_in_force(&of).await?;
                let leaves = u32::try_from(consents.len()).unwrap_or(u32::MAX);
                let build = move || build_register(consents).map(|register| register.root());
                let root = place.work(build).await?.map_err(|error| unbuildable(&error))?;
                Ok::<_, Status>(Built { through, root, consents: leaves })
            });
            let built = built.await.map_err(|_| defect())??;
            let published =
                self.engine.store.publish_consents(tenant, naming, &built, Instant::now()).await?;
            if let Publication::Asked(asked) = published {
                return Ok(asked);
            }
        }
        let text = "the ledger of consents changes faster than its register is built; nothing was published, try again";
        Err(typed(Code::Unavailable, "CONSENTS_CHANGING", text))
    }
}

fn unbuildable(error: &RecordsError) -> Status {
    match error {
        RecordsError::Register(nightingale_circuits::merkle::RegisterError::Full { .. }) => {
            typed(Code::ResourceExhausted, "REGISTER_FULL", error.to_string())
        }
        _ => {
            tracing::error!(%error, "the consent register cannot be built");
            defect()
        }
    }
}

#[tonic::async_trait]
impl ConsentService for Consents {
    async fn grant(
        &self,
        request: Request<v1::GrantConsentRequest>,
    ) -> Result<Response<v1::StatementResponse>, Status> {
        let caller = identity::caller(&request)?;
        let message = request.into_inner();
        let tenant = self.open(&caller, &message.tenant, &message.idempotency_key).await?;
        let consent = message.consent.ok_or_else(|| invalid("consent", "expected"))?;
        let consent = wire::consent(&consent)?;
        let source = wire::source(&message.source)?;
        let parts = wire::parts(&consent);
        let request: [&[u8]; 3] = [b"grant", &parts, source.as_bytes()];
        let naming = Naming {
            space: Space::Grant,
            key: &message.idempotency_key,
            request: &request,
            entry: Draft::new(Event::Granted, &caller, "ConsentService.Grant"),
        };
        let effect = if consent.permit { Effect::Permit } else { Effect::Deny };
        let proposal =
            Proposal { consent, effect, source: source.to_owned(), is_import: false, updated: None };
        self.state(&tenant, &naming, proposal).await.map(Response::new)
    }

    async fn revoke(
        &self,
        request: Request<v1::RevokeConsentRequest>,
    ) -> Result<Response<v1::StatementResponse>, Status> {
        let caller = identity::caller(&request)?;
        let message = request.into_inner();
        let tenant = self.open(&caller, &message.tenant, &message.idempotency_key).await?;
        let consent = wire::consent(&v1::Consent {
            member: message.member,
            payer: message.payer,
            purpose: message.purpose,
            data_class: message.data_class,
            ..v1::Consent::default()
        })?;
        let source = wire::source(&message.source)?;
        let parts = wire::parts(&consent);
        let request: [&[u8]; 3] = [b"revoke", &parts, source.as_bytes()];
        let naming = Naming {
            space: Space::Revoke,
            key: &message.idempotency_key,
            request: &request,
            entry: Draft::new(Event::Revoked, &caller, "ConsentService.Revoke"),
        };
        let proposal = Proposal {
            consent,
            effect: Effect::Revoke,
            source: source.to_owned(),
            is_import: false,
            updated: None,
        };
        self.state(&tenant, &naming, proposal).await.map(Response::new)
    }

    async fn import(
        &self,
        request: Request<v1::ImportConsentsRequest>,
    ) -> Result<Response<v1::ImportConsentsResponse>, Status> {
        let (caller, load) = (identity::caller(&request)?, building::load(request.extensions()));
        let message = request.into_inner();
        let tenant = self.open(&caller, &message.tenant, &message.idempotency_key).await?;
        let fhir = Zeroizing::new(message.fhir);
        let limit = self.engine.config.publish_bytes;
        if fhir.len() > limit {
            let text = format!("fhir: larger than {limit} bytes; import it in parts");
            return Err(typed(Code::ResourceExhausted, "REQUEST_TOO_LARGE", text));
        }
        let payer = Payer {
            id: edge::payer("payer", &message.payer)?,
            names: wire::payer_names(message.payer_names)?,
        };
        // No name has a line break, and none is empty: no other names are joined to this.
        let names = payer.names.join("\n");
        let read = {
            let (fhir, payer) = (fhir.clone(), payer.clone());
            self.building.work(&tenant, load, move || import_fhir(&fhir, &payer, "fhir")).await
        };
        let ConsentImport { found, refused } = read?;
        let mut proposals = Vec::new();
        for found in &found {
            let (consent, effect) = match &found.says {
                ConsentSays::Stated(consent) if consent.permit => (consent.clone(), Effect::Permit),
                ConsentSays::Stated(consent) => (consent.clone(), Effect::Deny),
                ConsentSays::Withdrawn { member } => {
                    let consent = Consent {
                        member: *member,
                        payer: payer.id,
                        purpose: Consent::PAYMENT,
                        data_class: Consent::CLAIMS,
                        from: Date::MIN,
                        to: Date::MAX,
                        permit: false,
                    };
                    (consent, Effect::Revoke)
                }
                ConsentSays::Nothing(_) => continue,
            };
            let updated = found.updated.map(|seconds| Instant(seconds.saturating_mul(1000)));
            let source = found.source.clone();
            proposals.push(Proposal { consent, effect, source, is_import: true, updated });
        }
        if proposals.len() > PROPOSALS {
            let text = format!("fhir: more than {PROPOSALS} consents; import it in parts");
            return Err(typed(Code::ResourceExhausted, "REQUEST_TOO_LARGE", text));
        }
        let parts: [&[u8]; 4] = [b"import", &fhir, &message.payer, names.as_bytes()];
        let naming = Naming {
            space: Space::Import,
            key: &message.idempotency_key,
            request: &parts,
            entry: Draft::new(Event::Granted, &caller, "ConsentService.Import"),
        };
        let asked = self.engine.store.state_consents(&tenant, &naming, &proposals, Instant::now()).await?;
        let (ledgered, known) = match asked {
            Asked::Done(ledgered) => (ledgered, false),
            Asked::Known(ledgered) => (ledgered, true),
            Asked::KeyReused => return Err(key_reused()),
        };
        self.tell(&ledgered.failed);
        let Ledgered { stated, failures, .. } = ledgered;
        if stated.len() != proposals.len() {
            return Err(defect());
        }
        let mut outcomes = proposals.iter().zip(stated);
        let mut consents = Vec::with_capacity(found.len() + refused.len());
        for found in &found {
            consents.push(match &found.says {
                ConsentSays::Nothing(why) => wire::silent(&found.source, why),
                _ => {
                    let (proposal, stated) = outcomes.next().ok_or_else(defect)?;
                    wire::imported(proposal, stated)
                }
            });
        }
        consents.extend(refused.iter().map(wire::refused));
        tracing::info!(
            tenant = tenant.as_str(),
            found = found.len(),
            refused = refused.len(),
            failed = failures,
            "consents imported"
        );
        Ok(Response::new(v1::ImportConsentsResponse { consents, failed_jobs: failures, known }))
    }

    async fn list(
        &self,
        request: Request<v1::ListConsentsRequest>,
    ) -> Result<Response<v1::ListConsentsResponse>, Status> {
        let caller = identity::caller(&request)?;
        let message = request.into_inner();
        let tenant = self.engine.tenant(&caller, &message.tenant).await?;
        let member = match message.member.as_slice() {
            [] => None,
            bytes => Some(edge::payer("member", bytes)?),
        };
        let most = wire::page_size(message.page_size, 100, 1000)?;
        let before = wire::page_token(&message.page_token)?.unwrap_or(i64::MAX);
        let listing = Listing { member, history: message.history, before, most };
        let statements = self.engine.store.list_consents(&tenant, &listing).await?;
        let next = statements.last().filter(|_| statements.len() == most as usize);
        let next_page_token = next.map(|last| last.number.to_string()).unwrap_or_default();
        let statements = statements.iter().map(wire::statement).collect();
        Ok(Response::new(v1::ListConsentsResponse { statements, next_page_token }))
    }

    async fn publish(
        &self,
        request: Request<v1::PublishConsentsRequest>,
    ) -> Result<Response<v1::PublishConsentsResponse>, Status> {
        let caller = identity::caller(&request)?;
        let message = request.into_inner();
        let tenant = self.open(&caller, &message.tenant, &message.idempotency_key).await?;
        let naming = Naming {
            space: Space::Publish,
            key: &message.idempotency_key,
            request: &[b"publish"],
            entry: Draft::new(Event::Published, &caller, "ConsentService.Publish"),
        };
        let (epoch, known) = match self.publication(&tenant, &naming).await? {
            Asked::Done(epoch) => (epoch, false),
            Asked::Known(epoch) => (epoch, true),
            Asked::KeyReused => return Err(key_reused()),
        };
        tracing::info!(tenant = tenant.as_str(), number = epoch.number, "consents published");
        if epoch.is_ahead(Instant::now()) {
            tracing::warn!(
                tenant = tenant.as_str(),
                number = epoch.number,
                "an epoch of consents is dated ahead: the clock was; docs/consent.md says what that stops"
            );
        }
        Ok(Response::new(v1::PublishConsentsResponse { epoch: Some(wire::epoch(&epoch)), known }))
    }

    async fn epochs(
        &self,
        request: Request<v1::ListConsentEpochsRequest>,
    ) -> Result<Response<v1::ListConsentEpochsResponse>, Status> {
        let caller = identity::caller(&request)?;
        let message = request.into_inner();
        let tenant = self.engine.tenant(&caller, &message.tenant).await?;
        let most = wire::page_size(message.most, EPOCHS, EPOCHS)?;
        let epochs = self.engine.store.consent_epochs(&tenant, most).await?;
        Ok(Response::new(v1::ListConsentEpochsResponse { epochs: epochs.iter().map(wire::epoch).collect() }))
    }

    async fn register(
        &self,
        request: Request<v1::ConsentRegisterRequest>,
    ) -> Result<Response<v1::ConsentRegisterResponse>, Status> {
        let caller = identity::caller(&request)?;
        let message = request.into_inner();
        let tenant = self.engine.tenant(&caller, &message.tenant).await?;
        let most = wire::page_size(message.page_size, LEAVES, LEAVES)?;
        let after = wire::page_token(&message.page_token)?.unwrap_or(0);
        let store = &self.engine.store;
        let epoch = match i64::try_from(message.number) {
            Ok(0) => store.consent_epochs(&tenant, 1).await?.into_iter().next(),
            Ok(number) => store.consent_epoch(&tenant, number).await?,
            Err(_) => None,
        };
        let epoch = epoch.ok_or_else(|| {
            let text = "number: no such epoch of this tenant; ConsentService.Publish makes one";
            typed(Code::NotFound, "CONSENT_EPOCH_UNKNOWN", text)
        })?;
        let page = store.register_page(&tenant, &epoch, after, most).await?;
        let next = page.last().filter(|_| page.len() == most as usize);
        Ok(Response::new(v1::ConsentRegisterResponse {
            epoch: Some(wire::epoch(&epoch)),
            next_page_token: next.map(|last| last.number.to_string()).unwrap_or_default(),
            consents: page.iter().map(|statement| wire::consent_message(&statement.consent)).collect(),
        }))
    }

    async fn revoke_subjects(
        &self,
        request: Request<v1::RevokeSubjectsRequest>,
    ) -> Result<Response<v1::RevokeSubjectsResponse>, Status> {
        let (caller, load) = (identity::caller(&request)?, building::load(request.extensions()));
        self.revoke_of_dataset(&caller, request.into_inner(), load).await.map(Response::new)
    }
}
