//! Sets of codes of one column. Code 0, missing, is in none: a comparison with it is not true.

use nightingale_circuits::cohort::Interval;

/// Disjoint intervals, ascending with gaps between them, within `1..=bound`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Codes {
    intervals: Vec<Interval>,
    bound: u32,
}

impl Codes {
    pub(super) const fn none(bound: u32) -> Self {
        Self { intervals: Vec::new(), bound }
    }

    /// Every code that is not missing.
    pub(super) fn all(bound: u32) -> Self {
        Self::of([Interval { low: 1, high: bound }], bound)
    }

    pub(super) fn of(intervals: impl IntoIterator<Item = Interval>, bound: u32) -> Self {
        let mut given: Vec<Interval> = intervals
            .into_iter()
            .map(|Interval { low, high }| Interval { low: low.max(1), high: high.min(bound) })
            .filter(|interval| interval.low <= interval.high)
            .collect();
        given.sort_unstable();
        let mut intervals: Vec<Interval> = Vec::with_capacity(given.len());
        for next in given {
            match intervals.last_mut() {
                Some(last) if next.low <= last.high.saturating_add(1) => last.high = last.high.max(next.high),
                _ => intervals.push(next),
            }
        }
        Self { intervals, bound }
    }

    pub(super) fn or(self, other: Self) -> Self {
        let bound = self.bound;
        Self::of(self.intervals.into_iter().chain(other.intervals), bound)
    }

    pub(super) fn not(&self) -> Self {
        let mut gaps = Vec::with_capacity(self.intervals.len() + 1);
        let mut low = 1;
        for interval in &self.intervals {
            gaps.push(Interval { low, high: interval.low - 1 });
            low = interval.high.saturating_add(1);
        }
        gaps.push(Interval { low, high: if low > self.bound { 0 } else { self.bound } });
        Self::of(gaps, self.bound)
    }

    pub(super) fn and(self, other: Self) -> Self {
        self.not().or(other.not()).not()
    }

    pub(super) fn into_intervals(self) -> Vec<Interval> {
        self.intervals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(u32, u32)]) -> Codes {
        Codes::of(pairs.iter().map(|&(low, high)| Interval { low, high }), 10)
    }

    #[test]
    fn sets_behave_as_sets() {
        assert_eq!(set(&[(4, 5), (1, 2), (3, 3), (9, 99)]), set(&[(1, 5), (9, 10)]));
        assert_eq!(set(&[(1, 5), (9, 10)]).not(), set(&[(6, 8)]));
        assert_eq!(Codes::none(10).not(), Codes::all(10));
        assert_eq!(Codes::all(10).not(), Codes::none(10));
        assert_eq!(set(&[(1, 5)]).and(set(&[(4, 9)])), set(&[(4, 5)]));
        assert_eq!(Codes::all(u32::MAX - 1).not(), Codes::none(u32::MAX - 1));
    }
}
