//! `AuditService`: the audit log for those who read it, and break-glass access.

use super::{
    building::Building,
    claims::LOOK,
    status::{draining, invalid, typed},
    wire,
};
use crate::{
    audit::{Draft, Event, break_glass},
    engine::Engine,
    gate::role_missing,
    identity::{self, Caller, Role, Roles},
    jobs::{Instant, Tenant},
    store::{audit::Head, datasets::DatasetRow},
};
use nightingale_proto::v1::{self, audit_service_server::AuditService, export_audit_response::Part};
use nightingale_records::consent::identifier;
use nightingale_verifier::audit::{Entry, Hash};
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Code, Request, Response, Status};

const EXPORT: &str = "AuditService.Export";
const DISCLOSURES: &str = "AuditService.Disclosures";
/// Who reads the log.
const READERS: Roles = Roles::of(&[Role::Auditor, Role::Operator]);
/// Entries that are read at once.
const PAGE: u32 = 500;
/// Parts that a slow reader may leave unread.
const UNREAD: usize = 64;
/// How far back an accounting goes (45 CFR 164.528(a)(1)).
const SIX_YEARS: Duration = Duration::from_secs(6 * 366 * 86_400);
/// The longest name of a member or subject.
const NAME_BYTES: usize = 1024;

/// The service.
#[derive(Clone)]
pub(super) struct Audits {
    engine: Arc<Engine>,
    opening: Building,
}

fn empty() -> Status {
    typed(Code::NotFound, "AUDIT_EMPTY", "tenant: nothing was put on record yet")
}

fn entry_message(entry: Entry, hash: &Hash) -> v1::AuditEntry {
    v1::AuditEntry {
        sequence: entry.sequence,
        at: entry.at,
        event: entry.event,
        subject: entry.subject,
        roles: entry.roles,
        method: entry.method,
        facts: entry.facts.into_iter().collect(),
        hash: hash.to_vec(),
    }
}

type Sent = Result<v1::ExportAuditResponse, Status>;

fn part(part: Part) -> Sent {
    Ok(v1::ExportAuditResponse { part: Some(part) })
}

impl Audits {
    pub(super) const fn new(engine: Arc<Engine>, opening: Building) -> Self {
        Self { engine, opening }
    }

    /// The caller and the tenant, where the caller may read the log.
    async fn reader(&self, caller: &Caller, named: &str, method: &'static str) -> Result<Tenant, Status> {
        let tenant = caller.tenant(named);
        let allowed = match tenant {
            Ok(_) if !caller.roles.any_of(READERS) => Err(role_missing()),
            other => other,
        };
        if let Err(status) = &allowed {
            self.engine.audit_refusal(caller, named, method, status).await?;
        }
        allowed
    }

    /// Whether a dataset has a subject; `None` where its files cannot be read.
    async fn has_subject(
        &self,
        tenant: &Tenant,
        row: &DatasetRow,
        subject: &str,
    ) -> Result<Option<bool>, Status> {
        let Some(archive) = self.engine.archive(tenant, &row.dataset).await? else { return Ok(None) };
        let subject = subject.to_owned();
        let look = move || archive.has_subject(&subject);
        let looked = self.opening.work(tenant, None, look).await?;
        Ok(looked.inspect_err(|error| tracing::warn!(%error, "a dataset cannot be looked through")).ok())
    }

    async fn head_of(&self, tenant: &Tenant) -> Result<Head, Status> {
        let head = self.engine.store.audit_head(tenant).await?;
        head.filter(|head| head.sequence > 0).ok_or_else(empty)
    }

    /// Sends entries up to `last`, or for ever.
    async fn send(&self, tenant: &Tenant, from: Opened, last: Option<u64>, parts: &mpsc::Sender<Sent>) {
        if let Err(status) = self.try_send(tenant, from, last, parts).await {
            // The reader may have gone.
            let _ = parts.send(Err(status)).await;
        }
    }

