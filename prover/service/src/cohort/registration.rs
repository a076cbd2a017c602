//! From trial files and a schema file to a registered dataset.

use super::{
    Folder, RegulatorKey, Sponsor,
    folder::vacant,
    told::{Told, differences},
};
use crate::error::CohortError;
use nightingale_circuits::cohort::{Mode, Query, Schema};
use nightingale_prover::cohort::{CohortDataset, CohortKeyStore, Progress};
use nightingale_records::{
    sql,
    trial::{self, RawTable, Role, SchemaFile},
};
use nightingale_verifier::cohort::Dataset;
use std::path::{Path, PathBuf};

/// What to register, and where.
pub struct Registration {
    /// The data.
    pub files: Vec<PathBuf>,
    /// The schema file.
    pub schema: PathBuf,
    /// The subject key of every table, instead of the schema file's.
    pub key_column: Option<String>,
    /// To whom exact answers are sealed.
    pub regulator: Option<RegulatorKey>,
    /// Who answers for the dataset and signs it.
    pub sponsor: Option<Sponsor>,
    /// Whether to register a plan of which two answers together tell sums of a few subjects.
    pub accept_differences: bool,
    /// The new folder.
    pub out: PathBuf,
}

/// Reads trial files.
///
/// # Errors
/// The file that cannot be read, and why.
pub fn read(files: &[PathBuf]) -> Result<Vec<RawTable>, CohortError> {
    files.iter().map(|file| trial::read(file).map_err(Into::into)).collect()
}

/// A dataset that was registered.
pub struct Registered {
    /// Its folder.
    pub folder: Folder,
    /// What two planned answers tell together of a few subjects: sums, and counts only. It is the sponsor's to know and nobody else's: it says how
    /// few they are.
    pub differences: [Told; 2],
}

/// Registers a dataset and writes its folder.
///
/// # Errors
/// Data that the schema file does not describe, by file, row and column; a plan of which two answers tell sums of a few subjects, unless that
/// is accepted; whatever stops a proof; a folder that is not new.
pub fn register(
    registration: &Registration,
    keys: &CohortKeyStore,
    progress: Progress<'_>,
) -> Result<Registered, CohortError> {
    vacant(&registration.out)?;
    let mut schema = read_schema(&registration.schema)?;
    if let Some(key) = &registration.key_column {
        schema = schema.with_key_column(key);
    }
    let built = trial::build(&read(&registration.files)?, &schema)?;
    let schemas: Vec<Schema> = built.tables.iter().map(|table| table.schema().clone()).collect();
    let plan = plan(&registration.schema, &schema, &schemas)?;
    let mut modes: Vec<Mode> = Role::ALL.into_iter().filter_map(|role| schema.mode(role)).collect();
    modes.sort_unstable();
    modes.dedup();
    let told = modes.contains(&Mode::Plan).then(|| differences(&built.tables, &plan));
    let (sums, counts) = told.map(|told| (told.sums, told.counts)).unwrap_or_default();
    if !sums.named.is_empty() && !registration.accept_differences {
        return Err(CohortError::Differences(sums.to_string()));
    }
    let sponsor = registration.sponsor.as_ref().map(Sponsor::address);
    let mut dataset = CohortDataset::register(keys, built.tables, plan, modes, sponsor, progress)?;
    if let Some(sponsor) = &registration.sponsor {
        sponsor.sign(&mut dataset)?;
    }
    let folder = Folder::create(&registration.out, dataset, &built.subjects, registration.regulator)?;
    Ok(Registered { folder, differences: [sums, counts] })
}

/// Reads a schema file.
///
/// # Errors
/// A file that is missing or not of its form.
pub fn read_schema(path: &Path) -> Result<SchemaFile, CohortError> {
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => CohortError::NoSchema(path.to_owned()),
        _ => CohortError::Path { path: path.to_owned(), problem: error.to_string() },
    })?;
    Ok(SchemaFile::parse(&text)?)
}

/// The queries of the plan file that the schema file names.
fn plan(place: &Path, schema: &SchemaFile, schemas: &[Schema]) -> Result<Vec<(String, Query)>, CohortError> {
    let Some(name) = schema.plan() else { return Ok(Vec::new()) };
    let path = place.parent().unwrap_or_else(|| Path::new("")).join(name);
    let text = std::fs::read_to_string(&path).map_err(|error| CohortError::Path {
        path: path.clone(),
        problem: format!("{error}; the schema file's `plan` names it"),
    })?;
    let asked =
        sql::parse_plan(&text, schemas).map_err(|source| CohortError::Plan { path: path.clone(), source })?;
    let named = asked.into_iter().filter_map(|asked| {
        let table = schemas.get(asked.table)?.table().to_owned();
        Some((table, asked.query))
    });
    let mut plan: Vec<(String, Query)> = Vec::new();
    for query in named {
        if !plan.contains(&query) {
            plan.push(query);
        }
        if plan.len() > Dataset::MOST_PLANNED {
            let problem = format!(
                "more than {} different queries; register another dataset for the others",
                Dataset::MOST_PLANNED
            );
            return Err(CohortError::Path { path, problem });
        }
    }
    Ok(plan)
}
