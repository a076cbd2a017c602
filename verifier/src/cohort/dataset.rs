//! The public half of a registration, `dataset.json`: schemas, commitments, consent versions, proofs, and the plan.
//!
//! Reading it checks every digest in it against what it stands for; [`super::verify_registration`] checks the proofs.

use super::{
    Commitment,
    circuit_name::size_from_k,
    link::Link,
    schema_file::{QueryFile, SchemaFile, mode_from_name},
};
use crate::{
    KeyDigest, VerifyError,
    encoding::{from_hex, to_hex},
};
use halo2_proofs::halo2curves::{bn256::G1Affine, group::prime::PrimeCurveAffine};
use nightingale_circuits::cohort::{
    Committed, Keccak, Mode, Query, Schema, Size, columns::committed, digest::Words, table::TableDigestParts,
};
use serde::{Deserialize, Serialize};

const FORMAT: &str = "nightingale cohort dataset 1";

/// A registered dataset, as everybody sees it.
#[derive(Clone)]
pub struct Dataset {
    tables: Vec<TableRecord>,
    plan: Vec<PlannedQuery>,
    modes: Vec<Mode>,
    digest: Keccak,
}

/// A registered table.
#[derive(Clone)]
pub struct TableRecord {
    schema: Schema,
    size: Size,
    rows: usize,
    columns: Vec<Committed>,
    commitments: Vec<Commitment>,
    digest: Keccak,
    /// The proofs of its registration that do not depend on consents, in their order.
    pub proofs: Vec<LinkedProof>,
    /// The versions of its consents, the oldest first.
    pub consents: Vec<ConsentVersion>,
}

/// One version of a table's consents.
#[derive(Clone)]
pub struct ConsentVersion {
    /// The consent column.
    pub commitment: Commitment,
    /// That it only revokes.
    pub frame: LinkedProof,
}

/// A halo2 proof and its link.
#[derive(Clone)]
pub struct LinkedProof {
    /// The key.
    pub key: KeyDigest,
    /// The proof.
    pub proof: Vec<u8>,
    /// The link.
    pub link: Link,
}

/// A query that a researcher may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedQuery {
    /// The table's name.
    pub table: String,
    /// The query.
    pub query: Query,
    /// Its digest.
    pub digest: Keccak,
}

impl TableRecord {
    /// A table's record without proofs.
    ///
    /// # Errors
    /// Another number of commitments than the schema's columns need, or of rows than the size holds.
    pub fn new(
        schema: Schema,
        size: Size,
        rows: usize,
        commitments: Vec<Commitment>,
    ) -> Result<Self, VerifyError> {
        let layout = size.layout();
        let columns = committed(&schema, layout);
        if rows == 0 || rows >= layout.capacity() {
            return Err(VerifyError::malformed(
                "rows",
                "is not a number of rows that the table's size holds",
            ));
        }
        if columns.len() != commitments.len() {
            return Err(VerifyError::malformed(
                "commitments",
                "are not one for each committed column of the schema",
            ));
        }
        let words: Vec<[Keccak; 2]> = commitments.iter().map(Commitment::words).collect();
        let digest =
            TableDigestParts { schema: schema.digest(), k: size.k(), rows, commitments: &words }.digest();
        Ok(Self {
            schema,
            size,
            rows,
            columns,
            commitments,
            digest,
            proofs: Vec::new(),
            consents: Vec::new(),
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.schema.table()
    }

    /// What its columns mean.
    #[must_use]
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Its size.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.size
    }

    /// The number of rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Its digest, which queries name.
    #[must_use]
    pub const fn digest(&self) -> &Keccak {
        &self.digest
    }

    /// The newest version of its consents, counted from 0; `None` before the first.
    #[must_use]
    pub const fn newest_consent(&self) -> Option<usize> {
        self.consents.len().checked_sub(1)
    }

    /// The commitment of a column of its own.
    #[must_use]
    pub fn commitment(&self, column: Committed) -> Option<Commitment> {
        let place = self.columns.iter().position(|other| *other == column)?;
        self.commitments.get(place).copied()
    }

    /// The point that a slot is linked to: a column of the table, its consents of this version, or a column that everybody knows.
    ///
    /// # Errors
    /// The table has no such column or version.
    pub fn source(
        &self,
        column: Committed,
        version: usize,
        identity: &G1Affine,
    ) -> Result<G1Affine, VerifyError> {
        let point = match column {
            Committed::Zero => Some(G1Affine::identity()),
            Committed::Identity => Some(*identity),
            Committed::Consent => self.consents.get(version).map(|consent| consent.commitment.point()),
            _ => self.commitment(column).map(|commitment| commitment.point()),
        };
        point.ok_or_else(|| {
            VerifyError::malformed("table", "does not have a column or consent version that is asked for")
        })
    }
}

impl Dataset {
    /// A dataset of these tables.
    ///
    /// # Errors
    /// No table, two of one name, or no mode.
    pub fn new(
        tables: Vec<TableRecord>,
        plan: Vec<(String, Query)>,
        modes: Vec<Mode>,
    ) -> Result<Self, VerifyError> {
        let twice = |table: &TableRecord| {
            tables.iter().filter(|other| other.name().eq_ignore_ascii_case(table.name())).count() > 1
        };
        if tables.is_empty() || tables.iter().any(twice) {
            return Err(VerifyError::malformed("tables", "must be at least one, and have different names"));
        }
        let ascending = modes.iter().zip(modes.iter().skip(1)).all(|(mode, next)| mode < next);
        if modes.is_empty() || !ascending {
            return Err(VerifyError::malformed("modes", "must be `exact`, `plan` or both, in this order"));
        }
        let plan = plan.into_iter().map(|(name, query)| {
            let table = tables.iter().find(|table| table.name() == name);
            let table =
                table.ok_or_else(|| VerifyError::malformed("plan", "names a table that is not there"))?;
            let digest = query.digest(table.digest());
            Ok::<_, VerifyError>(PlannedQuery { table: name, query, digest })
        });
        let plan = plan.collect::<Result<Vec<_>, _>>()?;
        let start = Words::of("nightingale.cohort.dataset.1").number(count(&tables));
        let start = start.words(tables.iter().map(TableRecord::digest)).number(count(&modes));
        let start = modes.iter().fold(start, |words, mode| words.number(u128::from(mode_number(*mode))));
        let digest = start.number(count(&plan)).words(plan.iter().map(|planned| &planned.digest)).finish();
        Ok(Self { tables, plan, modes, digest })
    }

