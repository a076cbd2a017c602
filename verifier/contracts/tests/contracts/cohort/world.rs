//! A chain with a registry, the verifiers of 2^14 rows, a log, and two registered tables.

use super::fixture::{CHAIN, Entry, Fixture, LOGGER, fixture, log};
use crate::contracts::world::{DEPLOYER, NOON, registry_arguments};
use alloy_primitives::{Address, B256, Bytes, U256, address};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::{SolCall, SolConstructor, SolError};
use anyhow::{Context, Result, ensure};
use nightingale_circuits::claim;
use nightingale_contracts::{
    Error, artefacts,
    bindings::{
        CohortAnswer, CohortLog, CohortVerifier, DatasetRegistration,
        Registry::{self, registerCohortKeyCall, registerDatasetCall},
        explain,
    },
    chain::{Chain, Receipt},
};
use nightingale_verifier::cohort::Signature;

/// The account of [`sponsor_key`].
pub(crate) const SPONSOR: Address = address!("0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1");
pub(crate) const ANYBODY: Address = Address::repeat_byte(0xaa);

pub(crate) struct World {
    pub(crate) chain: Chain,
    pub(crate) registry: Address,
    pub(crate) halo2: Address,
    pub(crate) verifier: Address,
    pub(crate) log: Address,
    pub(crate) fixture: &'static Fixture,
    pub(crate) sent: Vec<Sent>,
}

/// Whoever answers for the tables of the fixture, and for the dataset that the prover's tests keep for the verifier.
pub(crate) fn sponsor_key() -> Result<PrivateKeySigner> {
    Ok(PrivateKeySigner::from_bytes(&B256::repeat_byte(1))?)
}

/// Signs a dataset, and its consents, as the sponsor.
pub(crate) fn sign(digest: &[u8; 32]) -> Result<Signature> {
    Ok(Signature(sponsor_key()?.sign_hash_sync(&B256::from(*digest))?.as_erc2098()))
}

/// The same, as proofs name the account.
pub(crate) fn sponsor() -> claim::Address {
    claim::Address(SPONSOR.into_array())
}

/// A registration of a table with the queries of these statements as its plan.
pub(crate) fn registration(table: &str, plan: &[&str]) -> Result<DatasetRegistration> {
    let fixture = fixture()?;
    let found = fixture.tables.get(table).context("table")?;
    let plan = plan.iter().map(|name| Ok(entry(name)?.query.clone()));
    Ok(DatasetRegistration {
        sponsor: SPONSOR,
        k: u8::try_from(found.k)?,
        rows: found.rows,
        schema: found.schema.clone(),
        commitments: found.commitments.clone(),
        consent: *found.consents.first().context("consent")?,
        plan: plan.collect::<Result<_>>()?,
    })
}

pub(crate) fn entry(name: &str) -> Result<&'static Entry> {
    fixture()?.statements.get(name).with_context(|| name.to_owned())
}

/// What is sent to the log for a statement of the fixture.
pub(crate) fn answer(name: &str) -> Result<CohortAnswer> {
    let (fixture, entry) = (fixture()?, entry(name)?);
    let table = fixture.tables.get(&entry.table).context("table")?;
    Ok(CohortAnswer {
        key: fixture.key,
        table: table.digest,
        query: entry.query.clone(),
        threshold: U256::from(entry.threshold),
        version: U256::from(entry.version),
        consent: *table.consents.get(entry.version as usize).context("consent")?,
        columns: words(&entry.columns)?,
        cells: entry.packed.clone(),
        proof: entry.proof.clone(),
        link: link(&entry.link)?,
    })
}

fn words<const N: usize>(words: &[U256]) -> Result<[U256; N]> {
    Ok(<[U256; N]>::try_from(words)?)
}

pub(crate) fn link(bytes: &[u8]) -> Result<[U256; 10]> {
    words(&bytes.chunks(32).map(U256::from_be_slice).collect::<Vec<_>>())
}

/// A transaction: sender, receiver, data.
pub(crate) type Sent = (Address, Option<Address>, Bytes);

impl World {
    pub(crate) fn new() -> Result<Self> {
        let mut world = Self::without_log()?;
        let arguments = CohortLog::constructorCall { registry: world.registry }.abi_encode();
        let created = world.deploy(LOGGER, &artefacts::cohort_log()?.bytecode, &arguments)?;
        ensure!(created == world.log, "the log is not where the proofs are for");
        Ok(world)
    }

