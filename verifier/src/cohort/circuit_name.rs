//! The circuits of the cohort statement by name: two for queries, four for registrations.

use crate::VerifyError;
use nightingale_circuits::cohort::{Class, Size, registration::Part};
use std::fmt;

/// A circuit; with a [`Size`] it has one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CircuitName {
    /// A query of this class.
    Query(Class),
    /// A part of a registration.
    Registration(Part),
}

impl CircuitName {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Query(Class::Narrow),
        Self::Query(Class::Wide),
        Self::Registration(Part::Frame),
        Self::Registration(Part::Columns),
        Self::Registration(Part::Dictionary),
        Self::Registration(Part::Keys),
    ];

    /// Its name in file names and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Query(class) => class.name(),
            Self::Registration(part) => part.name(),
        }
    }

    /// Its number in digests and files, from 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Query(Class::Narrow) => 1,
            Self::Query(Class::Wide) => 2,
            Self::Registration(Part::Frame) => 3,
            Self::Registration(Part::Columns) => 4,
            Self::Registration(Part::Dictionary) => 5,
            Self::Registration(Part::Keys) => 6,
        }
    }

    /// The circuit with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|circuit| circuit.number() == number)
    }

    /// The name of its key file.
    #[must_use]
    pub fn file_name(self, size: Size) -> String {
        format!("{}.{}.vk", self.name(), size.k())
    }
}

impl fmt::Display for CircuitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The query class with this name.
pub(crate) fn class_from_name(name: &str) -> Result<Class, VerifyError> {
    let named = Class::ALL.into_iter().find(|class| class.name() == name);
    named.ok_or_else(|| VerifyError::malformed("class", "must be `narrow` or `wide`"))
}

/// The size with this number of rows, as a logarithm.
pub(crate) fn size_from_k(k: u32) -> Result<Size, VerifyError> {
    Size::from_k(k).ok_or_else(|| VerifyError::malformed("k", "must be 14, 17 or 20"))
}
