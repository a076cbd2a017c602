//! Claims, registers and requests: FHIR R4, X12 837P, and this project's own JSON files.
#![expect(clippy::panic, reason = "a property that does not hold ends the process")]

use nightingale_circuits::claim::Id;
use nightingale_records::{
    ClaimFile, Ingested, Registers,
    consent::{self, ConsentSays, Payer},
    ingest_fhir, ingest_x12, request,
};

/// A FHIR bundle or resource, as claims, as entries of registers, and as consents.
pub fn fhir(bytes: &[u8]) {
    sound(&ingest_fhir(bytes, "f"));
    consents(bytes);
    let mut registers = none();
    let before = registers.to_json();
    if registers.import_fhir(bytes).is_err() {
        assert!(*registers.to_json() == *before, "a refused import added entries");
    } else {
        // What was imported can be written and read, whether or not it can be built.
        again(&registers);
    }
}

/// Consents for a payer: each says something with a period that is one, or nothing with a reason; those that say something make a register or
/// are refused as overlapping.
fn consents(bytes: &[u8]) {
    let payer = Payer { id: Id::from_text("Payer"), names: vec!["Payer".to_owned()] };
    let import = consent::import_fhir(bytes, &payer, "f");
    let mut stated = Vec::new();
    for found in import.found {
        assert!(!found.source.is_empty());
        match found.says {
            ConsentSays::Stated(consent) => stated.push(consent),
            ConsentSays::Withdrawn { .. } => {}
            ConsentSays::Nothing(reason) => assert!(!reason.is_empty()),
        }
    }
    assert!(import.refused.iter().all(|refused| !refused.element.is_empty()));
    let _ = consent::to_registers_json(&stated);
    let _ = consent::build_register(stated);
}

/// An interchange of professional claims.
pub fn x12(bytes: &[u8]) {
    sound(&ingest_x12(bytes, "x"));
}

/// A claim file: what is read is written so that it reads as the same.
pub fn claim_file(bytes: &[u8]) {
    if let Ok(claim) = ClaimFile::from_json(bytes) {
        let written = claim.to_json();
        let read = ClaimFile::from_json(written.as_bytes()).map(|claim| claim.to_json());
        assert!(read.is_ok_and(|again| *again == *written), "a claim file changes when it is written");
    }
}

/// A file of registers, checked and built.
pub fn registers(bytes: &[u8]) {
    if let Ok(registers) = Registers::from_json(bytes) {
        again(&registers);
        if let Ok(set) = registers.build() {
            let rebuilt = registers.build().map(|set| set.epoch().root());
            assert!(rebuilt.is_ok_and(|root| root == set.epoch().root()), "registers build into two epochs");
        }
    }
}

/// A request file; one that passes its check is adjudicated.
pub fn request(bytes: &[u8]) {
    if let Ok(read) = request::from_json(bytes) {
        let written = request::to_json(&read);
        let again = request::from_json(written.as_bytes()).map(|read| request::to_json(&read));
        assert!(again.is_ok_and(|again| *again == *written), "a request changes when it is written");
        if read.check().is_ok() {
            assert!(read.claim.lines.len() <= 8, "a request passes that no circuit holds");
        }
    }
}

/// Registers without entries, into which FHIR resources are imported.
fn none() -> Registers {
    let sample = include_bytes!("../../records/samples/registers.json");
    Registers::from_json(sample).unwrap_or_else(|error| panic!("the sample of registers: {error}"))
}

fn again(registers: &Registers) {
    let written = registers.to_json();
    let read = Registers::from_json(written.as_bytes()).map(|registers| registers.to_json());
    assert!(read.is_ok_and(|again| *again == *written), "registers change when they are written");
}

/// Whatever was read holds together: 1 to 8 lines, at most 12 diagnoses, no pointer beyond them, and a claim file that reads back.
fn sound(ingested: &Ingested) {
    assert_eq!(ingested.files, 1);
    for found in &ingested.claims {
        let claim = &found.claim;
        assert!((1..=8).contains(&claim.lines.len()) && claim.diagnoses.len() <= 12);
        for line in &claim.lines {
            assert!(line.from <= line.through && line.modifiers.len() <= 4);
            assert!(line.pointers.numbers().iter().all(|n| usize::from(*n) <= claim.diagnoses.len()));
        }
        let written = claim.to_json();
        let read = ClaimFile::from_json(written.as_bytes()).map(|claim| claim.to_json());
        assert!(read.is_ok_and(|again| *again == *written), "an ingested claim does not read back");
    }
    for refused in &ingested.refused {
        assert!(!refused.element.is_empty() && !refused.defect.to_string().is_empty());
    }
    let _ = ingested.to_json();
}
