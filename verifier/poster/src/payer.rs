//! A payer's 96-bit number as people write it: `0x` and hexadecimal digits, decimal digits, or `name:` and the name that
//! its registers have.

use crate::PosterError;
use alloy_primitives::B256;
use nightingale_circuits::claim::Id;
use nightingale_contracts::PayerId;

/// Reads a payer's number.
///
/// # Errors
/// It is neither of the three forms, zero, or over 96 bits.
pub fn parse(text: &str) -> Result<PayerId, PosterError> {
    let malformed = || {
        PosterError::malformed(
            format!("payer {text}"),
            "must be 0x and up to 24 hex digits, a number, or name:NAME",
        )
    };
    let number = match (text.strip_prefix("name:"), text.strip_prefix("0x")) {
        (Some(""), _) => return Err(malformed()),
        // Registers read that as the number itself.
        (Some(name), _) if name.starts_with("id:0x") => return Err(malformed()),
        (Some(name), _) => Ok(Id::from_text(name).number()),
        (None, Some(digits)) => u128::from_str_radix(digits, 16),
        (None, None) => text.parse(),
    };
    let number = number.map_err(|_| malformed())?;
    if number == 0 {
        return Err(malformed());
    }
    PayerId::try_from(number).map_err(|_| malformed())
}

/// Writes a payer's number: `0x` and 24 digits.
#[must_use]
pub fn text(payer: PayerId) -> String {
    format!("0x{}", hex::encode(payer.to_be_bytes::<12>()))
}

/// A payer's number as events index it.
pub(crate) fn topic(payer: PayerId) -> B256 {
    B256::left_padding_from(&payer.to_be_bytes::<12>())
}

#[cfg(test)]
mod tests {
    use super::{PayerId, parse, text};

    #[test]
    fn one_payer_has_one_number_in_every_notation() -> Result<(), crate::PosterError> {
        let payer = PayerId::from(0x00c0_ffee_u64);
        assert_eq!(parse("0xc0ffee")?, payer);
        assert_eq!(parse("12648430")?, payer);
        assert_eq!(parse(&text(payer))?, payer);
        let named = parse("name:Harbour Mutual")?;
        assert_eq!(parse(&text(named))?, named);
        assert_ne!(named, payer);
        Ok(())
    }

    #[test]
    fn refuses_what_is_no_payer() {
        for bad in ["", "0", "0x", "0xg", "name:", "Harbour", "-1", "0x1000000000000000000000000"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
