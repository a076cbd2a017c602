//! Dataset, answer and key files: read back as written, refused when altered.

use super::{DATASET, KEYS, bytes};
use ark_bn254::{Fr, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInteger, PrimeField};
use nightingale_circuits::cohort::{
    Answer, Cell, Class, Column, Figures, Interval, Kind, PairFigures, Query, Schema, Size, Term, Unit,
    ValueFigures, registration::Part,
};
use nightingale_verifier::{
    VerifyError,
    cohort::{
        CircuitName, CohortKey, CohortKeys, Dataset, QueryProof, RowProof, SetupDigest,
        answer::AnswerFile,
        integer::Integer,
        keys::DEVELOPMENT,
        release_rule::not_for_researchers,
        schema_file::{QueryFile, SchemaFile},
        text,
    },
    development,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn column(name: &str, kind: Kind) -> Column {
    Column { name: name.to_owned(), kind }
}

fn schema() -> Schema {
    let words = ["it's", "other"].map(str::to_owned).to_vec();
    let columns = vec![
        column("ID", Kind::Key { count: 9 }),
        column("W", Kind::Category { dictionary: words }),
        column("X", Kind::Integer { minimum: -1_000_000_000_000, maximum: -999_996_000_000, scale: 3 }),
        column("Y", Kind::Integer { minimum: -3, maximum: 5, scale: 0 }),
        column("D", Kind::Date { minimum: 0, maximum: 400 }),
    ];
    Schema::new("t".to_owned(), columns, 0, Unit::SubjectAnd(1), 11).unwrap()
}

#[test]
fn a_dataset_is_read_back_as_written_and_every_element_counts() {
    let whole = bytes("dataset.json");
    assert_eq!(DATASET.to_json().as_bytes(), whole);
    let honest: Value = serde_json::from_slice(&whole).unwrap();
    for (pointer, value) in [
        ("/digest", json!(format!("0x{}", "11".repeat(32)))),
        ("/modes", json!(["plan"])),
        ("/plan/0/digest", json!(format!("0x{}", "11".repeat(32)))),
        ("/plan/0/query/groups", json!([])),
        ("/tables/0/rows", json!(239)),
        ("/tables/0/k", json!(17)),
        ("/tables/0/schema/threshold", json!(12)),
        ("/tables/0/schema/columns/1/dictionary/0", json!("Verum")),
        ("/tables/0/commitments/0", honest["tables"][0]["commitments"][1].clone()),
        ("/tables/0/consents", json!([])),
        ("/tables/1/schema/table", json!("adsl")),
    ] {
        let mut altered = honest.clone();
        *altered.pointer_mut(pointer).unwrap() = value;
        assert!(Dataset::from_json(altered.to_string().as_bytes()).is_err(), "{pointer}");
    }
}

#[test]
fn every_embedded_key_is_read_and_altered_keys_are_not() {
    let key = KEYS.key(CircuitName::Registration(Part::Columns), Size::Small).unwrap();
    let honest = key.to_bytes();
    assert_eq!(CohortKey::from_bytes(honest).unwrap().digest(), key.digest());
    for place in (0..honest.len()).step_by(3) {
        let mut altered = honest.to_vec();
        altered[place] ^= 1;
        // What is still a key has another digest, which no proof names.
        assert!(
            CohortKey::from_bytes(&altered).map_or(true, |other| other.digest() != key.digest()),
            "byte {place}"
        );
    }
    for length in [0, 4, 9, honest.len() - 1] {
        assert!(CohortKey::from_bytes(&honest[..length]).is_err());
    }
    for (name, bytes) in DEVELOPMENT {
        let key = CohortKey::from_bytes(bytes).unwrap();
        assert_eq!(key.circuit().file_name(Size::from_k(key.k()).unwrap()), name);
    }
}

#[test]
fn keys_of_two_setups_in_one_directory_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let file = |name: &str| DEVELOPMENT.iter().find(|(other, _)| *other == name).unwrap().1;
    std::fs::write(path("frame.14.vk"), file("frame.14.vk")).unwrap();
    // The place of the identity column's commitment, behind the header and tau: another point is another setup.
    let mut altered = file("narrow.14.vk").to_vec();
    let identity = 10 + 4 * 32;
    let salt = altered[identity + 64..identity + 128].to_vec();
    altered[identity..identity + 64].copy_from_slice(&salt);
    std::fs::write(path("narrow.14.vk"), altered).unwrap();
    let keys = CohortKeys::directory(directory.path());
    keys.key(CircuitName::Registration(Part::Frame), Size::Small).unwrap();
    let refused = keys.key(CircuitName::Query(Class::Narrow), Size::Small);
    assert!(matches!(refused, Err(VerifyError::UnsafeKey(_))));
}

