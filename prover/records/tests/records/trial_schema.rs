//! The schema file: read, printed, inferred, and refused by key.

use anyhow::{Context, Result, ensure};
use nightingale_circuits::cohort::Mode;
use nightingale_records::{
    synth,
    trial::{self, Content, Role, SchemaFile},
};
use std::fs;

const FULL: &str = r#"
subject = "USUBJID"
threshold = 12
plan = "plan.sql"

[roles]
regulator = "exact"

[table.events]
dimension = "TERM"
reduce = "first"
consent = "CONSFL"
threshold = 15
missing = ["NA", "."]
keep = { SAFFL = ["Y"], "ODD NAME" = ["it's", "a \"b\""] }
columns = [
  { name = "USUBJID", kind = "key" },
  { name = "TERM", source = "AEDECOD", kind = "category", dictionary = ["Headache", "Nausea, mild", "Gr\u00fc\u00dfe"] },
  { name = "GRADE", kind = "integer", minimum = -1.5, maximum = "12.25", scale = 2, round = true },
  { name = "START", kind = "date", minimum = "2012-07-09", maximum = "2014-09-02" },
  { name = "AGEGR", source = "AGE", kind = "bins", edges = [40, 52.5, 65] },
  { name = "ERA", source = "START", kind = "bins", edges = ["2013-01-01"] },
]
"#;

#[test]
fn a_printed_schema_file_reads_back_as_itself() -> Result<()> {
    let schema = SchemaFile::parse(FULL)?;
    ensure!(SchemaFile::parse(&schema.to_string())? == schema, "{schema}");
    ensure!(
        schema.threshold("EVENTS") == 15
            && schema.threshold("other") == 12
            && schema.plan() == Some("plan.sql")
    );
    ensure!(schema.mode(Role::Regulator) == Some(Mode::Exact) && schema.mode(Role::Researcher).is_none());
    let plain = SchemaFile::parse("[table.t]\ncolumns = []")?;
    ensure!(plain.mode(Role::Researcher) == Some(Mode::Plan) && plain.threshold("t") == 11);
    ensure!(plain.with_key_column("SUBJ").subject.as_deref() == Some("SUBJ"));
    let invented = synth::trial(1, 10)?.schema;
    ensure!(SchemaFile::parse(&invented.to_string())? == invented);
    Ok(())
}

#[test]
fn the_example_on_the_page_is_a_schema_file() -> Result<()> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/records.md"))?;
    let example =
        page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).context("no example")?;
    let schema = SchemaFile::parse(example)?;
    ensure!(schema.tables.keys().eq(["adae", "adsl"]) && schema.tables["adsl"].columns.len() == 6);
    Ok(())
}

#[test]
fn an_error_names_the_key() -> Result<()> {
    let column = |column: &str| {
        format!(
            "[table.t]\ncolumns = [\n  {{ name = \"K\", kind = \"key\" }},\n  {{ name = \"C\", {column} }},\n]\n"
        )
    };
    for (text, key, problem) in [
        ("x = 1\n[table.t]\ncolumns = []".to_owned(), "", "unknown field `x`"),
        ("".to_owned(), "table", "there is none"),
        ("[table.t]\n".to_owned(), "table.t", "missing field `columns`"),
        ("[table.\"a b\"]\ncolumns = []".to_owned(), "table.a b", "its file's stem"),
        (
            "[roles]\nresearcher = \"exact\"\n[table.t]\ncolumns = []".to_owned(),
            "roles.researcher",
            "a researcher gets \"plan\"",
        ),
        ("threshold = \"x\"\n[table.t]\ncolumns = []".to_owned(), "threshold", "invalid type"),
        ("[table.t]\nreduce = \"last\"\ncolumns = []".to_owned(), "table.t.reduce", "`first`"),
        (column("kind = \"word\""), "table.t.columns[1].kind", "unknown variant"),
        (column("kind = \"integer\", maximum = 3"), "table.t.columns[1].minimum", "is needed"),
        (
            column("kind = \"integer\", minimum = \"a\", maximum = 3"),
            "table.t.columns[1].minimum",
            "a number of at most 18 digits",
        ),
        (
            column("kind = \"integer\", minimum = 1, maximum = 2, edges = [1]"),
            "table.t.columns[1].edges",
            "has no such key",
        ),
        (column("kind = \"date\", minimum = 1, maximum = 3"), "table.t.columns[1].minimum", "YYYY-MM-DD"),
        (column("kind = \"category\""), "table.t.columns[1].dictionary", "is needed"),
        (column("kind = \"bins\", edges = [1]"), "table.t.columns[1].source", "is needed"),
        (
            column("kind = \"bins\", source = \"A\", edges = [3, 1]"),
            "table.t.columns[1].edges",
            "above the one before",
        ),
        (
            column("kind = \"bins\", source = \"A\", edges = [3, \"2012-01-01\"]"),
            "table.t.columns[1].edges",
            "above the one before",
        ),
        ("[table.t]\ncolumns = [\n".to_owned(), "line", ""),
    ] {
        let message = SchemaFile::parse(&text).err().map(|error| error.to_string()).unwrap_or_default();
        ensure!(
            message.starts_with(&format!("schema file, {key}")) && message.contains(problem),
            "{text}\n{message}"
        );
    }
    Ok(())
}

