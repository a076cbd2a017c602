//! Every key of the configuration: default, unit, range and meaning. `docs/configuration.md` is what [`markdown`] writes.
//!
//! Each section has one table, beside its structure where that has a file of its own. Tests hold the tables to the structures that are
//! read, to their defaults and to their ranges, so a key without its row, or with a wrong one, does not pass.

mod callers;
mod tables;
#[cfg(test)]
mod tests;

use std::fmt::Write;

/// What a key is when it is left out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Usual {
    /// It must be given; this is what it may look like.
    Required(&'static str),
    /// This value, as in a file.
    Value(&'static str),
    /// It is not set; this says what happens then, and the second what it may look like.
    Unset(&'static str, &'static str),
}

/// What a key can be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Range {
    /// A whole number from the first to the last.
    Whole(u64, u64),
    /// One of these, as in a file: texts with their quotes.
    Choice(&'static [&'static str]),
    /// Text; this says which.
    Text(&'static str),
}

/// What is on or off.
pub(super) const FLAG: Range = Range::Choice(&["true", "false"]);

/// A key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) usual: Usual,
    /// Empty where it has none.
    pub(super) unit: &'static str,
    pub(super) range: Range,
    pub(super) meaning: &'static str,
}

/// A section: its name as in the file, nested ones with a dot; empty for the top of the file.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    /// Whether what it is about is off while the whole section is absent.
    pub(super) optional: bool,
    pub(super) keys: &'static [Key],
}

/// All sections, in the order of the page.
static SECTIONS: &[&Section] = &[
    &tables::TOP,
    &tables::LISTEN,
    &callers::TLS,
    &callers::OIDC,
    &callers::RATES,
    &super::metrics::REFERENCE,
    &super::telemetry::REFERENCE,
    &super::store::REFERENCE,
    &tables::WORK,
    &tables::LIMITS,
    &tables::RETENTION,
    &super::secrets::REFERENCE,
    &super::consent::REFERENCE,
];

/// Sections that have their keys on a page of their own.
pub(super) static ELSEWHERE: &[(&str, &str)] = &[("audit", "audit.md"), ("callers", "identity.md")];

impl Range {
    fn text(&self) -> String {
        match self {
            Self::Whole(least, most) => format!("{least} to {most}"),
            Self::Choice(values) => {
                let quoted: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
                quoted.join(", ")
            }
            Self::Text(text) => (*text).to_owned(),
        }
    }
}

impl Usual {
    fn text(&self) -> String {
        match self {
            Self::Required(_) => "must be given".to_owned(),
            Self::Value(value) => format!("`{value}`"),
            Self::Unset(then, _) => format!("not set: {then}"),
        }
    }
}

/// The page.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         `nightingale serve --config FILE` reads one TOML file, whole, before anything opens. An unknown or wrong key is named and nothing \
         starts. Relative paths start at the file's own folder. `nightingale config check FILE` does that and no more, and \
         `nightingale config example` writes a file with every key.\n\n\
         This page is what `nightingale config reference` prints; a test compares them.\n",
    );
    for section in SECTIONS {
        let title = if section.name.is_empty() {
            "At the top of the file".to_owned()
        } else {
            format!("`[{}]`", section.name)
        };
        // Writing into memory cannot fail.
        let _ = write!(
            page,
            "\n## {title}\n\n{}\n\n| key | default | unit | range | meaning |\n|---|---|---|---|---|\n",
            section.meaning
        );
        for key in section.keys {
            let (usual, range) = (key.usual.text(), key.range.text());
            let _ = writeln!(page, "| `{}` | {usual} | {} | {range} | {} |", key.name, key.unit, key.meaning);
        }
    }
    page.push_str("\n## Sections with a page of their own\n\n| section | page |\n|---|---|\n");
    for (name, file) in ELSEWHERE {
        let _ = writeln!(page, "| `{name}` | [{file}]({file}) |");
    }
    page
}

/// A file with every key: what must be given, and the rest as comments with its default.
#[must_use]
pub fn example() -> String {
    let mut file = String::new();
    for section in SECTIONS {
        if !section.name.is_empty() {
            let comment = if section.optional { "#" } else { "" };
            let _ = write!(file, "\n{comment}[{}]\n", section.name);
        }
        for key in section.keys {
            let line = match key.usual {
                Usual::Required(value) if !section.optional => format!("{} = {value}", key.name),
                Usual::Required(value) | Usual::Value(value) | Usual::Unset(_, value) => {
                    format!("#{} = {value}", key.name)
                }
            };
            let _ = writeln!(file, "{line}");
        }
    }
    file
}