#[test]
fn a_key_of_the_development_setup_is_no_production_key() {
    for (name, bytes) in DEVELOPMENT {
        let mut relabelled = bytes.to_vec();
        relabelled[5] = 2;
        assert!(matches!(CohortKey::from_bytes(&relabelled), Err(VerifyError::UnsafeKey(_))), "{name}");
    }
    // Nor with another secret that everybody knows in tau's place.
    let (_, key) = DEVELOPMENT.iter().find(|(name, _)| *name == "narrow.14.vk").unwrap();
    let with_tau = |tau: Fr| {
        let point = (G2Affine::generator() * tau).into_affine();
        let words = [point.x.c1, point.x.c0, point.y.c1, point.y.c0].map(|c| c.into_bigint().to_bytes_be());
        let mut altered = key.to_vec();
        altered[5] = 2;
        altered[10..10 + 4 * 32].copy_from_slice(&words.concat());
        CohortKey::from_bytes(&altered)
    };
    assert!(with_tau(Fr::from(5)).is_ok());
    // With the generator in its place every value of a polynomial is its value at 1.
    let refused = with_tau(Fr::from(1)).err();
    assert!(
        matches!(refused, Some(VerifyError::UnsafeKey(why)) if why.contains("secret is 1")),
        "{refused:?}"
    );
    for name in ["tau", "alpha", "beta", "delta/claim-2", "delta/claim-8"] {
        let secret = development::secret(name);
        for tau in [secret, -secret] {
            assert!(matches!(with_tau(tau), Err(VerifyError::UnsafeKey(_))), "{name}");
        }
    }
}

#[test]
fn a_pinned_setup_is_the_only_one_that_is_used() {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in DEVELOPMENT {
        std::fs::write(directory.path().join(name), bytes).unwrap();
    }
    let here = || CohortKeys::directory(directory.path());
    let (small, medium) =
        (here().setup_digest(Size::Small).unwrap(), here().setup_digest(Size::Medium).unwrap());
    assert_ne!(small, medium);
    assert_eq!(small.to_string().parse::<SetupDigest>().unwrap(), small);
    assert!("0".parse::<SetupDigest>().is_err());
    let narrow = CircuitName::Query(Class::Narrow);
    let pinned = here().pinned(vec![small]);
    pinned.key(narrow, Size::Small).unwrap();
    for _ in 0..2 {
        // Not at the second time either.
        let refused = pinned.key(narrow, Size::Medium);
        assert!(matches!(refused, Err(VerifyError::UnpinnedSetup(found)) if found == medium));
    }
    here().pinned(vec![small, medium]).key(narrow, Size::Medium).unwrap();
    // Asking for the digest of a setup that is not pinned does not make it one.
    let pinned = here().pinned(vec![medium]);
    assert_eq!(pinned.setup_digest(Size::Small).unwrap(), small);
    assert!(pinned.key(narrow, Size::Small).is_err());
    // Nor does a key that cannot be read: what was read before it is not used at the second time.
    let last = directory.path().join("keys.14.vk");
    let right = std::fs::read(&last).unwrap();
    std::fs::remove_file(&last).unwrap();
    let pinned = here().pinned(vec![medium]);
    for _ in 0..2 {
        assert!(matches!(pinned.key(narrow, Size::Small), Err(VerifyError::Io { .. })));
    }
    std::fs::write(&last, right).unwrap();
    // One key that is exchanged is enough, whichever is asked for: here the frame's gets another fixed column.
    let path = directory.path().join("frame.14.vk");
    let mut altered = std::fs::read(&path).unwrap();
    let fixed = 10 + 4 * 32 + 9 * 64;
    let other = altered[fixed + 64..fixed + 128].to_vec();
    altered[fixed..fixed + 64].copy_from_slice(&other);
    std::fs::write(&path, altered).unwrap();
    assert!(here().pinned(vec![small]).key(narrow, Size::Small).is_err());
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let twice = |name: &str, from: &str, to: &str| {
        let text = String::from_utf8(bytes(name)).unwrap();
        let altered = text.replacen(from, to, 1);
        assert_ne!(text, altered, "{name}");
        altered.into_bytes()
    };
    // Readers that take the first would see another count, age or value than this one checks.
    let proof = twice("narrow-plan.json", "\"AGE\": 0", "\"AGE\": 7, \"AGE\": 0");
    let refused = QueryProof::from_json(&proof, &DATASET).err().unwrap();
    assert!(refused.to_string().contains("stands twice"), "{refused}");
    let row = twice("row.json", "\"AGE\":", "\"AGE\": 1, \"AGE\":");
    assert!(RowProof::from_json(&row, &DATASET).is_err());
    let dataset = twice("dataset.json", "\"format\":", "\"format\": \"other\", \"format\":");
    assert!(Dataset::from_json(&dataset).is_err());
}

