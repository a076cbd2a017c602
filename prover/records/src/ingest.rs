//! What reading a stranger's file gives: claims, and for everything else why not.
//!
//! One bad claim never costs the others in its file. Every refusal names its element and says what was expected;
//! none repeats what the element holds.

use crate::{
    ClaimFile,
    claim_file::ClaimDocument,
    notation::{DecimalError, FOREIGN, is_foreign},
};
use nightingale_circuits::claim::types::{MAX_DIAGNOSES, MAX_LINES, MAX_POINTERS, MODIFIERS};
use serde::Serialize;
use std::{collections::BTreeMap, fmt};
use zeroize::Zeroizing;

/// Why a claim, or a file, gives none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The element is not of the form that its standard asks for.
    Malformed {
        /// What was expected.
        expected: String,
    },
    /// The element is absent and nothing stands for it.
    Missing {
        /// What must be there.
        needed: &'static str,
    },
    /// Sound, but not something that is adjudicated here.
    Unsupported {
        /// What it is.
        what: String,
    },
    /// A reference that leads nowhere in this file.
    Unresolved,
    /// Several values where the statement has room for one.
    Ambiguous {
        /// What there is more than one of.
        what: &'static str,
    },
    /// An amount below zero.
    NegativeAmount,
    /// An amount with more than two decimals.
    FractionalCents,
    /// An amount above 2^32 - 1 cents.
    AmountTooLarge,
    /// More service lines than can be proven.
    TooManyLines,
    /// More diagnoses than can be proven.
    TooManyDiagnoses,
    /// More diagnoses on one line than can be proven.
    TooManyPointers,
    /// More modifiers on one line than can be proven.
    TooManyModifiers,
    /// The lines' charges do not add up to the claim's total.
    OutOfBalance,
    /// The file ends before the element is complete.
    Truncated,
}

impl Defect {
    /// What refusals are counted by.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "malformed",
            Self::Missing { .. } => "missing",
            Self::Unsupported { .. } => "unsupported",
            Self::Unresolved => "unresolved",
            Self::Ambiguous { .. } => "ambiguous",
            Self::NegativeAmount => "negative-amount",
            Self::FractionalCents => "fractional-cents",
            Self::AmountTooLarge => "amount-too-large",
            Self::TooManyLines => "too-many-lines",
            Self::TooManyDiagnoses => "too-many-diagnoses",
            Self::TooManyPointers => "too-many-pointers",
            Self::TooManyModifiers => "too-many-modifiers",
            Self::OutOfBalance => "out-of-balance",
            Self::Truncated => "truncated",
        }
    }

    pub(crate) fn malformed(expected: impl Into<String>) -> Self {
        Self::Malformed { expected: expected.into() }
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into() }
    }
}

impl From<DecimalError> for Defect {
    fn from(error: DecimalError) -> Self {
        match error {
            DecimalError::Malformed => Self::malformed("a decimal number without an exponent"),
            DecimalError::Negative => Self::NegativeAmount,
            DecimalError::TooFine => Self::FractionalCents,
            DecimalError::TooLarge => Self::AmountTooLarge,
        }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { expected } => write!(f, "expected {expected}"),
            Self::Missing { needed } => write!(f, "missing: {needed}"),
            Self::Unsupported { what } => write!(f, "not supported: {what}"),
            Self::Unresolved => {
                f.write_str("the reference leads to nothing in this file; include what it names")
            }
            Self::Ambiguous { what } => {
                write!(f, "more than one {what}; split the claim so that each has one")
            }
            Self::NegativeAmount => f.write_str("negative amounts are not adjudicated"),
            Self::FractionalCents => f.write_str("more than two decimals; amounts are whole cents"),
            Self::AmountTooLarge => f.write_str("above 42949672.95, the largest amount of a line"),
            Self::TooManyLines => {
                write!(f, "more than {MAX_LINES} service lines can not be proven; split the claim")
            }
            Self::TooManyDiagnoses => {
                write!(f, "more than {MAX_DIAGNOSES} diagnoses can not be proven; split the claim")
            }
            Self::TooManyPointers => {
                write!(f, "more than {MAX_POINTERS} diagnoses on one line can not be proven")
            }
            Self::TooManyModifiers => {
                write!(f, "more than {MODIFIERS} modifiers on one line can not be proven")
            }
            Self::OutOfBalance => f.write_str("is not the sum of the lines' charges"),
            Self::Truncated => f.write_str("the file ends before this is complete; send it whole"),
        }
    }
}

