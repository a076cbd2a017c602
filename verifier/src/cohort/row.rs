//! One row, opened: what a patient or an auditor asks for. It shows the row's codes and consent and nothing of any other row.
//!
//! A KZG opening of all its columns at the row's point, batched. Ranks and dictionaries are not opened: a dictionary's entry
//! in this row belongs to somebody else. Flags follow from codes, by the registration.

use super::{
    CircuitName, CohortKeys, Commitment,
    dataset::{Dataset, TableRecord},
    key::root,
    point::reduce,
    signature::verify_sponsor,
    text,
    verify::{Expectation, check_consent},
};
use crate::{
    KeyKind, VerifyError,
    encoding::{from_hex, to_hex},
    json,
};
use halo2_proofs::{
    arithmetic::best_multiexp,
    halo2curves::{
        bn256::{Bn256, Fr, G1, G1Affine, G2Affine},
        ff::Field,
        group::Curve,
        pairing::{MillerLoopResult, MultiMillerLoop},
    },
};
use nightingale_circuits::cohort::{Committed, Keccak, Size, digest::Words, registration::Part};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const FORMAT: &str = "nightingale cohort row 1";

/// One opened row.
#[derive(Clone)]
pub struct RowProof {
    /// The dataset's digest.
    pub dataset: Keccak,
    /// The table's name.
    pub table: String,
    /// The record, from 0.
    pub row: usize,
    /// The version of the consents.
    pub consent_version: usize,
    /// Whether it may be used.
    pub consent: bool,
    /// The code of each column.
    pub codes: Vec<u32>,
    /// The opening.
    pub opening: Commitment,
}

/// The columns that a row opens, in order.
#[must_use]
pub fn opened(table: &TableRecord) -> Vec<Committed> {
    let codes = (0..table.schema().columns().len()).map(Committed::Codes);
    [Committed::Present, Committed::Consent].into_iter().chain(codes).collect()
}

impl RowProof {
    /// The values of [`opened`].
    #[must_use]
    pub fn values(&self) -> Vec<u64> {
        let codes = self.codes.iter().map(|&code| u64::from(code));
        [1, u64::from(self.consent)].into_iter().chain(codes).collect()
    }

    /// The factor between the columns, drawn after everything that is claimed.
    ///
    /// # Errors
    /// The table has no consents of this version.
    pub fn weight(&self, table: &TableRecord) -> Result<Fr, VerifyError> {
        let missing = || VerifyError::malformed("consent_version", "is not one of the table's");
        let consent = table.consents.get(self.consent_version).ok_or_else(missing)?;
        let number = |number: usize| u128::try_from(number).unwrap_or(u128::MAX);
        let words = Words::of("nightingale.cohort.row.1")
            .digest(table.digest())
            .words(&consent.commitment.words())
            .number(number(self.row));
        Ok(reduce(
            &self.values().into_iter().fold(words, |words, value| words.number(u128::from(value))).finish(),
        ))
    }

    /// The file.
    ///
    /// # Errors
    /// The dataset has no such table.
    pub fn to_json(&self, dataset: &Dataset) -> Result<String, VerifyError> {
        let table = dataset.table(&self.table)?;
        let columns = || table.schema().columns().iter().zip(&self.codes);
        let file = RowFile {
            format: FORMAT.to_owned(),
            dataset: to_hex(&self.dataset),
            table: self.table.clone(),
            row: self.row,
            consent_version: self.consent_version,
            consent: self.consent,
            codes: columns().map(|(column, code)| (column.name.clone(), *code)).collect(),
            values: columns()
                .map(|(column, code)| (column.name.clone(), text::value(column, *code)))
                .collect(),
            opening: self.opening.to_hex(),
        };
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        Ok(text)
    }

