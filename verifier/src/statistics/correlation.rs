//! Two value columns together: covariance and Pearson's correlation, from cross sums.

use super::{
    number::{float, power_of_ten, ratio},
    sample::Sample,
};
use nightingale_circuits::cohort::PairFigures;

/// The sample covariance over the rows in which neither value is missing, with the denominator `pairs - 1`; `None` of fewer than
/// two. The scales are the two columns'.
///
/// It is the same of codes as of values, since adding a constant to a variable changes no covariance.
#[must_use]
pub fn covariance(pairs: &PairFigures, scales: (u8, u8)) -> Option<f64> {
    let n = i128::from(pairs.pairs);
    let covariance = ratio(cross_spread(pairs)?, n.checked_mul(n.checked_sub(1)?)?)?;
    let unit = float(power_of_ten(scales.0)?) * float(power_of_ten(scales.1)?);
    Some(covariance / unit)
}

/// Pearson's product-moment correlation: K. Pearson, Proc. Roy. Soc. London 58 (1895).
///
/// Its squares must be over the same rows as its products, so it exists only where both columns are missing in the same rows:
/// `None` otherwise, and where either does not vary.
#[must_use]
pub fn pearson(pairs: &PairFigures, first: &Sample, second: &Sample) -> Option<f64> {
    if !complete(pairs, first, second) {
        return None;
    }
    let (a, b) = (float(first.spread()?), float(second.spread()?));
    if a <= 0.0 || b <= 0.0 {
        return None;
    }
    Some((float(cross_spread(pairs)?) / (a.sqrt() * b.sqrt())).clamp(-1.0, 1.0))
}

/// Whether each row that has one of the values has the other.
#[must_use]
pub const fn complete(pairs: &PairFigures, first: &Sample, second: &Sample) -> bool {
    pairs.pairs == first.n && pairs.pairs == second.n
}

/// `n sum(ab) - sum(a) sum(b)`, exactly.
fn cross_spread(pairs: &PairFigures) -> Option<i128> {
    let products = i128::try_from(u128::from(pairs.pairs).checked_mul(pairs.product_codes)?).ok()?;
    products.checked_sub(i128::try_from(pairs.first_codes.checked_mul(pairs.second_codes)?).ok()?)
}
