//! Sets of days, as exceptions inside exceptions make them.

use nightingale_circuits::claim::Date;

/// Days, as disjoint runs in order, from the first day of each to its last, in days since 1900-01-01.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Days(Vec<(u32, u32)>);

impl Days {
    /// Every day that the statement knows.
    pub(super) fn all() -> Self {
        Self::between(Date::MIN.days(), Date::MAX.days())
    }

    /// From a day to a day, both included; none where the first is the later.
    pub(super) fn between(from: u32, to: u32) -> Self {
        Self(if from <= to { vec![(from, to)] } else { Vec::new() })
    }

    /// Those of either.
    pub(super) fn union(&self, other: &Self) -> Self {
        let mut runs: Vec<(u32, u32)> = self.0.iter().chain(&other.0).copied().collect();
        runs.sort_unstable();
        let mut joined: Vec<(u32, u32)> = Vec::with_capacity(runs.len());
        for (from, to) in runs {
            match joined.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        Self(joined)
    }

    /// Those that the other does not have.
    pub(super) fn minus(&self, other: &Self) -> Self {
        let mut left = self.0.clone();
        for (from, to) in &other.0 {
            let cut = |&(first, last): &(u32, u32)| {
                let before = (first < *from).then(|| (first, last.min(from.saturating_sub(1))));
                let behind = (last > *to).then(|| (first.max(to.saturating_add(1)), last));
                before.into_iter().chain(behind)
            };
            left = left.iter().flat_map(cut).collect();
        }
        Self(left)
    }

    /// Those of both.
    pub(super) fn intersection(&self, other: &Self) -> Self {
        self.minus(&self.minus(other))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// First and last day, where the days are one run.
    pub(super) fn single(&self) -> Option<(Date, Date)> {
        match self.0[..] {
            [(from, to)] => Some((Date::from_days(from).ok()?, Date::from_days(to).ok()?)),
            _ => None,
        }
    }

    /// One run that has all of them.
    pub(super) fn hull(&self) -> Self {
        match (self.0.first(), self.0.last()) {
            (Some((from, _)), Some((_, to))) => Self::between(*from, *to),
            _ => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn listed(days: &Days) -> BTreeSet<u32> {
        days.0.iter().flat_map(|(from, to)| *from..=*to).collect()
    }

    /// Every set of runs over seven days, against sets of single days.
    #[test]
    fn the_algebra_is_that_of_sets() {
        let set = |mask: u32| {
            (0..7)
                .filter(|bit| mask >> bit & 1 == 1)
                .fold(Days::default(), |days, bit| days.union(&Days::between(400 + bit, 400 + bit)))
        };
        for a in 0..128 {
            for b in 0..128 {
                let (x, y) = (set(a), set(b));
                let (x_days, y_days) = (listed(&x), listed(&y));
                assert_eq!(listed(&x.union(&y)), &x_days | &y_days);
                assert_eq!(listed(&x.minus(&y)), &x_days - &y_days);
                assert_eq!(listed(&x.intersection(&y)), &x_days & &y_days);
                // Runs are joined, so that a set has one form.
                assert_eq!(x.union(&y), set(a | b));
            }
        }
    }
}
