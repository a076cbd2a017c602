//! A sample known by its sums: mean, standard deviation, and Welch's comparison of two.
//!
//! Differences and spreads are computed from codes, where they are the same as from values and always fit 128 bits.

use super::{
    distribution::{student_975, student_two_sided},
    number::{count, float, power_of_ten, ratio},
};
use nightingale_circuits::cohort::{Column, Kind, ValueFigures};

/// One value column's figures in a group of rows. A value is `(code + offset) / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Values that are not missing.
    pub n: u64,
    /// The sum of their codes.
    pub codes: u128,
    /// The sum of their squared codes.
    pub squared_codes: u128,
    /// What is added to a code to have the scaled value.
    pub offset: i64,
    /// Decimals of the scaled value.
    pub scale: u8,
}

impl Sample {
    /// The sample of `figures` of `column`; `None` where the column holds no numbers.
    #[must_use]
    pub fn new(figures: &ValueFigures, column: &Column) -> Option<Self> {
        let scale = if let Kind::Integer { scale, .. } = column.kind { scale } else { 0 };
        Some(Self {
            n: figures.nonmissing,
            codes: figures.codes,
            squared_codes: figures.squared_codes,
            offset: column.offset()?,
            scale,
        })
    }

    /// The arithmetic mean; `None` of no values.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let n = i128::from(self.n);
        let shift = i128::from(self.offset).checked_mul(n)?;
        let sum = i128::try_from(self.codes).ok()?.checked_add(shift)?;
        ratio(sum, n.checked_mul(power_of_ten(self.scale)?)?)
    }

    /// The sample variance, with the denominator `n - 1`; `None` of fewer than two values.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        let n = i128::from(self.n);
        let unit = power_of_ten(self.scale)?;
        let variance = ratio(self.spread()?, n.checked_mul(n.checked_sub(1)?)?)?;
        (self.n > 1).then(|| variance / float(unit) / float(unit))
    }

    /// The sample standard deviation.
    #[must_use]
    pub fn standard_deviation(&self) -> Option<f64> {
        self.variance().map(f64::sqrt)
    }

    /// `n sum(c^2) - sum(c)^2`, exactly: `n (n - 1)` times the variance of the codes.
    pub(super) fn spread(&self) -> Option<i128> {
        let squares = u128::from(self.n).checked_mul(self.squared_codes)?;
        i128::try_from(squares.checked_sub(self.codes.checked_mul(self.codes)?)?).ok()
    }
}

/// Two means compared without assuming equal variances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Welch {
    /// The first mean less the second.
    pub difference: f64,
    /// The difference's standard error.
    pub standard_error: f64,
    /// The lower end of the difference's 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The difference in standard errors.
    pub t: f64,
    /// Degrees of freedom.
    pub degrees: f64,
    /// The two-sided probability of such a `t` or one farther from 0.
    pub p: f64,
}

/// Welch's test of two samples of one column.
///
/// B. L. Welch, The generalization of "Student's" problem when several different population variances are involved, Biometrika
/// 34 (1947); degrees of freedom after F. E. Satterthwaite, Biometrics Bulletin 2 (1946). `None` with fewer than two values in
/// either, when nothing varies, or for samples of different units.
#[must_use]
pub fn welch(first: &Sample, second: &Sample) -> Option<Welch> {
    if (first.offset, first.scale) != (second.offset, second.scale) {
        return None;
    }
    let (n, m) = (i128::from(first.n), i128::from(second.n));
    let cross = |codes: u128, other: i128| i128::try_from(codes).ok()?.checked_mul(other);
    let numerator = cross(first.codes, m)?.checked_sub(cross(second.codes, n)?)?;
    let difference = ratio(numerator, n.checked_mul(m)?.checked_mul(power_of_ten(first.scale)?)?)?;
    let (a, b) = (first.variance()? / count(first.n), second.variance()? / count(second.n));
    let both = a + b;
    if both <= 0.0 {
        return None;
    }
    let standard_error = both.sqrt();
    let degrees = both * both / (a * a / float(n - 1) + b * b / float(m - 1));
    let t = difference / standard_error;
    let reach = student_975(degrees) * standard_error;
    Some(Welch {
        difference,
        standard_error,
        low: difference - reach,
        high: difference + reach,
        t,
        degrees,
        p: student_two_sided(t, degrees),
    })
}
