//! Quantiles as far as a grouped answer knows them: the interval in which they lie.

/// A p-quantile's place in groups that are in ascending order: the indices of the groups that hold its least and its greatest
/// possible value. `part` of `whole` is p, such as 1 of 2 for the median.
///
/// A p-quantile is any x with `P(X <= x) >= p` and `P(X >= x) >= 1 - p` (J. Shao, Mathematical Statistics (2003), section 5.3.1);
/// all of them, and the middle that many programs print, lie between the order statistics of ranks `ceil(np)` and
/// `floor(np) + 1`. `None` of no rows.
#[must_use]
pub fn place(counts: &[u64], part: u64, whole: u64) -> Option<(usize, usize)> {
    let n = counts.iter().map(|&count| u128::from(count)).sum::<u128>();
    let (part, whole) = (u128::from(part), u128::from(whole));
    if n == 0 || whole == 0 || part > whole {
        return None;
    }
    let scaled = n.checked_mul(part)?;
    let low = scaled.div_ceil(whole).max(1);
    let high = (scaled / whole).saturating_add(1).min(n);
    Some((holding(counts, low)?, holding(counts, high)?))
}

/// The group that holds the order statistic of this rank, counted from 1.
fn holding(counts: &[u64], rank: u128) -> Option<usize> {
    let mut before = 0u128;
    counts.iter().position(|&count| {
        before += u128::from(count);
        before >= rank
    })
}
