//! Statements about a small trial, proven for real: what the fixture is made of.
//!
//! The columns are committed here and not by the prover's registration, so that a test may commit to what no registration
//! would accept.

use anyhow::{Context, Result, ensure};
use halo2_proofs::halo2curves::{
    bn256::{Fr, G1Affine},
    ff::PrimeField,
    group::prime::PrimeCurveAffine,
};
use nightingale_circuits::{
    claim::Address,
    cohort::{
        Cell, Class, Column, Committed, Interval, Keccak, Kind, Layout, Query, QueryCircuit, Schema, Size,
        Table, Term, Unit,
        columns::{committed, values},
        digest::Words,
        instances::instances,
        slots::sources,
        table::TableDigestParts,
    },
};
use nightingale_prover::cohort::{
    CohortKeyStore, CohortProvingKey, Step,
    commit::Salt,
    prove::{Column as Linked, prove},
};
use nightingale_verifier::cohort::{
    CircuitName, LinkedProof,
    point::{point_to_words, scalar_to_word},
};
use std::{
    ops::ControlFlow,
    sync::{Arc, OnceLock},
};

const SUBJECTS: u32 = 400;
/// The slot of the value.
const VALUE: usize = 3;
pub(crate) const LAYOUT: Layout = Size::Small.layout();

pub(crate) fn go(_: Step) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The proving key of the narrow class, made once.
pub(crate) fn key() -> Result<&'static CohortProvingKey> {
    static KEY: OnceLock<Arc<CohortProvingKey>> = OnceLock::new();
    if let Some(key) = KEY.get() {
        return Ok(key);
    }
    let folder = super::super::tools::contracts().join("../../target/development-keys/cohort");
    let setup = CohortKeyStore::development(folder)?.setup(Size::Small, &mut go)?;
    let key = CohortProvingKey::of_circuit(CircuitName::Query(Class::Narrow), setup)?;
    Ok(KEY.get_or_init(|| Arc::new(key)))
}

/// Subject, arm, age, dose (so fine that it needs a dictionary), site (15 of them, so that there are 16 cells).
pub(crate) fn schema() -> Result<Schema> {
    let column = |name: &str, kind| Column { name: name.to_owned(), kind };
    let category = |words: Vec<String>| Kind::Category { dictionary: words };
    let columns = vec![
        column("USUBJID", Kind::Key { count: SUBJECTS }),
        column("ARM", category(["Placebo", "Low", "High"].map(str::to_owned).to_vec())),
        column("AGE", Kind::Integer { minimum: 18, maximum: 90, scale: 0 }),
        column("DOSE", Kind::Integer { minimum: -500_000, maximum: 1_000_000, scale: 2 }),
        column("SITE", category((1..=15).map(|site| format!("Site {site}")).collect())),
        column("RFSTDTC", Kind::Date { minimum: 15_000, maximum: 16_000 }),
    ];
    Ok(Schema::new("adsl".to_owned(), columns, 0, Unit::Subject, 11)?)
}

/// A committed table: values and commitments, with salt.
pub(crate) struct Sponsor {
    pub(crate) table: Table,
    columns: Vec<(Committed, Linked)>,
    consents: Vec<(Table, Linked)>,
}

/// Numbers that look random and never change.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u32) -> Result<u32> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Ok(u32::try_from((self.0 >> 33) % u64::from(bound))?)
    }
}

fn codes(seed: u64, revoked: u32) -> Result<Table> {
    let mut numbers = Numbers(seed);
    let mut columns = vec![Vec::new(); 6];
    for subject in 1..=SUBJECTS {
        let age = if numbers.below(20)? == 0 { 0 } else { 1 + numbers.below(73)? };
        let dose = if numbers.below(10)? == 0 { 0 } else { 1 + numbers.below(1_500_001)? };
        let (arm, site, day) = (1 + numbers.below(3)?, 1 + numbers.below(15)?, 1 + numbers.below(1001)?);
        columns
            .iter_mut()
            .zip([subject, arm, age, dose, site, day])
            .for_each(|(column, code)| column.push(code));
    }
    let consent = (0..SUBJECTS).map(|subject| subject % 17 >= revoked).collect();
    Ok(Table::new(schema()?, columns, consent)?)
}

