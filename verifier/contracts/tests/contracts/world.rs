//! A deployed world: a payer with escrow, a provider who signs, a consent authority, and claims to settle.

use super::proofs::{self, LARGE, SMALL};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::SolConstructor;
use anyhow::{Context, Result, ensure};
use ark_bn254::{Bn254, Fr};
use ark_ff::PrimeField;
use ark_groth16::Proof;
use nightingale_contracts::{
    Error, PayerId, artefacts,
    bindings::{
        ClaimSettlement::{ClaimSettled, ClaimSkipped, depositCall, receiveClaimCall},
        Group,
        Registry::{
            addPayerCall, constructorCall, publishAccountRootCall, publishConsentRootCall, publishEpochCall,
            setAuthorityCall,
        },
        Token::{approveCall, mintCall},
        Verdict,
    },
    calldata::{self, Endorsement},
    chain::{Chain, Fork, LOCAL_CHAIN, Receipt},
    deploy::{self, Config, Deployment, Grace, KeyKind, KeyToRegister, TokenChoice},
};

/// 2026-01-15, 12:00 UTC.
pub(crate) const NOON: u64 = 1_768_478_400;
/// The same day in days since 1900-01-01.
pub(crate) const TODAY: u32 = 46_035;
pub(crate) const DEPLOYER: Address = Address::repeat_byte(0xd0);
pub(crate) const INSURER: Address = Address::repeat_byte(0x1a);
pub(crate) const AUTHORITY: Address = Address::repeat_byte(0xca);
pub(crate) const STRANGER: Address = Address::repeat_byte(0x57);
pub(crate) const ESCROW: u64 = 100_000_000;

pub(crate) fn payer() -> PayerId {
    PayerId::from(0x00c0_ffee_u64)
}

/// A field element that nobody else has: from a label.
pub(crate) fn element(label: &str) -> Fr {
    Fr::from_be_bytes_mod_order(keccak256(label).as_slice())
}

pub(crate) fn root(label: &str) -> B256 {
    calldata::word(element(label))
}

pub(crate) fn digest(inputs: usize) -> B256 {
    keccak256(format!("key with {inputs} inputs"))
}

pub(crate) fn provider() -> Result<PrivateKeySigner> {
    Ok(PrivateKeySigner::from_bytes(&keccak256("provider"))?)
}

/// A claim's public inputs by name; tests change what they are about.
#[derive(Clone)]
pub(crate) struct Claim {
    pub(crate) epoch_root: Fr,
    pub(crate) consent_root: Fr,
    pub(crate) account_root: Fr,
    pub(crate) commitment: Fr,
    pub(crate) payee: Fr,
    pub(crate) cents: u64,
    pub(crate) day: u32,
    pub(crate) version: u64,
    pub(crate) outcome: Fr,
    pub(crate) spend_tag: Fr,
    pub(crate) next_note: Fr,
    pub(crate) authorisation_tag: Fr,
    pub(crate) nullifiers: Vec<Fr>,
    pub(crate) payer: PayerId,
    pub(crate) authority: Address,
}

impl Claim {
    /// An approval of 123.45 with one paid line in the small class; everything unique follows from the label.
    pub(crate) fn new(label: &str) -> Result<Self> {
        let of = |what: &str| element(&format!("{label} {what}"));
        Ok(Self {
            epoch_root: element("epoch"),
            consent_root: element("consents"),
            account_root: element("accounts"),
            commitment: of("commitment"),
            payee: Fr::from_be_bytes_mod_order(provider()?.address().as_slice()),
            cents: 12_345,
            day: TODAY,
            version: 1,
            outcome: of("outcome"),
            spend_tag: of("spend tag"),
            next_note: of("next note"),
            authorisation_tag: Fr::from(0u64),
            nullifiers: vec![of("nullifier 0"), Fr::from(0u64)],
            payer: payer(),
            authority: AUTHORITY,
        })
    }