#[test]
fn inference_proposes_types_ranges_and_what_to_leave_out() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("visits.csv");
    let mut text = "ID,VISIT,AGE,SCORE,RATIO,SEEN,NOTE,NOTHING,BAD NAME\n".to_owned();
    for row in 0..60 {
        let (id, visit) = (row / 2, row % 2);
        text += &format!(
            "P{id},V{visit},{},{}.5,0.{row}12345,2020-0{}-15,words of patient {row},,1\n",
            18 + id,
            row,
            1 + visit
        );
    }
    fs::write(&path, text)?;
    let table = trial::read(&path)?;
    let proposal = trial::infer(std::slice::from_ref(&table), "id")?;
    let printed = proposal.to_string();
    let entry = &proposal.schema.tables["visits"];
    ensure!(entry.dimension.as_deref() == Some("VISIT") && entry.reduce.is_none(), "{printed}");
    let names: Vec<&str> = entry.columns.iter().map(|column| column.name.as_str()).collect();
    ensure!(names == ["ID", "VISIT", "AGE", "SCORE", "RATIO", "SEEN"], "{names:?}");
    for line in [
        r#"{ name = "ID", kind = "key" },"#,
        r#"{ name = "VISIT", kind = "category", dictionary = ["V0", "V1"] },"#,
        r#"{ name = "AGE", kind = "integer", minimum = 15, maximum = 50 },"#,
        r#"{ name = "SCORE", kind = "integer", minimum = 0, maximum = 60, scale = 1 },"#,
        r#"scale = 4, round = true },"#,
        r#"{ name = "SEEN", kind = "date", minimum = "2020-01-01", maximum = "2020-12-31" },"#,
        "# NOTE: left out, nearly every row has a text of its own",
        "# NOTHING: left out, all its cells are missing",
        "# BAD NAME: left out, its name cannot be written in SQL",
        "# RATIO: its cells have up to 7 decimals",
    ] {
        ensure!(printed.contains(line), "{line}\n{printed}");
    }
    ensure!(SchemaFile::parse(&printed)? == proposal.schema);
    let dataset = trial::build(&[table], &proposal.schema)?;
    ensure!(dataset.tables[0].rows() == 60 && dataset.subjects.len() == 30);
    ensure!(matches!(entry.columns[0].content, Content::Key));
    Ok(())
}

#[test]
fn a_file_without_the_key_cannot_be_inferred() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("t.csv");
    fs::write(&path, "A,B\n1,2\n")?;
    let message = trial::infer(&[trial::read(&path)?], "USUBJID")
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    ensure!(
        message
            == "t.csv, column USUBJID: the file has no such column; name its subject key with --key-column",
        "{message}"
    );
    Ok(())
}