impl Sponsor {
    /// A table from a seed, with two versions of the consents.
    pub(crate) fn new(seed: u64) -> Result<Self> {
        let table = codes(seed, 1)?;
        let list = committed(table.schema(), LAYOUT);
        let columns = list
            .into_iter()
            .map(|column| Ok((column, commit(&values(&table, LAYOUT, column))?)))
            .collect::<Result<Vec<_>>>()?;
        let consents = [1, 3]
            .into_iter()
            .map(|revoked| {
                let table = codes(seed, revoked)?;
                let linked = commit(&values(&table, LAYOUT, Committed::Consent))?;
                Ok((table, linked))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { table, columns, consents })
    }

    /// The commitments of all columns, as the digest takes them.
    pub(crate) fn commitments(&self) -> Vec<[Keccak; 2]> {
        self.columns.iter().map(|(_, column)| point_to_words(&column.commitment)).collect()
    }

    pub(crate) fn consents(&self) -> Vec<[Keccak; 2]> {
        self.consents.iter().map(|(_, column)| point_to_words(&column.commitment)).collect()
    }

    pub(crate) fn digest(&self) -> Keccak {
        TableDigestParts {
            schema: self.table.schema().digest(),
            k: LAYOUT.k,
            rows: self.table.rows(),
            sponsor: super::world::sponsor(),
            commitments: &self.commitments(),
        }
        .digest()
    }

    fn linked(&self, source: Committed, version: usize) -> Result<Linked> {
        let copy = |column: &Linked| Linked { commitment: column.commitment, salt: column.salt.clone() };
        Ok(match source {
            Committed::Zero => Linked { commitment: G1Affine::identity(), salt: Salt::none() },
            Committed::Identity => Linked { commitment: key()?.srs().points().identity, salt: Salt::none() },
            Committed::Consent => copy(&self.consents.get(version).context("version")?.1),
            _ => copy(&self.columns.iter().find(|(column, _)| *column == source).context("column")?.1),
        })
    }
}

fn commit(records: &[u64]) -> Result<Linked> {
    let salt = Salt::random()?;
    Ok(Linked { commitment: key()?.srs().commit(records, &salt), salt })
}

/// What is proven, and for where.
#[derive(Clone)]
pub(crate) struct Statement {
    pub(crate) query: Query,
    pub(crate) version: usize,
    pub(crate) threshold: u32,
    pub(crate) mode: u8,
    pub(crate) chain: u64,
    pub(crate) contract: Address,
    /// Slots that hold something else than they should: the slot, and the value in each record row.
    pub(crate) smuggled: Option<(usize, u64)>,
}

/// A proven statement, as it is sent.
pub(crate) struct Proven {
    pub(crate) packed: Vec<Keccak>,
    pub(crate) instances: Vec<Keccak>,
    pub(crate) proof: Vec<u8>,
    pub(crate) link: Vec<u8>,
    /// The commitments behind slots 1 to 5; zero for the identity and for nothing.
    pub(crate) columns: Vec<[Keccak; 2]>,
}

impl Statement {
    /// The link's context, written from the page.
    pub(crate) fn context(&self, sponsor: &Sponsor) -> Result<Keccak> {
        let mut contract = [0; 32];
        contract[12..].copy_from_slice(&self.contract.0);
        let consent = sponsor.consents().get(self.version).copied().context("version")?;
        Ok(Words::of("nightingale.cohort.context.1")
            .digest(&self.query.digest(&sponsor.digest()))
            .number(self.version as u128)
            .words(&consent)
            .number(u128::from(self.mode))
            .number(u128::from(self.threshold))
            .number(u128::from(self.chain))
            .digest(&contract)
            .finish())
    }

    pub(crate) fn prove(&self, sponsor: &Sponsor) -> Result<Proven> {
        let table = &sponsor.consents.get(self.version).context("version")?.0;
        let (schema, class) = (table.schema(), Class::Narrow);
        let (mut circuit, answer) = QueryCircuit::new(class, LAYOUT, &self.query, table, self.threshold)?;
        let mut inputs =
            instances(class, schema, &self.query, self.threshold, &answer).context("instances")?;
        let list = sources(class, LAYOUT, schema, &self.query);
        let mut linked =
            list.iter().map(|source| sponsor.linked(*source, self.version)).collect::<Result<Vec<_>>>()?;
        if let Some((slot, value)) = self.smuggled {
            let mut slots: Vec<Vec<u64>> = list.iter().map(|source| values(table, LAYOUT, *source)).collect();
            let records = slots.get_mut(slot).context("slot")?;
            records.iter_mut().take(table.rows()).for_each(|record| *record = value);
            *linked.get_mut(slot).context("slot")? = commit(records)?;
            circuit = QueryCircuit::from_slots(class, LAYOUT, schema, &self.query, self.threshold, &slots)?;
            if slot == VALUE {
                // The figures of a value that nobody asked for: sum from bit 43, squares from bit 95.
                let count = answer.cells.first().and_then(Cell::figures).context("shown")?.count;
                let cell = inputs.first_mut().and_then(|column| column.first_mut()).context("cell")?;
                let power = |bits: u32| Fr::from_u128(1 << bits);
                *cell += Fr::from(value * count) * power(43) + Fr::from(value * value * count) * power(95);
            }
        }
        let LinkedProof { proof, link, .. } =
            prove(key()?, &circuit, &inputs, &linked, &self.context(sponsor)?, &mut go)?;
        let words: Vec<Keccak> = inputs.first().context("column")?.iter().map(scalar_to_word).collect();
        ensure!(words.len() == 26);
        let zero = [[0; 32]; 2];
        let columns = list.iter().zip(&linked).skip(1).take(5).map(|(source, linked)| match source {
            Committed::Identity => zero,
            _ => point_to_words(&linked.commitment),
        });
        Ok(Proven {
            packed: words.iter().take(self.query.cells(schema)).copied().collect(),
            instances: words.clone(),
            columns: columns.collect(),
            proof,
            link: link.to_bytes(),
        })
    }
}

pub(crate) fn term(column: usize, ranges: &[(u32, u32)]) -> Term {
    Term { column, intervals: ranges.iter().map(|&(low, high)| Interval { low, high }).collect() }
}

/// `SELECT ARM, COUNT(*), AVG(AGE) FROM adsl WHERE AGE >= 35 GROUP BY ARM`: 4 cells.
pub(crate) fn age_by_arm() -> Result<Query> {
    Ok(Query::new(&schema()?, vec![term(2, &[(18, 73)])], vec![2], vec![1])?)
}

/// A term on the wide column, with two ranges; 4 cells. The contracts take it; for researchers it is refused, since it sums what it filters.
pub(crate) fn dose_by_arm() -> Result<Query> {
    Ok(Query::new(&schema()?, vec![term(3, &[(1, 400_000), (900_000, 1_500_001)])], vec![3], vec![1])?)
}

/// 16 cells.
pub(crate) fn age_by_site() -> Result<Query> {
    Ok(Query::new(&schema()?, vec![term(2, &[(1, 73)])], vec![2], vec![4])?)
}

/// No term, no value, no group: one cell.
pub(crate) fn everybody() -> Result<Query> {
    Ok(Query::new(&schema()?, Vec::new(), Vec::new(), Vec::new())?)
}
