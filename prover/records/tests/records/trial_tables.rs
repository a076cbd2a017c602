//! Files and schema into tables of codes: what is built, and every refusal with its row and column.

use anyhow::{Result, ensure};
use nightingale_circuits::cohort::Kind;
use nightingale_records::{
    synth,
    trial::{self, Dataset, RawTable, SchemaFile, TrialError},
};
use std::fs;

fn tables(files: &[(&str, &str)]) -> Result<Vec<RawTable>> {
    let folder = tempfile::tempdir()?;
    let read = |(name, text): &(&str, &str)| {
        let path = folder.path().join(name);
        fs::write(&path, text)?;
        Ok(trial::read(&path)?)
    };
    files.iter().map(read).collect()
}

fn build(files: &[(&str, &str)], schema: &str) -> Result<Result<Dataset, TrialError>> {
    Ok(trial::build(&tables(files)?, &SchemaFile::parse(schema)?))
}

const SUBJECTS: &str =
    "ID,ARM,AGE,DOSE,START,OK\nb,Drug,50,1.5,2020-01-02,Y\na,Control,40,,2020-01-01,N\nc,NA,,2.25,,1\n";
const SCHEMA: &str = r#"
subject = "id"
[table.people]
consent = "OK"
missing = ["NA"]
columns = [
  { name = "ID", kind = "key" },
  { name = "ARM", kind = "category", dictionary = ["Control", "Drug"] },
  { name = "AGE", kind = "integer", minimum = 18, maximum = 99 },
  { name = "DOSE", kind = "integer", minimum = 0.5, maximum = 9, scale = 2 },
  { name = "START", kind = "date", minimum = "2020-01-01", maximum = "2020-12-31" },
  { name = "AGEGR", source = "AGE", kind = "bins", edges = [40, 50] },
]
"#;

#[test]
fn codes_are_counted_from_the_minimum_in_the_order_of_subjects() -> Result<()> {
    let dataset = build(&[("people.csv", SUBJECTS)], SCHEMA)??;
    let table = &dataset.tables[0];
    ensure!(dataset.subjects.iter().eq(["a", "b", "c"]) && dataset.subjects.code("b") == Some(2));
    let codes: Vec<&[u32]> = (0..6).map(|column| table.codes(column)).collect();
    ensure!(
        codes == [&[1, 2, 3], &[1, 2, 0], &[23, 33, 0], &[0, 101, 176], &[1, 2, 0], &[2, 3, 0]],
        "{codes:?}"
    );
    ensure!(table.consent() == [false, true, true]);
    ensure!(
        table.schema().columns()[5].kind
            == Kind::Category { dictionary: ["<40", "[40,50)", ">=50"].map(str::to_owned).to_vec() }
    );
    ensure!(table.schema().columns()[3].kind == Kind::Integer { minimum: 50, maximum: 900, scale: 2 });
    Ok(())
}

/// The message of a build from `SUBJECTS` with one text replaced by another, and one line of the schema by another.
fn refusal(text: (&str, &str), line: (&str, &str)) -> Result<String> {
    ensure!(SUBJECTS.contains(text.0) && SCHEMA.contains(line.0), "{text:?} {line:?}");
    let built =
        build(&[("people.csv", &SUBJECTS.replacen(text.0, text.1, 1))], &SCHEMA.replacen(line.0, line.1, 1))?;
    Ok(built.err().map(|error| error.to_string()).unwrap_or_default())
}

