//! Files and a schema file into a dataset: rows chosen, coded, put in order and checked.

use super::{
    CellProblem, Cells, Dataset, RawTable, SchemaFile, Subjects, TableEntry, TrialError,
    encode::{Fault, encode, spelled, subject_codes, used_words},
    order::order,
};
use nightingale_circuits::cohort::{Column, Kind, Schema, Size, Table, Unit};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// One table on its way.
struct Draft<'a> {
    name: &'a str,
    entry: &'a TableEntry,
    raw: &'a RawTable,
    subject: &'a str,
    /// The file's rows that are registered, in the file's order.
    rows: Vec<usize>,
}

/// Builds the tables that `schema` describes from the files read. Every file has its table and every table its file.
///
/// # Errors
/// The first file, row and column that does not fit.
pub fn build(tables: &[RawTable], schema: &SchemaFile) -> Result<Dataset, TrialError> {
    if let Some(raw) = tables.iter().find(|raw| !schema.tables.contains_key(&raw.name().to_ascii_lowercase()))
    {
        let problem = format!(
            "the schema file has no [table.{}]; describe the table there, or leave the file out",
            raw.name()
        );
        return Err(TrialError::File { file: raw.file().to_owned(), problem });
    }
    let drafts: Vec<Draft<'_>> = schema
        .tables
        .iter()
        .map(|(name, entry)| Draft::new(name, entry, tables, schema))
        .collect::<Result<_, _>>()?;
    let subjects = union(&drafts)?;
    // Every rate needs its denominator: with a table of one row a subject, nobody may be missing from it.
    let listed: Option<BTreeSet<u32>> = drafts
        .iter()
        .filter(|draft| draft.entry.dimension.is_none())
        .try_fold(None, |listed: Option<BTreeSet<u32>>, draft| {
            let mut all = listed.unwrap_or_default();
            all.extend(draft.subject_codes(&subjects)?);
            Ok::<_, TrialError>(Some(all))
        })?;
    let built =
        drafts.iter().map(|draft| draft.build(&subjects, listed.as_ref(), schema.threshold(draft.name)));
    Ok(Dataset { tables: built.collect::<Result<_, _>>()?, subjects })
}

