//! Strict JSON: unknown members are refused, and an error names the element and what was expected there.

use crate::RecordsError;
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

/// Reads one document.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RecordsError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|e| RecordsError::format(element(&e), problem(e.inner())))?;
    json.end().map_err(|e| RecordsError::format("document", problem(&e)))?;
    Ok(value)
}

/// Where the trouble is. A name that is not known may be anybody's, and is left out.
fn element(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let path = error.path().to_string();
    let known = match error.path().iter().next_back() {
        Some(serde_path_to_error::Segment::Map { key }) if is_unknown(error.inner()) => {
            path.strip_suffix(key.as_str()).unwrap_or_default().trim_end_matches('.').to_owned()
        }
        _ => path,
    };
    if known.is_empty() || known == "." { "document".to_owned() } else { known }
}

fn is_unknown(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("unknown field")
}

/// Writes one document, two spaces deep and with a newline at the end.
pub(crate) fn write<T: Serialize>(document: &T) -> Zeroizing<String> {
    // Every document is made of strings, integers, lists and structs: nothing that JSON cannot hold.
    let mut text = Zeroizing::new(serde_json::to_string_pretty(document).unwrap_or_default());
    text.push('\n');
    text
}

/// What was expected, without what was found: records and keys do not belong into messages.
pub(crate) fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = |line: usize, column: usize| format!("line {line}, column {column}");
    let at = place(error.line(), error.column());
    let without_place = text.rsplit_once(" at line ").map_or(text.as_str(), |(front, _)| front);
    let found_first = ["invalid type", "invalid value", "invalid length", "unknown variant"];
    if found_first.iter().any(|start| without_place.starts_with(start)) {
        let expected = without_place.rsplit_once(", expected ").map_or("something else", |(_, rest)| rest);
        return format!("expected {expected} ({at})");
    }
    // A name that is not known may be anybody's.
    if is_unknown(error) {
        let expected = without_place.rsplit_once(", expected ").map_or("none", |(_, rest)| rest);
        return format!("an unknown element, expected {expected} ({at})");
    }
    format!("{without_place} ({at})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only its parsing is tested")]
        cents: u32,
    }

    #[derive(Debug, Deserialize)]
    struct Outer {
        #[expect(dead_code, reason = "only its parsing is tested")]
        lines: Vec<Inner>,
    }

    fn message(text: &str) -> String {
        read::<Outer>(text.as_bytes()).map_or_else(|e| e.to_string(), |_| String::new())
    }

    #[test]
    fn names_the_element_and_what_was_expected_but_not_what_was_found() {
        let text = message(r#"{"lines":[{"cents":1},{"cents":"Ada, expected Lovelace"}]}"#);
        assert!(text.starts_with("lines[1].cents: expected u32"), "{text}");
        assert!(!text.contains("Ada"), "{text}");
        assert!(message(r#"{"lines":[{"cents":12.5}]}"#).contains("lines[0].cents: expected u32"));
        assert!(
            message(r#"{"lines":[{"cents":1,"x":2}]}"#)
                .contains("an unknown element, expected `cents` (line 1, column")
        );
        let named = message(r#"{"lines":[{"cents":1,"Jane Roe, expected":2}]}"#);
        assert!(!named.contains("Jane"), "{named}");
        assert!(message(r#"{"lines":[{}]}"#).contains("missing field `cents`"));
        assert!(message(r#"{"lines":[]} trailing"#).contains("trailing characters"));
    }
}
