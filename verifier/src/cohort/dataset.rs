//! The public half of a registration, `dataset.json`: schemas, commitments, consent versions, proofs, and the plan.
//!
//! Reading it checks every digest in it against what it stands for; [`super::verify_registration`] checks proofs and signatures.

mod file;

pub(crate) use file::{bytes_from_hex, bytes_to_hex};

use super::{Commitment, Link, signature::Signature};
use crate::{KeyDigest, VerifyError};
use halo2_proofs::halo2curves::{bn256::G1Affine, group::prime::PrimeCurveAffine};
use nightingale_circuits::{
    claim::Address,
    cohort::{
        Committed, Keccak, Mode, Query, Schema, Size, columns::committed, digest::Words,
        table::TableDigestParts,
    },
};
use std::collections::{HashMap, HashSet};

/// A registered dataset, as everybody sees it.
#[derive(Clone)]
pub struct Dataset {
    tables: Vec<TableRecord>,
    plan: Vec<PlannedQuery>,
    modes: Vec<Mode>,
    digest: Keccak,
    pub(super) sponsor: Option<Sponsor>,
}

/// Who answers for a dataset: its tables name the account in their digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sponsor {
    /// The account: an Ethereum address, the one that publishes consents on-chain.
    pub address: Address,
    /// Of the dataset's digest; `None` until the sponsor has signed.
    pub signature: Option<Signature>,
}

/// A registered table.
#[derive(Clone)]
pub struct TableRecord {
    schema: Schema,
    size: Size,
    rows: usize,
    sponsor: Option<Address>,
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
    /// The sponsor's, where the tables name one.
    pub signature: Option<Signature>,
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
    /// A table's record without proofs. Its digest, and with it every proof about it, names the sponsor.
    ///
    /// # Errors
    /// Another number of commitments than the schema's columns need, or of rows than the size holds.
    pub fn new(
        schema: Schema,
        size: Size,
        rows: usize,
        commitments: Vec<Commitment>,
        sponsor: Option<Address>,
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
        let digest = TableDigestParts {
            schema: schema.digest(),
            k: size.k(),
            rows,
            sponsor: sponsor.unwrap_or(NOBODY),
            commitments: &words,
        }
        .digest();
        Ok(Self {
            schema,
            size,
            rows,
            sponsor: sponsor.filter(|sponsor| *sponsor != NOBODY),
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

    /// Counts below this are hidden in a mode: one threshold a mode, since answers under two tell what either hides.
    #[must_use]
    pub const fn threshold(&self, mode: Mode) -> u32 {
        match mode {
            Mode::Exact => 1,
            Mode::Plan => self.schema.threshold(),
        }
    }

    /// The number of rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Who answers for it, if anybody.
    #[must_use]
    pub const fn sponsor(&self) -> Option<Address> {
        self.sponsor
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
    /// The most queries of a plan. The registry keeps a word for each query, so that the plan of a table fits one transaction.
    pub const MOST_PLANNED: usize = 1024;

    /// A dataset of these tables, which nobody has signed yet.
    ///
    /// # Errors
    /// No table, two of one name, tables of several sponsors, or no mode; a plan that is too long, or has a query twice.
    pub fn new(
        tables: Vec<TableRecord>,
        plan: Vec<(String, Query)>,
        modes: Vec<Mode>,
    ) -> Result<Self, VerifyError> {
        check_plan_length(plan.len())?;
        let names: HashSet<String> = tables.iter().map(|table| table.name().to_ascii_lowercase()).collect();
        if tables.is_empty() || names.len() < tables.len() {
            return Err(VerifyError::malformed("tables", "must be at least one, and have different names"));
        }
        let sponsor = tables.first().and_then(TableRecord::sponsor);
        if tables.iter().any(|table| table.sponsor != sponsor) {
            return Err(VerifyError::malformed("tables", "must all be of one sponsor"));
        }
        let ascending = modes.iter().zip(modes.iter().skip(1)).all(|(mode, next)| mode < next);
        if modes.is_empty() || !ascending {
            return Err(VerifyError::malformed("modes", "must be `exact`, `plan` or both, in this order"));
        }
        let by_name = by_name(&tables);
        let plan = plan.into_iter().map(|(name, query)| {
            let digest = query.digest(planned_table(&by_name, &name)?.digest());
            Ok::<_, VerifyError>(PlannedQuery { table: name, query, digest })
        });
        let plan = plan.collect::<Result<Vec<_>, _>>()?;
        let different: HashSet<&Keccak> = plan.iter().map(|planned| &planned.digest).collect();
        if different.len() < plan.len() {
            return Err(VerifyError::malformed("plan", "must have each query once"));
        }
        let start = Words::of("nightingale.cohort.dataset.1").number(count(&tables));
        let start = start.words(tables.iter().map(TableRecord::digest)).number(count(&modes));
        let start = modes.iter().fold(start, |words, mode| words.number(u128::from(mode_number(*mode))));
        let digest = start.number(count(&plan)).words(plan.iter().map(|planned| &planned.digest)).finish();
        let sponsor = sponsor.map(|address| Sponsor { address, signature: None });
        Ok(Self { tables, plan, modes, digest, sponsor })
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

    /// Who answers for it, if anybody; [`super::verify_sponsor`] says whether they signed.
    #[must_use]
    pub const fn sponsor(&self) -> Option<Sponsor> {
        self.sponsor
    }
}

/// Before any query of the plan is looked at: a plan from a stranger's file may be of any length.
fn check_plan_length(queries: usize) -> Result<(), VerifyError> {
    if queries <= Dataset::MOST_PLANNED {
        return Ok(());
    }
    Err(VerifyError::malformed(
        "plan",
        "must have at most 1,024 queries; register another dataset for the others",
    ))
}

fn by_name(tables: &[TableRecord]) -> HashMap<&str, &TableRecord> {
    tables.iter().map(|table| (table.name(), table)).collect()
}

fn planned_table<'a>(
    tables: &HashMap<&str, &'a TableRecord>,
    name: &str,
) -> Result<&'a TableRecord, VerifyError> {
    let found = tables.get(name).copied();
    found.ok_or_else(|| VerifyError::malformed("plan", "names a table that is not there"))
}

/// What a table's digest holds where nobody answers for it.
const NOBODY: Address = Address([0; 20]);

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
