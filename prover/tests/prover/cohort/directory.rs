//! A dataset on disk.

use super::world::{self, KEYS, age_by_arm, dataset, go};
use nightingale_circuits::cohort::Mode;
use nightingale_prover::{CohortDataset, ProveError, cohort::Ask};
use nightingale_verifier::cohort::Venue;
use std::{fs, os::unix::fs::PermissionsExt};

#[test]
fn is_read_back_whole_and_its_private_half_is_for_its_owner() {
    let directory = tempfile::tempdir().unwrap();
    dataset().write(directory.path()).unwrap();
    let again = CohortDataset::open(directory.path()).unwrap();
    assert_eq!(again.public().to_json(), dataset().public().to_json());
    let ask = Ask { table: "adsl".to_owned(), query: age_by_arm(), mode: Mode::Plan, venue: Venue::NONE };
    again.prove(&KEYS, &ask, &mut go).unwrap();
    for name in ["private/adsl.table", "private/adae.table", "private/digests"] {
        assert_eq!(
            fs::metadata(directory.path().join(name)).unwrap().permissions().mode() & 0o777,
            0o600,
            "{name}"
        );
    }
    assert_eq!(fs::metadata(directory.path().join("private")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_write_that_ends_anywhere_leaves_what_was_or_what_will_be() {
    const NAMES: [&str; 3] = ["public/dataset.json", "private/adsl.table", "private/adae.table"];
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut changed = world::register();
    changed.write(old.path()).unwrap();
    assert_eq!(changed.revoke_subjects(&KEYS, &[5], &mut go).unwrap(), ["adsl", "adae"]);
    changed.write(new.path()).unwrap();
    // First each new file comes beside the old one, then the list of digests, then each takes its place.
    for step in 0..=2 * NAMES.len() + 1 {
        let directory = tempfile::tempdir().unwrap();
        let copy = |from: &std::path::Path, name: &str, to: &str| {
            fs::copy(from.join(name), directory.path().join(to)).map(drop).unwrap();
        };
        fs::create_dir(directory.path().join("public")).unwrap();
        fs::create_dir(directory.path().join("private")).unwrap();
        let listed = step > NAMES.len();
        copy(if listed { new.path() } else { old.path() }, "private/digests", "private/digests");
        for (place, name) in NAMES.into_iter().enumerate() {
            let moved = step > NAMES.len() + 1 + place;
            copy(if moved { new.path() } else { old.path() }, name, name);
            if place < step && !moved {
                copy(new.path(), name, &format!("{name}.next"));
            }
        }
        for _ in 0..2 {
            let opened = CohortDataset::open(directory.path()).unwrap();
            let version = opened.public().table("adsl").unwrap().newest_consent();
            assert_eq!(version, Some(usize::from(listed)), "step {step}");
        }
        let public = fs::read(directory.path().join("public/dataset.json")).unwrap();
        assert_eq!(
            public == fs::read(new.path().join("public/dataset.json")).unwrap(),
            listed,
            "step {step}"
        );
    }
}

#[test]
fn damage_is_found_by_digest_before_anything_is_proven() {
    let directory = tempfile::tempdir().unwrap();
    dataset().write(directory.path()).unwrap();
    for name in ["public/dataset.json", "private/adsl.table", "private/adae.table", "private/digests"] {
        let path = directory.path().join(name);
        let whole = fs::read(&path).unwrap();
        for place in [0, whole.len() / 3, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[place] ^= 1;
            fs::write(&path, &damaged).unwrap();
            let error = CohortDataset::open(directory.path()).err();
            assert!(matches!(error, Some(ProveError::Corrupt { .. })), "{name} at {place}: {error:?}");
        }
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        // A list of digests that only lacks its last newline lists the same.
        assert!(
            name == "private/digests" || CohortDataset::open(directory.path()).is_err(),
            "{name}, truncated"
        );
        fs::write(&path, &whole).unwrap();
    }
    CohortDataset::open(directory.path()).unwrap();
    fs::remove_file(directory.path().join("private/adsl.table")).unwrap();
    assert!(matches!(CohortDataset::open(directory.path()).err(), Some(ProveError::Io { .. })));
}
