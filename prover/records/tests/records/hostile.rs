//! Files that were cut, flipped or shuffled: every parser answers, none panics, and no line is made up.

use crate::{samples::sample, shared};
use anyhow::{Context, Result};
use nightingale_records::{ClaimFile, Ingested, Registers, consent, ingest_fhir, ingest_x12, request, trial};
use proptest::{collection::vec, prelude::*, sample::Index, test_runner::TestRunner};
use std::fs;

/// One change to a file.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Delete(Index, usize),
    Repeat(Index, usize),
    Insert(Index, String),
}

fn change() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![
        "[~*:^|>{}\\[\\],\"]{1,3}",
        Just("-".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("1e400".to_owned()),
        Just("null".to_owned()),
        Just("\u{1F9EA}".to_owned()),
        Just("LX*1~".to_owned()),
        Just("SE*1*0017~".to_owned()),
    ];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        (any::<Index>(), 1usize..200).prop_map(|(at, length)| Change::Delete(at, length)),
        (any::<Index>(), 1usize..200).prop_map(|(at, length)| Change::Repeat(at, length)),
        (any::<Index>(), piece).prop_map(|(at, text)| Change::Insert(at, text)),
    ]
}

fn apply(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        match change {
            Change::Flip(at, bits) => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Change::Delete(at, length) => {
                let at = at.index(bytes.len());
                bytes.drain(at..(at + length).min(bytes.len()));
            }
            Change::Repeat(at, length) => {
                let at = at.index(bytes.len());
                let end = (at + length).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(end..end, piece);
            }
            Change::Insert(at, text) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, text.bytes());
            }
        }
    }
    bytes
}

/// Runs a reader on changed copies of a file.
fn survive(file: &[u8], cases: u32, read: impl Fn(&[u8]) -> Result<(), TestCaseError>) -> Result<()> {
    let mut runner =
        TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
    runner.run(&vec(change(), 1..6), |changes| read(&apply(file.to_vec(), &changes)))?;
    Ok(())
}

/// Whatever was read holds together: at most 8 lines, at most 12 diagnoses, no pointer beyond them.
fn sound(ingested: &Ingested) -> Result<(), TestCaseError> {
    prop_assert_eq!(ingested.files, 1);
    for found in &ingested.claims {
        let claim = &found.claim;
        prop_assert!((1..=8).contains(&claim.lines.len()) && claim.diagnoses.len() <= 12);
        for line in &claim.lines {
            prop_assert!(line.from <= line.through && line.modifiers.len() <= 4);
            prop_assert!(line.pointers.numbers().iter().all(|n| usize::from(*n) <= claim.diagnoses.len()));
        }
        prop_assert!(ClaimFile::from_json(claim.to_json().as_bytes()).is_ok());
    }
    for refused in &ingested.refused {
        prop_assert!(!refused.element.is_empty() && !refused.defect.to_string().is_empty());
    }
    Ok(())
}

#[test]
fn broken_fhir_gives_claims_or_refusals() -> Result<()> {
    survive(&sample("visit.fhir.json")?, 1500, |bytes| sound(&ingest_fhir(bytes, "f")))?;
    let Some(data) = shared::claims() else { return Ok(()) };
    for (_, file) in shared::files(&data.join("hl7_r4"), "Claim-", ".json")? {
        survive(&file, 60, |bytes| sound(&ingest_fhir(bytes, "f")))?;
    }
    Ok(())
}

#[test]
fn broken_x12_gives_claims_or_refusals() -> Result<()> {
    survive(&sample("scan.837")?, 3000, |bytes| sound(&ingest_x12(bytes, "x")))?;
    let Some(data) = shared::claims() else { return Ok(()) };
    for (_, file) in shared::files(&data.join("x12"), "", "")? {
        survive(&file, 60, |bytes| sound(&ingest_x12(bytes, "x")))?;
    }
    Ok(())
}

#[test]
fn an_837p_cut_anywhere_gives_no_claim_and_says_so() -> Result<()> {
    let file = sample("scan.837")?;
    let end = file.windows(3).rposition(|w| w == b"SE*").unwrap_or(0);
    for at in 0..end {
        let ingested = ingest_x12(&file[..at], "x");
        anyhow::ensure!(ingested.claims.is_empty() && !ingested.refused.is_empty(), "cut at {at}");
    }
    Ok(())
}

