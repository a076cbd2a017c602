//! Integers in cohort files: a JSON number up to 2^53 - 1 either way, beyond that a string of decimal digits, so that no reader
//! rounds one. Each integer has one spelling.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// The last integer that every JSON reader holds exactly.
const EXACT: i128 = (1 << 53) - 1;

/// An exact integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Integer(pub i128);

impl Serialize for Integer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(self.0) {
            Ok(small) if (-EXACT..=EXACT).contains(&self.0) => serializer.serialize_i64(small),
            _ => serializer.serialize_str(&self.0.to_string()),
        }
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Spelling)
    }
}

struct Spelling;

impl de::Visitor<'_> for Spelling {
    type Value = Integer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer, as a string of digits if it is beyond 2^53 - 1")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Integer, E> {
        let value = i128::from(value);
        if (-EXACT..=EXACT).contains(&value) {
            Ok(Integer(value))
        } else {
            Err(E::custom("must be a string beyond 2^53 - 1"))
        }
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Integer, E> {
        let value = i128::from(value);
        if value <= EXACT { Ok(Integer(value)) } else { Err(E::custom("must be a string beyond 2^53 - 1")) }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Integer, E> {
        let value: i128 = text.parse().map_err(|_| E::custom("is not an integer"))?;
        if value.to_string() != text || (-EXACT..=EXACT).contains(&value) {
            return Err(E::custom(
                "must be a number up to 2^53 - 1, and digits without a leading zero beyond",
            ));
        }
        Ok(Integer(value))
    }
}
