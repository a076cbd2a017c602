//! Cents as decimal text, without a float anywhere.

/// `172.32`: the exact decimal amount with two places.
#[must_use]
pub fn decimal(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// The shortest decimal, as X12 writes amounts: `172.32`, `172.3`, `172`.
#[must_use]
pub fn shortest(cents: u64) -> String {
    let text = decimal(cents);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_cents_exact_and_drops_only_trailing_zeros() {
        assert_eq!(decimal(17_232), "172.32");
        assert_eq!(decimal(5), "0.05");
        assert_eq!(
            [0, 5, 50, 1000, 1020, 17_232].map(shortest),
            ["0", "0.05", "0.5", "10", "10.2", "172.32"]
        );
    }
}
