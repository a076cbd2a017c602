//! A question and whether it is answered: decided from its text, the role and the registration, never from the data.

use super::mode;
use crate::error::CohortError;
use nightingale_circuits::cohort::{Keccak, Mode, Schema};
use nightingale_prover::cohort::Ask;
use nightingale_records::{sql, trial::Role};
use nightingale_verifier::cohort::{Dataset, TableRecord, Venue, text, verify::check_release};

/// What somebody asks.
#[derive(Clone, Debug)]
pub struct Question {
    /// In SQL.
    pub sql: String,
    /// As whom.
    pub role: Role,
    /// The chain and contract that the proof is for.
    pub venue: Venue,
}

impl Question {
    /// Off-chain.
    #[must_use]
    pub fn new(sql: impl Into<String>, role: Role) -> Self {
        Self { sql: sql.into(), role, venue: Venue::NONE }
    }
}

/// A question about a dataset, read but not yet allowed.
#[derive(Clone)]
pub struct Understood {
    /// What to prove.
    pub ask: Ask,
    /// Who asks.
    pub role: Role,
    /// The query in its canonical text, which the proof file holds.
    pub sql: String,
    /// The query's digest, which names the table's too.
    pub digest: Keccak,
    /// The disclosure threshold.
    pub threshold: u32,
}

/// Reads a question against a dataset's tables.
///
/// # Errors
/// SQL that is not a query of this dataset.
pub fn understand(dataset: &Dataset, question: &Question) -> Result<Understood, CohortError> {
    let schemas: Vec<Schema> = dataset.tables().iter().map(|table| table.schema().clone()).collect();
    let asked = sql::parse(&question.sql, &schemas)?;
    let missing = || CohortError::Bug("a query names a table that is not there");
    let table = dataset.tables().get(asked.table).ok_or_else(missing)?;
    let mode = mode(question.role);
    let threshold = table.threshold(mode);
    let ask = Ask { table: table.name().to_owned(), query: asked.query.clone(), mode, venue: question.venue };
    let digest = asked.query.digest(table.digest());
    let sql = text::sql(table.schema(), &asked.query);
    Ok(Understood { ask, role: question.role, sql, digest, threshold })
}

impl Understood {
    /// Whether the registration lets this be answered.
    ///
    /// # Errors
    /// Says why not, and what would have to be registered.
    pub fn allow(&self, dataset: &Dataset) -> Result<(), CohortError> {
        let table = self.table(dataset)?;
        if !dataset.modes().contains(&self.ask.mode) {
            let held = dataset.modes().iter().map(|mode| nightingale_verifier::cohort::proof::role(*mode));
            let held = held.collect::<Vec<_>>().join(" and ");
            return Err(CohortError::Role { role: self.role.name(), held });
        }
        if self.ask.mode == Mode::Plan {
            if dataset.plan().is_empty() {
                return Err(CohortError::NoPlan);
            }
            if !dataset.plan().iter().any(|planned| planned.digest == self.digest) {
                return Err(CohortError::NotInPlan { sql: self.sql.clone(), planned: dataset.plan().len() });
            }
        }
        check_release(dataset, table, &self.ask.query, self.ask.mode, self.threshold)
            .map_err(CohortError::Release)
    }

    /// The table that is asked.
    ///
    /// # Errors
    /// The dataset is another one than the question was read against.
    pub fn table<'a>(&self, dataset: &'a Dataset) -> Result<&'a TableRecord, CohortError> {
        dataset.table(&self.ask.table).map_err(CohortError::Release)
    }
}
