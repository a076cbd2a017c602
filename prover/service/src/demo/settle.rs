//! The chain's side: roles, roots, receipts and escrow before the batch, then the batch itself.

use super::{
    At, DemoError,
    cast::Cast,
    insurer::{Answer, Answers, accounts_after},
    ledger::Ledger,
};
use alloy_primitives::U256;
use alloy_signer::SignerSync;
use nightingale_circuits::Fr;
use nightingale_contracts::{
    PayerId,
    bindings::ClaimSettlement,
    calldata::{Endorsement, claim_digest, word},
    deploy::Deployment,
};
use nightingale_poster::{Claim, administration, endorsement::commitment};

/// What the insurer puts into its escrow, in cents.
const ESCROW_CENTS: u64 = 10_000_000;

/// One settlement transaction.
pub(super) struct Batch {
    pub(super) settled: usize,
    pub(super) gas: u64,
    /// The notes that it made, as its events say.
    pub(super) next_notes: Vec<Fr>,
}

/// The operator plays registrar, consent authority and insurer: publishes roots and funds the escrow.
pub(super) async fn prepare(
    ledger: &mut Ledger,
    deployment: &Deployment,
    cast: &Cast,
) -> Result<(), DemoError> {
    let payer = payer(cast)?;
    let operator = ledger.operator();
    let [approve, deposit] = administration::deposit(deployment, payer, ESCROW_CENTS);
    let requests = [
        administration::add_payer(deployment, payer, operator),
        administration::set_authority(deployment, operator, true),
        // Contracts of its own, and a key for one demonstration: nobody holds this back.
        administration::publish_consents(deployment, word(cast.consent_root), u64::MAX),
        administration::publish_epoch(deployment, payer, word(cast.epoch.root())),
        administration::publish_accounts(deployment, payer, word(cast.account_root)),
        administration::mint(deployment, operator, ESCROW_CENTS),
        approve,
        deposit,
    ];
    for request in requests {
        ledger.send(request).await?;
    }
    Ok(())
}

/// Publishes the account root after these settlements.
pub(super) async fn publish_accounts(
    ledger: &mut Ledger,
    deployment: &Deployment,
    cast: &Cast,
    batches: &[Batch],
) -> Result<(), DemoError> {
    let (_, root) = accounts_after(cast, batches)?;
    ledger.send(administration::publish_accounts(deployment, payer(cast)?, word(root))).await?;
    Ok(())
}

/// Settles every approved claim that is not settled yet, in one transaction.
pub(super) async fn batch(
    ledger: &mut Ledger,
    deployment: &Deployment,
    cast: &Cast,
    answers: &mut Answers,
) -> Result<Batch, DemoError> {
    let payer = payer(cast)?;
    let is_due = |answer: &&Answer| answer.decision == "approve" && !answer.settled;
    let mut claims = Vec::new();
    for proof in answers.0.iter().filter(is_due).filter_map(|answer| answer.proof.as_ref()) {
        let commitment = commitment(proof);
        let (cents, received, _) = proof.public.unpack_amount().ok_or("malformed").at("reading a proof")?;
        ledger.send(administration::record_receipt(deployment, payer, commitment, received.days())).await?;
        let digest = claim_digest(deployment.chain_id, deployment.settlement, payer, commitment, cents);
        let signature = cast.provider.sign_hash_sync(&digest).at("signing as the provider")?.as_erc2098();
        let endorsement = Some(Endorsement { payer, authority: ledger.operator(), signature });
        claims.push(Claim { proof: proof.clone(), endorsement });
    }
    let (gas, outcomes) = ledger.settle(deployment, &claims).await?;
    let settled = outcomes.iter().filter(|outcome| outcome.skipped.is_none()).count();
    let share = gas / (settled as u64).max(1);
    let mut next_notes = Vec::new();
    for answer in &mut answers.0 {
        let Some(proof) = &answer.proof else { continue };
        let own = commitment(proof);
        match outcomes.iter().find(|outcome| outcome.commitment == own).map(|outcome| &outcome.skipped) {
            Some(None) => {
                (answer.settled, answer.gas) = (true, share);
                next_notes.push(proof.public.next_note);
            }
            Some(Some(reason)) => answer.note = format!("not settled: {reason}"),
            None => {}
        }
    }
    Ok(Batch { settled, gas, next_notes })
}

/// What the provider may withdraw, in cents.
pub(super) async fn credit(
    ledger: &mut Ledger,
    deployment: &Deployment,
    cast: &Cast,
) -> Result<u64, DemoError> {
    let call = ClaimSettlement::creditOfCall { payee: cast.payee() };
    let units: U256 = ledger.ask(deployment.settlement, &call).await?;
    Ok((units / deployment.units_per_cent).saturating_to())
}

fn payer(cast: &Cast) -> Result<PayerId, DemoError> {
    PayerId::try_from(cast.payer().number()).at("reading the payer")
}
