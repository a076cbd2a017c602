//! The public inputs, and the outcome that is tied to them.

use super::{
    super::{
        account::VERSION_BITS,
        gadgets::{
            hashing::tagged,
            numbers::{any, bits, not},
        },
        public::{PublicInputs, STATEMENT_VERSION},
        reasons::REASONS,
        types::{DATE_BITS, TOTAL_MONEY_BITS},
    },
    Inputs, PricedLine, Shared,
    money::BalanceWires,
};
use crate::{
    Fr,
    field::power_of_two,
    r1cs::{Builder, Wire},
    tag::Tag,
};

/// The public inputs' wires, in verifier order.
pub(super) struct Public {
    pub(super) epoch_root: Wire,
    pub(super) consent_root: Wire,
    pub(super) account_root: Wire,
    pub(super) claim_commitment: Wire,
    pub(super) payee: Wire,
    packed: Wire,
    outcome_commitment: Wire,
    spend_tag: Wire,
    next_note: Wire,
    authorisation_tag: Wire,
    nullifiers: Vec<Wire>,
}

impl Public {
    pub(super) fn allocate(b: &mut Builder, values: &PublicInputs) -> Self {
        Self {
            epoch_root: b.public(values.epoch_root),
            consent_root: b.public(values.consent_root),
            account_root: b.public(values.account_root),
            claim_commitment: b.public(values.claim_commitment),
            payee: b.public(values.payee),
            packed: b.public(values.packed),
            outcome_commitment: b.public(values.outcome_commitment),
            spend_tag: b.public(values.spend_tag),
            next_note: b.public(values.next_note),
            authorisation_tag: b.public(values.authorisation_tag),
            nullifiers: values.nullifiers.iter().map(|x| b.public(*x)).collect(),
        }
    }
}

/// Decision, reasons, amount, spend tag, next note, authorisation tag and nullifiers.
pub(super) fn outcome(
    b: &mut Builder,
    inputs: &Inputs,
    shared: &Shared,
    lines: &[PricedLine],
    balances: &BalanceWires,
    public: &Public,
) {
    let allowed: Vec<Wire> = lines.iter().map(|line| line.allowed.clone()).collect();
    let approved = any(b, &allowed);
    let reasons: Vec<Wire> = (0..REASONS)
        .map(|reason| {
            let of_lines: Vec<Wire> = lines.iter().map(|line| line.reasons[reason].clone()).collect();
            any(b, &of_lines)
        })
        .collect();
    let value =
        reasons.iter().enumerate().fold(approved.clone(), |sum, (i, bit)| &sum + &bit.shift(i as u32 + 1));
    let salt = b.input(inputs.outcome_salt);
    let commitment = tagged(b, Tag::Outcome, &[value, salt]);
    b.equal(&commitment, &public.outcome_commitment);

    let payable = lines.iter().fold(b.constant(0u64), |sum, line| &sum + &line.pay);
    bits(b, &payable, TOTAL_MONEY_BITS);
    let version = b.constant(Fr::from(STATEMENT_VERSION) * power_of_two(TOTAL_MONEY_BITS + DATE_BITS));
    let packed = &(&payable + &shared.header.received.shift(TOTAL_MONEY_BITS)) + &version;
    b.equal(&packed, &public.packed);

    account(b, inputs, shared, balances, &approved, public);

    let used: Vec<Wire> = lines.iter().map(|line| line.authorised.clone()).collect();
    let used = any(b, &used);
    let nk = &shared.lookups.account.nk;
    let tag = tagged(b, Tag::AuthorisationUse, &[nk.clone(), shared.header.authorisation.clone()]);
    b.enforce(&used, &tag, &public.authorisation_tag);

    for ((line, header), nullifier) in lines.iter().zip(&shared.header.lines).zip(&public.nullifiers) {
        let hash = tagged(b, Tag::Nullifier, &[nk.clone(), header.service.clone()]);
        b.enforce(&line.allowed, &hash, nullifier);
    }
}

fn account(
    b: &mut Builder,
    inputs: &Inputs,
    shared: &Shared,
    balances: &BalanceWires,
    approved: &Wire,
    public: &Public,
) {
    let account = &shared.lookups.account;
    let spend_tag = tagged(b, Tag::Spend, &[account.nk.clone(), account.place.clone()]);
    b.enforce(approved, &spend_tag, &public.spend_tag);
    let next = &account.place + &b.constant(1u64);
    let salt = b.input(inputs.next_salt);
    let note = tagged(b, Tag::Note, &[account.nk.clone(), next, balances.pack(), salt]);
    b.enforce(approved, &note, &public.next_note);
    // The last version has no next one: its number would run into the year.
    let last = b.constant(power_of_two(VERSION_BITS) - Fr::from(1u64));
    let is_last = b.is_zero(&(&account.version - &last));
    let not_last = not(b, &is_last);
    b.enforce(approved, &not_last, approved);
}
