//! The sponsor's key: it signs a dataset and each version of its consents.

use crate::error::CohortError;
use alloy_primitives::B256;
use nightingale_circuits::claim::Address;
use nightingale_poster::Account;
use nightingale_prover::cohort::CohortDataset;
use nightingale_verifier::cohort::Signature;
use std::path::Path;

/// A sponsor who can sign. No `Debug`; the key is zeroed on drop.
#[derive(Clone)]
pub struct Sponsor(Account);

impl Sponsor {
    /// Reads a key file: 64 hexadecimal digits, readable by its owner alone.
    ///
    /// # Errors
    /// It cannot be read, can be read by others, or holds something else.
    pub fn from_file(path: &Path) -> Result<Self, CohortError> {
        Account::from_file(path).map(Self).map_err(CohortError::Sponsor)
    }

    /// Who it is: the account that publishes consents on-chain.
    #[must_use]
    pub fn address(&self) -> Address {
        Address(self.0.address().into_array())
    }

    /// Signs what is not signed yet.
    ///
    /// # Errors
    /// The dataset was registered for another sponsor, or for nobody.
    pub fn sign(&self, dataset: &mut CohortDataset) -> Result<(), CohortError> {
        dataset.sign(self.address(), &mut |digest| {
            self.0.sign_digest(B256::from(*digest)).map(Signature).map_err(CohortError::Sponsor)
        })
    }
}

impl From<Account> for Sponsor {
    fn from(account: Account) -> Self {
        Self(account)
    }
}

/// Who must sign a new version of the consents: the dataset's sponsor, where it has one.
///
/// # Errors
/// There is a sponsor, and no key, or another's; there is none, and a key.
pub fn signer<'a>(
    dataset: &CohortDataset,
    given: Option<&'a Sponsor>,
) -> Result<Option<&'a Sponsor>, CohortError> {
    match (dataset.public().sponsor(), given) {
        (Some(registered), Some(sponsor)) if registered.address == sponsor.address() => Ok(given),
        (Some(registered), _) => {
            Err(CohortError::NotSponsor { sponsor: format!("0x{}", hex::encode(registered.address.0)) })
        }
        (None, Some(sponsor)) => {
            dataset.public().require_sponsor(sponsor.address()).map_err(CohortError::Release)?;
            Ok(given)
        }
        (None, None) => Ok(None),
    }
}