    /// Where the log's address has no code, so that a test may call from it.
    pub(crate) fn without_log() -> Result<Self> {
        let (fixture, zero) = (fixture()?, Address::ZERO);
        let chain = Chain::new(CHAIN, NOON);
        let mut world = Self {
            chain,
            registry: zero,
            halo2: zero,
            verifier: zero,
            log: log(),
            fixture,
            sent: Vec::new(),
        };
        world.registry = world.deploy(DEPLOYER, &artefacts::registry()?.bytecode, &registry_arguments()?)?;
        world.halo2 = world.deploy(DEPLOYER, &artefacts::narrow_verifier_14()?.bytecode, &[])?;
        world.verifier = world.cohort_verifier(world.halo2)?;
        let (digest, verifier) = (fixture.key, world.verifier);
        let call = registerCohortKeyCall { digest, kind: 0, verifier, codeHash: world.code_hash(verifier)? };
        world.send(DEPLOYER, world.registry, &call)?;
        world.register(registration("trial", &["main", "dose", "sites", "everybody"])?)?;
        world.register(registration("other", &["main"])?)?;
        Ok(world)
    }

    fn transact(&mut self, from: Address, to: Option<Address>, data: Bytes) -> Result<Receipt, Error> {
        self.sent.push((from, to, data.clone()));
        self.chain.transact(from, to, data)
    }

    fn deploy(&mut self, from: Address, code: &Bytes, arguments: &[u8]) -> Result<Address> {
        let receipt = self.transact(from, None, [code.as_ref(), arguments].concat().into())?;
        receipt.created.context("nothing was created")
    }

    /// Sends a call.
    pub(crate) fn send<C: SolCall>(
        &mut self,
        from: Address,
        to: Address,
        call: &C,
    ) -> Result<Receipt, Error> {
        self.transact(from, Some(to), call.abi_encode().into())
    }

    /// Deploys a verifier of answers that asks this halo2 verifier.
    pub(crate) fn cohort_verifier(&mut self, halo2: Address) -> Result<Address> {
        let (identity, span) = (self.fixture.identity, words(&self.fixture.span)?);
        let arguments = CohortVerifier::constructorCall { k: U256::from(14), halo2, identity, span };
        self.deploy(DEPLOYER, &artefacts::cohort_verifier()?.bytecode, &arguments.abi_encode())
    }

    /// What the registrar finds: asking with a hash that is wrong names the right one.
    pub(crate) fn code_hash(&mut self, of: Address) -> Result<B256> {
        let call = registerCohortKeyCall {
            digest: B256::with_last_byte(1),
            kind: 0,
            verifier: of,
            codeHash: B256::ZERO,
        };
        let Err(Error::Reverted(output)) = self.chain.call(DEPLOYER, self.registry, call.abi_encode().into())
        else {
            anyhow::bail!("accepted");
        };
        Ok(Registry::CohortVerifierDiffers::abi_decode(&output)?.codeHash)
    }

    pub(crate) fn register(&mut self, given: DatasetRegistration) -> Result<Receipt, Error> {
        self.send(DEPLOYER, self.registry, &registerDatasetCall { given })
    }

    pub(crate) fn log(&mut self, answer: &CohortAnswer) -> Result<Receipt, Error> {
        let call = CohortLog::logCall { answer: answer.clone() };
        self.send(ANYBODY, self.log, &call)
    }

    /// Asks the verifier alone, as the log would; in a world without it.
    pub(crate) fn verify(&mut self, answer: &CohortAnswer) -> Result<Receipt, Error> {
        let call = CohortVerifier::verifyCall { answer: answer.clone() };
        self.chain.call(self.log, self.verifier, call.abi_encode().into())
    }
}

/// That it was refused with this error.
pub(crate) fn refused<E: SolError>(result: Result<Receipt, Error>, what: &str) -> Result<()> {
    match result {
        Ok(_) => anyhow::bail!("{what}: accepted"),
        Err(Error::Reverted(output)) => {
            ensure!(output.starts_with(&E::SELECTOR), "{what}: {}", explain(&output));
            Ok(())
        }
        Err(other) => anyhow::bail!("{what}: {other}"),
    }
}
