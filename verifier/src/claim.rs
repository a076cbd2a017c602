//! Verifying a claim proof: everything that can be checked without knowing the claim.

use crate::{
    ClaimProof, ConsentRule, KeyDigest, KeyKind, VerifyError, VerifyingKey, encoding::scalar_to_hex,
};
use nightingale_circuits::{
    Fr,
    claim::{Address, Date, PublicInputs, Reasons, SizeClass, commitments, public::STATEMENT_VERSION},
    field::to_be_bytes,
};
use std::collections::BTreeSet;

/// What the reader already knows and the proof must agree with. Whatever is `None` is not checked: a proof that
/// verifies in an empty context says that *some* payer's registers led to this decision, not that yours did.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The payer's epoch: its identity, settlement venue (chain and contract) and registers.
    pub epoch_root: Option<Fr>,
    /// The consent authority's register.
    pub consent_root: Option<Fr>,
    /// The payer's account register.
    pub account_root: Option<Fr>,
    /// The provider's claim.
    pub claim_commitment: Option<Fr>,
    /// Who is to be paid.
    pub payee: Option<Address>,
    /// The day on which the claim was received.
    pub received: Option<Date>,
    /// How recent the consent root must be.
    pub consents: Option<ConsentRule>,
    /// The key.
    pub key: Option<KeyDigest>,
    /// The key's kind; `Production` accepts no proof under a development key.
    pub key_kind: Option<KeyKind>,
}

/// Approve or deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// At least one line is allowed.
    Approve,
    /// No line is.
    Deny,
}

impl Decision {
    /// Its name in files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }
}

/// What a verified proof says.
///
/// Services that were billed before are not seen here: whoever settles keeps the nullifiers and the spend tags and
/// accepts each once. A service that stands twice within the proof is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Its size class.
    pub class: SizeClass,
    /// The decision.
    pub decision: Decision,
    /// Its reasons, where the proof carries the outcome's opening.
    pub reasons: Option<Reasons>,
    /// Which lines are allowed, in the claim's order: one for each line of the class, none behind the claim's last.
    pub allowed: Vec<bool>,
    /// What the payer owes, in cents.
    pub payable_cents: u64,
    /// To whom; zero when the billing provider is not enrolled.
    pub payee: Address,
    /// The day of receipt.
    pub received: Date,
    /// The key.
    pub key: KeyDigest,
    /// Its kind.
    pub kind: KeyKind,
}

/// Verifies a proof under `key` and in `context`, the cheap checks first.
///
/// # Errors
/// The first reason for which it is not accepted.
pub fn verify_claim(
    key: &VerifyingKey,
    proof: &ClaimProof,
    context: &Context,
) -> Result<Verified, VerifyError> {
    if proof.key != key.digest() {
        return Err(VerifyError::WrongKey { proof: proof.key, key: key.digest() });
    }
    if proof.class != key.class() {
        return Err(VerifyError::WrongClass { proof: proof.class.name(), key: key.class().name() });
    }
    if let Some(expected) = context.key.filter(|expected| *expected != key.digest()) {
        return Err(VerifyError::Context {
            what: "key",
            found: key.digest().to_string(),
            expected: expected.to_string(),
        });
    }
    match context.key_kind.filter(|expected| *expected != key.kind()) {
        Some(KeyKind::Production) => return Err(VerifyError::DevelopmentKey(key.digest())),
        Some(expected) => {
            let (expected, found) = (expected.to_string(), key.kind().to_string());
            return Err(VerifyError::Context { what: "key kind", expected, found });
        }
        None => {}
    }
    let public = &proof.public;
    if public.nullifiers.len() != proof.class.lines() {
        return Err(VerifyError::malformed("public.nullifiers", "must hold one for each line of the class"));
    }
    let (payable_cents, received, version) = public.unpack_amount().ok_or_else(|| {
        VerifyError::malformed(
            "public.packed",
            "must be cents, a date from 1901 to 2099 and the statement's version",
        )
    })?;
    if version != STATEMENT_VERSION {
        return Err(VerifyError::Version { found: version, known: STATEMENT_VERSION });
    }
    let payee = address(&public.payee)
        .ok_or_else(|| VerifyError::malformed("public.payee", "must be an address of 20 bytes"))?;
    let decision = decision(public, payable_cents)?;
    context.check(public, payee, received)?;
    let reasons = opened_reasons(proof, decision)?;
    if !key.accepts(&proof.proof, &public.to_vec()) {
        return Err(VerifyError::Invalid);
    }
    Ok(Verified {
        class: proof.class,
        decision,
        reasons,
        allowed: public.nullifiers.iter().map(|nullifier| *nullifier != Fr::from(0u64)).collect(),
        payable_cents,
        payee,
        received,
        key: key.digest(),
        kind: key.kind(),
    })
}

