//! `nightingale ingest`.

use super::{Outcome, Trouble, files, say};
use clap::{Args, ValueEnum};
use nightingale_records::{Ingested, ingest_fhir, ingest_x12};
use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Args)]
pub(super) struct Ingest {
    /// What the files are.
    #[arg(long)]
    format: Format,
    /// Files, or folders whose files are all read.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Print the report as JSON: files, claims, refused.
    #[arg(long)]
    json: bool,
    /// Write each claim as a claim file into this folder.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// FHIR R4 JSON: bundles or single resources.
    Fhir,
    /// X12 837P.
    X12,
}

impl Ingest {
    pub(super) fn run(&self) -> Outcome {
        let mut paths = Vec::new();
        for path in &self.paths {
            list(path, &mut paths)?;
        }
        let mut ingested = Ingested::default();
        for path in &paths {
            let (bytes, name) = (files::read(path)?, path.display().to_string());
            ingested.merge(match self.format {
                Format::Fhir => ingest_fhir(&bytes, &name),
                Format::X12 => ingest_x12(&bytes, &name),
            });
        }
        if let Some(folder) = &self.out {
            files::folder(folder)?;
            for (number, found) in ingested.claims.iter().enumerate() {
                let path = folder.join(format!("{:05}.json", number + 1));
                files::write(&path, found.claim.to_json().as_bytes())?;
            }
        }
        if self.json {
            say(ingested.to_json().as_str());
        } else {
            print(&ingested);
        }
        if ingested.claims.is_empty() && !ingested.refused.is_empty() {
            return Err(Trouble::Refused(format!(
                "no claim could be read, {} refused",
                ingested.refused.len()
            )));
        }
        Ok(())
    }
}

fn print(ingested: &Ingested) {
    for refused in &ingested.refused {
        say(format_args!("refused {}: {}: {}", refused.file, refused.element, refused.defect));
    }
    say(format_args!(
        "{} files, {} claims, {} refused",
        ingested.files,
        ingested.claims.len(),
        ingested.refused.len()
    ));
    for (kind, count) in ingested.refused_by_kind() {
        say(format_args!("  {kind}: {count}"));
    }
}

/// A file, or a folder's files in order, folders within included.
fn list(path: &Path, paths: &mut Vec<PathBuf>) -> Outcome {
    let unreadable = |error: std::io::Error| Trouble::Unusable(format!("{}: {error}", path.display()));
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        paths.push(path.to_owned());
        return Ok(());
    }
    let entries =
        fs::read_dir(path).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    let mut inside: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    inside.sort();
    inside.iter().try_for_each(|path| list(path, paths))
}
