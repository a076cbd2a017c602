//! From trial files and a schema file to a registered dataset.

use super::{Folder, RegulatorKey, Sponsor, folder::vacant};
use crate::error::CohortError;
use nightingale_circuits::cohort::{self, Difference, Mode, Query, Schema, Table};
use nightingale_prover::cohort::{CohortDataset, CohortKeyStore, Progress};
use nightingale_records::{
    sql,
    trial::{self, RawTable, Role, SchemaFile},
};
use nightingale_verifier::cohort::{Dataset, check_researcher, text};
use std::path::{Path, PathBuf};

/// The most pairs of answers that a refusal names.
const MOST_NAMED: usize = 10;

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
    /// What two planned answers tell together of a few subjects, one sentence a pair of questions. It is the sponsor's to know and nobody
    /// else's: it says how few they are.
    pub differences: Vec<String>,
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
    let told = if modes.contains(&Mode::Plan) { differences(&built.tables, &plan) } else { Vec::new() };
    let sums: Vec<&str> = told.iter().filter(|(sums, _)| *sums).map(|(_, told)| told.as_str()).collect();
    if !sums.is_empty() && !registration.accept_differences {
        let more = match sums.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let named: Vec<&str> = sums.into_iter().take(MOST_NAMED).collect();
        return Err(CohortError::Differences(named.join("; ") + &more));
    }
    let sponsor = registration.sponsor.as_ref().map(Sponsor::address);
    let mut dataset = CohortDataset::register(keys, built.tables, plan, modes, sponsor, progress)?;
    if let Some(sponsor) = &registration.sponsor {
        sponsor.sign(&mut dataset)?;
    }
    let folder = Folder::create(&registration.out, dataset, &built.subjects, registration.regulator)?;
    Ok(Registered { folder, differences: told.into_iter().map(|(_, told)| told).collect() })
}

/// What two of the answers that researchers get tell together: whether sums, and in words.
fn differences(tables: &[Table], plan: &[(String, Query)]) -> Vec<(bool, String)> {
    let of_table = |table: &Table| {
        let schema = table.schema();
        let answered = |(name, query): &&(String, Query)| {
            name == schema.table() && check_researcher(schema, query).is_ok()
        };
        let queries: Vec<&Query> = plan.iter().filter(answered).map(|(_, query)| query).collect();
        let in_words = |told: Difference| (!told.summed.is_empty(), words(schema, &queries, &told));
        cohort::differences(table, &queries).into_iter().map(in_words).collect::<Vec<_>>()
    };
    tables.iter().flat_map(of_table).collect()
}

/// A difference as a sentence for the sponsor.
fn words(schema: &Schema, queries: &[&Query], told: &Difference) -> String {
    let asked = |index: usize| queries.get(index).map(|query| text::sql(schema, query)).unwrap_or_default();
    let column = |index: usize| schema.columns().get(index);
    let name = |index: usize| column(index).map_or("?", |column| column.name.as_str());
    let code = |(&group, code): (&usize, u32)| {
        let word = column(group).and_then(|column| text::value(column, code));
        format!(" with {} {}", name(group), word.as_deref().unwrap_or("missing"))
    };
    let place: String = match (told.cells, queries.get(told.with)) {
        (1, Some(query)) => query.groups().iter().zip(query.key(schema, told.cell)).map(code).collect(),
        (cells, _) => format!(" in {cells} cells together"),
    };
    let sums: String =
        told.summed.iter().map(|&column| format!(" and the sum of {}", name(column))).collect();
    let subjects = if told.subjects == 1 { "subject" } else { "subjects" };
    format!(
        "{} less {} tells the count{sums} of {} {subjects}{place}",
        asked(told.with),
        asked(told.without),
        told.subjects
    )
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
