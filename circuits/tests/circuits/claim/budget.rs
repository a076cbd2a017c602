//! The budget table in `docs/statements/claim.md` is what the circuit costs.

use super::case::shape;
use nightingale_circuits::{claim::SizeClass, r1cs::R1cs};

fn table(r1cs: &R1cs) -> Vec<(&'static str, usize)> {
    let mut rows: Vec<(&'static str, usize)> = Vec::new();
    for (name, count) in r1cs.sections.iter().filter(|(_, count)| *count > 0) {
        match rows.iter_mut().find(|(seen, _)| seen == name) {
            Some((_, sum)) => *sum += count,
            None => rows.push((name, *count)),
        }
    }
    rows
}

#[test]
fn stays_within_the_budget_counting_public_inputs() {
    let size = |class| shape(class).a.len() + shape(class).public + 1;
    assert!(size(SizeClass::Two) <= 45_000);
    assert!(size(SizeClass::Eight) <= 110_000);
}

#[test]
fn the_page_has_the_budget_table_that_the_circuit_has() {
    let (two, eight) = (shape(SizeClass::Two), shape(SizeClass::Eight));
    let mut page = String::new();
    for ((name, two), (_, eight)) in table(two).into_iter().zip(table(eight)) {
        page += &format!("| {name} | {two} | {eight} |\n");
    }
    page += &format!("| constraints | {} | {} |\n", two.a.len(), eight.a.len());
    page += &format!("| public inputs and the one | {} | {} |\n", two.public + 1, eight.public + 1);
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/statements/claim.md")).unwrap();
    assert!(text.contains(&page), "docs/statements/claim.md must hold this table:\n{page}");
}