#[test]
fn a_plan_has_each_query_once_and_is_not_of_any_length() {
    let table = |planned: &[usize]| {
        let plan = planned.iter().map(|&place| &DATASET.plan()[place]);
        let plan = plan.map(|planned| (planned.table.clone(), planned.query.clone()));
        Dataset::new(DATASET.tables().to_vec(), plan.collect(), DATASET.modes().to_vec())
    };
    assert!(table(&[0, 1, 2]).is_ok());
    let refused = |result: Result<Dataset, VerifyError>| result.err().map(|error| error.to_string()).unwrap();
    assert_eq!(refused(table(&[0, 1, 0])), "plan: must have each query once");
    let long = vec![0; Dataset::MOST_PLANNED + 1];
    assert!(refused(table(&long)).contains("at most 1,024 queries"));
    // In a file before any of them is looked at.
    let mut file: Value = serde_json::from_slice(&bytes("dataset.json")).unwrap();
    let mut planned = file["plan"][0].clone();
    planned["query"]["groups"] = json!(["nothing"]);
    file["plan"] = vec![planned; Dataset::MOST_PLANNED + 1].into();
    assert!(refused(Dataset::from_json(file.to_string().as_bytes())).contains("at most 1,024 queries"));
}

#[test]
fn a_plan_says_which_of_its_queries_no_researcher_is_answered() {
    let refused = not_for_researchers(&DATASET);
    let digests: Vec<_> = refused.iter().map(|(planned, _)| planned.digest).collect();
    assert_eq!(digests, [DATASET.plan()[1].digest], "the sums over two ranges of doses");
    assert!(refused[0].1.to_string().contains("the condition on DOSE"), "{}", refused[0].1);
}

#[test]
fn figures_wider_than_a_proofs_inputs_are_refused_before_anything_is_computed_from_them() {
    let most = (1 << 53) - 1;
    let columns = vec![
        column("ID", Kind::Key { count: 9 }),
        column("X", Kind::Integer { minimum: -most, maximum: -most, scale: 0 }),
        column("Y", Kind::Integer { minimum: most, maximum: most, scale: 0 }),
    ];
    let schema = Schema::new("t".to_owned(), columns, 0, Unit::Subject, 11).unwrap();
    let query = Query::new(&schema, Vec::new(), vec![1, 2], Vec::new()).unwrap();
    let file = |count: u64, sums: [&str; 2], products: &str| -> AnswerFile {
        let text = format!(
            r#"{{"scales": {{"X": 0, "Y": 0}}, "groups": [{{"key": {{}}, "suppressed": false, "count": {count},
                "nonmissing": {{"X": 0, "Y": 0}}, "sums": {{"X": 0, "Y": 0}}, "squares": {{"X": 0, "Y": 0}},
                "cross": {{"pairs": 0, "sums": {{"X": {}, "Y": {}}}, "products": {products}}}}}]}}"#,
            sums[0], sums[1],
        );
        serde_json::from_str(&text).unwrap()
    };
    let most_rows = (1 << 20) - 1;
    assert!(file(most_rows, ["0", "0"], "0").answer(&schema, &query).is_ok());
    let refused = |file: &AnswerFile| file.answer(&schema, &query).err().unwrap().to_string();
    // The first column's codes times the second's offset come close to 2^127, and the products of codes are more than is left.
    let wide = file(0, ["\"18889465931478585049088\"", "2"], "\"170141183460469231731687303715875717120\"");
    assert_eq!(refused(&wide), "answer: holds figures that no rows have");
    assert_eq!(refused(&file(most_rows + 1, ["0", "0"], "0")), "answer: holds figures that no rows have");
}

