//! `[secrets]`: which key wraps the tenants' data keys, and where sealed files are kept.

use super::{
    bad,
    reference::{Key, Range, Section, Usual},
};
use crate::error::ServiceError;
use serde::Deserialize;
use std::path::{Path, PathBuf};

pub(super) static REFERENCE: Section = Section {
    name: "secrets",
    meaning: "Which key wraps the tenants' data keys, and where sealed files are: see [secrets.md](secrets.md).",
    optional: false,
    keys: &[
        Key {
            name: "master_key_file",
            usual: Usual::Unset("`master.key` in `data_dir`", "\"master.key\""),
            unit: "",
            range: Range::Text("a file"),
            meaning: "The master key, made at the first start.",
        },
        Key {
            name: "kms_command",
            usual: Usual::Unset(
                "the master key is the file's",
                "[\"/usr/local/bin/kms\", \"--key\", \"nightingale\"]",
            ),
            unit: "",
            range: Range::Text("a program and its arguments"),
            meaning: "What speaks to a key service, which wraps in the file's place.",
        },
        Key {
            name: "artefacts_dir",
            usual: Usual::Unset("`artefacts` in `data_dir`", "\"artefacts\""),
            unit: "",
            range: Range::Text("a folder"),
            meaning: "Sealed files of datasets. Machines that share the database share it.",
        },
    ],
};

/// Where secrets are.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// The master key's file.
    pub master_key_file: PathBuf,
    /// The program that speaks to a key service, with its arguments; empty where the master key is the file's.
    pub kms_command: Vec<String>,
    /// The artefact store's folder. Several machines may share it.
    pub artefacts_dir: PathBuf,
}

impl Secrets {
    /// All in the data folder.
    #[must_use]
    pub fn local(data_dir: &Path) -> Self {
        Self {
            master_key_file: data_dir.join("master.key"),
            kms_command: Vec::new(),
            artefacts_dir: data_dir.join("artefacts"),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    master_key_file: Option<PathBuf>,
    kms_command: Vec<String>,
    artefacts_dir: Option<PathBuf>,
}

impl File {
    pub(super) fn check(self, base: &Path, data_dir: &Path) -> Result<Secrets, ServiceError> {
        let mut kms_command = self.kms_command;
        if let Some(program) = kms_command.first_mut() {
            if program.is_empty() {
                return Err(bad("secrets.kms_command", "expected [\"PROGRAM\", \"ARGUMENT\", ..]"));
            }
            // A name without a slash is looked up in PATH, as a shell does.
            if program.contains('/') {
                *program = base.join(&*program).to_string_lossy().into_owned();
            }
        }
        let local = Secrets::local(data_dir);
        let or = |given: Option<PathBuf>, local| given.map_or(local, |path| base.join(path));
        Ok(Secrets {
            master_key_file: or(self.master_key_file, local.master_key_file),
            kms_command,
            artefacts_dir: or(self.artefacts_dir, local.artefacts_dir),
        })
    }
}
