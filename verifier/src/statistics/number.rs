//! From integers to doubles to ten printed digits.

/// The double nearest to an integer, ties to even.
#[must_use]
#[expect(
    clippy::as_conversions,
    reason = "the language defines this conversion: to the nearest, ties to even, everywhere"
)]
pub const fn float(integer: i128) -> f64 {
    integer as f64
}

/// The double nearest to a count.
#[must_use]
pub fn count(count: u64) -> f64 {
    float(i128::from(count))
}

/// `numerator / denominator`; `None` for a denominator of 0. Three roundings, so at most 1.5 units in the last place off.
#[must_use]
pub fn ratio(numerator: i128, denominator: i128) -> Option<f64> {
    (denominator != 0).then(|| float(numerator) / float(denominator))
}

/// `10^scale`; `None` where it is above 128 bits.
#[must_use]
pub fn power_of_ten(scale: u8) -> Option<i128> {
    10i128.checked_pow(u32::from(scale))
}

/// A double as text with at most ten significant digits, without trailing zeros; very large and very small ones as `1.5e-12`.
///
/// The digits are those of the double's exact decimal expansion, rounded half to even: `core::fmt` promises that for a given
/// precision.
#[must_use]
pub fn ten_digits(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{value:.9e}");
    let parts =
        text.split_once('e').and_then(|(mantissa, power)| Some((mantissa, power.parse::<i32>().ok()?)));
    let Some((mantissa, power)) = parts else {
        return text;
    };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let significant = digits.trim_end_matches('0');
    format!("{sign}{}", place_point(significant, power))
}

/// `digits` with the point after the first one, times `10^power`.
fn place_point(digits: &str, power: i32) -> String {
    let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, ""));
    let places = usize::try_from(power.unsigned_abs()).unwrap_or(usize::MAX);
    match power {
        0..=14 => {
            let whole: String = rest.chars().chain(std::iter::repeat('0')).take(places).collect();
            let fraction: String = rest.chars().skip(places).collect();
            let point = if fraction.is_empty() { "" } else { "." };
            format!("{first}{whole}{point}{fraction}")
        }
        -5..=-1 => format!("0.{}{first}{rest}", "0".repeat(places.saturating_sub(1))),
        _ => {
            let point = if rest.is_empty() { "" } else { "." };
            format!("{first}{point}{rest}e{power}")
        }
    }
}

/// The double that ten digits of `value` stand for: what goes into JSON.
#[must_use]
pub fn to_ten_digits(value: f64) -> f64 {
    ten_digits(value).parse().unwrap_or(value)
}
