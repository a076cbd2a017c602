//! Invented insurers, members, claims and trials of any number: the same seed gives the same bytes.
//!
//! Nothing here is anybody's record. Codes are real vocabulary (without descriptors), fees, people and NPIs are not.

mod catalogue;
mod claims;
mod demo;
mod faults;
mod people;
mod trial;

pub use demo::{Demo, DemoClaim, Story, demo};
pub use trial::{Trial, TrialFiles, trial, write_trial};

use crate::{ClaimFile, RecordsError, Registers};
use nightingale_circuits::claim::{Date, Id, Request, adjudicate};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::collections::BTreeSet;

/// A payer's registers and claims against them, in the order of receipt.
#[derive(Clone)]
pub struct World {
    /// Everything that claims are judged by, the custodian's keys included.
    pub registers: Registers,
    /// Claims; each says when it was received.
    pub claims: Vec<ClaimFile>,
}

/// The payer of every invented world.
pub const PAYER: &str = "Harbour Mutual";

/// Invents `members` insured people and `claims` claims among them.
///
/// About four in five claims are in order. The others fail each rule at roughly the rate at which real claims do:
/// not covered, missing authorisation and unsupported diagnosis lead. Deductibles are part-used, and some members
/// have reached their out-of-pocket or benefit maximum. One member in fifty has revoked consent.
#[must_use]
pub fn world(seed: u64, members: usize, claims: usize) -> World {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut town = people::town(&mut rng, members.max(2));
    let mut files: Vec<ClaimFile> =
        (0..claims).map(|number| claims::claim(&mut rng, &mut town, number)).collect();
    files.sort_by_key(|file| file.received);
    World { registers: Registers(town.registers), claims: files }
}

/// `n` requests that can be proven, of both size classes, approvals and denials; each member's requests follow one
/// another as if each had been settled before the next.
///
/// # Errors
/// None for any seed that the tests cover; an error would be a bug in the generator.
pub fn requests(seed: u64, n: usize) -> Result<Vec<Request>, RecordsError> {
    let mut all = Vec::with_capacity(n);
    let mut round = 0;
    while all.len() < n {
        let wanted = n - all.len();
        let world = world(seed.wrapping_add(round), wanted / 3 + 4, wanted);
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        rng.set_stream(round + 1);
        let mut registers = world.registers.build()?;
        // The account register is rebuilt only when a member comes again: rebuilding is most of the work.
        let mut unpublished = BTreeSet::new();
        for claim in &world.claims {
            let Some(received) = claim.received else { continue };
            if unpublished.contains(&Id::from_text(&claim.coverage)) {
                registers.publish_notes()?;
                unpublished.clear();
            }
            let request = registers.request(claim, received, &mut rng)?;
            // Without consent nothing can be proven: those claims are left out.
            let Ok(outcome) = adjudicate(&request) else { continue };
            if registers.take_up(&request, &outcome).is_some() {
                unpublished.insert(request.claim.coverage);
            }
            all.push(request);
        }
        round += 1;
    }
    Ok(all)
}

/// A day of a year, every day equally likely; the ranges here are within 1901 to 2099.
fn day(rng: &mut ChaCha20Rng, first: (u32, u32, u32), last: (u32, u32, u32)) -> Date {
    let number =
        |(year, month, day)| Date::from_calendar(year, month, day).map_or(Date::MIN, |date| date).days();
    plus_days(Date::MIN, rng.random_range(number(first)..=number(last)) - Date::MIN.days())
}

/// `days` later, at most the last date there is.
fn plus_days(date: Date, days: u32) -> Date {
    Date::from_days(date.days() + days).unwrap_or(Date::MAX)
}

/// `days` earlier, at least the first date there is.
fn minus_days(date: Date, days: u32) -> Date {
    Date::from_days(date.days().saturating_sub(days)).unwrap_or(Date::MIN)
}

/// One of a list that is never empty.
fn one_of<'a, T>(rng: &mut ChaCha20Rng, items: &'a [T]) -> &'a T {
    &items[rng.random_range(0..items.len())]
}

/// Whether something with this chance in a hundred happens.
fn percent(rng: &mut ChaCha20Rng, chance: u32) -> bool {
    rng.random_range(0..100) < chance
}
