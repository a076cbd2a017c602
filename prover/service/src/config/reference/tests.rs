//! The tables say what the structures say.

mod keys;

use super::{ELSEWHERE, Key, Range, SECTIONS, Section, Usual, example, markdown};
use crate::Config;
use std::{collections::BTreeSet, path::Path};

/// What must be given, whatever else is said.
fn base() -> String {
    lines(SECTIONS[0].keys.iter().filter(|key| is_required(key)).map(|key| (key, sample(key))))
}

fn is_required(key: &Key) -> bool {
    matches!(key.usual, Usual::Required(_))
}

fn sample(key: &Key) -> &'static str {
    match key.usual {
        Usual::Required(value) | Usual::Value(value) | Usual::Unset(_, value) => value,
    }
}

fn lines<'a>(keys: impl Iterator<Item = (&'a Key, &'a str)>) -> String {
    keys.map(|(key, value)| format!("{} = {value}\n", key.name)).collect()
}

fn full_name(section: &Section, key: &Key) -> String {
    if section.name.is_empty() { key.name.to_owned() } else { format!("{}.{}", section.name, key.name) }
}

/// Reads a file in which `key` of `section` has a value, with what its section must have besides.
fn with(section: &Section, key: &Key, value: &str) -> Result<Config, String> {
    let others = section.keys.iter().filter(|other| is_required(other) && other.name != key.name);
    // Revocations are of no use without authorities.
    let beside = if full_name(section, key) == "tls.client_crl" { "client_ca = \"ca.pem\"\n" } else { "" };
    let body = lines(others.map(|other| (other, sample(other))).chain([(key, value)])) + beside;
    let text = if section.name.is_empty() { body } else { format!("{}[{}]\n{body}", base(), section.name) };
    Config::parse(&text, Path::new("/etc/nightingale")).map_err(|error| error.to_string())
}

/// Whether a key's section has a page of its own that names the key.
fn is_on_its_page(key: &str) -> bool {
    let (section, name) = key.split_once('.').unwrap_or((key, key));
    let Some((_, page)) = ELSEWHERE.iter().find(|(known, _)| *known == section) else { return false };
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    std::fs::read_to_string(page).is_ok_and(|page| page.contains(name))
}

#[test]
fn every_key_that_is_read_has_its_row_and_every_row_is_read() {
    let read = keys::of_the_file();
    let told: BTreeSet<String> =
        SECTIONS.iter().flat_map(|s| s.keys.iter().map(|key| full_name(s, key))).collect();
    let missing: Vec<_> = read.difference(&told).filter(|key| !is_on_its_page(key)).collect();
    assert!(missing.is_empty(), "no row in a table of config/reference or beside the structure: {missing:?}");
    let invented: Vec<_> = told.difference(&read).collect();
    assert!(invented.is_empty(), "no structure reads these: {invented:?}");
}

#[test]
fn every_default_that_is_told_is_the_default() -> Result<(), String> {
    for section in SECTIONS {
        let required = lines(section.keys.iter().filter(|k| is_required(k)).map(|k| (k, sample(k))));
        let told = section.keys.iter().filter(|key| !matches!(key.usual, Usual::Unset(..)));
        let told = lines(told.map(|key| (key, sample(key))));
        let text = |body: &str| match section.name {
            "" => body.to_owned(),
            name => format!("{}[{name}]\n{body}", base()),
        };
        let parse = |body: &str| {
            let config = Config::parse(&text(body), Path::new("/etc/nightingale"));
            config.map(|config| format!("{config:?}")).map_err(|error| error.to_string())
        };
        assert_eq!(parse(&required)?, parse(&told)?, "[{}]", section.name);
    }
    Ok(())
}

#[test]
fn every_range_that_is_told_is_the_range() {
    for section in SECTIONS {
        for key in section.keys {
            let name = full_name(section, key);
            let accepts = |value: &str| {
                assert_eq!(with(section, key, value).err(), None, "{name} = {value}");
            };
            let refuses = |value: &str| {
                let problem = with(section, key, value).err().unwrap_or_default();
                assert!(problem.contains(&name), "{name} = {value} gave {problem:?}");
            };
            accepts(sample(key));
            match key.range {
                Range::Whole(least, most) => {
                    accepts(&least.to_string());
                    accepts(&most.to_string());
                    refuses(&(i128::from(least) - 1).to_string());
                    refuses(&(i128::from(most) + 1).to_string());
                }
                Range::Choice(values) => {
                    values.iter().for_each(|value| accepts(value));
                    refuses("\"neither of them\"");
                }
                Range::Text(_) => refuses("[[]]"),
            }
        }
    }
}

#[test]
fn the_example_is_a_configuration_and_with_every_key_uncommented_too() {
    let parse = |text: &str| Config::parse(text, Path::new("/etc/nightingale")).map(drop);
    assert!(parse(&example()).is_ok(), "{}", example());
    let all = example().replace("\n#", "\n");
    assert!(parse(&all).is_ok(), "{all}");
}

#[test]
fn the_page_is_what_the_program_prints() -> std::io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    if std::env::var_os("NIGHTINGALE_BLESS").is_some() {
        return std::fs::write(path, markdown());
    }
    let page = std::fs::read_to_string(path)?;
    assert!(
        page == markdown(),
        "docs/configuration.md is not what `nightingale config reference` prints; write it anew with \
         NIGHTINGALE_BLESS=1 cargo test --release -p nightingale --lib reference"
    );
    Ok(())
}
