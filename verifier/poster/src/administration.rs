//! What payers, consent authorities and payees tell the contracts beside settlements, as requests that any chain can be
//! sent: the poster's, or the one in this process.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolCall;
use nightingale_contracts::{
    PayerId,
    bindings::{
        ClaimSettlement::{depositCall, receiveClaimCall, recordReceiptCall, withdrawCall},
        Registry::{
            acceptAdminCall, addPayerCall, publishAccountRootCall, publishConsentRootCall, publishEpochCall,
            setAuthorityCall,
        },
        Token::{approveCall, mintCall},
    },
    deploy::{Deployment, Request},
};

fn request<C: SolCall>(purpose: String, to: Address, call: &C) -> Request {
    Request { purpose, to: Some(to), data: call.abi_encode().into() }
}

/// Takes over administration of the registry. The administrator that the deployment names sends it.
#[must_use]
pub fn accept_administration(deployment: &Deployment) -> Request {
    request("accept administration".to_owned(), deployment.registry, &acceptAdminCall {})
}

/// Adds a payer. Whoever may add payers sends it.
#[must_use]
pub fn add_payer(deployment: &Deployment, payer: PayerId, owner: Address) -> Request {
    request(format!("add payer {payer:#x}"), deployment.registry, &addPayerCall { payer, owner })
}

/// Publishes a payer's newest epoch. The payer's owner sends it.
#[must_use]
pub fn publish_epoch(deployment: &Deployment, payer: PayerId, root: B256) -> Request {
    let call = publishEpochCall { payer, epochRoot: root };
    request(format!("publish epoch {root}"), deployment.registry, &call)
}

/// Publishes a payer's newest account root. The payer's owner sends it.
#[must_use]
pub fn publish_accounts(deployment: &Deployment, payer: PayerId, root: B256) -> Request {
    let call = publishAccountRootCall { payer, accountRoot: root };
    request(format!("publish account root {root}"), deployment.registry, &call)
}

/// Accepts a consent authority, or drops it. Whoever may do that sends it.
#[must_use]
pub fn set_authority(deployment: &Deployment, authority: Address, accepted: bool) -> Request {
    let verb = if accepted { "accept" } else { "drop" };
    let call = setAuthorityCall { authority, accepted };
    request(format!("{verb} consent authority {authority}"), deployment.registry, &call)
}

/// Publishes a consent authority's newest root. The authority sends it; the contract takes it until `not_after`, in seconds since
/// 1970-01-01 UTC, and never later, whoever held it back.
#[must_use]
pub fn publish_consents(deployment: &Deployment, root: B256, not_after: u64) -> Request {
    let call = publishConsentRootCall { consentRoot: root, notAfter: not_after };
    request(format!("publish consent root {root}"), deployment.registry, &call)
}

/// Has the chain record that a claim was received today. Anybody sends it.
#[must_use]
pub fn receive_claim(deployment: &Deployment, payer: PayerId, claim_commitment: B256) -> Request {
    let call = receiveClaimCall { payer, claimCommitment: claim_commitment };
    request(format!("receive claim {claim_commitment}"), deployment.settlement, &call)
}

/// Records that the payer received a claim on `day`, in days since 1900-01-01. The payer's owner sends it.
#[must_use]
pub fn record_receipt(deployment: &Deployment, payer: PayerId, claim_commitment: B256, day: u32) -> Request {
    let call = recordReceiptCall { payer, claimCommitment: claim_commitment, day };
    request(format!("record receipt of claim {claim_commitment}"), deployment.settlement, &call)
}

/// Makes test tokens. Only the test token can: on local chains.
#[must_use]
pub fn mint(deployment: &Deployment, to: Address, cents: u64) -> Request {
    request(
        format!("mint {cents} cents of the test token"),
        deployment.token,
        &mintCall { to, amount: units(deployment, cents) },
    )
}

/// Adds to a payer's escrow from the sender's tokens: lets the contract take them, then has it take them. Anybody sends
/// the two, in this order.
#[must_use]
pub fn deposit(deployment: &Deployment, payer: PayerId, cents: u64) -> [Request; 2] {
    let amount = units(deployment, cents);
    let approve = approveCall { spender: deployment.settlement, amount };
    let deposit = depositCall { payer, amount };
    [
        request(format!("allow the escrow to take {cents} cents"), deployment.token, &approve),
        request(format!("deposit {cents} cents for payer {payer:#x}"), deployment.settlement, &deposit),
    ]
}

/// Takes back whatever the contract may still take of the sender's tokens.
#[must_use]
pub fn allow_nothing(deployment: &Deployment) -> Request {
    let call = approveCall { spender: deployment.settlement, amount: U256::ZERO };
    request(
        "allow the escrow to take nothing, which this token wants first".to_owned(),
        deployment.token,
        &call,
    )
}

/// Pays out of the sender's credit, in base units of the token.
#[must_use]
pub fn withdraw(deployment: &Deployment, to: Address, amount: U256) -> Request {
    request(format!("withdraw {amount} to {to}"), deployment.settlement, &withdrawCall { to, amount })
}

/// Cents in base units of the deployment's token.
#[must_use]
pub fn units(deployment: &Deployment, cents: u64) -> U256 {
    U256::from(cents).saturating_mul(deployment.units_per_cent)
}