    /// Its digest: tables, modes and plan. Consents come in versions and stand apart.
    #[must_use]
    pub const fn digest(&self) -> &Keccak {
        &self.digest
    }

    /// Its tables.
    #[must_use]
    pub fn tables(&self) -> &[TableRecord] {
        &self.tables
    }

    /// Its tables, to add proofs and consent versions.
    #[must_use]
    pub fn tables_mut(&mut self) -> &mut [TableRecord] {
        &mut self.tables
    }

    /// The table with this name; case does not matter.
    ///
    /// # Errors
    /// There is none.
    pub fn table(&self, name: &str) -> Result<&TableRecord, VerifyError> {
        let found = self.tables.iter().find(|table| table.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            VerifyError::Cohort(format!("table {name} is not in the dataset; it has {}", self.names()))
        })
    }

    fn names(&self) -> String {
        self.tables.iter().map(TableRecord::name).collect::<Vec<_>>().join(", ")
    }

    /// What researchers may ask.
    #[must_use]
    pub fn plan(&self) -> &[PlannedQuery] {
        &self.plan
    }

    /// How it may be asked.
    #[must_use]
    pub fn modes(&self) -> &[Mode] {
        &self.modes
    }

    /// The file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let file = DatasetFile {
            format: FORMAT.to_owned(),
            digest: to_hex(&self.digest),
            modes: self.modes.iter().map(|mode| mode.name().to_owned()).collect(),
            plan: self.plan.iter().filter_map(|planned| self.planned_file(planned)).collect(),
            tables: self.tables.iter().map(TableFile::new).collect(),
        };
        // Strings, lists and objects with text keys: there is nothing that JSON cannot hold.
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        text
    }

    fn planned_file(&self, planned: &PlannedQuery) -> Option<PlannedFile> {
        let table = self.tables.iter().find(|table| table.name() == planned.table)?;
        let query = QueryFile::new(table.schema(), &planned.query);
        Some(PlannedFile { table: planned.table.clone(), query, digest: to_hex(&planned.digest) })
    }

    /// Reads the file.
    ///
    /// # Errors
    /// Names the first element that is wrong, a digest that is not that of its content among them.
    pub fn from_json(bytes: &[u8]) -> Result<Self, VerifyError> {
        let unreadable = |problem: String| VerifyError::Unreadable { what: "dataset file", problem };
        let file: DatasetFile = serde_json::from_slice(bytes).map_err(|e| unreadable(e.to_string()))?;
        if file.format != FORMAT {
            return Err(unreadable(format!("its format is not `{FORMAT}`")));
        }
        let tables = file.tables.iter().map(TableFile::record).collect::<Result<Vec<_>, _>>()?;
        let plan = file.plan.iter().map(|planned| {
            let table = tables.iter().find(|table| table.name() == planned.table);
            let table =
                table.ok_or_else(|| VerifyError::malformed("plan", "names a table that is not there"))?;
            Ok::<_, VerifyError>((planned.table.clone(), planned.query.query(table.schema())?))
        });
        let plan = plan.collect::<Result<Vec<_>, _>>()?;
        let modes = file.modes.iter().map(|mode| mode_from_name(mode)).collect::<Result<Vec<_>, _>>()?;
        let dataset = Self::new(tables, plan, modes)?;
        let digests = file.plan.iter().map(|planned| planned.digest.clone());
        if !digests.eq(dataset.plan.iter().map(|planned| to_hex(&planned.digest))) {
            return Err(VerifyError::malformed("plan", "has a digest that is not its query's"));
        }
        if file.digest != to_hex(&dataset.digest) {
            return Err(VerifyError::malformed("digest", "is not that of the dataset's content"));
        }
        Ok(dataset)
    }
}

