//! Revoking the consent of a dataset's subjects: the folder first, then its import, whose transaction is when the new version is the newest, then
//! what the request became.
//!
//! Between the first two, an answer under the old version may end: the revocation was not answered yet. A server that dies in between leaves
//! a folder that is newer than the database, and the same request again finds nothing to revoke, imports it and records it.

use super::{super::datasets, super::status, Consents, key_reused};
use crate::{
    audit::{Draft, Event},
    cohort::{Revoked, Sponsor, revocation::Registered, revoke},
    error::CohortError,
    gate::limits::Load,
    identity::Caller,
    jobs::Instant,
    store::{
        consents::{Asked, Naming},
        idempotency::Space,
    },
};
use nightingale_proto::v1;
use std::{ops::ControlFlow, sync::Arc};
use tonic::{Code, Status};

/// Subjects of one request.
const SUBJECTS: usize = 10_000;
/// The longest key of a subject.
const SUBJECT_BYTES: usize = 1024;

impl Consents {
    pub(super) async fn revoke_of_dataset(
        &self,
        caller: &Caller,
        message: v1::RevokeSubjectsRequest,
        load: Option<Arc<Load>>,
    ) -> Result<v1::RevokeSubjectsResponse, Status> {
        let tenant = self.open(caller, &message.tenant, &message.idempotency_key).await?;
        let digest = datasets::digest(&message.dataset)?;
        let subjects = message.subjects;
        if subjects.is_empty() || subjects.len() > SUBJECTS {
            return Err(status::invalid("subjects", "expected 1 to 10000"));
        }
        if subjects.iter().any(|subject| subject.len() > SUBJECT_BYTES) {
            return Err(status::invalid("subjects", "expected at most 1024 bytes each"));
        }
        let row = self.engine.store.dataset(&tenant, &digest).await?.ok_or_else(datasets::unknown)?;
        // Its key before its place: a key service may take its time.
        self.engine.store.seal_if_any(&tenant).await?;
        // One at a time: each new version is of the one before it.
        let held = self.registering.hold(&tenant, load).await?;
        // What was begun is ended, whether or not the caller waits for it, and its bytes are counted until they are gone.
        let (service, key) = (self.clone(), message.idempotency_key);
        let entry = Draft::new(Event::Revoked, caller, "ConsentService.RevokeSubjects");
        let work = async move {
            let _held = held;
            let parts: Vec<&[u8]> = [b"revoke subjects".as_slice(), &digest]
                .into_iter()
                .chain(subjects.iter().map(String::as_bytes))
                .collect();
            let naming = Naming { space: Space::RevokeSubjects, key: &key, request: &parts, entry };
            let store = &service.engine.store;
            if let Some(known) = store.known_revocation(&tenant, &naming).await? {
                return Ok::<_, Status>(known);
            }
            let path = service.engine.dataset_folder(&tenant, &row.path);
            let folder = path.clone();
            let consents = store.recorded_consents(&tenant, &digest).await?;
            let registered = Registered { dataset: digest, consents };
            let (keys, sponsor) =
                (service.engine.cohort_keys.clone(), service.engine.config.consent.sponsor_key(&tenant));
            let named = subjects.clone();
            let revoked = datasets::blocking(move || {
                let sponsor = sponsor.as_deref().map(Sponsor::from_file).transpose()?;
                revoke(&path, Some(&registered), &named, sponsor.as_ref(), &*keys.open()?, &mut |_| {
                    ControlFlow::Continue(())
                })
            });
            let Revoked { newest, .. } = revoked.await?.map_err(|error| refusal(&error))?;
            // What is proven is proven from the artefact store: the new version is there when it is recorded.
            let registered = Draft::by_service(Event::Registered);
            let importer = service.engine.importer();
            let imported = importer.import(&tenant, &folder, &row.path, registered, Instant::now()).await;
            imported.map_err(|error| refusal(&error))?;
            Ok(store.record_consents(&tenant, &naming, &digest, &newest, Instant::now()).await?)
        };
        let done = tokio::spawn(work).await;
        let done =
            done.map_err(|_| status::typed(Code::Internal, "INTERNAL", "revoking failed; report it"))??;
        let (tables, known) = match done {
            Asked::Done(tables) => (tables, false),
            Asked::Known(tables) => (tables, true),
            Asked::KeyReused => return Err(key_reused()),
        };
        tracing::info!(dataset = hex::encode(digest), known, "subjects' consents revoked");
        let tables = tables.into_iter().map(|(table, version)| v1::TableConsents { table, version });
        Ok(v1::RevokeSubjectsResponse { tables: tables.collect(), known })
    }
}

fn refusal(error: &CohortError) -> Status {
    match error {
        CohortError::NoSubject { .. } => {
            status::typed(Code::NotFound, error.reason(), format!("subjects: {error}"))
        }
        CohortError::NotSponsor { .. } | CohortError::Sponsor(_) => {
            tracing::warn!(%error, "no sponsor to sign");
            let text = "the dataset's sponsor signs every version of its consents, and this server has no key of that account: the \
                        operator puts it into the folder `consent.sponsor_keys`";
            status::typed(Code::PermissionDenied, "SPONSOR_KEY", text)
        }
        CohortError::Busy(_) => {
            let text = "another command is changing this dataset; nothing was revoked, try again";
            status::typed(Code::Unavailable, error.reason(), text)
        }
        other => status::cohort(other),
    }
}
