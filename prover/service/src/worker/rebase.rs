//! A claim that an approval overtook: moved onto the newest account version of its member, which an approval of this
//! service made, once the payer has published its note.

use super::{
    task::{Checked, Verdict},
    thread::ProverThread,
};
use crate::{
    engine::{BuiltAccounts, Engine},
    jobs::{Failure, FailureCode, Waiting},
    store::queue::Lease,
};
use nightingale_circuits::{
    claim::{Account, NoteLeaf},
    merkle::{Record, Register},
};
use std::sync::Arc;

/// The claim on the newest account.
pub(super) async fn rebase(
    engine: &Engine,
    thread: &ProverThread,
    lease: &Lease,
    checked: Box<Checked>,
) -> Result<Box<Checked>, Verdict> {
    let spent = || Verdict::from(FailureCode::AccountSpent);
    let Some(lock) = &lease.account_lock else { return Err(spent()) };
    let account = engine.store.newest_account(&lease.tenant, lock).await?.ok_or_else(spent)?;
    let payer = lease.payer.ok_or(FailureCode::Internal)?;
    // Before the register is read: whatever is published later is noticed when the job waits.
    let seen = engine.store.accounts_revision(&lease.tenant, payer).await?.map(|(revision, _)| revision);
    let unpublished = || Verdict::SetAside(Waiting::AccountUnpublished, seen);
    let register = account_register(engine, thread, lease).await?.ok_or_else(unpublished)?;
    let moved = thread.run(move |_| move_account(checked, account, &register).transpose()).await?;
    let moved = moved.ok_or_else(unpublished)?.map_err(Verdict::Failed)?;
    if engine.store.note_rebase(lease).await? {
        engine.metrics.rebased.inc();
        tracing::info!(job = %lease.id, "moved onto a newer account version");
    }
    Ok(moved)
}

/// The claim on `account`; `None` while `register` does not hold its note.
fn move_account(
    checked: Box<Checked>,
    account: Account,
    register: &Register<NoteLeaf>,
) -> Result<Option<Box<Checked>>, Failure> {
    let mut request = checked.request;
    let member = request.member.as_mut().ok_or_else(|| Failure::new(FailureCode::Internal))?;
    let leaf = NoteLeaf(account.note(&member.nk, request.claim.coverage));
    let opening = register.open(leaf.key());
    if opening.leaf.record.as_ref() != Some(&leaf) {
        return Ok(None);
    }
    member.account = account;
    member.opening = Some(opening);
    request.account_root = register.root();
    Checked::new(request).map(Some)
}

/// The payer's newest account register, built on the thread unless it was the last one used.
async fn account_register(
    engine: &Engine,
    thread: &ProverThread,
    lease: &Lease,
) -> Result<Option<Arc<Register<NoteLeaf>>>, Verdict> {
    let (tenant, payer) = (&lease.tenant, lease.payer.ok_or(FailureCode::Internal)?);
    let Some((revision, _)) = engine.store.accounts_revision(tenant, payer).await? else { return Ok(None) };
    if let Some(register) = engine.built_accounts(tenant, payer, revision) {
        return Ok(Some(register));
    }
    let Some(published) = engine.store.accounts(tenant, payer).await? else { return Ok(None) };
    let notes = published.notes.into_iter().map(NoteLeaf).collect();
    let register = thread.run(move |_| Register::build(notes)).await?.map_err(|_| FailureCode::Internal)?;
    let register = Arc::new(register);
    engine.keep_accounts(BuiltAccounts {
        tenant: tenant.clone(),
        payer,
        revision: published.revision,
        register: register.clone(),
    });
    Ok(Some(register))
}
