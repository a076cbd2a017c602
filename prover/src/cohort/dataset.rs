//! A dataset with its private half: registered, kept in a directory, asked.
//!
//! `public/dataset.json` is for everybody. `private/` holds a file a table, and `digests`, the SHA-256 of every file as `sha256sum`
//! writes it: [`CohortDataset::open`] checks all of them before it reads anything else.

use super::{
    CohortKeyStore, Progress, Step,
    commit::Salt,
    files::{self, Readers, Staged},
    private::PrivateTable,
    prove::{Column, prove},
    tell,
};
use crate::ProveError;
use halo2_proofs::halo2curves::{bn256::G1Affine, group::prime::PrimeCurveAffine};
use nightingale_circuits::{
    claim::Address,
    cohort::{
        Committed, Keccak, Mode, Query, Table, circuit::QueryCircuit, columns::committed,
        instances::instances, slots,
    },
};
use nightingale_verifier::{
    VerifyError,
    cohort::{
        CircuitName, Commitment, ConsentExpectation, Dataset, Expectation, QueryProof, Signature,
        TableRecord, Venue, proof::context, verify::check_release, verify_query,
    },
};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A dataset with its codes and salts. No `Debug`; zeroed on drop.
pub struct CohortDataset {
    pub(super) public: Dataset,
    /// In the order of the public tables.
    pub(super) private: Vec<PrivateTable>,
}

/// A question.
#[derive(Clone)]
pub struct Ask {
    /// The table's name.
    pub table: String,
    /// What is asked of it.
    pub query: Query,
    /// In which mode.
    pub mode: Mode,
    /// For which chain and contract.
    pub venue: Venue,
}

impl CohortDataset {
    /// What everybody sees of it.
    #[must_use]
    pub const fn public(&self) -> &Dataset {
        &self.public
    }

    /// Signs the dataset, and the versions of its consents that have no signature yet, as the sponsor that it was registered for.
    ///
    /// # Errors
    /// It was registered for another, or for nobody; whatever `sign` fails with.
    pub fn sign<E: From<VerifyError>>(
        &mut self,
        sponsor: Address,
        sign: &mut dyn FnMut(&Keccak) -> Result<Signature, E>,
    ) -> Result<(), E> {
        self.public.sign(sponsor, sign)
    }

