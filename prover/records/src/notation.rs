//! How each domain type is written in the JSON files: one trait, one wrapper.
//!
//! Everything but plain integers is a string with one canonical spelling, so that nothing passes through a float
//! and a person can edit it. Errors say what was expected and never repeat what was read.

mod domain;
mod names;
mod numbers;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, marker::PhantomData};

pub(crate) use domain::{FOREIGN, UNKNOWN_PLAN, id, is_foreign, plan_id};
pub(crate) use numbers::{DecimalError, Key, cents, thousandths};

/// A type with one spelling as text.
pub(crate) trait Notation: Sized {
    /// What a reader was hoping for.
    const EXPECTED: &'static str;
    /// From its text.
    fn read(text: &str) -> Option<Self>;
    /// Its canonical text.
    fn write(&self) -> String;
}

/// A value as it is written in a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Written<T>(pub(crate) T);

impl<T: Notation> Serialize for Written<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&zeroize::Zeroizing::new(self.0.write()))
    }
}

impl<'de, T: Notation> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<T>(PhantomData<T>);
        impl<T: Notation> de::Visitor<'_> for Text<T> {
            type Value = Written<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                T::read(text)
                    .map(Written)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Other("text"), &self))
            }
        }
        deserializer.deserialize_str(Text(PhantomData))
    }
}

/// All of a list.
pub(crate) fn written<T: Clone>(items: &[T]) -> Vec<Written<T>> {
    items.iter().cloned().map(Written).collect()
}

/// All of a list, unwrapped.
pub(crate) fn unwritten<T>(items: Vec<Written<T>>) -> Vec<T> {
    items.into_iter().map(|item| item.0).collect()
}