    /// The same in the class with eight lines.
    pub(crate) fn large(label: &str) -> Result<Self> {
        let mut claim = Self::new(label)?;
        claim.nullifiers.resize(LARGE - 10, Fr::from(0u64));
        Ok(claim)
    }

    pub(crate) fn inputs(&self) -> Vec<Fr> {
        let packed = u128::from(self.cents) | u128::from(self.day) << 40 | u128::from(self.version) << 57;
        let mut inputs =
            vec![self.epoch_root, self.consent_root, self.account_root, self.commitment, self.payee];
        inputs.extend([
            Fr::from(packed),
            self.outcome,
            self.spend_tag,
            self.next_note,
            self.authorisation_tag,
        ]);
        inputs.extend(&self.nullifiers);
        inputs
    }

    pub(crate) fn commitment_word(&self) -> B256 {
        calldata::word(self.commitment)
    }

    pub(crate) fn prove(&self) -> Result<Proof<Bn254>> {
        proofs::prove(&self.inputs())
    }

    pub(crate) fn entry(&self) -> Result<Vec<u8>> {
        Ok(calldata::entry(&self.prove()?, &self.inputs()))
    }
}

pub(crate) struct World {
    pub(crate) chain: Chain,
    pub(crate) deployment: Deployment,
}

/// What the constructor of a registry without graces takes, encoded.
pub(crate) fn registry_arguments() -> Result<Vec<u8>> {
    let (template, size) = artefacts::verifier_template()?;
    let arguments = constructorCall {
        admin: DEPLOYER,
        template,
        templateSize: U256::from(size),
        epochGrace: U256::ZERO,
        accountGrace: U256::ZERO,
        consentGrace: U256::ZERO,
        consentAge: U256::from(86_400),
    };
    Ok(arguments.abi_encode())
}

impl World {
    pub(crate) fn new() -> Result<Self> {
        Self::on(Chain::new(LOCAL_CHAIN, NOON))
    }

    pub(crate) fn on_fork(fork: Fork) -> Result<Self> {
        Self::on(Chain::on_fork(fork, LOCAL_CHAIN, NOON))
    }

    fn on(chain: Chain) -> Result<Self> {
        let mut world = Self::without_escrow(chain, config()?)?;
        world.fund(payer(), ESCROW)?;
        Ok(world)
    }

    /// Everything but money, by a configuration of the test's own.
    pub(crate) fn without_escrow(mut chain: Chain, config: Config) -> Result<Self> {
        let deployment = deploy::on_chain(&mut chain, config, DEPLOYER)?;
        let mut world = Self { chain, deployment };
        let registry = world.deployment.registry;
        world.chain.send(DEPLOYER, registry, &addPayerCall { payer: payer(), owner: INSURER })?;
        world.chain.send(DEPLOYER, registry, &setAuthorityCall { authority: AUTHORITY, accepted: true })?;
        world.publish_epoch("epoch")?;
        world.publish_accounts("accounts")?;
        world.publish_consents("consents")?;
        Ok(world)
    }

    /// Another registry of the same administrator, which serves no settlement yet.
    pub(crate) fn unbound_registry(&mut self) -> Result<Address> {
        let code = [artefacts::registry()?.bytecode.to_vec(), registry_arguments()?].concat();
        Ok(self.chain.deploy(DEPLOYER, code.into())?)
    }

    pub(crate) fn publish_epoch(&mut self, label: &str) -> Result<(), Error> {
        let call = publishEpochCall { payer: payer(), epochRoot: root(label) };
        self.chain.send(INSURER, self.deployment.registry, &call).map(drop)
    }

    pub(crate) fn publish_accounts(&mut self, label: &str) -> Result<(), Error> {
        let call = publishAccountRootCall { payer: payer(), accountRoot: root(label) };
        self.chain.send(INSURER, self.deployment.registry, &call).map(drop)
    }

    pub(crate) fn publish_consents(&mut self, label: &str) -> Result<(), Error> {
        let call = publishConsentRootCall { consentRoot: root(label), notAfter: u64::MAX };
        self.chain.send(AUTHORITY, self.deployment.registry, &call).map(drop)
    }

