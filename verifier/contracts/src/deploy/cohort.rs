//! Cohort answers in a deployment: the key under which they are proven, its two verifiers, and the log.

use super::{KeyKind, config::LOCAL_CHAINS};
use crate::{
    Error, artefacts,
    bindings::{CohortLog, CohortVerifier, Registry::registerCohortKeyCall},
    chain::{Chain, LOCAL_CHAIN},
};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::SolConstructor;
use nightingale_circuits::cohort::{Class, Size};
use nightingale_verifier::cohort::{CircuitName, CohortKey, CohortKeys, point::point_to_words};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// A narrow key, and the halo2 verifier that was generated from it.
#[derive(Clone)]
pub struct CohortKeyToRegister {
    key: Arc<CohortKey>,
    halo2: Bytes,
}

impl fmt::Debug for CohortKeyToRegister {
    /// Without the code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CohortKeyToRegister").field(&self.key).finish()
    }
}

/// The contracts of cohort answers, as a deployment file names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeployedCohort {
    /// `CohortLog`: what answers are proven for.
    pub log: Address,
    /// The digest by which proofs name the key.
    pub key: B256,
    /// How it came to be.
    pub kind: KeyKind,
    /// Logarithm of the number of rows of the tables that it is for.
    pub k: u32,
    /// Its `CohortVerifier`.
    pub verifier: Address,
    /// The generated verifier behind that.
    pub halo2_verifier: Address,
}

impl CohortKeyToRegister {
    /// A key from which a verifier was generated, by this version of the contracts.
    ///
    /// # Errors
    /// None was: of a key that is not narrow, of another size, or of another setup.
    pub fn new(key: Arc<CohortKey>) -> Result<Self, Error> {
        let (digest, k) = (B256::from(key.digest().0), key.k());
        let halo2 = artefacts::narrow_verifier(digest)?;
        let halo2 = halo2.ok_or(Error::KeyWithoutVerifier { key: digest, k })?.bytecode;
        Ok(Self { key, halo2 })
    }

    /// The development key for tables of 2^14 rows. **Anybody can forge answers under it**: for local chains only.
    ///
    /// # Errors
    /// As for [`Self::new`]; it would mean that the generated verifier is stale.
    pub fn development() -> Result<Self, Error> {
        Self::new(CohortKeys::development().key(CircuitName::Query(Class::Narrow), Size::Small)?)
    }

    /// What a chain gets unless its operator says otherwise: the development key on local chains, nothing on others.
    ///
    /// # Errors
    /// As for [`Self::development`].
    pub fn for_chain(chain_id: u64) -> Result<Option<Self>, Error> {
        LOCAL_CHAINS.contains(&chain_id).then(Self::development).transpose()
    }

    /// The digest by which proofs name the key.
    #[must_use]
    pub fn digest(&self) -> B256 {
        B256::from(self.key.digest().0)
    }

    /// How the key came to be.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match self.key.kind() {
            nightingale_verifier::KeyKind::Development => KeyKind::Development,
            nightingale_verifier::KeyKind::Production => KeyKind::Production,
        }
    }

    /// Logarithm of the number of rows of the tables that it is for.
    #[must_use]
    pub fn k(&self) -> u32 {
        self.key.k()
    }

    /// The creation code of the generated verifier.
    #[must_use]
    pub fn halo2_creation_code(&self) -> Bytes {
        self.halo2.clone()
    }

    /// The creation code of the `CohortVerifier` that asks the generated verifier at this address.
    ///
    /// # Errors
    /// The checked-in artefact is corrupt.
    pub fn verifier_creation_code(&self, halo2: Address) -> Result<Bytes, Error> {
        let setup = self.key.setup();
        let mut span = [U256::ZERO; 16];
        for (words, point) in span.chunks_exact_mut(2).zip(&setup.span) {
            words.copy_from_slice(&point_to_words(point).map(U256::from_be_bytes));
        }
        let identity = point_to_words(&setup.identity).map(U256::from_be_bytes);
        let arguments = CohortVerifier::constructorCall { k: U256::from(self.k()), halo2, identity, span };
        Ok([artefacts::cohort_verifier()?.bytecode.as_ref(), &arguments.abi_encode()].concat().into())
    }

    /// What the code of that `CohortVerifier` hashes to once it is deployed: its constructor is run in this process, beside what the
    /// key's generated verifier makes. A registrar who registers this hash has compared the deployed code with the key.
    ///
    /// # Errors
    /// A checked-in artefact is corrupt.
    pub fn code_hash(&self, halo2: Address) -> Result<B256, Error> {
        let mut trial = Chain::new(LOCAL_CHAIN, 0);
        let generated = trial.transact(Address::ZERO, None, self.halo2_creation_code())?.output;
        trial.place(halo2, generated);
        let made = trial.transact(Address::ZERO, None, self.verifier_creation_code(halo2)?)?.output;
        Ok(keccak256(made))
    }

    /// What the holder of the role `Keys` sends to the registry.
    ///
    /// # Errors
    /// As for [`Self::code_hash`].
    pub fn register(&self, halo2: Address, verifier: Address) -> Result<registerCohortKeyCall, Error> {
        let (digest, kind) = (self.digest(), self.kind().number());
        Ok(registerCohortKeyCall { digest, kind, verifier, codeHash: self.code_hash(halo2)? })
    }
}

/// The creation code of the log of answers.
///
/// # Errors
/// The checked-in artefact is corrupt.
pub fn log_creation_code(registry: Address) -> Result<Bytes, Error> {
    let arguments = CohortLog::constructorCall { registry }.abi_encode();
    Ok([artefacts::cohort_log()?.bytecode.as_ref(), &arguments].concat().into())
}