/// A length in a digest.
fn count<T>(list: &[T]) -> u128 {
    u128::try_from(list.len()).unwrap_or(u128::MAX)
}

/// A mode in digests: 1 exact, 2 plan.
pub(crate) const fn mode_number(mode: Mode) -> u8 {
    match mode {
        Mode::Exact => 1,
        Mode::Plan => 2,
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DatasetFile {
    format: String,
    digest: String,
    modes: Vec<String>,
    plan: Vec<PlannedFile>,
    tables: Vec<TableFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlannedFile {
    table: String,
    query: QueryFile,
    digest: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFile {
    digest: String,
    k: u32,
    rows: usize,
    schema: SchemaFile,
    commitments: Vec<String>,
    proofs: Vec<LinkedProofFile>,
    consents: Vec<ConsentFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsentFile {
    commitment: String,
    frame: LinkedProofFile,
}

/// A [`LinkedProof`] in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkedProofFile {
    pub(crate) key_digest: String,
    pub(crate) proof: String,
    pub(crate) link: String,
}

impl LinkedProofFile {
    pub(crate) fn new(proof: &LinkedProof) -> Self {
        Self {
            key_digest: proof.key.to_string(),
            proof: bytes_to_hex(&proof.proof),
            link: bytes_to_hex(&proof.link.to_bytes()),
        }
    }

    pub(crate) fn proof(&self) -> Result<LinkedProof, VerifyError> {
        Ok(LinkedProof {
            key: self.key_digest.parse()?,
            proof: bytes_from_hex(&self.proof, "proof")?,
            link: Link::from_bytes(&bytes_from_hex(&self.link, "link")?)?,
        })
    }
}

/// `0x` and lower-case hexadecimal digits.
pub(crate) fn bytes_to_hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

pub(crate) fn bytes_from_hex(text: &str, element: &str) -> Result<Vec<u8>, VerifyError> {
    let bad = || VerifyError::malformed(element, "must be 0x and lower-case hexadecimal digits");
    let digits = text.strip_prefix("0x").ok_or_else(bad)?;
    if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(bad());
    }
    hex::decode(digits).map_err(|_| bad())
}

impl TableFile {
    fn new(table: &TableRecord) -> Self {
        let consent = |consent: &ConsentVersion| ConsentFile {
            commitment: consent.commitment.to_hex(),
            frame: LinkedProofFile::new(&consent.frame),
        };
        Self {
            digest: to_hex(&table.digest),
            k: table.size.k(),
            rows: table.rows,
            schema: SchemaFile::new(&table.schema),
            commitments: table.commitments.iter().map(Commitment::to_hex).collect(),
            proofs: table.proofs.iter().map(LinkedProofFile::new).collect(),
            consents: table.consents.iter().map(consent).collect(),
        }
    }

    fn record(&self) -> Result<TableRecord, VerifyError> {
        let commitments = self.commitments.iter().map(|text| Commitment::from_hex(text, "commitment"));
        let mut table = TableRecord::new(
            self.schema.schema()?,
            size_from_k(self.k)?,
            self.rows,
            commitments.collect::<Result<_, _>>()?,
        )?;
        if from_hex::<32>(&self.digest, "table.digest")? != table.digest {
            return Err(VerifyError::malformed(
                "table.digest",
                "is not that of the table's schema and commitments",
            ));
        }
        table.proofs = self.proofs.iter().map(LinkedProofFile::proof).collect::<Result<_, _>>()?;
        let consent = |file: &ConsentFile| {
            let commitment = Commitment::from_hex(&file.commitment, "consent")?;
            Ok::<_, VerifyError>(ConsentVersion { commitment, frame: file.frame.proof()? })
        };
        table.consents = self.consents.iter().map(consent).collect::<Result<_, _>>()?;
        if table.consents.is_empty() {
            return Err(VerifyError::malformed("table.consents", "must hold at least the first version"));
        }
        Ok(table)
    }
}
