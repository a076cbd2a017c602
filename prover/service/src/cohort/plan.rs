//! A plan for the invented trial, so that a first user has something to ask as a researcher.

use crate::error::CohortError;
use nightingale_records::{
    synth::{TrialFiles, write_trial},
    trial::{SchemaFile, TrialError},
};
use std::path::{Path, PathBuf};

/// Where an invented trial was written, with its plan.
pub struct InventedTrial {
    /// Data and schema files.
    pub files: TrialFiles,
    /// The plan.
    pub plan: PathBuf,
}

/// Writes an invented trial, and a plan beside it that its schema file names.
///
/// # Errors
/// A name that is no SQL name, an unknown extension, a file that cannot be written.
pub fn invent(seed: u64, rows: usize, out: &Path) -> Result<InventedTrial, CohortError> {
    if rows == 0 {
        return Err(CohortError::Trial(TrialError::File {
            file: out.display().to_string(),
            problem: "a trial has at least 1 row: --rows 1000".to_owned(),
        }));
    }
    let files = write_trial(seed, rows, out)?;
    let stem =
        |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    let plan = files.schema.with_file_name(format!("{}_plan.sql", stem(&files.schema)));
    let trouble = |path: &Path, error: std::io::Error| CohortError::Path {
        path: path.to_owned(),
        problem: error.to_string(),
    };
    let text = std::fs::read_to_string(&files.schema).map_err(|error| trouble(&files.schema, error))?;
    let mut schema = SchemaFile::parse(&text)?;
    schema.plan = plan.file_name().map(|name| name.to_string_lossy().into_owned());
    std::fs::write(&files.schema, schema.to_string()).map_err(|error| trouble(&files.schema, error))?;
    let queries = plan_text(&stem(&files.subjects), &stem(&files.events));
    std::fs::write(&plan, queries).map_err(|error| trouble(&plan, error))?;
    Ok(InventedTrial { files, plan })
}

/// The queries of the plan.
#[must_use]
pub fn plan_text(subjects: &str, events: &str) -> String {
    format!(
        "-- What a researcher may ask of this dataset. Each statement is answered with cells below the threshold hidden;\n\
         -- whoever registers a plan answers for what its tables tell together. A column is summed over rows in which it is not missing.\n\n\
         -- Table 1.\n\
         SELECT ARM, COUNT(*) FROM {subjects} GROUP BY ARM;\n\
         SELECT ARM, COUNT(*), AVG(AGE), STDDEV(AGE) FROM {subjects} WHERE AGE IS NOT NULL GROUP BY ARM;\n\
         SELECT ARM, SEX, COUNT(*) FROM {subjects} GROUP BY ARM, SEX;\n\
         SELECT ARM, AGEGR, COUNT(*) FROM {subjects} GROUP BY ARM, AGEGR;\n\
         SELECT ARM, COUNT(*), AVG(BASE), AVG(CHG), CORR(BASE, CHG) FROM {subjects}\n\
         WHERE BASE IS NOT NULL AND CHG IS NOT NULL GROUP BY ARM;\n\n\
         -- Response by arm: a 2x2 table for each pair of arms.\n\
         SELECT ARM, RESPONDER, COUNT(*) FROM {subjects} GROUP BY ARM, RESPONDER;\n\n\
         -- Time to event in intervals: a life table.\n\
         SELECT ARM, DAYGR, EVENT, COUNT(*) FROM {subjects} GROUP BY ARM, DAYGR, EVENT;\n\n\
         -- Change in those from 40 to 65 years of age.\n\
         SELECT ARM, COUNT(*), AVG(CHG) FROM {subjects}\n\
         WHERE AGE BETWEEN 40 AND 65 AND CHG IS NOT NULL GROUP BY ARM;\n\n\
         -- Adverse events; the first statement has the denominators.\n\
         SELECT ARM, TERM, COUNT(*) FROM {events} GROUP BY ARM, TERM;\n"
    )
}
