//! `grpc-timeout`: at most eight digits and a unit (the protocol's own grammar). What is not that is refused, not ignored: a caller that
//! thinks it has a deadline and has none waits for ever.

use super::{malformed, single};
use crate::server::status::typed;
use http::HeaderMap;
use std::time::Duration;
use tonic::{Code, Status};

/// The header's name.
const NAME: &str = "grpc-timeout";
/// Longer is without bound: no call is open for so long.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// How long a call may take, if it says so.
///
/// # Errors
/// `INVALID_ARGUMENT`: not what the protocol says.
pub(super) fn read(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(text) = single(headers, NAME)? else { return Ok(None) };
    let duration = parse(text)
        .ok_or_else(|| malformed(NAME, "expected 1 to 8 digits and one of H, M, S, m, u and n"))?;
    Ok(Some(duration).filter(|duration| *duration <= LONGEST))
}

fn parse(text: &str) -> Option<Duration> {
    let split = text.len().checked_sub(1)?;
    let (digits, unit) = (text.get(..split)?, text.get(split..)?);
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

/// The call's time is over.
pub(super) fn passed() -> Status {
    typed(
        Code::DeadlineExceeded,
        "DEADLINE_PASSED",
        "the call's deadline has passed; what it had accepted goes on, ask for it by the same idempotency key",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_up_to_eight_digits_and_a_unit() {
        for (text, expected) in [
            ("1n", Some(Duration::from_nanos(1))),
            ("0n", Some(Duration::ZERO)),
            ("0S", Some(Duration::ZERO)),
            ("250m", Some(Duration::from_millis(250))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("", None),
            ("S", None),
            ("1", None),
            ("-1S", None),
            ("+1S", None),
            ("1.5S", None),
            ("1 S", None),
            ("1s", None),
            ("1h", None),
            ("100000000S", None),
            ("18446744073709551616n", None),
            ("1SS", None),
            ("\u{661}S", None),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
