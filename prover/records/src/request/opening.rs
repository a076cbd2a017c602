//! A register leaf with its path, as a request file holds it.

use super::record::Recorded;
use crate::{
    RecordsError,
    notation::{Key, Notation, Written},
};
use nightingale_circuits::{
    Fr,
    merkle::{Leaf, Opening, Path},
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub(super) struct OpeningDocument<T: Recorded> {
    key: Written<Key>,
    next: Written<Key>,
    /// Absent in the register's first leaf, which holds nothing.
    record: Option<T::Document>,
    index: u32,
    /// The three siblings at each level, from the leaf up.
    siblings: Vec<[Written<Fr>; 3]>,
}

impl<T: Recorded> OpeningDocument<T> {
    pub(super) fn of_opening(opening: &Opening<T>) -> Self {
        Self {
            key: Written(Key(opening.leaf.key)),
            next: Written(Key(opening.leaf.next)),
            record: opening.leaf.record.as_ref().map(T::document),
            index: opening.path.index,
            siblings: opening.path.siblings.iter().map(|level| level.map(Written)).collect(),
        }
    }

    /// Refuses a leaf whose key, place or path its register could not hold.
    pub(super) fn into_opening(self, element: &str) -> Result<Opening<T>, RecordsError> {
        let wrong = |part: &str, problem: String| RecordsError::format(format!("{element}.{part}"), problem);
        if self.siblings.len() != T::DEPTH {
            return Err(wrong("siblings", format!("expected {} levels", T::DEPTH)));
        }
        if u128::from(self.index) >= 1 << (2 * T::DEPTH) {
            return Err(wrong("index", format!("expected less than 4^{}", T::DEPTH)));
        }
        let (key, next) = (self.key.0.0, self.next.0.0);
        if key >= next || next > 1 << T::KEY_BITS {
            return Err(wrong(
                "next",
                format!("expected more than the key, at most {}", Key(1 << T::KEY_BITS).write()),
            ));
        }
        let record = self.record.map(T::from_document).transpose().map_err(|e| e.within(element))?;
        if record.as_ref().map_or(0, T::key) != key {
            return Err(wrong(
                "key",
                "expected the record's own key, 0x0 where there is no record".to_owned(),
            ));
        }
        Ok(Opening {
            leaf: Leaf { key, next, record },
            path: Path {
                index: self.index,
                siblings: self.siblings.into_iter().map(|level| level.map(|sibling| sibling.0)).collect(),
            },
        })
    }
}
