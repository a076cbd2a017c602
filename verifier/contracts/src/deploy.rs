//! Deploys everything, in order, on whatever can send a transaction.
//!
//! A [`Plan`] does no I/O: it says what to send next and is told what came of it. So the chain in this process and a
//! poster with an outbox run the same steps, and a half-done deployment can be continued.

mod cohort;
mod config;

pub use cohort::{CohortKeyToRegister, DeployedCohort, log_creation_code};
pub use config::{Config, Deployment, Grace, KeyKind, KeyToRegister, RegisteredKey, TokenChoice};

use crate::{Error, artefacts, bindings::Registry, calldata, chain::Chain};
use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, SolConstructor};

use crate::bindings::ClaimSettlement;

/// Every role of the registry, by number (`registry/Roles.sol`).
const ROLES: [u8; 5] = [0, 1, 2, 3, 4];

/// One transaction of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it does, in words.
    pub purpose: String,
    /// The receiver; none creates a contract.
    pub to: Option<Address>,
    /// Calldata or creation code.
    pub data: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    TestToken,
    Registry,
    Settlement,
    BindSettlement,
    Verifier(usize),
    RegisterKey(usize),
    Halo2Verifier,
    CohortVerifier,
    RegisterCohortKey,
    CohortLog,
    GrantRole(u8),
    DropRole(u8),
    OfferAdmin,
}

/// What is left to do, and what was done.
#[derive(Debug)]
pub struct Plan {
    config: Config,
    deployer: Address,
    steps: Vec<Step>,
    done: usize,
    token: Option<Address>,
    registry: Option<Address>,
    settlement: Option<Address>,
    verifiers: Vec<Address>,
    halo2_verifier: Option<Address>,
    cohort_verifier: Option<Address>,
    cohort_log: Option<Address>,
}

impl Plan {
    /// Plans a deployment by `deployer`, who sends every transaction.
    ///
    /// # Errors
    /// Something that the contracts would refuse: found here before anything is paid for.
    pub fn new(config: Config, deployer: Address) -> Result<Self, Error> {
        config.check()?;
        let mut steps = Vec::new();
        let token = match config.token {
            TokenChoice::Existing(token) => Some(token),
            TokenChoice::Test => {
                steps.push(Step::TestToken);
                None
            }
        };
        steps.extend([Step::Registry, Step::Settlement]);
        for index in 0..config.keys.len() {
            steps.extend([Step::Verifier(index), Step::RegisterKey(index)]);
        }
        // Last of these: a key that is registered once a settlement is bound waits for days.
        steps.push(Step::BindSettlement);
        if config.cohort.is_some() {
            steps.extend([
                Step::Halo2Verifier,
                Step::CohortVerifier,
                Step::RegisterCohortKey,
                Step::CohortLog,
            ]);
        }
        if config.admin != deployer {
            steps.extend(ROLES.map(Step::GrantRole));
            steps.extend(ROLES.map(Step::DropRole));
            steps.push(Step::OfferAdmin);
        }
        Ok(Self {
            config,
            deployer,
            steps,
            done: 0,
            token,
            registry: None,
            settlement: None,
            verifiers: Vec::new(),
            halo2_verifier: None,
            cohort_verifier: None,
            cohort_log: None,
        })
    }

