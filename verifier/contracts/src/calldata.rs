//! What contracts are sent: keys as constants, proofs as entries, endorsements, whole settlements, and cohort statistics.
//!
//! All words are big-endian; G2 points put the imaginary part first, as the precompiles want it.

mod claim;
pub mod cohort;
mod endorsement;
mod groth16;

pub use claim::{FIXED_INPUTS, PublicInputs};
pub use endorsement::{Endorsement, claim_digest};
pub use groth16::{constants, entry, verifier_creation_code};

use crate::bindings::{ClaimSettlement, Group};
use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::SolCall;
use ark_bn254::Fr;
use ark_ff::{BigInteger, PrimeField};

/// A field element as a word.
#[must_use]
pub fn word(element: Fr) -> B256 {
    let mut word = B256::ZERO;
    word.0.copy_from_slice(&element.into_bigint().to_bytes_be());
    word
}

/// Where claims are settled, as an epoch root binds it: chain id times 2^160 plus the settlement contract's address.
#[must_use]
pub fn venue(chain_id: u64, settlement: Address) -> Fr {
    let mut bytes = [0; 32];
    bytes[4..12].copy_from_slice(&chain_id.to_be_bytes());
    bytes[12..].copy_from_slice(settlement.as_slice());
    Fr::from_be_bytes_mod_order(&bytes)
}

/// A group of proofs under one key: each proof's [`entry`] with its payee's endorsement.
#[must_use]
pub fn group(key: B256, claims: &[(Vec<u8>, Endorsement)]) -> Group {
    let entries: Vec<u8> = claims.iter().flat_map(|(entry, _)| entry.iter().copied()).collect();
    let endorsements: Vec<u8> = claims.iter().flat_map(|(_, endorsement)| endorsement.to_bytes()).collect();
    Group { key, entries: entries.into(), endorsements: endorsements.into() }
}

/// `ClaimSettlement.settle`.
#[must_use]
pub fn settle(groups: Vec<Group>) -> Bytes {
    ClaimSettlement::settleCall { groups }.abi_encode().into()
}
