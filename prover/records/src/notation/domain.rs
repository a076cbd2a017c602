//! Codes, dates, identifiers, addresses and field elements as text.

use super::Notation;
use nightingale_circuits::{
    Fr,
    claim::{Address, Code, CodeSystem, Date, Id, Modifier, Npi, PlanId, account::Secret},
    field,
};

/// The names of the vocabularies, as in `cpt:99213`.
pub(crate) const CODE_SYSTEMS: [(&str, CodeSystem); 7] = [
    ("icd-10-cm", CodeSystem::Icd10Cm),
    ("icd-9-cm", CodeSystem::Icd9Cm),
    ("snomed", CodeSystem::Snomed),
    ("cpt", CodeSystem::Cpt),
    ("cvx", CodeSystem::Cvx),
    ("rxnorm", CodeSystem::RxNorm),
    ("plan", CodeSystem::PlanLocal),
];

impl Notation for Code {
    const EXPECTED: &'static str =
        "a code as system:code, the system being icd-10-cm, icd-9-cm, snomed, cpt, cvx, rxnorm or plan";

    fn read(text: &str) -> Option<Self> {
        let (system, code) = text.split_once(':')?;
        let (_, system) = CODE_SYSTEMS.into_iter().find(|(name, _)| *name == system)?;
        Self::new(system, code).ok()
    }

    fn write(&self) -> String {
        // Every `Code` has parts: its constructor takes a system and a text.
        self.parts().map_or_else(String::new, |(system, code)| {
            let name = CODE_SYSTEMS.into_iter().find(|(_, s)| *s == system).map_or("", |(name, _)| name);
            format!("{name}:{code}")
        })
    }
}

impl Notation for Date {
    const EXPECTED: &'static str = "a date as YYYY-MM-DD from 1901-01-01 to 2099-12-31";

    fn read(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let shape = bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-';
        let number = |range: std::ops::Range<usize>| {
            let digits = text.get(range)?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
        };
        if !shape {
            return None;
        }
        Self::from_calendar(number(0..4)?, number(5..7)?, number(8..10)?).ok()
    }

    fn write(&self) -> String {
        let (year, month, day) = self.calendar();
        format!("{year:04}-{month:02}-{day:02}")
    }
}

impl Notation for Npi {
    const EXPECTED: &'static str = "an NPI of ten digits";

    fn read(text: &str) -> Option<Self> {
        if text.len() != 10 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Self::new(text.parse().ok()?).ok()
    }

    fn write(&self) -> String {
        format!("{:010}", self.number())
    }
}

impl Notation for Modifier {
    const EXPECTED: &'static str = "a modifier of two characters 0-9A-Z";

    fn read(text: &str) -> Option<Self> {
        Self::new(text).ok()
    }

    fn write(&self) -> String {
        self.text()
    }
}

impl Notation for Address {
    const EXPECTED: &'static str = "an address of 0x and 40 hex digits";

    fn read(text: &str) -> Option<Self> {
        let mut bytes = [0; 20];
        hex::decode_to_slice(text.strip_prefix("0x")?, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    fn write(&self) -> String {
        format!("0x{}", hex::encode(self.0))
    }
}

impl Notation for Fr {
    const EXPECTED: &'static str = "a field element of 0x and 64 hex digits, below the modulus of BN254";

    fn read(text: &str) -> Option<Self> {
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.strip_prefix("0x")?, bytes.as_mut_slice()).ok()?;
        field::from_be_bytes(&bytes)
    }

    fn write(&self) -> String {
        let bytes = zeroize::Zeroizing::new(field::to_be_bytes(self));
        format!("0x{}", hex::encode(bytes.as_slice()))
    }
}

impl Notation for Secret {
    const EXPECTED: &'static str = "a secret of 0x and 64 hex digits, below the modulus of BN254";

    fn read(text: &str) -> Option<Self> {
        Fr::read(text).map(Self::new)
    }

    fn write(&self) -> String {
        self.expose().write()
    }
}

/// What a file may write for an identifier that is already a number: `id:0x` and 24 hex digits.
const NUMBERED: &str = "id:0x";

impl Notation for Id {
    const EXPECTED: &'static str = "an identifier: any text that is not empty, or id:0x and 24 hex digits";

    fn read(text: &str) -> Option<Self> {
        match text.strip_prefix(NUMBERED) {
            Some(digits) if digits.len() == 24 && digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Self::new(u128::from_str_radix(digits, 16).ok()?).ok()
            }
            Some(_) => None,
            None => (!text.is_empty()).then(|| Self::from_text(text)),
        }
    }

    fn write(&self) -> String {
        format!("{NUMBERED}{:024x}", self.number())
    }
}

/// An identifier from its text.
pub(crate) fn id(text: &str) -> Option<Id> {
    Id::read(text)
}

/// What [`is_foreign`] asks for.
pub(crate) const FOREIGN: &str = "an identifier: any text that is not empty and does not begin with id:0x, which this service's own files write for a number";

/// Whether a stranger's file may name somebody so. A number would be whoever has it, under a name that is not in the file.
pub(crate) fn is_foreign(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(NUMBERED)
}

/// The number that stands for a plan whose name the registers do not know; no register may use it.
pub(crate) const UNKNOWN_PLAN: u16 = u16::MAX;

/// A plan from its number.
pub(crate) fn plan_id(number: u16) -> Option<PlanId> {
    PlanId::new(number).ok()
}
