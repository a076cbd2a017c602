//! Entries for a SIEM: one line of JSON in the field names of the Elastic Common Schema 8.11.

use nightingale_verifier::audit::{Entry, Hash};
use serde_json::{Value, json};

/// The version of the schema whose names are used.
const VERSION: &str = "8.11.0";

/// One entry, without a line's end.
#[must_use]
pub fn line(tenant: &str, entry: &Entry, hash: &Hash) -> String {
    let again = entry.event.strip_suffix("_again").unwrap_or(&entry.event);
    let (category, kind, outcome) = match again {
        "refused" => (json!(["api", "iam"]), json!(["denied"]), "failure"),
        "failed" => (json!(["process"]), json!(["error", "end"]), "failure"),
        "accepted" => (json!(["api"]), json!(["allowed", "start"]), "success"),
        "decided" | "answered" => (json!(["process"]), json!(["end"]), "success"),
        "released" | "exported" | "accounted" => (json!(["database", "api"]), json!(["access"]), "success"),
        "break_glass" => (json!(["intrusion_detection", "database"]), json!(["access"]), "success"),
        "purged" | "erased" => (json!(["database"]), json!(["deletion"]), "success"),
        "cancelled" => (json!(["api"]), json!(["end"]), "success"),
        _ => (json!(["configuration"]), json!(["change"]), "success"),
    };
    let is_alert = entry.event == "break_glass";
    let fact = |name: &str| entry.facts.get(name).map_or(Value::Null, |value| json!(value));
    let reason = match fact("reason") {
        Value::Null => fact("stated_reason"),
        reason => reason,
    };
    let mut event = json!({
        "kind": if is_alert { "alert" } else { "event" },
        "category": category,
        "type": kind,
        "action": entry.event,
        "outcome": outcome,
        "provider": "nightingale",
        "module": "audit",
        "sequence": entry.sequence,
        "hash": hex::encode(hash),
    });
    if let (Some(fields), false) = (event.as_object_mut(), reason.is_null()) {
        fields.insert("reason".into(), reason);
    }
    let line = json!({
        "@timestamp": time(entry.at),
        "ecs": { "version": VERSION },
        "event": event,
        "log": { "level": if is_alert { "warning" } else { "info" } },
        "organization": { "id": tenant },
        "service": { "name": "nightingale", "type": "nightingale" },
        "user": { "name": entry.subject, "roles": entry.roles },
        "nightingale": { "method": entry.method, "facts": entry.facts },
    });
    line.to_string()
}

/// `YYYY-MM-DDThh:mm:ss.mmmZ`.
fn time(milliseconds: i64) -> String {
    let seconds = crate::cohort::timestamp(milliseconds);
    let fraction = milliseconds.rem_euclid(1000);
    format!("{}.{fraction:03}Z", seconds.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Event;

    fn entry(event: &str) -> Entry {
        Entry {
            sequence: 7,
            at: 951_827_696_789,
            event: event.into(),
            subject: "insurer".into(),
            roles: vec!["insurer".into()],
            method: "JobService.Get".into(),
            facts: [("job".into(), "00".repeat(16)), ("reason".into(), "NOT_IN_PLAN".into())].into(),
        }
    }

    #[test]
    fn every_event_has_the_words_that_the_schema_allows() -> Result<(), serde_json::Error> {
        // The allowed values of event.category, event.type, event.kind and event.outcome in ECS 8.11.
        let categories = ["api", "configuration", "database", "iam", "intrusion_detection", "process"];
        let types = ["access", "allowed", "change", "deletion", "denied", "end", "error", "start"];
        for event in Event::ALL {
            let line: Value = serde_json::from_str(&super::line("north", &entry(event.name()), &[7; 32]))?;
            let words = |name: &str| line["event"][name].as_array().cloned().unwrap_or_default();
            assert!(!words("category").is_empty() && !words("type").is_empty());
            assert!(words("category").iter().all(|word| categories.iter().any(|known| word == known)));
            assert!(words("type").iter().all(|word| types.iter().any(|known| word == known)));
            assert_eq!(line["event"]["kind"], if event == Event::BreakGlass { "alert" } else { "event" });
            assert_eq!(line["@timestamp"], "2000-02-29T12:34:56.789Z");
            assert_eq!(line["event"]["reason"], "NOT_IN_PLAN");
            assert_eq!(line["organization"]["id"], "north");
        }
        Ok(())
    }
}
