//! What an import asks of a ceremony beyond its mathematics: who contributed, and which beacon ended it.
//!
//! `snarkjs zkey verify` shows that a chain of contributions holds together, and not that it is the chain that was
//! published: whoever holds the files can leave contributions out, or make new ones in their place. So an import is given
//! what was published, from somewhere else than the key.

use super::{
    chain::{Beacon, Contribution},
    check::Checked,
    digest::ContributionHash,
    error::CeremonyError,
};
use std::collections::BTreeSet;

/// A contribution as its maker published it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// What snarkjs printed after contributing.
    pub hash: ContributionHash,
    /// What its maker is called; must then be the file's name for it.
    pub name: Option<String>,
}

/// What an import asks for.
#[derive(Clone, Debug)]
pub struct Terms {
    /// So many contributors, whose contributions were published or kept, must be in the key; at least one. Contributions that were published
    /// under one name are one contributor's, those without a name one's each; beacons do not count.
    pub minimum: usize,
    /// What the last contribution must be made from.
    pub beacon: Beacon,
    /// Contributions that must be in the key, in this order.
    pub published: Vec<Published>,
    /// Earlier files, with all of whose contributions the key's must begin. Each vouches for its last: the file is its contributor's
    /// own, never one that the coordinator hands over.
    pub previous: Vec<Checked>,
}

/// What of a contribution was compared with what its maker published or kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// Its hash, which binds no name and no point but delta.
    pub(super) hash: bool,
    /// Its name as well.
    pub(super) name: bool,
    /// Every point of the file that its maker kept.
    pub(super) file: bool,
}

impl Published {
    /// Reads a list: on each line 128 hexadecimal digits, then a name or nothing; empty lines and those that start with `#` say
    /// nothing.
    ///
    /// # Errors
    /// The first line that is not so.
    pub fn list(text: &str) -> Result<Vec<Self>, String> {
        let lines = text.lines().map(str::trim).enumerate();
        lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(i, line)| line.parse().map_err(|problem| format!("line {}: {problem}", i + 1)))
            .collect()
    }
}

impl std::str::FromStr for Published {
    type Err = &'static str;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let (hash, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let name = name.trim();
        Ok(Self { hash: hash.parse()?, name: (!name.is_empty()).then(|| name.to_owned()) })
    }
}

impl Terms {
    /// Checks a chain, and says of each contribution what is known to be as it was published.
    ///
    /// # Errors
    /// No beacon or another one; a contribution that was published and is not there, or under another name; too few; a last one before
    /// the beacon that nobody published.
    pub(super) fn check(&self, contributions: &[Contribution]) -> Result<Vec<Compared>, CeremonyError> {
        let beacon = contributions.last().and_then(Contribution::beacon).ok_or(CeremonyError::NoBeacon)?;
        let hashes: Vec<ContributionHash> = contributions.iter().map(Contribution::hash).collect();
        let mut kept = vec![Compared::default(); hashes.len()];
        for (number, previous) in (1..).zip(&self.previous) {
            let previous = previous.hashes();
            if !hashes.starts_with(&previous) {
                return Err(CeremonyError::NotContinued(number));
            }
            // Whoever kept a file vouches for the own contribution, its last. That the others before it were made by whom they name, nobody says.
            if let Some(own) = previous.len().checked_sub(1) {
                kept[own] = Compared { hash: true, name: false, file: true };
            }
        }
        let mut next = 0;
        for published in &self.published {
            let found = hashes[next..].iter().position(|hash| *hash == published.hash);
            let dropped = || CeremonyError::Dropped { hash: Box::new(published.hash) };
            let at = next + found.ok_or_else(dropped)?;
            let name = contributions[at].name().unwrap_or_default();
            if let Some(published) = published.name.as_ref().filter(|published| *published != name) {
                return Err(CeremonyError::Renamed {
                    number: at + 1,
                    found: name.to_owned(),
                    published: published.clone(),
                });
            }
            kept[at] = Compared { hash: true, name: published.name.is_some(), ..kept[at] };
            next = at + 1;
        }
        if *beacon != self.beacon {
            return Err(CeremonyError::OtherBeacon);
        }
        let number = contributors(&kept, contributions);
        let minimum = self.minimum.max(1);
        if number < minimum {
            return Err(CeremonyError::TooFew { kept: number, minimum });
        }
        // One that nobody published, be it a beacon, could be chosen after the last beacon's value was known.
        let last = contributions.len().checked_sub(2);
        if let Some(at) = last.filter(|at| !kept[*at].hash) {
            return Err(CeremonyError::Unvouched(at + 1));
        }
        Ok(kept)
    }
}

/// How many made the contributions that were compared.
fn contributors(kept: &[Compared], contributions: &[Contribution]) -> usize {
    let (mut names, mut unnamed) = (BTreeSet::new(), 0);
    for (kept, made) in kept.iter().zip(contributions).filter(|(_, made)| made.beacon().is_none()) {
        match (kept.hash, kept.name) {
            (false, _) => (),
            (true, false) => unnamed += 1,
            (true, true) => _ = names.insert(made.name()),
        }
    }
    names.len() + unnamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_published_list_and_names_the_line_that_is_wrong() {
        let hash = "ab".repeat(64);
        let list = Published::list(&format!("# who\n\n{hash} A Hospital\n  {hash}\n"));
        let names: Option<Vec<_>> = list.ok().map(|list| list.into_iter().map(|p| p.name).collect());
        assert_eq!(names, Some(vec![Some("A Hospital".to_owned()), None]));
        let wrong = Published::list(&format!("{hash}\n{} short", &hash[2..]));
        assert!(wrong.is_err_and(|problem| problem.starts_with("line 2: expected 128")));
    }
}