#[test]
fn a_long_resource_that_every_claim_refers_to_is_refused_and_a_short_one_is_not() -> Result<()> {
    let sample: serde_json::Value = serde_json::from_slice(&sample("visit.fhir.json")?)?;
    let entries = sample["entry"].as_array().cloned().unwrap_or_default();
    let is_claim = |entry: &serde_json::Value| entry["resource"]["resourceType"] == "Claim";
    let claim =
        entries.iter().find(|entry| entry["resource"]["id"] == "QS-1001").cloned().unwrap_or_default();
    // The sample's claim so often, beside resources that are made longer.
    let bundle = |times: usize, filling: usize| {
        let mut all = Vec::new();
        for entry in entries.iter().filter(|entry| !is_claim(entry)) {
            let mut entry = entry.clone();
            entry["resource"]["text"] = serde_json::json!({ "div": "x".repeat(filling) });
            all.push(entry);
        }
        all.extend(vec![claim.clone(); times]);
        serde_json::json!({ "resourceType": "Bundle", "type": "collection", "entry": all }).to_string()
    };
    let short = ingest_fhir(bundle(500, 0).as_bytes(), "f");
    anyhow::ensure!(short.claims.len() == 500, "{:?}", short.refused.first());
    let long = ingest_fhir(bundle(500, 1 << 20).as_bytes(), "f");
    let [refused] = long.refused.as_slice() else { anyhow::bail!("{} refusals", long.refused.len()) };
    anyhow::ensure!(long.claims.is_empty() && refused.element == "document", "{refused:?}");
    Ok(())
}

/// A footer's number of rows (field 3, a zigzag varint) put in the place of the one that it has.
fn with_rows(file: &[u8], rows: u64) -> Result<Vec<Vec<u8>>> {
    let end = file.len() - 8;
    let length = usize::try_from(u32::from_le_bytes(file[end..end + 4].try_into()?))?;
    let (data, footer) = file[..end].split_at(end - length);
    let varint = |mut number: u64| {
        let mut bytes = vec![0x16];
        while number >= 0x80 {
            bytes.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
            number >>= 7;
        }
        bytes.push(u8::try_from(number).unwrap_or_default());
        bytes
    };
    let (old, new) = (varint(2 * 3), varint(2 * rows));
    // The bytes may stand elsewhere too: every place is tried.
    let places = (0..footer.len()).filter(|at| footer[*at..].starts_with(&old));
    places
        .map(|at| {
            let footer = [&footer[..at], &new, &footer[at + old.len()..]].concat();
            let length = u32::try_from(footer.len())?.to_le_bytes();
            Ok([data, &footer, &length, b"PAR1"].concat())
        })
        .collect()
}

#[test]
fn a_parquet_file_that_says_it_has_endless_rows_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (csv, path) = (folder.path().join("t.csv"), folder.path().join("t.parquet"));
    fs::write(&csv, "K,N\na,1\nb,2\nc,3\n")?;
    trial::write(&trial::read(&csv)?, &path)?;
    let files = with_rows(&fs::read(&path)?, 1 << 60)?;
    let mut said = Vec::new();
    for file in files {
        fs::write(&path, file)?;
        said.extend(trial::read(&path).err().map(|error| error.to_string()));
    }
    anyhow::ensure!(said.iter().any(|text| text.contains("1152921504606846976 rows; at most")), "{said:?}");
    // As many rows as there may be, in more columns than they may have.
    fs::write(&csv, "K,A,B,C,D,E,F,G\na,1,1,1,1,1,1,1\nb,2,2,2,2,2,2,2\nc,3,3,3,3,3,3,3\n")?;
    trial::write(&trial::read(&csv)?, &path)?;
    let mut said = Vec::new();
    for file in with_rows(&fs::read(&path)?, 1 << 24)? {
        fs::write(&path, file)?;
        said.extend(trial::read(&path).err().map(|error| error.to_string()));
    }
    anyhow::ensure!(said.iter().any(|text| text.contains("rows of 8 columns; at most")), "{said:?}");
    Ok(())
}