#[test]
fn a_cell_that_does_not_fit_is_refused_by_row_and_column() -> Result<()> {
    let same = ("subject", "subject");
    for (text, line, expected) in [
        (("b,Drug,50", "b,Drug,150"), same, "people.csv, row 1, column AGE: outside the declared range"),
        (("Control,40", "Control,17"), same, "people.csv, row 2, column AGE: outside the declared range"),
        (
            ("b,Drug,50", "b,Drug,50.5"),
            same,
            "people.csv, row 1, column AGE: more decimals than the declared scale of 0",
        ),
        (("b,Drug,50", "b,Drug,NaN"), same, "people.csv, row 1, column AGE: not a decimal number"),
        (
            ("b,Drug,50", "b,Drug,1e40"),
            same,
            "people.csv, row 1, column AGE: a number of more than 18 digits",
        ),
        (("a,Control", "a,Kontrolle"), same, "people.csv, row 2, column ARM: not in the declared dictionary"),
        (
            ("2020-01-02", "2020-01"),
            same,
            "people.csv, row 1, column START: not a day of the form YYYY-MM-DD",
        ),
        (("2020-01-02", "2021-01-02"), same, "people.csv, row 1, column START: outside the declared range"),
        (("c,NA", ",NA"), same, "people.csv, row 3, column id: missing, but rows are keyed by this column"),
        (
            ("b", "b"),
            (
                "{ name = \"ARM\", kind = \"category\", dictionary = [\"Control\", \"Drug\"] }",
                "{ name = \"PARTNER\", source = \"ARM\", kind = \"key\" }",
            ),
            "people.csv, row 3, column ARM: missing, but rows are keyed by this column",
        ),
        (("2020-01-01,N", "2020-01-01,"), same, "people.csv, row 2, column OK: neither 1 nor Y, 0 nor N"),
        (
            ("c,NA", "b,NA"),
            same,
            "people.csv, rows 1 and 3: one subject twice, and the table has one row a subject; set `dimension`",
        ),
        (
            ("b", "b"),
            ("name = \"AGE\"", "name = \"AGED\""),
            "people.csv, column AGED: the file has no such column",
        ),
        (
            ("b", "b"),
            (
                "kind = \"date\", minimum = \"2020-01-01\", maximum = \"2020-12-31\"",
                "kind = \"integer\", minimum = 0, maximum = 9",
            ),
            "people.csv, column START: it holds dates",
        ),
        (
            ("b", "b"),
            ("minimum = 0.5", "minimum = 0.125"),
            "schema file, table.people, column DOSE, minimum: has more decimals than `scale`",
        ),
        (
            ("b", "b"),
            ("maximum = 99", "maximum = 1"),
            "schema file, table.people, column AGE, maximum: is below `minimum`",
        ),
        (
            ("b", "b"),
            ("{ name = \"ID\", kind = \"key\" },", ""),
            "schema file, table.people.columns: the subject key is not among them",
        ),
        (
            ("b", "b"),
            ("consent = \"OK\"", "dimension = \"X\""),
            "schema file, table.people.dimension: is not the name of one",
        ),
        (("b", "b"), ("[table.people]", "threshold = 5\n[table.people]"), "threshold 5; it is at least 11"),
        (
            ("b", "b"),
            ("[table.people]", "[table.persons]"),
            "people.csv: the schema file has no [table.people]",
        ),
        (("b", "b"), ("subject = \"id\"", ""), "schema file, subject: the subject key is not named"),
        (
            ("b", "b"),
            ("missing = [\"NA\"]", "missing = [\"NA\"]\nkeep = { ARM = [\"Other\"] }"),
            "schema file, table.people.keep: no row",
        ),
    ] {
        let message = refusal(text, line)?;
        ensure!(message.contains(expected), "{text:?} {line:?}\n{message}");
        // No cell is repeated.
        ensure!(
            ["150", "50.5", "1e40", "Kontrolle", "2021"].iter().all(|cell| !message.contains(cell)),
            "{message}"
        );
    }
    Ok(())
}

const EVENTS: &str = "ID,TERM,GRADE\nb,Nausea,3\na,Rash,1\nb,Rash,2\nb,Nausea,1\n";
const EVENT_SCHEMA: &str = r#"
[table.events]
dimension = "TERM"
columns = [
  { name = "ID", kind = "key" },
  { name = "TERM", kind = "category", dictionary = ["Nausea", "Rash"] },
  { name = "GRADE", kind = "integer", minimum = 1, maximum = 5 },
]
"#;

