//! `DatasetService`: datasets by the folders that hold them. Records never travel.

use super::{
    building::{self, Building},
    status::{cohort, invalid, typed},
    wire,
};
use crate::{
    audit::{Draft, Event},
    cohort::{Archive, archive::Imported},
    engine::Engine,
    error::CohortError,
    identity,
    jobs::{Instant, Tenant},
    process::wiping,
    store::datasets::DatasetRow,
};
use nightingale_circuits::cohort::Keccak;
use nightingale_proto::v1::{self, dataset_service_server::DatasetService};
use nightingale_verifier::cohort::{Dataset, proof::role, text};
use std::{
    path::{Component, Path, PathBuf},
    slice,
    sync::Arc,
};
use tonic::{Code, Request, Response, Status};

/// The service.
#[derive(Clone)]
pub(super) struct Datasets {
    engine: Arc<Engine>,
    registering: Building,
    opening: Building,
}

/// A folder's public half, and whether exact answers are sealed.
struct Public {
    dataset: Dataset,
    has_regulator_key: bool,
}

impl Public {
    fn of(imported: Imported) -> Self {
        Self { has_regulator_key: imported.archive.has_regulator_key(), dataset: imported.dataset }
    }
}

/// A dataset that the tenant does not have.
pub(super) fn unknown() -> Status {
    typed(
        Code::NotFound,
        "DATASET_UNKNOWN",
        "dataset: no such dataset of this tenant; DatasetService.List lists them",
    )
}

pub(super) fn digest(bytes: &[u8]) -> Result<Keccak, Status> {
    bytes.try_into().map_err(|_| invalid("dataset", "expected 32 bytes"))
}

/// Runs what reads files, for whoever holds a place for it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CohortError> + Send + 'static,
) -> Result<Result<T, CohortError>, Status> {
    let done = tokio::task::spawn_blocking(|| wiping(work)).await;
    done.map_err(|_| typed(Code::Internal, "INTERNAL", "reading the dataset failed; report it"))
}

impl Datasets {
    pub(super) const fn new(engine: Arc<Engine>, registering: Building, opening: Building) -> Self {
        Self { engine, registering, opening }
    }

    /// The public halves of datasets, all in one turn.
    async fn public(&self, tenant: &Tenant, rows: &[DatasetRow]) -> Result<Vec<Public>, Status> {
        let mut archives = Vec::with_capacity(rows.len());
        for row in rows {
            archives.push(self.engine.archive(tenant, &row.dataset).await?.ok_or_else(not_imported)?);
        }
        let read = move || {
            let public = |archive: &Archive| {
                Ok(Public { dataset: archive.public()?, has_regulator_key: archive.has_regulator_key() })
            };
            archives.iter().map(public).collect::<Result<_, _>>()
        };
        self.opening.work(tenant, None, read).await?.map_err(|error: CohortError| cohort(&error))
    }
}

/// A dataset that an earlier release registered, and whose folder was gone when this one started.
pub(super) fn not_imported() -> Status {
    typed(
        Code::FailedPrecondition,
        "DATASET_NOT_IMPORTED",
        "the dataset's files are not in the artefact store; the operator puts its folder back and registers it again",
    )
}

fn message(row: &DatasetRow, public: &Public, with_file: bool) -> v1::Dataset {
    let dataset = &public.dataset;
    let planned = dataset.plan().iter().filter_map(|planned| {
        let table = dataset.table(&planned.table).ok()?;
        Some(text::sql(table.schema(), &planned.query))
    });
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let table = |table: &nightingale_verifier::cohort::TableRecord| v1::Table {
        name: table.name().to_owned(),
        rows: table.rows() as u64,
        threshold: table.schema().threshold(),
        consent_version: number(table.newest_consent().unwrap_or_default()),
        columns: table.schema().columns().iter().map(|column| column.name.clone()).collect(),
    };
    v1::Dataset {
        dataset: row.dataset.to_vec(),
        registered: Some(wire::timestamp(row.registered)),
        roles: dataset.modes().iter().map(|mode| role(*mode).to_owned()).collect(),
        tables: dataset.tables().iter().map(table).collect(),
        plan: planned.collect(),
        has_regulator_key: public.has_regulator_key,
        dataset_json: if with_file { dataset.to_json().into_bytes() } else { Vec::new() },
    }
}

#[tonic::async_trait]
impl DatasetService for Datasets {
    async fn register(
        &self,
        request: Request<v1::RegisterDatasetRequest>,
    ) -> Result<Response<v1::Dataset>, Status> {
        let (caller, load) = (identity::caller(&request)?, building::load(request.extensions()));
        let asked = request.into_inner();
        let tenant = self.engine.tenant(&caller, &asked.tenant).await?;
        let inside = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
        let path = PathBuf::from(&asked.path);
        if asked.path.is_empty() || !inside(&path) {
            return Err(invalid(
                "path",
                "expected a folder below the tenant's datasets folder, without `..`",
            ));
        }
        let entry = Draft::new(Event::Registered, &caller, "DatasetService.Register");
        // Its key before its place: a key service may take its time.
        self.engine.store.seal_if_any(&tenant).await?;
        let held = self.registering.hold(&tenant, load).await?;
        // What was begun is ended, whether or not the caller waits for it, and keeps its place until then.
        let (engine, path) = (self.engine.clone(), asked.path);
        let work = async move {
            let _held = held;
            let folder = engine.dataset_folder(&tenant, &path);
            let imported = engine.importer().import(&tenant, &folder, &path, entry, Instant::now()).await?;
            let dataset = hex::encode(imported.row.dataset);
            tracing::info!(tenant = tenant.as_str(), dataset, "dataset registered");
            Ok::<_, CohortError>(imported)
        };
        let imported = match tokio::spawn(work).await {
            Ok(Ok(imported)) => imported,
            Ok(Err(CohortError::Release(error))) => {
                tracing::warn!(%error, "a registration does not verify");
                return Err(typed(
                    Code::DataLoss,
                    "DATASET_DAMAGED",
                    format!("the registration does not verify: {error}"),
                ));
            }
            Ok(Err(error)) => return Err(cohort(&error)),
            Err(_) => return Err(typed(Code::Internal, "INTERNAL", "registering failed; report it")),
        };
        let row = imported.row.clone();
        Ok(Response::new(message(&row, &Public::of(imported), true)))
    }

    async fn describe(
        &self,
        request: Request<v1::DescribeDatasetRequest>,
    ) -> Result<Response<v1::Dataset>, Status> {
        let caller = identity::caller(&request)?;
        let asked = request.into_inner();
        let (tenant, digest) = (self.engine.tenant(&caller, &asked.tenant).await?, digest(&asked.dataset)?);
        let row = self.engine.store.dataset(&tenant, &digest).await?.ok_or_else(unknown)?;
        let public = self.public(&tenant, slice::from_ref(&row)).await?;
        let public = public.first().ok_or_else(unknown)?;
        Ok(Response::new(message(&row, public, true)))
    }

    async fn list(
        &self,
        request: Request<v1::ListDatasetsRequest>,
    ) -> Result<Response<v1::ListDatasetsResponse>, Status> {
        let caller = identity::caller(&request)?;
        let tenant = self.engine.tenant(&caller, &request.into_inner().tenant).await?;
        let rows = self.engine.store.datasets(&tenant).await?;
        let public = self.public(&tenant, &rows).await?;
        let datasets = rows.iter().zip(&public).map(|(row, public)| message(row, public, false)).collect();
        Ok(Response::new(v1::ListDatasetsResponse { datasets }))
    }
}
