//! The payee's signature of a claim, and the record that carries it.

use crate::PayerId;
use alloy_primitives::{Address, B256};
use alloy_sol_types::{SolStruct, eip712_domain};

mod typed {
    alloy_sol_types::sol! {
        struct Claim {
            uint96 payer;
            bytes32 claimCommitment;
            uint64 cents;
        }
    }
}

/// What an entry needs beside its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endorsement {
    /// Who is to pay.
    pub payer: PayerId,
    /// The consent authority whose root the proof names.
    pub authority: Address,
    /// The payee's signature of [`claim_digest`] in EIP-2098 form: r, then s with the parity in its top bit.
    pub signature: [u8; 64],
}

impl Endorsement {
    /// The record of 96 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 96] {
        let mut bytes = [0; 96];
        bytes[..20].copy_from_slice(self.authority.as_slice());
        bytes[20..32].copy_from_slice(&self.payer.to_be_bytes::<12>());
        bytes[32..].copy_from_slice(&self.signature);
        bytes
    }
}

/// What the payee signs: EIP-712 `Claim(uint96 payer,bytes32 claimCommitment,uint64 cents)`, bound to chain and contract. The amount is
/// what the proof pays: a claim may have several proofs, and the payee agrees to one amount.
#[must_use]
pub fn claim_digest(
    chain_id: u64,
    settlement: Address,
    payer: PayerId,
    claim_commitment: B256,
    cents: u64,
) -> B256 {
    let domain = eip712_domain! {
        name: "Nightingale",
        version: "1",
        chain_id: chain_id,
        verifying_contract: settlement,
    };
    typed::Claim { payer, claimCommitment: claim_commitment, cents }.eip712_signing_hash(&domain)
}
