//! `nightingale dataset describe`: the public half of a dataset, in words or as JSON.

use super::super::{Outcome, Trouble, say};
use clap::Args;
use nightingale::{CohortError, cohort::folder::public};
use nightingale_circuits::cohort::{Column, Kind, Schema, Unit};
use nightingale_verifier::cohort::{Dataset, TableRecord, proof::role, text, verify_sponsor};
use serde::Serialize;
use std::path::PathBuf;

/// The most words of a dictionary that a line shows.
const WORDS: usize = 12;

#[derive(Args)]
pub(in super::super) struct Describe {
    /// The dataset folder, or its public/ alone.
    #[arg(long)]
    dataset: PathBuf,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct DatasetJson {
    dataset: String,
    sponsor: Option<String>,
    roles: Vec<&'static str>,
    tables: Vec<TableJson>,
    plan: Vec<String>,
}

#[derive(Serialize)]
struct TableJson {
    table: String,
    rows: usize,
    unit: Vec<String>,
    threshold: u32,
    consent_version: Option<usize>,
    columns: Vec<ColumnJson>,
}

#[derive(Serialize)]
struct ColumnJson {
    name: String,
    kind: &'static str,
    minimum: Option<String>,
    maximum: Option<String>,
    dictionary: Option<Vec<String>>,
}

impl Describe {
    pub(in super::super) fn run(&self) -> Outcome {
        let dataset = public(&self.dataset)?;
        verify_sponsor(&dataset, None).map_err(CohortError::Release)?;
        let dataset = describe(&dataset);
        if self.json {
            say(serde_json::to_string_pretty(&dataset).map_err(Trouble::unusable)?);
        } else {
            print(&dataset);
        }
        Ok(())
    }
}

fn describe(dataset: &Dataset) -> DatasetJson {
    let planned = dataset.plan().iter().filter_map(|planned| {
        let table = dataset.table(&planned.table).ok()?;
        Some(text::sql(table.schema(), &planned.query))
    });
    DatasetJson {
        dataset: format!("0x{}", hex::encode(dataset.digest())),
        sponsor: dataset.sponsor().map(|sponsor| format!("0x{}", hex::encode(sponsor.address.0))),
        roles: dataset.modes().iter().map(|mode| role(*mode)).collect(),
        tables: dataset.tables().iter().map(describe_table).collect(),
        plan: planned.collect(),
    }
}

fn describe_table(table: &TableRecord) -> TableJson {
    let schema = table.schema();
    TableJson {
        table: table.name().to_owned(),
        rows: table.rows(),
        unit: unit(schema),
        threshold: schema.threshold(),
        consent_version: table.newest_consent(),
        columns: schema.columns().iter().map(describe_column).collect(),
    }
}

fn unit(schema: &Schema) -> Vec<String> {
    let mut places = vec![schema.subject()];
    if let Unit::SubjectAnd(dimension) = schema.unit() {
        places.push(dimension);
    }
    places.iter().filter_map(|place| schema.columns().get(*place)).map(|column| column.name.clone()).collect()
}

fn describe_column(column: &Column) -> ColumnJson {
    let kind = match column.kind {
        Kind::Integer { .. } => "number",
        Kind::Date { .. } => "date",
        Kind::Category { .. } => "category",
        Kind::Key { .. } => "key",
    };
    let range = matches!(column.kind, Kind::Integer { .. } | Kind::Date { .. });
    let dictionary = match &column.kind {
        Kind::Category { dictionary } => Some(dictionary.clone()),
        _ => None,
    };
    ColumnJson {
        name: column.name.clone(),
        kind,
        minimum: text::value(column, 1).filter(|_| range),
        maximum: text::value(column, column.bound()).filter(|_| range),
        dictionary,
    }
}

fn print(dataset: &DatasetJson) {
    let sponsor = dataset.sponsor.as_deref().unwrap_or("nobody");
    say(format_args!(
        "dataset {}, for {}, signed by {sponsor}",
        dataset.dataset,
        dataset.roles.join(" and ")
    ));
    for table in &dataset.tables {
        say(format_args!(
            "\n{}: {} rows, one for each {}; counts below {} are hidden from researchers; consent version {}",
            table.table,
            table.rows,
            table.unit.join(" and "),
            table.threshold,
            table.consent_version.map_or_else(|| "none".to_owned(), |version| version.to_string())
        ));
        for column in &table.columns {
            say(format_args!("  {} {}{}", column.name, column.kind, content(column)));
        }
    }
    if dataset.plan.is_empty() {
        say("\nno plan: a researcher may ask nothing");
        return;
    }
    say("\nplan: what a researcher may ask");
    for query in &dataset.plan {
        say(format_args!("  {query}"));
    }
}

fn content(column: &ColumnJson) -> String {
    match (&column.minimum, &column.maximum, &column.dictionary) {
        (Some(minimum), Some(maximum), _) => format!(" from {minimum} to {maximum}"),
        (_, _, Some(words)) if words.len() > WORDS => {
            let shown: Vec<&str> = words.iter().take(WORDS).map(String::as_str).collect();
            format!(": {} and {} more", shown.join(" | "), words.len() - WORDS)
        }
        (_, _, Some(words)) => format!(": {}", words.join(" | ")),
        _ => String::new(),
    }
}
