//! The people of the demonstration: registers for this settlement venue, and the claims made into requests.

use super::{At, DemoError};
use alloy_primitives::Address;
use alloy_signer_local::PrivateKeySigner;
use nightingale_circuits::{
    Fr,
    claim::{self, Epoch, Id, Request, Venue},
};
use nightingale_contracts::deploy::Deployment;
use nightingale_records::{
    Registers,
    synth::{self, DemoClaim},
};
use zeroize::Zeroizing;

/// One claim as it is sent.
pub(super) struct Case {
    pub(super) claim: DemoClaim,
    /// The request, as JSON.
    pub(super) request: Zeroizing<Vec<u8>>,
}

/// Everybody.
pub(super) struct Cast {
    pub(super) epoch: Epoch,
    pub(super) consent_root: Fr,
    pub(super) account_root: Fr,
    /// The notes of the account register before anything is settled.
    pub(super) notes: Vec<Fr>,
    /// Signs the provider's claims; its address is where the provider is paid.
    pub(super) provider: PrivateKeySigner,
    pub(super) cases: Vec<Case>,
}

impl Cast {
    pub(super) fn new(seed: u64, deployment: &Deployment) -> Result<Self, DemoError> {
        let provider = PrivateKeySigner::random();
        let demo = synth::demo(seed);
        let mut registers: Registers = demo.registers;
        let contract = claim::Address(deployment.settlement.into_array());
        registers.set_venue(Venue { chain_id: deployment.chain_id, contract });
        registers.set_settlement(claim::Address(provider.address().into_array()));
        let set = registers.build().at("building the registers")?;
        let mut rng = rand::rng();
        let case = |claim: DemoClaim| {
            let received = claim.claim.received.ok_or("has no day of receipt").at("reading a claim")?;
            let request: Request = set.request(&claim.claim, received, &mut rng).at("making a request")?;
            let request = Zeroizing::new(nightingale_records::request::to_json(&request).as_bytes().to_vec());
            Ok(Case { claim, request })
        };
        let cases = demo.claims.into_iter().map(case).collect::<Result<_, DemoError>>()?;
        Ok(Self {
            epoch: set.epoch().clone(),
            consent_root: set.consent_root(),
            account_root: set.account_root(),
            notes: set.notes(),
            provider,
            cases,
        })
    }

    pub(super) const fn payer(&self) -> Id {
        self.epoch.payer
    }

    pub(super) const fn payee(&self) -> Address {
        self.provider.address()
    }
}