#[test]
fn integers_have_one_spelling() {
    let limit = 9_007_199_254_740_991_i128;
    for (integer, text) in [
        (0, "0"),
        (-5, "-5"),
        (limit, "9007199254740991"),
        (limit + 1, "\"9007199254740992\""),
        (-limit - 1, "\"-9007199254740992\""),
    ] {
        assert_eq!(serde_json::to_string(&Integer(integer)).unwrap(), text);
        assert_eq!(serde_json::from_str::<Integer>(text).unwrap(), Integer(integer));
    }
    for bad in [
        "\"5\"",
        "9007199254740992",
        "-9007199254740992",
        "\"09007199254740993\"",
        "\"+9007199254740993\"",
        "1.0",
        "null",
        "\"\"",
    ] {
        assert!(serde_json::from_str::<Integer>(bad).is_err(), "{bad}");
    }
}

#[test]
fn queries_and_schemas_are_read_back_as_written() {
    let schema = schema();
    assert_eq!(SchemaFile::new(&schema).schema().unwrap(), schema);
    let interval = |low, high| Interval { low, high };
    let terms = vec![
        Term { column: 1, intervals: vec![interval(1, 1)] },
        Term {
            column: 2,
            intervals: vec![interval(1, 10), interval(12, 12), interval(3_999_000, 4_000_001)],
        },
        Term { column: 4, intervals: vec![interval(2, 366)] },
    ];
    let query = Query::new(&schema, terms, vec![2, 3], vec![1, 3]).unwrap();
    let file = QueryFile::new(&schema, &query);
    assert_eq!(file.query(&schema).unwrap(), query);
    assert_eq!(
        text::sql(&schema, &query),
        "SELECT W, Y, COUNT(*), SUM(X), SUM(Y) FROM t WHERE W = 'it''s' AND (X <= -999999999.991 OR X = -999999999.989 OR \
         X >= -999996001.001) AND D BETWEEN '1970-01-02' AND '1971-01-01' GROUP BY W, Y"
    );
    let mut value = serde_json::to_value(&file).unwrap();
    value["terms"][1]["intervals"] = json!([[12, 12], [1, 10], [3_999_000, 4_000_001]]);
    let other: QueryFile = serde_json::from_value(value).unwrap();
    assert!(other.query(&schema).is_err(), "not in normal form");
}

proptest! {
    /// The answer in values determines the answer in codes, and is computed from rows here.
    #[test]
    fn answers_in_values_and_in_codes_are_the_same(rows in proptest::collection::vec((0u32..=4_000_001, 0u32..=9), 0..40)) {
        let schema = schema();
        let query = Query::new(&schema, Vec::new(), vec![2, 3], vec![1]).unwrap();
        let mut figures = Figures { count: rows.len() as u64, values: vec![ValueFigures::default(); 2], pair: Some(PairFigures::default()) };
        let (mut sums, mut squares, mut cross) = ([0i128; 2], [0i128; 2], 0i128);
        let offsets = [-1_000_000_000_001i128, -4];
        for &(x, y) in &rows {
            for (place, code) in [x, y].into_iter().enumerate() {
                if code != 0 {
                    let value = i128::from(code) + offsets[place];
                    sums[place] += value;
                    squares[place] += value * value;
                    figures.values[place].nonmissing += 1;
                    figures.values[place].codes += u128::from(code);
                    figures.values[place].squared_codes += u128::from(code).pow(2);
                }
            }
            if let (Some(pair), true) = (&mut figures.pair, x != 0 && y != 0) {
                cross += (i128::from(x) + offsets[0]) * (i128::from(y) + offsets[1]);
                pair.pairs += 1;
                pair.first_codes += u128::from(x);
                pair.second_codes += u128::from(y);
                pair.product_codes += u128::from(x) * u128::from(y);
            }
        }
        let answer = Answer { cells: vec![Cell::Hidden, Cell::Shown(figures), Cell::Hidden] };
        let file = AnswerFile::new(&schema, &query, &answer);
        let group = &file.groups[1];
        prop_assert_eq!(group.key["W"].as_deref(), Some("it's"));
        let of = |map: &Option<std::collections::BTreeMap<String, Integer>>, name: &str| map.as_ref().unwrap()[name].0;
        prop_assert_eq!([of(&group.sums, "X"), of(&group.sums, "Y")], sums);
        prop_assert_eq!([of(&group.squares, "X"), of(&group.squares, "Y")], squares);
        prop_assert_eq!(group.cross.as_ref().unwrap().products.0, cross);
        prop_assert_eq!(file.answer(&schema, &query).unwrap(), answer);
        let mut other = file.clone();
        other.groups[1].key.insert("W".to_owned(), Some("other".to_owned()));
        prop_assert!(other.answer(&schema, &query).is_err());
    }
}
