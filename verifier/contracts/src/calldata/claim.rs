//! A claim's public inputs by name (DESIGN 3.5), for whoever has a proof and wants to know what settling it does.

use crate::Error;
use alloy_primitives::{Address, B256, U256};

/// Public inputs before the nullifiers.
pub const FIXED_INPUTS: usize = 10;

/// A claim's public inputs, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicInputs(Vec<B256>);

impl PublicInputs {
    /// From all public inputs of a proof, in their order.
    ///
    /// # Errors
    /// There are fewer than eleven: it is not a claim's proof.
    pub fn new(words: Vec<B256>) -> Result<Self, Error> {
        if words.len() <= FIXED_INPUTS {
            return Err(Error::InputCount { expected: FIXED_INPUTS + 1, found: words.len() });
        }
        Ok(Self(words))
    }

    /// The claim.
    #[must_use]
    pub fn claim_commitment(&self) -> B256 {
        self.at(3)
    }

    /// Who is paid.
    #[must_use]
    pub fn payee(&self) -> Address {
        Address::from_word(self.at(4))
    }

    /// The proven amount, in cents.
    #[must_use]
    pub fn payable_cents(&self) -> u64 {
        self.packed(0, 40)
    }

    /// The proven receipt, in days since 1900-01-01.
    #[must_use]
    pub fn received_day(&self) -> u32 {
        u32::try_from(self.packed(40, 17)).unwrap_or(u32::MAX)
    }

    /// What settling the claim uses up: its nullifiers, spend tag and authorisation tag. Empty for a denial. The claim is
    /// settled once the contract says of each that it is spent.
    #[must_use]
    pub fn tags(&self) -> Vec<B256> {
        let spend_tag = self.at(7);
        let nullifiers: Vec<B256> =
            self.0.iter().skip(FIXED_INPUTS).filter(|word| !word.is_zero()).copied().collect();
        if spend_tag.is_zero() || nullifiers.is_empty() {
            return Vec::new();
        }
        let authorisation = Some(self.at(9)).filter(|tag| !tag.is_zero());
        nullifiers.into_iter().chain([spend_tag]).chain(authorisation).collect()
    }

    fn at(&self, index: usize) -> B256 {
        self.0.get(index).copied().unwrap_or_default()
    }

    fn packed(&self, shift: usize, bits: usize) -> u64 {
        let field: U256 = (U256::from_be_bytes(self.at(5).0) >> shift) & ((U256::ONE << bits) - U256::ONE);
        field.saturating_to()
    }
}
