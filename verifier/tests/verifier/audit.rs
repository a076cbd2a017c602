//! Exports of an audit log: one that holds, and what is made of it when anything is changed.

use super::command::run_audit;
use nightingale_verifier::{
    VerifyError,
    audit::{Anchors, BEFORE_FIRST, Closing, Entry, Hash, Opening, Reader, Verified, entry_line, line},
};
use std::fs;

const LOG: Hash = [0x5a; 32];

fn entry(sequence: u64) -> Entry {
    let events = ["accepted", "decided", "released", "break_glass", "refused"];
    Entry {
        sequence,
        at: 1_795_391_999_000 + i64::try_from(sequence).unwrap(),
        event: events[usize::try_from(sequence).unwrap() % events.len()].into(),
        subject: format!("insurer \"{sequence}\" ü"),
        roles: vec!["insurer".into(), "auditor".into()],
        method: "JobService.Get".into(),
        facts: [("job".into(), format!("{sequence:032x}")), ("purpose".into(), "payment".into())].into(),
    }
}

/// Lines of an export of entries `first` to `last` of a log that is `last` entries long, and the hashes of all entries, 0 included.
fn export(first: u64, last: u64) -> (Vec<String>, Vec<Hash>) {
    let mut hashes = vec![BEFORE_FIRST];
    let mut lines = Vec::new();
    for sequence in 1..=last {
        let entry = entry(sequence);
        let hash = entry.hash("north", &LOG, hashes.last().unwrap());
        if sequence >= first {
            lines.push(entry_line(&entry, &hash));
        }
        hashes.push(hash);
    }
    let before = hashes[usize::try_from(first - 1).unwrap()];
    lines.insert(0, line(&Opening::new("north", &LOG, first, &before)));
    lines.push(line(&Closing { last, head: hex::encode(hashes.last().unwrap()) }));
    (lines, hashes)
}

fn read_with(text: &[u8], anchors: &[Anchors]) -> Result<Verified, VerifyError> {
    Reader::new(anchors).read(text, |_, _| {})
}

fn read(lines: &[String]) -> Result<Verified, VerifyError> {
    read_with((lines.join("\n") + "\n").as_bytes(), &[])
}

/// The entry that is named as wrong.
fn broken(result: Result<Verified, VerifyError>) -> u64 {
    match result {
        Err(VerifyError::Audit { sequence, .. }) => sequence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_export_and_a_part_of_one_hold() {
    let (lines, hashes) = export(1, 12);
    let verified = read(&lines).unwrap();
    assert_eq!((verified.tenant.as_str(), verified.first, verified.last), ("north", 1, 12));
    assert_eq!((verified.head, verified.log), (hashes[12], LOG));
    assert_eq!(verified.break_glass, [3, 8]);
    assert_eq!(verified.events["released"], 3);
    let (lines, _) = export(5, 12);
    let verified = read(&lines).unwrap();
    assert_eq!((verified.first, verified.last, verified.head), (5, 12, hashes[12]));
}

/// The hash of `docs/audit.md`, which was computed by another program (`hashlib` of Python) from the page's words.
#[test]
fn the_test_vector_of_the_page_holds() {
    let page = include_str!("../../../docs/audit.md");
    let vector = page.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let verified = read_with(vector.as_bytes(), &[]).unwrap();
    assert_eq!((verified.first, verified.last), (1, 2));
    let head = hex::encode(verified.head);
    assert_eq!(
        page.matches(&head).count(),
        3,
        "the page says its head in the entry, in the closing line and in the text"
    );
}

#[test]
fn every_single_bit_of_an_export_counts() {
    for (first, last) in [(1, 3), (3, 5)] {
        let (lines, _) = export(first, last);
        let bytes = (lines.join("\n") + "\n").into_bytes();
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << bit;
                assert!(
                    read_with(&changed, &[]).is_err(),
                    "byte {place}, bit {bit} of the export from {first}"
                );
            }
        }
    }
}

#[test]
fn every_line_that_is_removed_moved_doubled_or_put_in_is_named() {
    let (lines, _) = export(1, 6);
    for place in 1..=6u64 {
        let at = usize::try_from(place).unwrap();
        let mut removed = lines.clone();
        removed.remove(at);
        // Of the last entry the closing line tells; then it is the entry before that the closing line does not fit.
        assert_eq!(broken(read(&removed)), if place == 6 { 5 } else { place }, "removed {place}");
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at].clone());
        assert_eq!(broken(read(&doubled)), place + 1, "doubled {place}");
        for other in at + 1..=6 {
            let mut swapped = lines.clone();
            swapped.swap(at, other);
            assert_eq!(broken(read(&swapped)), place, "swapped {place} with {other}");
        }
    }
    let mut without_opening = lines.clone();
    without_opening.remove(0);
    assert!(read(&without_opening).is_err());
    for kept in 0..lines.len() {
        assert!(read(&lines[..kept]).is_err(), "cut off after {kept} lines");
    }
    let whole = lines.join("\n") + "\n";
    for kept in 0..whole.len() {
        assert!(read_with(&whole.as_bytes()[..kept], &[]).is_err(), "cut off after {kept} bytes");
    }
    let mut longer = lines.clone();
    longer.push(lines[1].clone());
    assert!(read(&longer).is_err(), "something after the end");
}

