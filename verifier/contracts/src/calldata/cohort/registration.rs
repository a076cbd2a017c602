//! A table as the registry is told of it, once; and its later consents.

use super::{consent, point, query_words, require_verifier, schema_words};
use crate::{
    Error,
    bindings::{
        DatasetRegistration,
        Registry::{confirmDatasetConsentsCall, publishDatasetConsentsCall, registerDatasetCall},
    },
};
use alloy_primitives::{Address, B256, U256};
use nightingale_circuits::cohort::{Class, Mode, columns::committed};
use nightingale_verifier::cohort::{Dataset, PlannedQuery, TableRecord, check_researcher, verify_sponsor};

/// A table's registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRegistration {
    /// The table's digest, which the registry computes from the rest.
    pub table: B256,
    /// What the registrar sends to the registry.
    pub call: registerDatasetCall,
    /// The digests of the queries that may be asked on-chain, in the order of the call's plan.
    pub planned: Vec<B256>,
    /// The queries of the dataset's plan about this table that cannot be logged on-chain.
    pub left_out: Vec<LeftOut>,
}

/// A query that cannot be logged on-chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its digest.
    pub query: B256,
    /// Why not.
    pub reason: LeftOutReason,
}

/// Why a query of a plan cannot be logged on-chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeftOutReason {
    /// Contracts verify the narrow class only.
    #[error(
        "it is not narrow: at most one condition, one value column, one group column of 15 codes. Answer it off-chain"
    )]
    NotNarrow,
    /// It tells a researcher more than counts do, so that every verifier refuses its answer.
    #[error("{0}")]
    NotForResearchers(String),
}

/// The registration of a table of a dataset, with those queries of the plan that can be logged on-chain.
///
/// The registrar has to verify the dataset before, with `nightingale_verifier::cohort::verify_registration`: the registry believes
/// that somebody did.
///
/// # Errors
/// What cannot be registered on-chain: a table of a size for which there is no verifier, one without consents, one of whose
/// queries none can be logged. A dataset without a sponsor, of another one, or without their signatures.
pub fn registration(dataset: &Dataset, table: &str, sponsor: Address) -> Result<TableRegistration, Error> {
    let table = dataset.table(table)?;
    if sponsor.is_zero() {
        return Err(Error::SponsorMissing);
    }
    if dataset.sponsor().is_none() {
        return Err(Error::DatasetUnsigned);
    }
    verify_sponsor(dataset, Some(nightingale_circuits::claim::Address(sponsor.into_array())))?;
    require_verifier(table.size())?;
    let about = || dataset.plan().iter().filter(|planned| planned.table == table.name());
    let nothing = |problem| Err(Error::NothingToLog { table: table.name().to_owned(), problem });
    if !dataset.modes().contains(&Mode::Plan) {
        return nothing("the dataset is registered without mode `plan`");
    }
    let left_out: Vec<LeftOut> = about().filter_map(|planned| left_out(table, planned)).collect();
    let planned: Vec<&PlannedQuery> =
        about().filter(|planned| left_out.iter().all(|left| left.query != planned.digest)).collect();
    if planned.is_empty() {
        return nothing("no query of its plan is narrow and fit for researchers");
    }
    let given = DatasetRegistration {
        sponsor,
        k: u8::try_from(table.size().k()).unwrap_or(u8::MAX),
        rows: u32::try_from(table.rows()).unwrap_or(u32::MAX),
        schema: schema_words(table.schema()),
        commitments: commitments(table)?,
        consent: point(&consent(table, 0)?.commitment),
        plan: planned.iter().map(|planned| query_words(&planned.query)).collect(),
    };
    Ok(TableRegistration {
        table: B256::from(*table.digest()),
        call: registerDatasetCall { given },
        planned: planned.iter().map(|planned| B256::from(planned.digest)).collect(),
        left_out,
    })
}

fn left_out(table: &TableRecord, planned: &PlannedQuery) -> Option<LeftOut> {
    let reason = if planned.query.class(table.schema()) == Class::Narrow {
        LeftOutReason::NotForResearchers(check_researcher(table.schema(), &planned.query).err()?.to_string())
    } else {
        LeftOutReason::NotNarrow
    };
    Some(LeftOut { query: B256::from(planned.digest), reason })
}

fn commitments(table: &TableRecord) -> Result<Vec<U256>, Error> {
    let columns = committed(table.schema(), table.size().layout());
    let points = columns.into_iter().map(|column| {
        let missing = || Error::Dataset(format!("table {} lacks a commitment", table.name()));
        table.commitment(column).as_ref().map(point).ok_or_else(missing)
    });
    Ok(points.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// What the sponsor sends to the registry when it has new consents: versions in order, from 1 on. The first stand in the
/// registration.
///
/// # Errors
/// The table has no consents of this version, or it is the first.
pub fn publish_consents(table: &TableRecord, version: usize) -> Result<publishDatasetConsentsCall, Error> {
    if version == 0 {
        return Err(Error::FirstConsents { table: table.name().to_owned() });
    }
    Ok(publishDatasetConsentsCall {
        table: B256::from(*table.digest()),
        version: U256::from(version),
        consent: point(&consent(table, version)?.commitment),
    })
}

/// What the registrar sends to the registry when the sponsor has published new consents: under these, answers are logged from then on. The
/// registrar has to verify the dataset before, as for [`registration`].
///
/// # Errors
/// The table has no consents of this version, or it is the first.
pub fn confirm_consents(table: &TableRecord, version: usize) -> Result<confirmDatasetConsentsCall, Error> {
    let publishDatasetConsentsCall { table, version, consent } = publish_consents(table, version)?;
    Ok(confirmDatasetConsentsCall { table, version, consent })
}