    /// How many transactions there are, and how many of them are confirmed.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        (self.done, self.steps.len())
    }

    /// The next transaction; none when all are done.
    ///
    /// # Errors
    /// A key or an artefact is unusable.
    pub fn next(&self) -> Result<Option<Request>, Error> {
        let Some(step) = self.steps.get(self.done) else { return Ok(None) };
        let registry = self.registry.unwrap_or_default();
        let create = |purpose: &str, code: Bytes, arguments: Vec<u8>| Request {
            purpose: purpose.to_owned(),
            to: None,
            data: [code.as_ref(), arguments.as_ref()].concat().into(),
        };
        let tell =
            |purpose: String, data: Vec<u8>| Request { purpose, to: Some(registry), data: data.into() };
        let request = match *step {
            Step::TestToken => create("deploy the test token", artefacts::test_token()?.bytecode, Vec::new()),
            Step::Registry => {
                create("deploy the registry", artefacts::registry()?.bytecode, self.registry_arguments()?)
            }
            Step::Settlement => {
                let arguments = ClaimSettlement::constructorCall {
                    registry,
                    token: self.token.unwrap_or_default(),
                    unitsPerCent: self.config.units_per_cent,
                };
                create(
                    "deploy the settlement",
                    artefacts::claim_settlement()?.bytecode,
                    arguments.abi_encode(),
                )
            }
            Step::BindSettlement => {
                let call = Registry::bindSettlementCall { settlement_: self.settlement.unwrap_or_default() };
                tell("bind the registry to the settlement".to_owned(), call.abi_encode())
            }
            Step::Verifier(index) => {
                let key = self.key(index)?;
                let code = calldata::verifier_creation_code(&key.key)?;
                create(&format!("deploy the verifier of key {}", key.digest), code, Vec::new())
            }
            Step::RegisterKey(index) => {
                let key = self.key(index)?;
                let verifier = self.verifiers.get(index).copied().unwrap_or_default();
                let call =
                    Registry::registerKeyCall { digest: key.digest, kind: key.kind.number(), verifier };
                tell(format!("register key {}", key.digest), call.abi_encode())
            }
            Step::Halo2Verifier => {
                let key = self.cohort_key()?;
                let purpose = format!("deploy the halo2 verifier of cohort key {}", key.digest());
                create(&purpose, key.halo2_creation_code(), Vec::new())
            }
            Step::CohortVerifier => {
                let key = self.cohort_key()?;
                let code = key.verifier_creation_code(self.halo2_verifier.unwrap_or_default())?;
                create(&format!("deploy the verifier of cohort key {}", key.digest()), code, Vec::new())
            }
            Step::RegisterCohortKey => {
                let key = self.cohort_key()?;
                let halo2 = self.halo2_verifier.unwrap_or_default();
                let call = key.register(halo2, self.cohort_verifier.unwrap_or_default())?;
                tell(format!("register cohort key {}", key.digest()), call.abi_encode())
            }
            Step::CohortLog => {
                create("deploy the log of cohort answers", log_creation_code(registry)?, Vec::new())
            }
            Step::GrantRole(role) => {
                let call = Registry::setRoleCall { role, account: self.config.admin, held: true };
                tell(format!("grant role {role} to the administrator"), call.abi_encode())
            }
            Step::DropRole(role) => {
                let call = Registry::setRoleCall { role, account: self.deployer, held: false };
                tell(format!("take role {role} from the deployer"), call.abi_encode())
            }
            Step::OfferAdmin => {
                let call = Registry::offerAdminCall { to: self.config.admin };
                tell(
                    "offer administration, which the administrator then accepts".to_owned(),
                    call.abi_encode(),
                )
            }
        };
        Ok(Some(request))
    }

    /// Says that the transaction of [`Self::next`] succeeded, and which contract it created.
    ///
    /// # Errors
    /// It should have created a contract and did not.
    pub fn confirm(&mut self, created: Option<Address>) -> Result<(), Error> {
        let Some(step) = self.steps.get(self.done) else { return Ok(()) };
        let missing = || Error::NothingCreated(format!("{step:?}"));
        match step {
            Step::TestToken => self.token = Some(created.ok_or_else(missing)?),
            Step::Registry => self.registry = Some(created.ok_or_else(missing)?),
            Step::Settlement => self.settlement = Some(created.ok_or_else(missing)?),
            Step::Verifier(_) => self.verifiers.push(created.ok_or_else(missing)?),
            Step::Halo2Verifier => self.halo2_verifier = Some(created.ok_or_else(missing)?),
            Step::CohortVerifier => self.cohort_verifier = Some(created.ok_or_else(missing)?),
            Step::CohortLog => self.cohort_log = Some(created.ok_or_else(missing)?),
            Step::BindSettlement
            | Step::RegisterKey(_)
            | Step::RegisterCohortKey
            | Step::GrantRole(_)
            | Step::DropRole(_)
            | Step::OfferAdmin => {}
        }
        self.done += 1;
        Ok(())
    }

    /// What was deployed.
    ///
    /// # Errors
    /// Steps are left.
    pub fn finish(self) -> Result<Deployment, Error> {
        match (self.token, self.registry, self.settlement) {
            (Some(token), Some(registry), Some(settlement)) if self.done == self.steps.len() => {
                let contracts = [token, registry, settlement];
                Ok(self.config.deployed(self.deployer, contracts, &self.verifiers, self.cohort()))
            }
            _ => Err(Error::DeploymentRefused("steps are left: send and confirm them first")),
        }
    }

    fn key(&self, index: usize) -> Result<&KeyToRegister, Error> {
        self.config.keys.get(index).ok_or(Error::DeploymentRefused("a step names a key that is not there"))
    }

    fn cohort_key(&self) -> Result<&CohortKeyToRegister, Error> {
        self.config
            .cohort
            .as_ref()
            .ok_or(Error::DeploymentRefused("a step names a cohort key that is not there"))
    }

    fn cohort(&self) -> Option<DeployedCohort> {
        let key = self.config.cohort.as_ref()?;
        Some(DeployedCohort {
            log: self.cohort_log?,
            key: key.digest(),
            kind: key.kind(),
            k: key.k(),
            verifier: self.cohort_verifier?,
            halo2_verifier: self.halo2_verifier?,
        })
    }

    fn registry_arguments(&self) -> Result<Vec<u8>, Error> {
        let (template, size) = artefacts::verifier_template()?;
        let grace = self.config.grace;
        Ok(Registry::constructorCall {
            admin: self.deployer,
            template,
            templateSize: U256::from(size),
            epochGrace: U256::from(grace.epoch_seconds),
            accountGrace: U256::from(grace.account_seconds),
            consentGrace: U256::from(grace.consent_seconds),
            // `Config::check` has seen to it.
            consentAge: U256::from(grace.consent_age_seconds.unwrap_or_default()),
        }
        .abi_encode())
    }
}

/// Deploys everything on the chain in this process.
///
/// # Errors
/// The plan is refused, or a transaction fails.
pub fn on_chain(chain: &mut Chain, config: Config, deployer: Address) -> Result<Deployment, Error> {
    let mut plan = Plan::new(config, deployer)?;
    while let Some(request) = plan.next()? {
        let receipt = chain.transact(deployer, request.to, request.data)?;
        plan.confirm(receipt.created)?;
    }
    plan.finish()
}