#[test]
fn an_entry_that_is_put_in_with_a_right_hash_breaks_the_next() {
    let (mut lines, hashes) = export(1, 6);
    let forged = Entry { subject: "nobody".into(), ..entry(4) };
    lines[4] = entry_line(&forged, &forged.hash("north", &LOG, &hashes[3]));
    assert_eq!(broken(read(&lines)), 5);
}

/// Whoever can write the whole log anew makes one that holds: only a head that somebody else kept tells.
#[test]
fn a_log_that_is_written_anew_is_told_by_an_anchor_alone() {
    let (honest, hashes) = export(1, 6);
    let mut previous = hashes[3];
    let mut forged = honest[..4].to_vec();
    for sequence in 4..=6 {
        let entry = Entry { subject: "nobody".into(), ..entry(sequence) };
        previous = entry.hash("north", &LOG, &previous);
        forged.push(entry_line(&entry, &previous));
    }
    forged.push(line(&Closing { last: 6, head: hex::encode(previous) }));
    let text = |lines: &[String]| (lines.join("\n") + "\n").into_bytes();
    assert!(read(&forged).is_ok());
    for kept in 1..=6 {
        let anchors = [Anchors::of_head(kept, hashes[usize::try_from(kept).unwrap()])];
        let found = read_with(&text(&forged), &anchors);
        if kept < 4 {
            assert_eq!(found.unwrap().anchored.unwrap().sequence, kept, "before the forgery nothing differs");
        } else {
            assert_eq!(broken(found), kept);
        }
        assert_eq!(read_with(&text(&honest), &anchors).unwrap().anchored.unwrap().sequence, kept);
    }
    let (short, _) = export(1, 4);
    assert!(read(&short).is_ok());
    let cut = read_with(&text(&short), &[Anchors::of_head(6, hashes[6])]);
    assert_eq!(broken(cut), 5, "the end is missing");
}

