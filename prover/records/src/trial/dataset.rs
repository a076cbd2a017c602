//! What a registration commits to: tables of codes that share one dictionary of subjects.

use nightingale_circuits::cohort::Table;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The private half of a registration. Tables in the order of their names.
pub struct Dataset {
    /// The tables.
    pub tables: Vec<Table>,
    /// Who the subject codes of all tables stand for.
    pub subjects: Subjects,
}

/// The subjects of a registration: code `c` is the `c`-th key in ascending order of bytes. Zeroed on drop, never shown.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Subjects(Vec<String>);

impl Subjects {
    /// Keys that ascend strictly; `None` otherwise.
    #[must_use]
    pub fn new(keys: Vec<String>) -> Option<Self> {
        let subjects = Self(keys);
        let ascends = subjects.0.windows(2).all(|pair| pair[0] < pair[1]);
        ascends.then_some(subjects)
    }

    /// A key's code, from 1.
    #[must_use]
    pub fn code(&self, key: &str) -> Option<u32> {
        let place = self.0.binary_search_by(|other| other.as_str().cmp(key)).ok()?;
        u32::try_from(place + 1).ok()
    }

    /// The key of a code.
    #[must_use]
    pub fn key(&self, code: u32) -> Option<&str> {
        self.0.get((code as usize).checked_sub(1)?).map(String::as_str)
    }

    /// All keys in the order of their codes.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