#[test]
fn events_are_rows_of_subject_and_dimension() -> Result<()> {
    let files = [("people.csv", SUBJECTS), ("events.csv", EVENTS)];
    let message =
        |built: Result<Dataset, TrialError>| built.err().map(|error| error.to_string()).unwrap_or_default();
    let refused = message(build(&files, &format!("{SCHEMA}{EVENT_SCHEMA}"))?);
    ensure!(refused.contains("events.csv, rows 1 and 4: one subject twice with the same TERM"), "{refused}");
    ensure!(refused.contains("reduce = \"first\""), "{refused}");

    let reduced = format!("{SCHEMA}{}", EVENT_SCHEMA.replace("dimension", "reduce = \"first\"\ndimension"));
    let dataset = build(&files, &reduced)??;
    let events = &dataset.tables[0];
    let codes: Vec<&[u32]> = (0..3).map(|column| events.codes(column)).collect();
    // The subject codes are those of the subject table; of b's two rows on nausea the first is there.
    ensure!(codes == [[1, 2, 2], [2, 1, 2], [1, 3, 2]], "{codes:?}");

    let stranger = EVENTS.replace("a,Rash", "z,Rash");
    let refused = message(build(&[files[0], ("events.csv", &stranger)], &reduced)?);
    ensure!(
        refused.contains("events.csv, row 2, column id: this subject is in no table of one row a subject"),
        "{refused}"
    );
    let without_term = EVENTS.replace("a,Rash", "a,");
    let refused = message(build(&[files[0], ("events.csv", &without_term)], &reduced)?);
    ensure!(refused.contains("events.csv, row 2, column TERM: missing, but rows are keyed"), "{refused}");
    let refused = message(build(&files[..1], &reduced)?);
    ensure!(refused.contains("schema file, table.events: no file of this stem was given"), "{refused}");
    Ok(())
}

#[test]
fn an_invented_trial_is_the_same_for_the_same_seed_and_builds() -> Result<()> {
    let (once, again, other) = (synth::trial(5, 300)?, synth::trial(5, 300)?, synth::trial(6, 300)?);
    let cells = |table: &RawTable| {
        let rows = 0..table.rows();
        rows.flat_map(|row| {
            table.columns().iter().map(move |column| column.text(row).map(std::borrow::Cow::into_owned))
        })
        .collect::<Vec<_>>()
    };
    ensure!(cells(&once.subjects) == cells(&again.subjects) && cells(&once.events) == cells(&again.events));
    ensure!(cells(&once.subjects) != cells(&other.subjects));
    let dataset = trial::build(&[once.subjects, once.events], &once.schema)?;
    ensure!(dataset.tables[0].rows() == 300 && dataset.tables[1].schema().table() == "trial_events");
    Ok(())
}

#[test]
fn an_invented_trial_is_written_with_its_schema() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let files = synth::write_trial(1, 200, &folder.path().join("study.parquet"))?;
    ensure!(files.events.ends_with("study_events.parquet") && files.schema.ends_with("study.toml"));
    let read = [trial::read(&files.subjects)?, trial::read(&files.events)?];
    let dataset = trial::build(&read, &SchemaFile::parse(&fs::read_to_string(&files.schema)?)?)?;
    ensure!(dataset.tables[0].rows() == 200 && dataset.subjects.key(200) == Some("NGT-0000200"));
    let refused =
        synth::write_trial(1, 5, &folder.path().join("my study.csv")).err().map(|error| error.to_string());
    ensure!(refused.is_some_and(|message| message.contains("rename the file")));
    Ok(())
}

#[test]
fn more_rows_than_the_largest_class_are_refused() -> Result<()> {
    let mut text = String::from("ID\n");
    (0..1_046_513).for_each(|row| text.push_str(&format!("p{row}\n")));
    let schema = "subject = \"ID\"\n[table.big]\ncolumns = [{ name = \"ID\", kind = \"key\" }]";
    let message =
        build(&[("big.csv", &text)], schema)?.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(message.contains("big.csv: 1046513 rows; at most 1046512"), "{message}");
    Ok(())
}
