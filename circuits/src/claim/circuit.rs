//! The claim statement as constraints, section by section as `docs/statements/claim.md` has them.
//!
//! The shape depends on the size class alone. The assignment comes from [`Inputs`]; nothing in it is trusted.

mod header;
mod inputs;
mod judge;
mod lookups;
mod money;
mod publish;

pub use inputs::{Inputs, LeafInput};

use super::{
    request::{Refusal, Request, SizeClass},
    rules::{Adjudication, adjudicate},
};
use crate::r1cs::{Assignment, Builder, R1cs, Wire};

/// The constraints of a size class.
#[must_use]
pub fn r1cs(class: SizeClass) -> R1cs {
    let mut b = Builder::shape();
    synthesise(&mut b, &Inputs::blank(class));
    b.finish().0
}

/// Adjudicates a request and computes the assignment that proves it.
///
/// # Errors
/// The refusals of [`Request::check`].
pub fn assign(request: &Request) -> Result<(Adjudication, Assignment), Refusal> {
    let adjudication = adjudicate(request)?;
    let inputs = Inputs::new(request, adjudication.class, adjudication.public.clone());
    let mut b = Builder::witness_only(columns(adjudication.class));
    synthesise(&mut b, &inputs);
    Ok((adjudication, b.finish().1))
}

/// At least the columns of a class.
const fn columns(class: SizeClass) -> usize {
    match class {
        SizeClass::Two => 1 << 16,
        SizeClass::Eight => 1 << 17,
    }
}

/// Wires that several sections read.
struct Shared {
    header: header::Header,
    lookups: lookups::Lookups,
}

/// Writes the whole statement.
pub fn synthesise(b: &mut Builder, inputs: &Inputs) {
    b.section("public inputs");
    let public = publish::Public::allocate(b, &inputs.public);
    let header = header::claim(b, inputs, &public);
    let lookups = lookups::all(b, inputs, &header, &public);
    let shared = Shared { header, lookups };
    let mut balances = shared.lookups.account.balances.clone();
    let mut used_units = b.constant(0u64);
    let mut lines = Vec::with_capacity(inputs.lines.len());
    for line in 0..inputs.lines.len() {
        b.section("rules");
        let judged = judge::line(b, &shared, line, &used_units);
        if line + 1 < inputs.lines.len() {
            used_units = &used_units + &b.multiply(&judged.authorised, &shared.header.lines[line].units);
        }
        b.section("payable amount");
        lines.push(money::price(b, &shared, judged, &mut balances));
    }
    b.section("outcome");
    publish::outcome(b, inputs, &shared, &lines, &balances, &public);
}

/// A line with all its amounts and decisions.
struct PricedLine {
    /// Whether it is allowed, as a bit.
    allowed: Wire,
    /// Reasons by bit, 119 included.
    reasons: Vec<Wire>,
    /// What the plan pays.
    pay: Wire,
    /// Whether it is allowed and used the authorisation, as a bit.
    authorised: Wire,
}
