//! Tail probabilities of the distributions that the tests refer to: chi-squared and Student's t.
//!
//! Both are sums and fractions of positive terms, so that small probabilities keep their digits.

use libm::{erfc, exp, lgamma, log, log1p};
use std::f64::consts::PI;

/// The 0.975 quantile of the standard normal distribution: half the width of a 95 % interval, in standard errors.
pub const NORMAL_975: f64 = 1.959_963_984_540_054;

/// Above it `exp(-x)` leaves the normal doubles.
const LARGEST_EXPONENT: f64 = 700.0;

/// The probability that a chi-squared variable of `degrees` degrees of freedom exceeds `statistic`, for fewer than 1,400 degrees.
///
/// The finite sums for whole degrees: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.4.4 and 26.4.5.
#[must_use]
pub fn chi_squared_upper(statistic: f64, degrees: u32) -> f64 {
    if degrees == 0 || statistic.is_nan() || statistic <= 0.0 {
        return 1.0;
    }
    if statistic.is_infinite() {
        return 0.0;
    }
    let half = statistic / 2.0;
    let odd = degrees % 2 == 1;
    let (lowest, start) = if odd { (0.5, erfc(half.sqrt())) } else { (0.0, 0.0) };
    let highest = f64::from(degrees) / 2.0 - 1.0;
    // The terms half^order exp(-half) / gamma(order + 1), from the end where they are largest.
    let mut sum = start;
    if half <= LARGEST_EXPONENT {
        let mut order = lowest;
        let mut term = if odd { 2.0 * (half / PI).sqrt() * exp(-half) } else { exp(-half) };
        while order <= highest {
            sum += term;
            order += 1.0;
            term *= half / order;
        }
    } else if highest >= 0.0 {
        let mut order = highest;
        let mut term = exp(order * log(half) - half - lgamma(order + 1.0));
        while order >= 0.0 {
            sum += term;
            term *= order / half;
            order -= 1.0;
        }
    }
    sum.min(1.0)
}

/// The probability that a variable of Student's t distribution with `degrees` degrees of freedom, whole or not, is at least `t`
/// away from 0.
///
/// `I_x(degrees / 2, 1 / 2)` with `x = degrees / (degrees + t^2)`: Abramowitz and Stegun, 26.7.1 and 26.5.27; for many degrees, where
/// its fraction converges slowly, Hill's expansion.
#[must_use]
pub fn student_two_sided(t: f64, degrees: f64) -> f64 {
    if t.is_nan() || t == 0.0 || degrees.is_nan() || degrees <= 0.0 {
        return 1.0;
    }
    let squared = t * t;
    if squared.is_infinite() {
        return 0.0;
    }
    if degrees > MANY_DEGREES {
        return erfc(normal_deviate(squared, degrees) / std::f64::consts::SQRT_2);
    }
    let a = degrees / 2.0;
    let x = degrees / (degrees + squared);
    let rest = squared / (degrees + squared);
    // x^a (1 - x)^(1/2) / B(a, 1/2)
    let front = exp(-a * log1p(squared / degrees)) * rest.sqrt() * gamma_ratio(a) / PI.sqrt();
    let probability = if x < (a + 1.0) / (a + 2.5) {
        front * beta_fraction(a, 0.5, x) / a
    } else {
        1.0 - front * beta_fraction(0.5, a, rest) / 0.5
    };
    probability.clamp(0.0, 1.0)
}

/// From here on Hill's expansion has 13 digits of any probability that is no smaller than the least double.
const MANY_DEGREES: f64 = 10_000.0;

/// The normal deviate with the same two-sided probability as a `t` with this square: G. W. Hill, Algorithm 395, Comm. ACM 13 (1970).
fn normal_deviate(squared: f64, degrees: f64) -> f64 {
    let a = degrees - 0.5;
    let b = 48.0 * a * a;
    let y = a * log1p(squared / degrees);
    let numerator = ((-0.4 * y - 3.3) * y - 24.0) * y - 85.5;
    ((numerator / (0.8 * y * y + 100.0 + b) + y + 3.0) / b + 1.0) * y.sqrt()
}

/// The 0.975 quantile of Student's t distribution: where the two-sided probability is 0.05.
///
/// Newton's steps from the normal quantile, which lies to the left of it; the probability is convex there, so no step overshoots.
#[must_use]
pub fn student_975(degrees: f64) -> f64 {
    let scale = gamma_ratio(degrees / 2.0) / (PI * degrees).sqrt();
    let density = |t: f64| scale * exp(-(degrees + 1.0) / 2.0 * log1p(t * t / degrees));
    let mut t = NORMAL_975;
    for _ in 0..200 {
        let step = (student_two_sided(t, degrees) - 0.05) / (2.0 * density(t));
        t += step;
        if step.abs() <= 4.0 * f64::EPSILON * t {
            break;
        }
    }
    t
}

/// `gamma(a + 1/2) / gamma(a)`, without the cancellation of two logarithms.
///
/// The asymptotic series (Graham, Knuth and Patashnik, Concrete Mathematics, exercise 9.60) from 40 on; below,
/// `r(a) = r(a + 1) a / (a + 1/2)`.
fn gamma_ratio(a: f64) -> f64 {
    let mut shifted = a;
    let mut factor = 1.0;
    while shifted < 40.0 {
        factor *= shifted / (shifted + 0.5);
        shifted += 1.0;
    }
    let v = 1.0 / shifted;
    let coefficients = [-399.0 / 262_144.0, -21.0 / 32_768.0, 5.0 / 1_024.0, 1.0 / 128.0, -1.0 / 8.0, 1.0];
    let series = coefficients.into_iter().fold(869.0 / 4_194_304.0, |sum, coefficient| sum * v + coefficient);
    factor * shifted.sqrt() * series
}

/// The continued fraction of the incomplete beta function: NIST Digital Library of Mathematical Functions, 8.17.22, by Lentz's
/// method (Thompson and Barnett, J. Comput. Phys. 64, 1986).
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-290;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut c = 1.0;
    let mut fraction = d;
    let mut m = 1.0;
    while m < 1e6 {
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        let change = d * c;
        fraction *= change;
        if (change - 1.0).abs() <= 2.0 * f64::EPSILON {
            break;
        }
        m += 1.0;
    }
    fraction
}