fn anchors_file(log: &Hash, anchors: &[(u64, Hash)]) -> String {
    let lines: Vec<String> = anchors
        .iter()
        .map(|(sequence, head)| {
            let head = hex::encode(head);
            format!(r#"{{"sequence":{sequence},"head":"0x{head}","transaction":"0x01","block":9,"at":1700000000}}"#)
        })
        .collect();
    format!(
        r#"{{"format":"nightingale audit anchors 1","chain_id":31337,"contract":"0xaa","custodian":"0xbb","log":"0x{}","anchors":[{}]}}"#,
        hex::encode(log),
        lines.join(",")
    )
}

#[test]
fn anchors_of_a_chain_are_held_against_an_export() {
    let (lines, hashes) = export(1, 6);
    let text = (lines.join("\n") + "\n").into_bytes();
    let held = |file: String| Anchors::from_json(file.as_bytes()).map(|anchors| read_with(&text, &[anchors]));
    let good = held(anchors_file(&LOG, &[(2, hashes[2]), (5, hashes[5])])).unwrap().unwrap();
    assert_eq!(good.anchored.unwrap().sequence, 5);
    assert_eq!(broken(held(anchors_file(&LOG, &[(2, hashes[2]), (5, hashes[4])])).unwrap()), 5);
    assert_eq!(broken(held(anchors_file(&LOG, &[(2, hashes[2]), (9, hashes[5])])).unwrap()), 7);
    assert!(held(anchors_file(&[1; 32], &[(2, hashes[2])])).unwrap().is_err(), "another log");
    for unusable in [
        anchors_file(&LOG, &[(5, hashes[5]), (2, hashes[2])]),
        anchors_file(&LOG, &[(0, hashes[0])]),
        anchors_file(&LOG, &[(2, hashes[2])]).replace("anchors 1", "anchors 2"),
        anchors_file(&LOG, &[(2, hashes[2])]).replace("\"chain_id\":31337,", ""),
        "{}".into(),
    ] {
        assert!(held(unusable.clone()).is_err(), "{unusable}");
    }
}

#[test]
fn the_program_says_what_holds_and_what_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, hashes) = export(1, 6);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("good"), lines.join("\n") + "\n").unwrap();
    let mut bad = lines.clone();
    bad.swap(2, 3);
    fs::write(path("bad"), bad.join("\n") + "\n").unwrap();
    fs::write(path("anchors"), anchors_file(&LOG, &[(2, hashes[2])])).unwrap();
    fs::write(path("garbage"), "garbage\n").unwrap();
    let head = hex::encode(hashes[6]);
    let (code, out, _) = run_audit(&[&path("good")]);
    assert!(
        code == 0 && out.starts_with("valid: entries 1 to 6 of north") && out.contains("not anchored"),
        "{out}"
    );
    assert!(out.contains("BREAK-GLASS access: entries 3"), "{out}");
    let (code, out, _) = run_audit(&[&path("good"), "--head", &head, "--sequence", "6", "--tenant", "north"]);
    assert!(code == 0 && out.contains("anchored whole"), "{out}");
    let (code, out, _) = run_audit(&[&path("good"), "--anchors", &path("anchors"), "--json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["valid"], &report["anchored"]["sequence"]), (0, &true.into(), &2.into()));
    let (code, out, _) = run_audit(&[&path("bad")]);
    assert!(code == 1 && out.starts_with("invalid: audit log, entry 2:"), "{out}");
    let (code, out, _) = run_audit(&[&path("bad"), "--json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["valid"], &report["entry"]), (1, &false.into(), &2.into()));
    let (code, out, _) = run_audit(&[&path("good"), "--head", &head, "--sequence", "5"]);
    assert!(code == 1 && out.contains("entry 5") && out.contains("written anew"), "{out}");
    assert_eq!(run_audit(&[&path("good"), "--tenant", "south"]).0, 1);
    for unusable in [
        vec![path("garbage")],
        vec![path("missing")],
        vec![path("good"), "--head".into(), head.clone()],
        vec![path("good"), "--head".into(), "12".into(), "--sequence".into(), "6".into()],
        vec![path("good"), "--anchors".into(), path("garbage")],
    ] {
        let arguments: Vec<&str> = unusable.iter().map(String::as_str).collect();
        assert_eq!(run_audit(&arguments).0, 2, "{arguments:?}");
    }
    let (suffix, _) = export(5, 6);
    fs::write(path("suffix"), suffix.join("\n") + "\n").unwrap();
    assert_eq!(run_audit(&[&path("suffix"), "--head", &hex::encode(hashes[4]), "--sequence", "4"]).0, 0);
    let (code, _, err) = run_audit(&[&path("suffix"), "--head", &hex::encode(hashes[3]), "--sequence", "3"]);
    assert!(code == 2 && err.contains("begins with entry 5"), "{err}");
}

#[test]
fn anchors_of_which_none_was_compared_vouch_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (suffix, hashes) = export(5, 6);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("suffix"), suffix.join("\n") + "\n").unwrap();
    let anchored = |sequences: &[usize]| {
        let anchors: Vec<_> = sequences.iter().map(|at| (u64::try_from(*at).unwrap(), hashes[*at])).collect();
        fs::write(path("anchors"), anchors_file(&LOG, &anchors)).unwrap();
        path("anchors")
    };
    let (code, out, err) = run_audit(&[&path("suffix"), "--anchors", &anchored(&[2, 3])]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("2 anchors lie before the export's first entry 5 and were not compared"), "{err}");
    assert!(err.contains("export from entry 3 on"), "{err}");
    // A head that was compared does not stand for them.
    let head = hex::encode(hashes[6]);
    let with_head = ["--head", &head, "--sequence", "6", "--json"];
    let (code, out, _) =
        run_audit(&[&[path("suffix").as_str(), "--anchors", &anchored(&[3])][..], &with_head].concat());
    assert_eq!((code, out.as_str()), (2, ""));
    let (code, _, err) = run_audit(&[&path("suffix"), "--anchors", &anchored(&[])]);
    assert!(code == 2 && err.contains("holds no anchor of account 0xbb"), "{err}");
    // The entry before the first is named by the export, and compared.
    for (anchors, newest, before) in [(&[2, 4][..], 4, 1), (&[2, 3, 5], 5, 2), (&[6], 6, 0)] {
        let (code, out, _) = run_audit(&[&path("suffix"), "--anchors", &anchored(anchors), "--json"]);
        let report: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            (code, &report["anchored"]["sequence"], &report["not_compared"]),
            (0, &newest.into(), &before.into()),
            "{out}"
        );
    }
    let (code, out, _) = run_audit(&[&path("suffix"), "--anchors", &anchored(&[2, 5])]);
    assert!(
        code == 0 && out.contains("1 anchor lies before the export's first entry 5 and was not"),
        "{out}"
    );
}
