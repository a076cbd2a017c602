//! Where a key comes from, as `keys.json` keeps it and `nightingale keys list` shows it.

use super::{chain::Contribution, digest::ContributionHash, terms::Compared};
use serde::{Deserialize, Serialize};

/// What a key was checked against when it was imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// SHA-256 of the constraint system, as this program has it.
    pub circuit: String,
    /// The circuit hash that snarkjs prints.
    pub circuit_hash: String,
    /// BLAKE2b-512 of the `.zkey` file.
    pub zkey: String,
    /// BLAKE2b-512 of the `.ptau` file.
    pub ptau: String,
    /// The file had 2^power powers.
    pub power: u32,
    /// How many contributors were asked for.
    pub minimum_contributors: usize,
    /// All contributions, in order.
    pub contributions: Vec<Part>,
}

/// A contribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// What snarkjs prints as its hash.
    pub hash: String,
    /// What its maker called itself, by the key's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether its hash was compared with what its maker published, or with an earlier file.
    pub published: bool,
    /// Whether its name was compared too; lists of earlier versions do not say so. No hash binds a name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub named: bool,
    /// Whether every point of the file that its maker kept was checked, which shows what the maker was handed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub checked: bool,
    /// The beacon that it was made from, in hexadecimal, and the logarithm of the number of hashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beacon: Option<(String, u8)>,
}

impl Part {
    pub(super) fn new(contribution: &Contribution, compared: Compared) -> Self {
        let hash: ContributionHash = contribution.hash();
        Self {
            hash: hash.to_string(),
            name: contribution.name().map(str::to_owned),
            published: compared.hash,
            named: compared.name,
            checked: compared.file,
            beacon: contribution.beacon().map(|beacon| (hex::encode(&beacon.value), beacon.iterations)),
        }
    }

    /// What of it was compared, in words.
    #[must_use]
    pub const fn compared(&self) -> &'static str {
        match (self.published, self.named, self.checked) {
            (false, ..) => "not compared",
            (true, false, false) => "hash published, name not compared",
            (true, true, false) => "published",
            (true, false, true) => "file checked, name not compared",
            (true, true, true) => "published, file checked",
        }
    }
}