    /// Reads a file about this dataset.
    ///
    /// # Errors
    /// Names the first element that is wrong.
    pub fn from_json(bytes: &[u8], dataset: &Dataset) -> Result<Self, VerifyError> {
        let unreadable = |problem: String| VerifyError::Unreadable { what: "cohort row", problem };
        let file: RowFile = json::read(bytes).map_err(|error| unreadable(error.to_string()))?;
        if file.format != FORMAT {
            return Err(unreadable(format!("its format is not `{FORMAT}`")));
        }
        let table = dataset.table(&file.table)?;
        if table.name() != file.table {
            return Err(VerifyError::malformed("table", "must be spelled as in the dataset"));
        }
        let columns = table.schema().columns();
        let codes =
            columns.iter().map(|column| file.codes.get(&column.name).copied()).collect::<Option<Vec<_>>>();
        let codes =
            codes.ok_or_else(|| VerifyError::malformed("codes", "must name every column of the table"))?;
        let proof = Self {
            dataset: from_hex(&file.dataset, "dataset")?,
            table: file.table.clone(),
            row: file.row,
            consent_version: file.consent_version,
            consent: file.consent,
            codes,
            opening: Commitment::from_hex(&file.opening, "opening")?,
        };
        let values = columns
            .iter()
            .zip(&proof.codes)
            .map(|(column, code)| (column.name.clone(), text::value(column, *code)));
        if values.collect::<BTreeMap<_, _>>() != file.values || file.codes.len() != columns.len() {
            return Err(VerifyError::malformed("values", "are not what the codes stand for"));
        }
        Ok(proof)
    }
}

/// Verifies that a row of a registered table is this one. Of an [`Expectation`] it heeds consents, sponsor and whether development keys will do; a
/// row has no mode and no venue.
///
/// # Errors
/// It is not; the row is no record; the dataset is another one, or not as expected.
pub fn verify_row(
    dataset: &Dataset,
    proof: &RowProof,
    expectation: &Expectation,
    keys: &CohortKeys,
) -> Result<(), VerifyError> {
    if proof.dataset != *dataset.digest() {
        return Err(VerifyError::Context {
            what: "dataset",
            expected: to_hex(dataset.digest()),
            found: to_hex(&proof.dataset),
        });
    }
    if expectation.sponsor.is_some() {
        verify_sponsor(dataset, expectation.sponsor)?;
    }
    let table = dataset.table(&proof.table)?;
    check_consent(table, proof.consent_version, expectation.consent)?;
    if proof.row >= table.rows() {
        return Err(VerifyError::malformed("row", "is not a record of the table"));
    }
    if proof.codes.len() != table.schema().columns().len() {
        return Err(VerifyError::malformed("codes", "are not one for each column"));
    }
    let key = keys.key(CircuitName::Registration(Part::Frame), table.size())?;
    if expectation.production_only && key.kind() == KeyKind::Development {
        return Err(VerifyError::DevelopmentKey(key.digest()));
    }
    let weight = proof.weight(table)?;
    let columns = opened(table)
        .into_iter()
        .map(|column| table.source(column, proof.consent_version, &key.setup().identity))
        .collect::<Result<Vec<_>, _>>()?;
    let point = row_point(table.size(), proof.row)?;
    // e(sum w^i (D_i - v_i) + point * W, 1) = e(W, tau)
    let powers: Vec<Fr> =
        std::iter::successors(Some(Fr::ONE), |power| Some(*power * weight)).take(columns.len()).collect();
    let value: Fr = powers.iter().zip(proof.values()).map(|(power, value)| *power * Fr::from(value)).sum();
    let opening = proof.opening.point();
    let scalars: Vec<Fr> = powers.into_iter().chain([-value, point]).collect();
    let points: Vec<G1Affine> = columns.into_iter().chain([G1Affine::generator(), opening]).collect();
    let left: G1 = best_multiexp(&scalars, &points);
    let prepared = |point: G2Affine| <Bn256 as MultiMillerLoop>::G2Prepared::from(point);
    let (one, tau) = (prepared(G2Affine::generator()), prepared(key.setup().tau));
    let product =
        Bn256::multi_miller_loop(&[(&left.to_affine(), &one), (&-opening, &tau)]).final_exponentiation();
    if bool::from(halo2_proofs::halo2curves::group::Group::is_identity(&product)) {
        Ok(())
    } else {
        Err(VerifyError::Invalid)
    }
}

/// The point of the domain that stands for a record.
///
/// # Errors
/// The size has no such record.
pub fn row_point(size: Size, record: usize) -> Result<Fr, VerifyError> {
    let layout = size.layout();
    let exponent = u64::try_from(layout.row(record)).ok().filter(|_| record < layout.capacity());
    let exponent = exponent.ok_or_else(|| VerifyError::malformed("row", "is not a record row"))?;
    Ok(root(size.k()).pow_vartime([exponent]))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RowFile {
    format: String,
    dataset: String,
    table: String,
    row: usize,
    consent_version: usize,
    consent: bool,
    codes: BTreeMap<String, u32>,
    values: BTreeMap<String, Option<String>>,
    opening: String,
}
