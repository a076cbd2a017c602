//! The claims of a token. A name that stands twice is refused at any depth: two readers would disagree on which one counts.

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use std::fmt;

/// How deep claims may lie in each other.
const DEPTH: usize = 8;

/// What a token claims.
pub(in crate::identity) struct Claims(Value);

impl Claims {
    /// A claim by its name, or by a JSON pointer where it starts with `/`.
    fn find(&self, name: &str) -> Option<&Value> {
        if name.starts_with('/') { self.0.pointer(name) } else { self.0.get(name) }
    }

    /// A claim that is one text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.find(name)?.as_str()
    }

    /// A claim that is a time, in whole seconds since 1970; of a fraction, the second that it is in.
    pub(super) fn seconds(&self, name: &str) -> Option<u64> {
        let Value::Number(number) = self.find(name)? else { return None };
        number.to_string().split('.').next()?.parse().ok()
    }

    /// A claim that is a list of texts, or one text.
    pub(super) fn list(&self, name: &str) -> Option<Vec<&str>> {
        match self.find(name)? {
            Value::String(one) => Some(vec![one.as_str()]),
            Value::Array(many) => many.iter().map(Value::as_str).collect(),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(Once(DEPTH))?;
        if value.is_object() { Ok(Self(value)) } else { Err(de::Error::custom("claims are an object")) }
    }
}

/// Reads a value in which no name stands twice.
#[derive(Clone, Copy)]
struct Once(usize);

impl Once {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> de::DeserializeSeed<'de> for Once {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON in which no name stands twice")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    // A time may be a fraction (RFC 7519, 2).
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(deeper)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut map = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let value = access.next_value_seed(deeper)?;
            if map.insert(name, value).is_some() {
                return Err(de::Error::custom("a name stands twice"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Claims> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_at_any_depth() {
        assert!(read(r#"{"tenant":"a","roles":["x"],"nested":{"tenant":"b"}}"#).is_some());
        for text in [
            r#"{"tenant":"a","tenant":"b"}"#,
            r#"{"roles":["auditor"],"roles":["custodian"]}"#,
            r#"{"access":{"roles":[],"roles":["x"]}}"#,
            r#"{"list":[{"a":1,"a":1}]}"#,
            r#"{"tenant":"a","\u0074enant":"b"}"#,
            r#"["tenant"]"#,
            "\"tenant\"",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
        let deep = format!("{}{}", "{\"a\":".repeat(20), "1".to_owned() + &"}".repeat(20));
        assert!(read(&deep).is_none());
    }

    #[test]
    fn claims_are_found_by_name_and_by_pointer() -> Result<(), &'static str> {
        let claims = read(r#"{"https://x/roles":["a","b"],"realm":{"roles":"c"},"mixed":["a",1],"n":1}"#);
        let claims = claims.ok_or("unread")?;
        assert_eq!(claims.list("https://x/roles"), Some(vec!["a", "b"]));
        assert_eq!(claims.list("/realm/roles"), Some(vec!["c"]));
        assert_eq!(claims.list("mixed"), None);
        assert_eq!(claims.list("realm"), None);
        assert_eq!(claims.text("n"), None);
        assert_eq!(claims.text("absent"), None);
        Ok(())
    }
}
