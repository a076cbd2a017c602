//! The endorsement file: a payee's signature of one claim, with what has to be sent beside the proof.
//!
//! The payee signs EIP-712 `Claim(uint96 payer,bytes32 claimCommitment,uint64 cents)`, bound to chain and settlement contract: one amount,
//! that of the proof. The consent authority stands in the file because the transaction names it; it is not signed, the proof's root is what
//! counts.

use crate::{Account, PosterError, payer};
use alloy_primitives::{Address, B256, Bytes, Signature};
use nightingale_contracts::{
    PayerId,
    calldata::{self, Endorsement, claim_digest},
};
use nightingale_verifier::ClaimProof;
use serde::{Deserialize, Serialize};

const FORMAT: &str = "nightingale endorsement 2";

/// Signed without an amount: no contract takes it any more.
const WITHOUT_AMOUNT: &str = "nightingale endorsement 1";

/// The file's content. `docs/posting.md` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndorsementFile {
    format: String,
    /// The chain that the signature is for.
    pub chain_id: u64,
    /// The settlement contract that the signature is for.
    pub settlement: Address,
    payer: String,
    /// The claim.
    pub claim_commitment: B256,
    /// What the proof pays.
    pub cents: u64,
    /// Whose consent root the proof names.
    pub authority: Address,
    /// Who signed.
    pub payee: Address,
    signature: Bytes,
}

impl EndorsementFile {
    /// Signs a proof's claim as its payee.
    ///
    /// # Errors
    /// The account is not the proof's payee.
    pub fn sign(
        account: &Account,
        proof: &ClaimProof,
        chain_id: u64,
        settlement: Address,
        payer: PayerId,
        authority: Address,
    ) -> Result<Self, PosterError> {
        let payee = payee(proof);
        if account.address() != payee {
            let problem =
                format!("is for {}; the proof pays {payee}, whose key must sign", account.address());
            return Err(PosterError::malformed("signing key", problem));
        }
        let (claim_commitment, cents) = (commitment(proof), cents(proof));
        let digest = claim_digest(chain_id, settlement, payer, claim_commitment, cents);
        let signature = account.sign_digest(digest)?;
        Ok(Self {
            format: FORMAT.to_owned(),
            chain_id,
            settlement,
            payer: payer::text(payer),
            claim_commitment,
            cents,
            authority,
            payee,
            signature: signature.to_vec().into(),
        })
    }

    /// Reads a file and checks its signature.
    ///
    /// # Errors
    /// It is not such a file, or its payee did not sign it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, PosterError> {
        let malformed = |problem: String| PosterError::malformed("endorsement", problem);
        #[derive(Deserialize)]
        struct Named {
            format: String,
        }
        let unreadable = |error: serde_json::Error| malformed(error.to_string());
        let Named { format } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if format == WITHOUT_AMOUNT {
            return Err(malformed(format!(
                "it is `{format}`, whose signature names no amount; have the payee sign this proof again with endorse"
            )));
        }
        if format != FORMAT {
            return Err(malformed(format!("its format is not `{FORMAT}`")));
        }
        let file: Self = serde_json::from_slice(bytes).map_err(unreadable)?;
        let endorsement = file.endorsement()?;
        let digest = claim_digest(
            file.chain_id,
            file.settlement,
            endorsement.payer,
            file.claim_commitment,
            file.cents,
        );
        let signer = Signature::from_erc2098(&endorsement.signature).recover_address_from_prehash(&digest);
        match signer {
            Ok(signer) if signer == file.payee => Ok(file),
            _ => Err(malformed(format!(
                "signature: not {}'s for this payer, claim, amount, chain and contract",
                file.payee
            ))),
        }
    }

    /// The file.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Text and numbers only: JSON holds them.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// What the transaction carries.
    ///
    /// # Errors
    /// Its payer or its signature is malformed.
    pub fn endorsement(&self) -> Result<Endorsement, PosterError> {
        let malformed = |problem: &str| PosterError::malformed("endorsement signature", problem);
        // Wallets give 65 bytes: r, s and a parity of 0, 1, 27 or 28. The contract takes the 64 bytes of EIP-2098.
        let signature = match self.signature.len() {
            64 => self.signature.as_ref().try_into().map_err(|_| malformed("must have 64 or 65 bytes"))?,
            65 => Signature::from_raw(&self.signature)
                .map_err(|_| malformed("its last byte must be 0, 1, 27 or 28"))?
                .as_erc2098(),
            _ => return Err(malformed("must have 64 or 65 bytes")),
        };
        Ok(Endorsement { payer: payer::parse(&self.payer)?, authority: self.authority, signature })
    }
}

/// A proof's claim, as a word.
#[must_use]
pub fn commitment(proof: &ClaimProof) -> B256 {
    calldata::word(proof.public.claim_commitment)
}

/// What a proof pays, in cents.
#[must_use]
pub fn cents(proof: &ClaimProof) -> u64 {
    proof.public.unpack_amount().map_or(0, |(cents, ..)| cents)
}

/// Who a proof pays.
#[must_use]
pub fn payee(proof: &ClaimProof) -> Address {
    Address::from_word(calldata::word(proof.public.payee))
}