/// A claim, and where it was found.
#[derive(Clone)]
pub struct Found {
    /// The file.
    pub file: String,
    /// The claim.
    pub claim: ClaimFile,
}

/// Something that gave no claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The file.
    pub file: String,
    /// The element, in the standard's own terms: `Claim/123.item[2].net.value`, `0021/26463774 2400[2] SV1-02`.
    pub element: String,
    /// What is wrong with it.
    pub defect: Defect,
}

/// What one file, or several, gave.
#[derive(Clone, Default)]
pub struct Ingested {
    /// How many files were read.
    pub files: usize,
    /// Claims, in the order of the files.
    pub claims: Vec<Found>,
    /// What was refused, likewise.
    pub refused: Vec<Refused>,
}

impl Ingested {
    /// Adds what another file gave.
    pub fn merge(&mut self, other: Self) {
        self.files += other.files;
        self.claims.extend(other.claims);
        self.refused.extend(other.refused);
    }

    /// How often each kind of defect was met.
    #[must_use]
    pub fn refused_by_kind(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for refused in &self.refused {
            *counts.entry(refused.defect.kind()).or_default() += 1;
        }
        counts
    }

    /// The report as JSON, each claim in its claim-file form; the schema is `schemas/ingest.json`.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        let claims = self.claims.iter().map(|found| ClaimReport {
            file: &found.file,
            id: &found.claim.id,
            lines: found.claim.lines.len(),
            charge_cents: found.claim.charge_cents(),
            claim: ClaimDocument::of_file(&found.claim),
        });
        let refused = self.refused.iter().map(|refused| RefusalReport {
            file: &refused.file,
            element: &refused.element,
            kind: refused.defect.kind(),
            reason: refused.defect.to_string(),
        });
        crate::json::write(&Report {
            files: self.files,
            claims: claims.collect(),
            refused: refused.collect(),
            refused_by_kind: self.refused_by_kind(),
        })
    }
}

#[derive(Serialize)]
struct Report<'a> {
    files: usize,
    claims: Vec<ClaimReport<'a>>,
    refused: Vec<RefusalReport<'a>>,
    refused_by_kind: BTreeMap<&'static str, usize>,
}

#[derive(Serialize)]
struct ClaimReport<'a> {
    file: &'a str,
    id: &'a str,
    lines: usize,
    charge_cents: u64,
    claim: ClaimDocument,
}

#[derive(Serialize)]
struct RefusalReport<'a> {
    file: &'a str,
    element: &'a str,
    kind: &'static str,
    reason: String,
}

/// A claim of a stranger's file, where everybody in it is named as strangers may ([`is_foreign`]).
pub(crate) fn named(claim: ClaimFile) -> Result<ClaimFile, Fault> {
    let names = [
        ("patient", Some(&claim.patient)),
        ("coverage", Some(&claim.coverage)),
        ("billing", Some(&claim.billing)),
        ("rendering", Some(&claim.rendering)),
        ("insurer", claim.insurer.as_ref()),
        ("authorisation", claim.authorisation.as_ref()),
    ];
    for (element, name) in names {
        name.map_or(Ok(()), |name| foreign(element, name))?;
    }
    Ok(claim)
}

/// Refuses an element that names somebody as strangers may not.
pub(crate) fn foreign(element: &str, name: &str) -> Result<(), Fault> {
    if is_foreign(name) { Ok(()) } else { Err(Fault::new(element, Defect::malformed(FOREIGN))) }
}

/// An element and what is wrong with it, on the way up to where the file is known.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) element: String,
    pub(crate) defect: Defect,
}

impl Fault {
    pub(crate) fn new(element: impl Into<String>, defect: Defect) -> Self {
        Self { element: element.into(), defect }
    }

    /// The same, with its element continued to the left.
    pub(crate) fn within(self, parent: &str, separator: char) -> Self {
        Self { element: format!("{parent}{separator}{}", self.element), ..self }
    }
}