    async fn try_send(
        &self,
        tenant: &Tenant,
        Opened { log, first, mut previous }: Opened,
        last: Option<u64>,
        parts: &mpsc::Sender<Sent>,
    ) -> Result<(), Status> {
        let opening = v1::AuditOpening {
            tenant: tenant.as_str().to_owned(),
            log: log.to_vec(),
            first,
            previous: previous.to_vec(),
        };
        let mut next = first;
        if parts.send(part(Part::Opening(opening))).await.is_err() {
            return Ok(());
        }
        loop {
            let asked = next;
            for (entry, hash) in self.engine.store.audit_entries(tenant, next, PAGE).await? {
                if last.is_some_and(|last| entry.sequence > last) {
                    break;
                }
                if entry.sequence != next || entry.hash(tenant.as_str(), &log, &previous) != hash {
                    // It is exported all the same: whoever reads it has to see it.
                    let entry = entry.sequence;
                    tracing::error!(tenant = tenant.as_str(), entry, "the audit log does not hold together");
                }
                (next, previous) = (entry.sequence + 1, hash);
                if parts.send(part(Part::Entry(entry_message(entry, &hash)))).await.is_err() {
                    return Ok(());
                }
            }
            match last {
                Some(last) if next > last => {
                    let closing = v1::AuditClosing { last: next - 1, head: previous.to_vec() };
                    let _ = parts.send(part(Part::Closing(closing))).await;
                    return Ok(());
                }
                // They were there when the export was opened, and nothing of a log goes.
                Some(_) if next == asked => {
                    tracing::error!(tenant = tenant.as_str(), entry = next, "the audit log lacks an entry");
                    return Err(typed(
                        Code::DataLoss,
                        "AUDIT_DAMAGED",
                        "the log lacks entries that it had: the operator compares it with its anchors",
                    ));
                }
                Some(_) => {}
                None => tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    () = parts.closed() => return Ok(()),
                    () = self.engine.drained() => return Err(draining()),
                },
            }
        }
    }
}

/// Where an export begins.
struct Opened {
    log: Hash,
    first: u64,
    previous: Hash,
}

fn disclosure(entry: &Entry) -> v1::Disclosure {
    let fact = |name: &str| entry.facts.get(name).cloned().unwrap_or_default();
    let bytes = |name: &str| hex::decode(fact(name)).unwrap_or_default();
    let question = fact("question");
    let description = if question.is_empty() {
        "decision on a claim, with its proof".to_owned()
    } else {
        format!("answer about all subjects of a dataset, with its proof: {question}")
    };
    v1::Disclosure {
        sequence: entry.sequence,
        at: Some(wire::timestamp(Instant(entry.at))),
        recipient: entry.subject.clone(),
        roles: entry.roles.clone(),
        description,
        purpose: fact("purpose"),
        basis: fact("basis"),
        job: fact("job"),
        payer: fact("payer"),
        dataset: bytes("dataset"),
        released: bytes("proof"),
        break_glass: entry.event == Event::BreakGlass.name(),
    }
}

#[tonic::async_trait]
impl AuditService for Audits {
    type ExportStream = Pin<Box<dyn Stream<Item = Sent> + Send>>;

