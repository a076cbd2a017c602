//! Cohort statistics as the contracts are told of them: a table with its plan, its consents, and proven answers.
//!
//! Only narrow queries asked in mode `plan` go on-chain. What cannot go there is refused here, before anything is paid for. Nothing
//! is verified here: `nightingale_verifier::cohort` does that, for a registration and for an answer.

mod answer;
mod registration;
mod words;

pub use answer::answer;
pub use registration::{
    LeftOut, LeftOutReason, TableRegistration, confirm_consents, publish_consents, registration,
};
pub use words::{query_words, schema_words};

use crate::{Error, artefacts};
use alloy_primitives::{Address, U256};
use nightingale_circuits::cohort::Size;
use nightingale_verifier::cohort::{Commitment, ConsentVersion, TableRecord, Venue};

/// Where an answer has to be proven for, so that this log takes it.
#[must_use]
pub fn venue(chain_id: u64, log: Address) -> Venue {
    Venue { chain_id, contract: nightingale_circuits::claim::Address(log.into_array()) }
}

/// There is a generated verifier for tables of this size.
fn require_verifier(size: Size) -> Result<(), Error> {
    if artefacts::NARROW_SIZES.contains(&size.k()) {
        Ok(())
    } else {
        Err(Error::SizeWithoutVerifier { k: size.k() })
    }
}

fn consent(table: &TableRecord, version: usize) -> Result<&ConsentVersion, Error> {
    table.consents.get(version).ok_or_else(|| Error::ConsentVersionUnknown {
        table: table.name().to_owned(),
        version,
        versions: table.consents.len(),
    })
}

fn point(commitment: &Commitment) -> [U256; 2] {
    commitment.words().map(U256::from_be_bytes)
}
