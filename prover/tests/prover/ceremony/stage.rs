//! One ceremony, held once for all tests: its files, and what its contributors would have published.

use super::{
    super::system::{random, rng},
    snarkjs::{hash, modules, run},
};
use nightingale_circuits::{Fr, r1cs::R1cs};
use nightingale_prover::{
    ProveError,
    ceremony::{
        self, Beacon, CeremonyError, Checked, CheckedPowers, FileDigest, Imported, Published, Terms, import,
    },
};
use std::{fs, path::Path, sync::OnceLock};
use tempfile::TempDir;

pub(super) const BEACON: &str = "0102030405060708090a0b0c0d0e0f10";
pub(super) const PUBLIC: usize = 12;

/// The ceremony.
pub(super) struct Stage {
    pub(super) directory: TempDir,
    pub(super) r1cs: R1cs,
    pub(super) values: Vec<Fr>,
    pub(super) ptau: Vec<u8>,
    /// The finished key.
    pub(super) key: Vec<u8>,
    pub(super) published: Vec<Published>,
    /// What snarkjs calls the circuit.
    pub(super) circuit_hash: String,
}

/// Held at the first call; `None` without snarkjs.
pub(super) fn stage() -> Option<&'static Stage> {
    static STAGE: OnceLock<Option<Stage>> = OnceLock::new();
    STAGE
        .get_or_init(|| {
            modules()?;
            Some(Stage::hold())
        })
        .as_ref()
}

/// Powers of tau that two contributed to, ended by a beacon, prepared.
pub(super) fn powers(directory: &Path, power: u32, name: &str) {
    let run = |command: &str| run(directory, command);
    run(&format!("powersoftau new bn128 {power} {name}-0.ptau"));
    run(&format!("powersoftau contribute {name}-0.ptau {name}-1.ptau --name=first -e=one{name}"));
    run(&format!("powersoftau beacon {name}-1.ptau {name}-2.ptau {BEACON} 10 -n=beacon"));
    run(&format!("powersoftau prepare phase2 {name}-2.ptau {name}.ptau"));
}

/// A contribution, and its hash as snarkjs prints it.
pub(super) fn contribute(directory: &Path, from: &str, to: &str, name: &str) -> String {
    let said = run(directory, &format!("zkey contribute {from} {to} --name={name} -e=entropy-of-{name}"));
    hash(&said, "Contribution Hash:")
}

/// The beacon that ends a ceremony.
pub(super) fn finish(directory: &Path, from: &str, to: &str) {
    run(directory, &format!("zkey beacon {from} {to} {BEACON} 10 -n=final"));
}

impl Stage {
    fn hold() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let (r1cs, values) = random(PUBLIC, 100, 11);
        fs::write(at.join("circuit.r1cs"), ceremony::r1cs(&r1cs)).unwrap();
        fs::write(at.join("values.wtns"), &*ceremony::wtns(&values)).unwrap();
        powers(at, 8, "powers");
        let said = run(at, "groth16 setup circuit.r1cs powers.ptau 0.zkey");
        let circuit_hash = hash(&said, "Circuit hash:");
        let names = ["hospital", "insurer"];
        let published = names.iter().enumerate().map(|(i, name)| {
            let hash = contribute(at, &format!("{i}.zkey"), &format!("{}.zkey", i + 1), name);
            Published { hash: hash.parse().unwrap(), name: Some((*name).to_owned()) }
        });
        let published = published.collect();
        finish(at, "2.zkey", "final.zkey");
        let read = |name: &str| fs::read(at.join(name)).unwrap();
        let (ptau, key) = (read("powers.ptau"), read("final.zkey"));
        Self { directory, r1cs, values, ptau, key, published, circuit_hash }
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap()
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    /// What an import asks for: both contributors, and the beacon.
    pub(super) fn terms(&self) -> Terms {
        Terms { minimum: 2, beacon: beacon(), published: self.published.clone(), previous: Vec::new() }
    }

    pub(super) fn import(&self, key: &[u8]) -> Result<Imported, ProveError> {
        self.import_on(key, &self.terms())
    }

    pub(super) fn import_on(&self, key: &[u8], terms: &Terms) -> Result<Imported, ProveError> {
        let powers = CheckedPowers::check(&self.ptau, &FileDigest::of(&self.ptau), &mut rng(1)).unwrap();
        import(&self.r1cs, key, &powers, terms, &mut rng(2))
    }

    /// What a file of the ceremony is found to be, at whatever moment.
    pub(super) fn check(&self, file: &[u8]) -> Result<Checked, ProveError> {
        let powers = CheckedPowers::check(&self.ptau, &FileDigest::of(&self.ptau), &mut rng(1)).unwrap();
        ceremony::check(&self.r1cs, file, &powers, &mut rng(3))
    }

    /// A file as its contributor kept it.
    pub(super) fn kept(&self, name: &str) -> Checked {
        self.check(&self.read(name)).unwrap()
    }

    /// The check that refuses a key.
    pub(super) fn refused(&self, key: &[u8]) -> CeremonyError {
        self.refused_on(key, &self.terms())
    }

    pub(super) fn refused_on(&self, key: &[u8], terms: &Terms) -> CeremonyError {
        refusal(self.import_on(key, terms))
    }
}

/// The check that failed.
pub(super) fn refusal<T>(result: Result<T, ProveError>) -> CeremonyError {
    match result {
        Err(ProveError::Ceremony(error)) => error,
        Err(other) => unreachable!("another error: {other}"),
        Ok(_) => unreachable!("it was not refused"),
    }
}

pub(super) fn beacon() -> Beacon {
    Beacon { value: hex::decode(BEACON).unwrap(), iterations: 10 }
}

/// Where each section of a file is.
pub(super) fn sections(file: &[u8]) -> Vec<(u32, std::ops::Range<usize>)> {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let mut at = 12;
    (0..word(8))
        .map(|_| {
            let length = u64::from_le_bytes(file[at + 4..at + 12].try_into().unwrap());
            let range = at + 12..at + 12 + usize::try_from(length).unwrap();
            let number = word(at);
            at = range.end;
            (number, range)
        })
        .collect()
}

/// Where a section of a file starts.
pub(super) fn section(file: &[u8], number: u32) -> usize {
    sections(file).into_iter().find(|(found, _)| *found == number).unwrap().1.start
}

/// The file with other bytes from a place on.
pub(super) fn put(file: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

/// The file with two different points of a section exchanged.
pub(super) fn exchanged(file: &[u8], number: u32, bytes: usize) -> Vec<u8> {
    let start = section(file, number);
    let point = |i: usize| file[start + i * bytes..start + (i + 1) * bytes].to_vec();
    let other = (1..).find(|i| point(*i) != point(0)).unwrap();
    put(&put(file, start, &point(other)), start + other * bytes, &point(0))
}