    async fn export(
        &self,
        request: Request<v1::ExportAuditRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        let caller = identity::caller(&request)?;
        let asked = request.into_inner();
        let tenant = self.reader(&caller, &asked.tenant, EXPORT).await?;
        let (head, first) = (self.head_of(&tenant).await?, asked.first.max(1));
        if first > head.sequence.saturating_add(1) {
            return Err(invalid("first", "is beyond the newest entry"));
        }
        let draft = Draft::new(Event::Exported, &caller, EXPORT).number("first", first);
        let draft = draft.word("mode", if asked.follow { "follow" } else { "export" });
        self.engine.store.audit(&tenant, vec![draft], Instant::now()).await?;
        let last = self.head_of(&tenant).await?.sequence;
        let previous = self.engine.store.audit_hash(&tenant, first - 1).await?.ok_or_else(empty)?;
        let from = Opened { log: head.log, first, previous };
        let (parts, stream) = mpsc::channel(UNREAD);
        let audits = self.clone();
        let last = (!asked.follow).then_some(last);
        tokio::spawn(async move { audits.send(&tenant, from, last, &parts).await });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn head(&self, request: Request<v1::AuditHeadRequest>) -> Result<Response<v1::AuditHead>, Status> {
        let caller = identity::caller(&request)?;
        let tenant = self.reader(&caller, &request.into_inner().tenant, "AuditService.Head").await?;
        let head = self.head_of(&tenant).await?;
        let (break_glass, last) = self.engine.store.break_glass(&tenant).await?;
        Ok(Response::new(v1::AuditHead {
            tenant: tenant.as_str().to_owned(),
            log: head.log.to_vec(),
            sequence: head.sequence,
            head: head.hash.to_vec(),
            at: Some(wire::timestamp(head.at)),
            break_glass,
            last_break_glass: last.map(wire::timestamp),
        }))
    }

    async fn disclosures(
        &self,
        request: Request<v1::DisclosuresRequest>,
    ) -> Result<Response<v1::DisclosuresResponse>, Status> {
        let caller = identity::caller(&request)?;
        let asked = request.into_inner();
        let tenant = self.reader(&caller, &asked.tenant, DISCLOSURES).await?;
        if asked.member.is_empty() && asked.subject.is_empty() {
            return Err(invalid("member", "expected a member, a subject, or both"));
        }
        for (name, value) in [("member", &asked.member), ("subject", &asked.subject)] {
            if value.len() > NAME_BYTES {
                return Err(invalid(name, "expected at most 1024 bytes"));
            }
        }
        let now = Instant::now();
        let from = asked.from.map(|time| wire::instant("from", time)).transpose()?;
        let from = from.unwrap_or_else(|| now.minus(SIX_YEARS));
        let store = &self.engine.store;
        let member = match asked.member.is_empty() {
            true => None,
            false => {
                let member = identifier(&asked.member)
                    .ok_or_else(|| invalid("member", "expected any text, or id:0x and 24 hex digits"))?;
                Some(store.seal(&tenant).await?.member(member))
            }
        };
        let accounted = Draft::new(Event::Accounted, &caller, DISCLOSURES);
        let accounted = member.iter().fold(accounted, |draft, digest| draft.member(digest));
        store.audit(&tenant, vec![accounted], now).await?;
        let mut found = store.disclosures(&tenant, member.as_ref(), None, from).await?;
        let mut unreadable = Vec::new();
        if !asked.subject.is_empty() {
            for row in store.datasets(&tenant).await? {
                match self.has_subject(&tenant, &row, &asked.subject).await? {
                    Some(true) => {
                        found.extend(store.disclosures(&tenant, None, Some(&row.dataset), from).await?);
                    }
                    Some(false) => {}
                    None => unreadable.push(row.dataset.to_vec()),
                }
            }
        }
        found.sort_by_key(|entry| entry.sequence);
        found.dedup_by_key(|entry| entry.sequence);
        let disclosures = found.iter().map(disclosure).collect();
        Ok(Response::new(v1::DisclosuresResponse { disclosures, unreadable }))
    }

    async fn break_glass(
        &self,
        request: Request<v1::BreakGlassRequest>,
    ) -> Result<Response<v1::Job>, Status> {
        let caller = identity::caller(&request)?;
        let asked = request.into_inner();
        let tenant = caller.tenant(&asked.tenant);
        if let Ok(tenant) = &tenant {
            // Of one that was erased nothing more goes on record, no refusal either.
            self.engine.store.refuse_erased(tenant).await?;
        }
        let opened = async {
            let (tenant, id) = (tenant?, wire::job_id(&asked.job)?);
            break_glass::open(&self.engine, &caller, &tenant, id, &asked.reason).await
        };
        match opened.await {
            Ok(cleared) => Ok(Response::new(wire::job(cleared, None))),
            Err(status) => {
                self.engine.audit_refusal(&caller, &asked.tenant, break_glass::METHOD, &status).await?;
                Err(status)
            }
        }
    }
}