/// The decision, which the public inputs show: only an approval spends an account version.
fn decision(public: &PublicInputs, payable_cents: u64) -> Result<Decision, VerifyError> {
    let zero = Fr::from(0u64);
    let allowed: Vec<&Fr> = public.nullifiers.iter().filter(|nullifier| **nullifier != zero).collect();
    if public.spend_tag == zero {
        let silent = public.next_note == zero && public.authorisation_tag == zero && allowed.is_empty();
        if !silent {
            return Err(VerifyError::Inconsistent(
                "a denial publishes no note, authorisation tag or nullifier",
            ));
        }
        if payable_cents != 0 {
            return Err(VerifyError::Inconsistent("a denial pays nothing"));
        }
        return Ok(Decision::Deny);
    }
    if public.next_note == zero {
        return Err(VerifyError::Inconsistent("an approval publishes the account's next note"));
    }
    if allowed.is_empty() {
        return Err(VerifyError::Inconsistent("an approval has at least one nullifier"));
    }
    // The circuit compares no two lines: a service that stands twice in the claim shows here.
    if allowed.iter().collect::<BTreeSet<_>>().len() != allowed.len() {
        return Err(VerifyError::Inconsistent("two lines are allowed for one service"));
    }
    // No register of providers that its builder accepts has such a settlement address.
    if public.payee == zero {
        return Err(VerifyError::Inconsistent("an approval has somebody to pay"));
    }
    Ok(Decision::Approve)
}

fn opened_reasons(proof: &ClaimProof, decision: Decision) -> Result<Option<Reasons>, VerifyError> {
    let Some(opening) = &proof.opening else { return Ok(None) };
    let commitment = commitments::outcome(opening.approved, opening.reasons, &opening.salt);
    if commitment != proof.public.outcome_commitment {
        return Err(VerifyError::Opening(
            "it does not open the outcome commitment; decision, reasons or salt are not the proof's",
        ));
    }
    if opening.approved != (decision == Decision::Approve) {
        return Err(VerifyError::Opening("its decision is not the one that the public inputs show"));
    }
    Ok(Some(opening.reasons))
}

/// The address that a public input holds; `None` above 160 bits.
fn address(x: &Fr) -> Option<Address> {
    let bytes = to_be_bytes(x);
    let (zeros, address) = bytes.split_last_chunk::<20>()?;
    zeros.iter().all(|byte| *byte == 0).then_some(Address(*address))
}

/// An address as `0x` and 40 hexadecimal digits.
#[must_use]
pub fn address_text(address: &Address) -> String {
    format!("0x{}", hex::encode(address.0))
}

/// A date as `YYYY-MM-DD`.
#[must_use]
pub fn date_text(date: Date) -> String {
    let (year, month, day) = date.calendar();
    format!("{year:04}-{month:02}-{day:02}")
}

impl Context {
    fn check(&self, public: &PublicInputs, payee: Address, received: Date) -> Result<(), VerifyError> {
        let fields = [
            ("epoch root (payer, chain, contract and registers)", self.epoch_root, public.epoch_root),
            ("consent root", self.consent_root, public.consent_root),
            ("account root", self.account_root, public.account_root),
            ("claim commitment", self.claim_commitment, public.claim_commitment),
        ];
        for (what, expected, found) in fields {
            if let Some(expected) = expected.filter(|expected| *expected != found) {
                let (expected, found) = (scalar_to_hex(&expected), scalar_to_hex(&found));
                return Err(VerifyError::Context { what, expected, found });
            }
        }
        if let Some(expected) = self.payee.filter(|expected| *expected != payee) {
            let (expected, found) = (address_text(&expected), address_text(&payee));
            return Err(VerifyError::Context { what: "payee", expected, found });
        }
        if let Some(expected) = self.received.filter(|expected| *expected != received) {
            let (expected, found) = (date_text(expected), date_text(received));
            return Err(VerifyError::Context { what: "received date", expected, found });
        }
        self.consents.as_ref().map_or(Ok(()), |rule| rule.check(&public.consent_root))
    }
}