/// All subjects of all tables.
fn union(drafts: &[Draft<'_>]) -> Result<Subjects, TrialError> {
    let mut all: BTreeSet<String> = BTreeSet::new();
    for draft in drafts {
        let column = draft.raw.require(draft.subject)?;
        let mut room = None;
        let texts = spelled(column, &mut room).map_err(|fault| draft.fault(draft.subject, fault))?;
        for word in used_words(texts, &draft.entry.missing, &draft.rows) {
            if !all.contains(word) {
                all.insert(word.to_owned());
            }
        }
    }
    // A set ascends.
    Subjects::new(all.into_iter().collect())
        .ok_or_else(|| TrialError::key("subject", "the keys cannot be put in order"))
}

impl<'a> Draft<'a> {
    fn new(
        name: &'a str,
        entry: &'a TableEntry,
        tables: &'a [RawTable],
        schema: &'a SchemaFile,
    ) -> Result<Self, TrialError> {
        let mut found = tables.iter().filter(|raw| raw.name().eq_ignore_ascii_case(name));
        let raw = found.next().ok_or_else(|| {
            TrialError::key(
                format!("table.{name}"),
                "no file of this stem was given; give the file, or delete the section",
            )
        })?;
        if found.next().is_some() {
            let problem = "another file has the same stem; one file is one table".to_owned();
            return Err(TrialError::File { file: raw.file().to_owned(), problem });
        }
        let subject = entry.subject.as_deref().or(schema.subject.as_deref()).ok_or_else(|| {
            TrialError::key(
                "subject",
                "the subject key is not named: subject = \"USUBJID\", or --key-column USUBJID",
            )
        })?;
        let rows = kept(raw, entry)?;
        let most = Size::ALL.map(|size| size.layout().capacity()).into_iter().max().unwrap_or(0);
        if rows.is_empty() {
            return Err(TrialError::key(format!("table.{name}.keep"), "no row of the file has these words"));
        }
        if rows.len() > most {
            return Err(TrialError::Rows { file: raw.file().to_owned(), rows: rows.len(), most });
        }
        Ok(Self { name, entry, raw, subject, rows })
    }

    fn fault(&self, column: &str, fault: Fault) -> TrialError {
        match fault {
            Fault::Cell { row, problem } => self.raw.cell_error(row, column, problem),
            Fault::Column(problem) => self.raw.column_error(column, problem),
            Fault::Entry(key, problem) => {
                TrialError::key(format!("table.{}, column {column}, {key}", self.name), problem)
            }
        }
    }

    fn subject_codes(&self, subjects: &Subjects) -> Result<Vec<u32>, TrialError> {
        let column = self.raw.require(self.subject)?;
        let codes =
            subject_codes(column, &self.entry.missing, &self.rows, |key| subjects.code(key).unwrap_or(0));
        let codes = codes.map_err(|fault| self.fault(self.subject, fault))?;
        self.require_present(&codes, self.subject)?;
        Ok(codes)
    }

    fn require_present(&self, codes: &[u32], column: &str) -> Result<(), TrialError> {
        match codes.iter().position(|&code| code == 0) {
            Some(place) => Err(self.raw.cell_error(self.rows[place], column, CellProblem::NoKey)),
            None => Ok(()),
        }
    }

    fn build(
        &self,
        subjects: &Subjects,
        listed: Option<&BTreeSet<u32>>,
        threshold: u32,
    ) -> Result<Table, TrialError> {
        let keys = Zeroizing::new(self.subject_codes(subjects)?);
        if let Some(listed) = listed
            && let Some(place) = keys.iter().position(|code| !listed.contains(code))
        {
            return Err(self.raw.cell_error(self.rows[place], self.subject, CellProblem::UnknownSubject));
        }
        let mut columns = Vec::with_capacity(self.entry.columns.len());
        let mut codes = Zeroizing::new(Vec::with_capacity(self.entry.columns.len()));
        for entry in &self.entry.columns {
            let raw = self.raw.require(entry.source())?;
            let (kind, column) = if entry.source().eq_ignore_ascii_case(self.subject) {
                (Kind::Key { count: u32::try_from(subjects.len()).unwrap_or(u32::MAX) }, keys.to_vec())
            } else {
                encode(entry, raw, &self.entry.missing, &self.rows)
                    .map_err(|fault| self.fault(entry.source(), fault))?
            };
            if matches!(kind, Kind::Key { .. }) {
                self.require_present(&column, entry.source())?;
            }
            columns.push(Column { name: entry.name.clone(), kind });
            codes.push(column);
        }
        let schema = self.schema(columns, threshold)?;
        let dimension = match schema.unit() {
            Unit::Subject => None,
            Unit::SubjectAnd(dimension) => Some(codes[dimension].as_slice()),
        };
        if let (Some(dimension), Some(name)) = (dimension, &self.entry.dimension) {
            self.require_present(dimension, name)?;
        }
        let places = order(&keys, dimension, self.entry.reduce).map_err(|repeated| TrialError::Repeated {
            file: self.raw.file().to_owned(),
            first: self.rows[repeated.first] + 1,
            second: self.rows[repeated.second] + 1,
            dimension: self.entry.dimension.clone(),
        })?;
        let consent = self.consent()?;
        let codes = codes.iter().map(|column| places.iter().map(|&place| column[place]).collect()).collect();
        let consent = places.iter().map(|&place| consent[place]).collect();
        Table::new(schema, codes, consent)
            .map_err(|source| TrialError::Codes { file: self.raw.file().to_owned(), source })
    }

    fn schema(&self, columns: Vec<Column>, threshold: u32) -> Result<Schema, TrialError> {
        let position =
            |of: &str| self.entry.columns.iter().position(|entry| entry.source().eq_ignore_ascii_case(of));
        let subject = position(self.subject).ok_or_else(|| {
            let problem = format!(
                "the subject key is not among them; add {{ name = \"{}\", kind = \"key\" }}",
                self.subject
            );
            TrialError::key(format!("table.{}.columns", self.name), problem)
        })?;
        let unit = match &self.entry.dimension {
            None => Unit::Subject,
            Some(dimension) => {
                let named =
                    self.entry.columns.iter().position(|entry| entry.name.eq_ignore_ascii_case(dimension));
                Unit::SubjectAnd(named.ok_or_else(|| {
                    TrialError::key(
                        format!("table.{}.dimension", self.name),
                        "is not the name of one of the table's columns",
                    )
                })?)
            }
        };
        Schema::new(self.name.to_owned(), columns, subject, unit, threshold)
            .map_err(|source| TrialError::Schema { table: self.name.to_owned(), source })
    }

    /// Whether each row's subject consents.
    fn consent(&self) -> Result<Vec<bool>, TrialError> {
        let Some(name) = &self.entry.consent else { return Ok(vec![true; self.rows.len()]) };
        let column = self.raw.require(name)?;
        let said = |&row: &usize| match column.text(row).as_deref() {
            Some("1" | "Y" | "y") => Ok(true),
            Some("0" | "N" | "n") => Ok(false),
            _ => Err(self.raw.cell_error(row, name, CellProblem::NoConsent)),
        };
        self.rows.iter().map(said).collect()
    }
}

/// The rows that `keep` leaves.
fn kept(raw: &RawTable, entry: &TableEntry) -> Result<Vec<usize>, TrialError> {
    let mut rows: Vec<usize> = (0..raw.rows()).collect();
    for (name, words) in &entry.keep {
        let column = raw.require(name)?;
        match column.cells() {
            Cells::Text(texts) => {
                let wanted: Vec<bool> = texts.words().iter().map(|word| words.contains(word)).collect();
                rows.retain(|&row| {
                    (texts.codes()[row] as usize).checked_sub(1).is_some_and(|word| wanted[word])
                });
            }
            _ => rows
                .retain(|&row| column.text(row).is_some_and(|text| words.iter().any(|word| *word == text))),
        }
    }
    Ok(rows)
}
