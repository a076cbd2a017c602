//! The names of enumerated values.

use super::Notation;
use nightingale_circuits::claim::{ClaimType, CostOrder, FilingAnchor, Sex, SexLimit};

macro_rules! named {
    ($type:ty, $expected:literal, $($name:literal => $variant:ident),+) => {
        impl Notation for $type {
            const EXPECTED: &'static str = $expected;
            fn read(text: &str) -> Option<Self> {
                match text {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }
            fn write(&self) -> String {
                match self {
                    $(Self::$variant => $name,)+
                }
                .to_owned()
            }
        }
    };
}

named!(
    ClaimType, "professional, institutional, oral, pharmacy or vision",
    "professional" => Professional, "institutional" => Institutional, "oral" => Oral, "pharmacy" => Pharmacy,
    "vision" => Vision
);
named!(Sex, "male, female or unknown", "unknown" => Unknown, "male" => Male, "female" => Female);
named!(SexLimit, "any, male or female", "any" => Any, "male" => Male, "female" => Female);
named!(CostOrder, "copay-first or deductible-first", "copay-first" => CopayFirst, "deductible-first" => DeductibleFirst);
named!(FilingAnchor, "from or through", "from" => From, "through" => Through);
