//! Procedure and diagnosis codes of every vocabulary that real records carry, in 64 bits.

use super::types::{OutOfRange, out_of_range};

/// Which vocabulary a code is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum CodeSystem {
    /// ICD-10-CM.
    Icd10Cm = 1,
    /// ICD-9-CM.
    Icd9Cm = 2,
    /// SNOMED CT.
    Snomed = 3,
    /// CPT and HCPCS.
    Cpt = 4,
    /// CVX.
    Cvx = 5,
    /// RxNorm.
    RxNorm = 6,
    /// A plan's own codes.
    PlanLocal = 7,
}

impl CodeSystem {
    const ALL: [Self; 7] =
        [Self::Icd10Cm, Self::Icd9Cm, Self::Snomed, Self::Cpt, Self::Cvx, Self::RxNorm, Self::PlanLocal];

    /// Whether its codes are numbers (else letters and digits).
    const fn is_numeric(self) -> bool {
        matches!(self, Self::Snomed | Self::Cvx | Self::RxNorm)
    }
}

/// A code: 4 bits of system and 60 bits of code.
///
/// A number in the numeric vocabularies (at most 18 digits), else up to ten characters of six bits each, the first
/// in the highest bits: `0-9` are 1 to 10, `A-Z` 11 to 36, `a-z` 37 to 62, `-` 63, and 0 ends. Dots are dropped, so
/// `E11.9` and `E119` are one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u64);

const ALPHABET: &[u8; 63] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-";

impl Code {
    /// From a vocabulary and its text.
    ///
    /// # Errors
    /// An empty code, one too long, or one with a character that the encoding lacks.
    pub fn new(system: CodeSystem, text: &str) -> Result<Self, OutOfRange> {
        let value = if system.is_numeric() {
            let bad = out_of_range(
                "code",
                "at most 18 decimal digits without leading zeros in SNOMED CT and RxNorm",
            );
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            let padded = text.starts_with('0') && system != CodeSystem::Cvx;
            if text.is_empty() || text.len() > 18 || !digits || padded {
                return Err(bad);
            }
            // CVX codes are two or three digits and some start with 0: 1 in front keeps 03 apart from 3.
            let number: u64 = text.parse().map_err(|_| bad.clone())?;
            if system == CodeSystem::Cvx {
                if text.len() > 4 {
                    return Err(bad);
                }
                number + 10u64.pow(text.len() as u32)
            } else {
                number
            }
        } else {
            let bad = out_of_range("code", "1 to 10 letters, digits or hyphens (dots are dropped)");
            let letters: Vec<u8> = text.bytes().filter(|b| *b != b'.').collect();
            if letters.is_empty() || letters.len() > 10 {
                return Err(bad);
            }
            let mut value = 0u64;
            for i in 0..10 {
                let digit = match letters.get(i) {
                    Some(b) => 1 + ALPHABET.iter().position(|c| c == b).ok_or_else(|| bad.clone())? as u64,
                    None => 0,
                };
                value = value << 6 | digit;
            }
            value
        };
        if value == 0 || value >> 60 != 0 {
            return Err(out_of_range("code", "a non-zero code of at most 60 bits"));
        }
        Ok(Self((system as u64) << 60 | value))
    }

    /// Its 64 bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The vocabulary and the text, without the dots that were dropped.
    #[must_use]
    pub fn parts(self) -> Option<(CodeSystem, String)> {
        let system = CodeSystem::ALL.into_iter().find(|s| *s as u64 == self.0 >> 60)?;
        let value = self.0 & ((1 << 60) - 1);
        if system == CodeSystem::Cvx {
            return Some((system, value.to_string().get(1..)?.to_owned()));
        }
        if system.is_numeric() {
            return Some((system, value.to_string()));
        }
        let text = (0..10)
            .rev()
            .map(|i| (value >> (6 * i)) & 63)
            .take_while(|digit| *digit != 0)
            .map(|digit| char::from(ALPHABET[digit as usize - 1]))
            .collect();
        Some((system, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), OutOfRange>;

    #[test]
    fn codes_round_trip_and_do_not_collide() -> Outcome {
        let samples = [
            (CodeSystem::Icd10Cm, "E119"),
            (CodeSystem::Icd9Cm, "25000"),
            (CodeSystem::Snomed, "430193006"),
            (CodeSystem::Cpt, "99213"),
            (CodeSystem::Cvx, "03"),
            (CodeSystem::Cvx, "3"),
            (CodeSystem::Cvx, "140"),
            (CodeSystem::PlanLocal, "exam"),
            (CodeSystem::PlanLocal, "EXAM"),
        ];
        let mut seen = std::collections::BTreeSet::new();
        for (system, text) in samples {
            let code = Code::new(system, text)?;
            assert_eq!(code.parts(), Some((system, text.to_owned())));
            assert!(seen.insert(code));
        }
        assert_eq!(Code::new(CodeSystem::Icd10Cm, "E11.9")?, Code::new(CodeSystem::Icd10Cm, "E119")?);
        for bad in ["", "ABCDEFGHIJK", "A_B"] {
            assert!(Code::new(CodeSystem::PlanLocal, bad).is_err(), "{bad}");
        }
        assert!(Code::new(CodeSystem::Snomed, "0123").is_err());
        Ok(())
    }
}