    /// The codes of a table; case of the name does not matter.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn table(&self, name: &str) -> Result<&Table, ProveError> {
        Ok(&self.find(name)?.1.table)
    }

    pub(super) fn find(&self, name: &str) -> Result<(&TableRecord, &PrivateTable), ProveError> {
        let record = self.public.table(name).map_err(ProveError::Release)?;
        let mut pairs = self.public.tables().iter().zip(&self.private);
        let found = pairs.find(|(other, _)| other.name() == record.name());
        found.ok_or_else(|| ProveError::Bug("a table without its private half".to_owned()))
    }

    /// Answers a question and proves the answer. The proof is verified before it is returned.
    ///
    /// # Errors
    /// A question that the dataset does not release; whatever stops a proof.
    pub fn prove(
        &self,
        keys: &CohortKeyStore,
        ask: &Ask,
        progress: Progress<'_>,
    ) -> Result<QueryProof, ProveError> {
        let (record, secret) = self.find(&ask.table)?;
        let (schema, size) = (record.schema(), record.size());
        let threshold = record.threshold(ask.mode);
        check_release(&self.public, record, &ask.query, ask.mode, threshold).map_err(ProveError::Release)?;
        let class = ask.query.class(schema);
        let circuit = CircuitName::Query(class);
        let key = keys.key(circuit, size, progress)?;
        tell(progress, Step::Proving { circuit, proof: 0, proofs: 1 })?;
        let (witness, answer) =
            QueryCircuit::new(class, size.layout(), &ask.query, &secret.table, threshold)?;
        let inputs = instances(class, schema, &ask.query, threshold, &answer)
            .ok_or_else(|| ProveError::Bug("an answer that has no public inputs".to_owned()))?;
        let sources = slots::sources(class, size.layout(), schema, &ask.query);
        let identity = key.srs().points().identity;
        let columns = sources
            .into_iter()
            .map(|source| column(record, secret, source, identity))
            .collect::<Result<Vec<_>, _>>()?;
        let version =
            record.newest_consent().ok_or_else(|| ProveError::Bug("a table without consents".to_owned()))?;
        let context = context(record, &ask.query, version, ask.mode, threshold, ask.venue)
            .map_err(ProveError::Release)?;
        let proof = prove(&key, &witness, &inputs, &columns, &context, progress)?;
        let proof = QueryProof {
            dataset: *self.public.digest(),
            table: record.name().to_owned(),
            query: ask.query.clone(),
            mode: ask.mode,
            threshold,
            consent_version: version,
            venue: ask.venue,
            class,
            answer,
            proof,
            key_kind: key.verifying().kind(),
        };
        let expectation = Expectation {
            query: Some(ask.query.clone()),
            mode: Some(ask.mode),
            consent: ConsentExpectation::Newest,
            venue: Some(ask.venue),
            ..Expectation::default()
        };
        verify_query(&self.public, &proof, &expectation, keys.published())
            .map_err(|error| ProveError::Bug(format!("a finished proof was refused: {error}")))?;
        Ok(proof)
    }

    /// Writes the directory: as it was or as it will be, whenever this ends. New files come under names of their own, then the list of digests
    /// is replaced, which decides which of two files counts, then the new files take their places; [`CohortDataset::open`] finishes what
    /// was not.
    ///
    /// # Errors
    /// A directory or file that cannot be written.
    pub fn write(&self, directory: &Path) -> Result<(), ProveError> {
        let (public, private) = (directory.join("public"), directory.join("private"));
        files::make_directory(&public, Readers::Everybody)?;
        files::make_directory(&private, Readers::Owner)?;
        let mut staged = Vec::new();
        let mut digests = String::new();
        let mut add = |name: String, content: &[u8], readers: Readers| -> Result<(), ProveError> {
            digests.push_str(&format!("{}  {name}\n", files::digest(&[content])));
            staged.push((Staged::new(&next(&directory.join(&name)), &[content], readers)?, name));
            Ok(())
        };
        add(PUBLIC.to_owned(), self.public.to_json().as_bytes(), Readers::Everybody)?;
        for (record, secret) in self.public.tables().iter().zip(&self.private) {
            add(private_name(record), &secret.to_bytes(record), Readers::Owner)?;
        }
        let list = Staged::new(&directory.join(DIGESTS), &[digests.as_bytes()], Readers::Owner)?;
        let names: Vec<String> =
            staged.into_iter().map(|(file, name)| file.commit().map(|()| name)).collect::<Result<_, _>>()?;
        list.commit()?;
        names.iter().try_for_each(|name| {
            let path = directory.join(name);
            files::replace(&next(&path), &path)
        })
    }

    /// Opens the directory.
    ///
    /// # Errors
    /// A file that cannot be read, or that is not as it was written: nothing is proven from a damaged dataset.
    pub fn open(directory: &Path) -> Result<Self, ProveError> {
        let list = || files::read(&directory.join(DIGESTS));
        let mut listed = list()?;
        loop {
            let opened = Self::open_listed(directory, &listed);
            // Where somebody has replaced the files meanwhile, the list is another one.
            let now = if opened.is_err() { list()? } else { return opened };
            if now == listed {
                return opened;
            }
            listed = now;
        }
    }

    fn open_listed(directory: &Path, list: &[u8]) -> Result<Self, ProveError> {
        let corrupt = |name: &str, problem: String| ProveError::Corrupt {
            path: directory.join(name),
            problem: format!("{problem}; restore the dataset directory from its copy"),
        };
        let list = std::str::from_utf8(list).map_err(|_| corrupt(DIGESTS, "is damaged".to_owned()))?;
        let read = |name: &str| {
            let listed =
                list.lines().filter_map(|line| line.split_once("  ")).find(|(_, listed)| *listed == name);
            let (digest, _) =
                listed.ok_or_else(|| corrupt(name, "is not in the list of digests".to_owned()))?;
            let path = directory.join(name);
            let is_listed = |path: &Path| {
                let content = Zeroizing::new(files::read(path)?);
                Ok::<_, ProveError>((files::digest(&[&content]) == digest).then_some(content))
            };
            let place = is_listed(&path);
            if let Ok(Some(content)) = place {
                return Ok(content);
            }
            // A write that ended behind the list: this file counts, and takes its place now, unless the directory cannot be written.
            if let Ok(Some(content)) = is_listed(&next(&path)) {
                let _ = files::replace(&next(&path), &path);
                return Ok(content);
            }
            place?;
            Err(corrupt(name, "is damaged: its digest is not the listed one".to_owned()))
        };
        Self::assemble(directory, &read)
    }

    /// Reads a dataset that is kept elsewhere than in a directory: `read` gives the content of a file by its name in the directory,
    /// and answers for it being what was written.
    ///
    /// # Errors
    /// What `read` fails with; a file that is not of this dataset.
    pub fn read(read: &Reader<'_>) -> Result<Self, ProveError> {
        Self::assemble(Path::new(""), read)
    }

    fn assemble(place: &Path, read: &Reader<'_>) -> Result<Self, ProveError> {
        let public = Dataset::from_json(&read(PUBLIC)?).map_err(|error| ProveError::Corrupt {
            path: place.join(PUBLIC),
            problem: format!("{error}; restore the dataset directory from its copy"),
        })?;
        let private = public.tables().iter().map(|record| {
            let name = private_name(record);
            PrivateTable::from_bytes(&place.join(&name), &read(&name)?, record)
        });
        let private = private.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { public, private })
    }

    /// The files of its directory that hold it, by name: the public one first, then one a table.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let tables = self.public.tables().iter().map(private_name);
        std::iter::once(PUBLIC.to_owned()).chain(tables).collect()
    }
}

