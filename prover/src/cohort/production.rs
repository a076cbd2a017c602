//! Setups of a ceremony: imported from powers of tau, listed in `setup.json` beside them.
//!
//! The list has the SHA-256 of each setup's file, the digest of its verifying keys and that of the powers that they came from, so that a
//! file that was exchanged is refused before anything is proven or verified with it. Whoever can write the list too is found by who pins
//! a setup's digest ([`SetupDigest`]).

use super::{CohortKeyStore, CohortProvingKey, Progress, Srs, Step, files, tell};
use crate::{ProveError, ceremony::CheckedPowers, keys::locked};
use nightingale_circuits::cohort::Size;
use nightingale_verifier::cohort::{CircuitName, CohortKeys, SetupDigest};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

const FILE: &str = "setup.json";

/// The setups of a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setups {
    /// BLAKE2b-512 of the powers' file.
    pub ptau: String,
    /// It had 2^power powers.
    pub power: u32,
    /// What those who contributed to the powers called themselves, in order; beacons are marked.
    pub contributions: Vec<String>,
    /// What was made from them.
    pub sizes: Vec<Setup>,
}

/// The setup of a size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// It has 2^k rows.
    pub k: u32,
    /// SHA-256 of its file.
    pub sha256: String,
    /// Which verifying keys were made with it: their [`SetupDigest`].
    pub digest: String,
}

fn path(directory: &Path, k: u32) -> PathBuf {
    directory.join(format!("production.{k}.srs"))
}

impl Setups {
    /// The list of a directory, if it has one.
    ///
    /// # Errors
    /// One that cannot be read or is not well-formed.
    pub fn read(directory: &Path) -> Result<Option<Self>, ProveError> {
        let path = directory.join(FILE);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.map_err(files::io(&path))?,
        };
        let corrupt = |error: serde_json::Error| ProveError::Corrupt {
            path: path.clone(),
            problem: format!("{error}; restore the file, or import the powers of tau again"),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(corrupt)
    }

    fn write(&self, directory: &Path) -> Result<(), ProveError> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| ProveError::Bug(format!("{FILE}: {error}")))?;
        text.push('\n');
        files::Staged::new(&directory.join(FILE), &[text.as_bytes()], files::Readers::Everybody)?.commit()
    }

    /// The digests of its setups.
    ///
    /// # Errors
    /// A list that has none, or one of a size that there is not, or something else in a digest's place.
    pub(super) fn pins(&self, directory: &Path) -> Result<Vec<SetupDigest>, ProveError> {
        let corrupt = |problem: &str| ProveError::Corrupt {
            path: directory.join(FILE),
            problem: format!("{problem}; restore the file, or import the powers of tau again"),
        };
        if self.sizes.is_empty() || self.sizes.iter().any(|setup| Size::from_k(setup.k).is_none()) {
            return Err(corrupt("lists no setup, or one of a size that this version has not"));
        }
        let pins = self.sizes.iter().map(|setup| setup.digest.parse());
        pins.collect::<Result<_, _>>().map_err(|_| corrupt("has no digest of a setup's keys"))
    }

    /// The sizes, the smallest first.
    pub(super) fn known(&self) -> Vec<Size> {
        let mut sizes: Vec<Size> = self.sizes.iter().filter_map(|setup| Size::from_k(setup.k)).collect();
        sizes.sort_unstable();
        sizes
    }

    /// The setup of a size, from its file.
    pub(super) fn setup(&self, directory: &Path, size: Size) -> Result<Srs, ProveError> {
        let path = path(directory, size.k());
        let problem = |problem: &str| ProveError::Corrupt { path: path.clone(), problem: problem.to_owned() };
        let listed = self.sizes.iter().find(|setup| setup.k == size.k()).ok_or_else(|| {
            problem("is not there: no setup of this size was imported; import powers of tau that reach to it")
        })?;
        let mut digest = [0; 32];
        hex::decode_to_slice(&listed.sha256, &mut digest)
            .map_err(|_| problem("has no digest in setup.json; import the powers of tau again"))?;
        Srs::production(&path, size.layout(), &digest)
    }
}

impl CohortKeyStore {
    /// Makes setups and verifying keys of these sizes from powers of tau and keeps them in a directory, whose keys are production keys
    /// from then on. Sizes that it has from the same powers stay.
    ///
    /// # Errors
    /// Powers that do not reach to a size; a directory that has a setup of other powers, under which datasets may be
    /// registered; files that cannot be written.
    pub fn import(
        directory: &Path,
        powers: &CheckedPowers<'_>,
        sizes: &[Size],
        rng: &mut impl CryptoRng,
        progress: Progress<'_>,
    ) -> Result<Setups, ProveError> {
        files::make_directory(directory, files::Readers::Everybody)?;
        // From looking to listing: two imports wait for each other.
        let _locked = locked(directory)?;
        let ptau = powers.digest().to_string();
        let named = powers.ptau().contributions().iter().map(|contribution| {
            let name = contribution.name.as_deref().unwrap_or("unnamed");
            if contribution.beacon.is_some() { format!("beacon: {name}") } else { name.to_owned() }
        });
        let empty = Setups {
            ptau: ptau.clone(),
            power: powers.ptau().power(),
            contributions: named.collect(),
            sizes: Vec::new(),
        };
        let mut setups = Setups::read(directory)?.unwrap_or(empty);
        if setups.ptau != ptau {
            return Err(ProveError::Corrupt {
                path: directory.join(FILE),
                problem: "is of other powers of tau, and what was registered under them would be lost; import into another folder"
                    .to_owned(),
            });
        }
        for size in sizes {
            tell(progress, Step::Setup(*size))?;
            let srs = Srs::ceremony(size.layout(), powers, rng)?;
            let sha256 = hex::encode(srs.write(&path(directory, size.k()))?);
            for circuit in CircuitName::ALL {
                tell(progress, Step::Key(circuit, *size))?;
                let key = CohortProvingKey::verifying_of(circuit, &srs)?;
                let path = directory.join(circuit.file_name(*size));
                files::Staged::new(&path, &[key.to_bytes()], files::Readers::Everybody)?.commit()?;
            }
            let digest =
                CohortKeys::directory(directory).setup_digest(*size).map_err(ProveError::UnsafeKey)?;
            setups.sizes.retain(|setup| setup.k != size.k());
            setups.sizes.push(Setup { k: size.k(), sha256, digest: digest.to_string() });
            // A size is listed once its files are whole.
            setups.write(directory)?;
        }
        Ok(setups)
    }
}