    pub(crate) fn fund(&mut self, payer: PayerId, amount: u64) -> Result<()> {
        let Deployment { token, settlement, .. } = self.deployment;
        let amount = U256::from(amount);
        self.chain.send(INSURER, token, &mintCall { to: INSURER, amount })?;
        self.chain.send(INSURER, token, &approveCall { spender: settlement, amount })?;
        self.chain.send(INSURER, settlement, &depositCall { payer, amount })?;
        Ok(())
    }

    pub(crate) fn receive(&mut self, claim: &Claim) -> Result<(), Error> {
        let call = receiveClaimCall { payer: claim.payer, claimCommitment: claim.commitment_word() };
        self.chain.send(STRANGER, self.deployment.settlement, &call).map(drop)
    }

    pub(crate) fn endorse(&self, claim: &Claim) -> Result<Endorsement> {
        self.endorse_by(claim, &provider()?)
    }

    pub(crate) fn endorse_by(&self, claim: &Claim, signer: &PrivateKeySigner) -> Result<Endorsement> {
        let chain_id = self.chain.chain_id();
        let digest = calldata::claim_digest(
            chain_id,
            self.deployment.settlement,
            claim.payer,
            claim.commitment_word(),
            claim.cents,
        );
        let signature = signer.sign_hash_sync(&digest)?.as_erc2098();
        Ok(Endorsement { payer: claim.payer, authority: claim.authority, signature })
    }

    /// One group of claims of one class, received, proven and endorsed.
    pub(crate) fn group(&mut self, claims: &[Claim]) -> Result<Group> {
        let inputs = claims.first().context("no claim")?.inputs().len();
        let mut entries = Vec::new();
        for claim in claims {
            // a claim that stands twice in a test was received the first time
            let _ = self.receive(claim);
            entries.push((claim.entry()?, self.endorse(claim)?));
        }
        Ok(calldata::group(digest(inputs), &entries))
    }

    pub(crate) fn send(&mut self, groups: Vec<Group>) -> Result<Receipt, Error> {
        self.chain.transact(STRANGER, Some(self.deployment.settlement), calldata::settle(groups))
    }

    pub(crate) fn settle(&mut self, claims: &[Claim]) -> Result<Receipt> {
        let group = self.group(claims)?;
        Ok(self.send(vec![group])?)
    }

    /// Settles one claim that is received and endorsed, and says what became of it.
    pub(crate) fn verdict(&mut self, claim: &Claim) -> Result<Verdict> {
        let receipt = self.settle(std::slice::from_ref(claim))?;
        let verdicts = verdicts(&receipt)?;
        ensure!(verdicts.len() == 1, "one entry, {} verdicts", verdicts.len());
        Ok(verdicts[0])
    }
}

/// The verdicts of a settlement, skipped entries and settled ones in the order of their events.
pub(crate) fn verdicts(receipt: &Receipt) -> Result<Vec<Verdict>> {
    use alloy_sol_types::SolEvent;
    let mut found = Vec::new();
    for log in &receipt.logs {
        if ClaimSettled::decode_log(log).is_ok() {
            found.push(Verdict::Payable);
        } else if let Ok(skipped) = ClaimSkipped::decode_log(log) {
            found.push(Verdict::from_number(skipped.reason).context("a verdict that has no name")?);
        }
    }
    Ok(found)
}

pub(crate) fn config() -> Result<Config> {
    let keys = [SMALL, LARGE].map(|inputs| {
        let key = proofs::verifying_key(inputs)?;
        Ok(KeyToRegister { digest: digest(inputs), kind: KeyKind::Development, key })
    });
    Ok(Config {
        chain_id: LOCAL_CHAIN,
        admin: DEPLOYER,
        token: TokenChoice::Test,
        units_per_cent: U256::ONE,
        grace: Grace::default(),
        keys: keys.into_iter().collect::<Result<_>>()?,
        cohort: None,
    })
}