/// Gives the content of a dataset's file by its name in the directory.
pub type Reader<'a> = dyn Fn(&str) -> Result<Zeroizing<Vec<u8>>, ProveError> + 'a;

const PUBLIC: &str = "public/dataset.json";
const DIGESTS: &str = "private/digests";

/// Where a file waits until the list of digests names it.
fn next(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".next");
    PathBuf::from(name)
}

fn private_name(record: &TableRecord) -> String {
    format!("private/{}.table", record.name())
}

/// A column of a table, or one that everybody knows, with its salt. Consents are the newest.
pub(super) fn column(
    record: &TableRecord,
    secret: &PrivateTable,
    column: Committed,
    identity: G1Affine,
) -> Result<Column, ProveError> {
    let missing = || ProveError::Bug("a proof asks for a column that is not committed".to_owned());
    Ok(match column {
        Committed::Zero => Column { commitment: G1Affine::identity(), salt: Salt::none() },
        Committed::Identity => Column { commitment: identity, salt: Salt::none() },
        Committed::Consent => {
            let consent = record.consents.last().ok_or_else(missing)?;
            Column { commitment: consent.commitment.point(), salt: secret.consent_salt.clone() }
        }
        _ => {
            let commitment: Commitment = record.commitment(column).ok_or_else(missing)?;
            let columns = committed(record.schema(), record.size().layout());
            let place = columns.iter().position(|other| *other == column).ok_or_else(missing)?;
            let salt = secret.salts.get(place).ok_or_else(missing)?;
            Column { commitment: commitment.point(), salt: salt.clone() }
        }
    })
}