/// A file with other bytes in the place of some, wherever those stand.
fn with_bytes<const N: usize>(file: &[u8], is: impl Fn(&[u8; N]) -> bool, put: [u8; N]) -> Vec<Vec<u8>> {
    let windows = file.array_windows::<N>().enumerate();
    windows
        .filter(|(_, window)| is(window))
        .map(|(at, _)| [&file[..at], &put, &file[at + N..]].concat())
        .collect()
}

/// Both were found by fuzzing: room was made for all of it at once.
#[test]
fn a_parquet_page_that_says_it_has_endless_values_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (csv, path) = (folder.path().join("t.csv"), folder.path().join("t.parquet"));
    fs::write(&csv, "K,N\na,1\nb,2\nc,3\n")?;
    trial::write(&trial::read(&csv)?, &path)?;
    let mut files = with_rows(&fs::read(&path)?, 2)?;
    let events = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/parquet/events"))?;
    // Of a dictionary's header, the length without compression, and the number of entries.
    let long = |bytes: &[u8; 5]| matches!(bytes, [0x15, 4, 0x15, 0x80..=0xff, 1..=0x7f]);
    files.extend(with_bytes(&events, long, [0x15, 4, 0x15, 0xfe, 0x7f]));
    files.extend(with_bytes(
        &events,
        |bytes: &[u8; 3]| matches!(bytes, [0x4c, 0x15, 1..=0x7d]),
        [0x4c, 0x15, 0x7e],
    ));
    let mut said = Vec::new();
    for file in files {
        fs::write(&path, file)?;
        said.extend(trial::read(&path).err().map(|error| error.to_string()));
    }
    for what in [
        "a page says that it holds 3 values, and at most 2 can",
        "a page says that it holds 8191 bytes, and at most",
        "a dictionary says that it holds 63 values, and at most",
    ] {
        anyhow::ensure!(said.iter().any(|text| text.contains(what)), "{what}: {said:?}");
    }
    Ok(())
}

/// A number means whoever has it: a stranger that wrote one would name somebody who is not in its file.
#[test]
fn a_stranger_names_nobody_by_number() -> Result<()> {
    const NUMBER: &str = "id:0xdda83cae314ac5403360fef5";
    let (x12, fhir) =
        (String::from_utf8(sample("scan.837")?)?, String::from_utf8(sample("visit.fhir.json")?)?);
    for (file, name, element) in [
        (&x12, "HM1002", "patient"),
        (&x12, "PA-2026-17", "authorisation"),
        (&fhir, "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0\"},\n        \"created", "patient"),
    ] {
        let altered = file.replace(name, &name.replace(name.split('"').next().unwrap_or(name), NUMBER));
        let ingest = if file == &x12 { ingest_x12 } else { ingest_fhir };
        let refused = ingest(altered.as_bytes(), "f").refused;
        let refused = refused.iter().find(|refused| refused.element.ends_with(element));
        let refused = refused.with_context(|| format!("{name}: {altered}"))?;
        anyhow::ensure!(refused.defect.to_string().contains("does not begin with id:0x"), "{refused:?}");
    }
    let payer = consent::Payer { id: consent::identifier("p").context("no id")?, names: Vec::new() };
    let of = |patient: &str| {
        let patient = format!(
            r#"{{"resourceType":"Consent","status":"inactive","patient":{{"reference":"{patient}"}}}}"#
        );
        consent::import_fhir(patient.as_bytes(), &payer, "f")
    };
    anyhow::ensure!(of("Patient/ada").found.len() == 1 && of(NUMBER).found.is_empty());
    Ok(())
}

#[test]
fn broken_json_files_are_read_or_refused() -> Result<()> {
    survive(&sample("claim.json")?, 1500, |bytes| {
        let _ = ClaimFile::from_json(bytes);
        Ok(())
    })?;
    survive(&sample("registers.json")?, 400, |bytes| {
        let _ = Registers::from_json(bytes).and_then(|registers| registers.build());
        Ok(())
    })?;
    survive(&sample("request.json")?, 400, |bytes| {
        let _ = request::from_json(bytes).map(|request| request.check());
        Ok(())
    })
}
