//! Reading takes time in proportion to the file: eight times the file, about eight times the time of this thread's processor.

use anyhow::{Context, Result, ensure};
use nightingale_circuits::cohort::{
    Column, Committed, Interval, Kind, Mode, Query, Schema, Size, Term, Unit, columns::committed,
};
use nightingale_records::{
    ClaimFile, Registers, ingest_fhir, ingest_x12, request, sql,
    trial::{self, SchemaFile},
};
use nightingale_verifier::cohort::{Dataset, TableRecord};
use rustix::time::{ClockId, clock_gettime};
use std::{fmt::Write, fs, path::Path, time::Duration};

/// Eight times the file may take at most so many times as long: 64 is quadratic, and memory is slower than caches.
const MOST: u32 = 24;
/// What is faster than this is not worth telling apart.
const LEAST: Duration = Duration::from_millis(4);

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The least time of three.
fn time(read: &dyn Fn(&[u8]), file: &[u8]) -> Duration {
    let once = || {
        let begun = processor_time();
        read(file);
        processor_time() - begun
    };
    (0..3).map(|_| once()).min().unwrap_or_default()
}

/// Makes a file of a size, reads it, and one of eight times the size.
fn linear(what: &str, size: usize, make: impl Fn(usize) -> String, read: &dyn Fn(&[u8])) -> Result<()> {
    let short = time(read, make(size).as_bytes()).max(LEAST);
    let long = time(read, make(8 * size).as_bytes());
    ensure!(long <= short * MOST, "{what}: {short:?} for {size}, {long:?} for eight times as many");
    Ok(())
}

/// `part` with each number from 0, so many times, between `start` and `end`.
fn many(start: &str, part: impl Fn(usize) -> String, between: &str, end: &str) -> impl Fn(usize) -> String {
    move |number| {
        let parts: Vec<String> = (0..number).map(&part).collect();
        format!("{start}{}{end}", parts.join(between))
    }
}

#[test]
fn fhir_is_read_in_linear_time() -> Result<()> {
    let read = |file: &[u8]| drop(ingest_fhir(file, "f"));
    let bundle = |entry: fn(usize) -> String| many(r#"{"resourceType":"Bundle","entry":["#, entry, ",", "]}");
    linear(
        "patients",
        2000,
        bundle(|i| format!(r#"{{"resource":{{"resourceType":"Patient","id":"{i}"}}}}"#)),
        &read,
    )?;
    let claim = |i: usize| {
        format!(
            r#"{{"fullUrl":"urn:uuid:{i}","resource":{{"resourceType":"Claim","id":"{i}","status":"active","use":"claim",
            "patient":{{"reference":"urn:uuid:{}"}},"provider":{{"reference":"Practitioner/{i}"}}}}}}"#,
            i + 1
        )
    };
    linear("claims", 1000, bundle(claim), &read)?;
    let referred = |number: usize| {
        let claim = |i: usize| {
            format!(
                r#"{{"resource":{{"resourceType":"Claim","id":"{i}","status":"active","use":"claim","patient":{{"display":"x"}},"provider":{{"reference":"Practitioner/p"}}}}}}"#
            )
        };
        let claims: Vec<String> = (0..number).map(claim).collect();
        format!(
            r#"{{"resourceType":"Bundle","entry":[{{"resource":{{"resourceType":"Practitioner","id":"p","name":"{}"}}}},{}]}}"#,
            "x".repeat(100 * number),
            claims.join(",")
        )
    };
    linear("one resource of all claims", 1000, referred, &read)?;
    let nested = |number: usize| format!("{}{}", r#"{"a":["#.repeat(number), "]}".repeat(number));
    linear("nesting", 20_000, nested, &read)?;
    let items = many(
        r#"{"resourceType":"Claim","status":"active","item":["#,
        |i| format!(r#"{{"sequence":{i}}}"#),
        ",",
        "]}",
    );
    linear("items", 4000, items, &read)?;
    let diagnoses = many(
        r#"{"resourceType":"Claim","status":"active","diagnosis":["#,
        |i| {
            format!(
                r#"{{"sequence":{i},"diagnosisCodeableConcept":{{"coding":[{{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"A{i}"}}]}}}}"#
            )
        },
        ",",
        "]}",
    );
    linear("diagnoses", 2000, diagnoses, &read)
}

#[test]
fn fhir_is_imported_in_linear_time() -> Result<()> {
    let registers = Registers::from_json(&crate::samples::sample("registers.json")?)?;
    let read = |file: &[u8]| drop(registers.clone().import_fhir(file));
    let consent = |i: usize| {
        format!(
            r#"{{"fullUrl":"urn:uuid:{i}","resource":{{"resourceType":"Consent","id":"{i}","status":"active","patient":{{"reference":"Patient/{i}"}}}}}}"#
        )
    };
    linear("consents", 1000, many(r#"{"resourceType":"Bundle","entry":["#, consent, ",", "]}"), &read)
}

#[test]
fn x12_is_read_in_linear_time() -> Result<()> {
    let sample = String::from_utf8(crate::samples::sample("scan.837")?)?;
    let read = |file: &[u8]| drop(ingest_x12(file, "x"));
    let at = |segment: &str| sample.find(segment).unwrap_or(0);
    let (head, body) = sample.split_at(at("LX*"));
    let (lines, tail) = body.split_at(body.find("SE*").unwrap_or(0));
    let repeated = |number: usize| format!("{head}{}{tail}", lines.repeat(number));
    linear("service lines", 500, repeated, &read)?;
    let (head, body) = sample.split_at(at("CLM*"));
    let (claim, tail) = body.split_at(body.find("SE*").unwrap_or(0));
    linear("claims", 300, |number| format!("{head}{}{tail}", claim.repeat(number)), &read)?;
    let (head, _) = sample.split_at(at("ST*"));
    linear("segments", 5000, |number| format!("{head}{}", "HL*1**20*1~".repeat(number)), &read)?;
    linear("elements", 20_000, |number| format!("{head}ST{}~", "*".repeat(number)), &read)?;
    linear("open loops", 5000, |number| format!("{head}{}", "ST*837*1~HL*1**20*1~".repeat(number)), &read)
}

#[test]
fn claim_files_registers_and_requests_are_read_in_linear_time() -> Result<()> {
    let line = |i: usize| format!(r#"{{"code":"CPT:99213","from":"2025-03-01","charge_cents":{i}}}"#);
    let claim = |line: fn(usize) -> String| {
        many(
            r#"{"type":"professional","coverage":"c","patient":"p","billing":"1234567893","lines":["#,
            line,
            ",",
            "]}",
        )
    };
    let read = |file: &[u8]| drop(ClaimFile::from_json(file));
    linear("lines", 500, claim(line), &read)?;
    let other =
        |i: usize| format!(r#"{{"code":"CPT:{:05}","from":"2025-03-01","charge_cents":1}}"#, i % 100_000);
    linear("different lines", 500, claim(other), &read)?;
    let unknown = many("{", |i| format!("\"k{i}\":0"), ",", "}");
    linear("unknown members", 2000, unknown, &read)?;
    let of_request = |file: &[u8]| drop(request::from_json(file));
    let whole = String::from_utf8(crate::samples::sample("request.json")?)?;
    let grown = move |number: usize| {
        let lines: Vec<String> = (0..number).map(other).collect();
        match whole.split_once("\"lines\": [") {
            Some((front, back)) => format!("{front}\"lines\": [{},{back}", lines.join(",")),
            None => String::new(),
        }
    };
    linear("lines of a request", 500, grown, &of_request)
}

#[test]
fn registers_are_built_in_linear_time() -> Result<()> {
    let sample: serde_json::Value = serde_json::from_slice(&crate::samples::sample("registers.json")?)?;
    let read = |file: &[u8]| drop(Registers::from_json(file).and_then(|registers| registers.build()));
    for member in ["enrolment", "providers", "consents", "policy", "authorisations"] {
        let Some(entry) = sample[member].as_array().and_then(|entries| entries.first()) else { continue };
        let grown = |number: usize| {
            let mut grown = sample.clone();
            grown[member] = vec![entry.clone(); number].into();
            grown.to_string()
        };
        linear(member, 1000, grown, &read)?;
    }
    Ok(())
}

#[test]
fn trial_files_are_read_in_linear_time() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("t.csv");
    let read = |file: &[u8]| {
        if fs::write(&path, file).is_ok()
            && let Ok(table) = trial::read(&path)
            && let Ok(proposal) = trial::infer(std::slice::from_ref(&table), "K")
        {
            drop(trial::build(&[table], &proposal.schema));
        }
    };
    linear("rows", 4000, many("K,N,W\n", |i| format!("s{i},{i},w{i}"), "\n", ""), &read)?;
    let columns = |number: usize| {
        let names: Vec<String> = (0..number).map(|i| format!("C{i}")).collect();
        format!("K,{}\na{}\n", names.join(","), ",1".repeat(number))
    };
    linear("columns", 4000, columns, &read)?;
    let alike = |number: usize| format!("K{}\na{}\n", ",".repeat(number), ",1".repeat(number));
    linear("columns without a name", 4000, alike, &read)?;
    linear("quotes", 20_000, |number| format!("K,N\n\"{}", "\"\"".repeat(number)), &read)
}

#[test]
fn schema_files_are_read_in_linear_time() -> Result<()> {
    let read = |file: &[u8]| drop(str::from_utf8(file).map(SchemaFile::parse));
    let column = |i: usize| format!(r#"{{ name = "C{i}", kind = "integer", minimum = 0, maximum = {i} }}"#);
    linear("columns", 1000, many("[table.t]\ncolumns = [\n", column, ",\n", "\n]\n"), &read)?;
    let words = many(
        "[table.t]\ncolumns = [ { name = \"K\", kind = \"key\" }, { name = \"C\", kind = \"category\", dictionary = [",
        |i| format!("\"w{i}\""),
        ",",
        "] } ]\n",
    );
    linear("words", 4000, words, &read)?;
    let edges = many(
        "[table.t]\ncolumns = [ { name = \"C\", kind = \"bins\", edges = [",
        |i| i.to_string(),
        ",",
        "] } ]\n",
    );
    linear("edges", 4000, edges, &read)?;
    linear("tables", 1000, many("", |i| format!("[table.t{i}]\ncolumns = []\n"), "", ""), &read)?;
    linear("nesting", 4000, |number| format!("a = {}{}", "[".repeat(number), "]".repeat(number)), &read)?;
    linear("dots", 4000, |number| format!("{}a = 1", "a.".repeat(number)), &read)?;
    linear("sections", 4000, |number| format!("[{}a]", "a.".repeat(number)), &read)
}

/// A dataset's file: a dictionary of forty words for each query of the plan, each of which asks for one of them.
fn planned(golden: &Dataset, queries: usize) -> Result<String> {
    let words = (0..40 * queries).map(|i| format!("w{i}")).collect();
    let columns = vec![
        Column { name: "K".to_owned(), kind: Kind::Key { count: 9 } },
        Column { name: "W".to_owned(), kind: Kind::Category { dictionary: words } },
    ];
    let schema = Schema::new("t".to_owned(), columns, 0, Unit::Subject, 11)?;
    let known = golden.tables().first().context("no table")?;
    let size = Size::Medium;
    let commitment = known.commitment(Committed::Present).context("no commitment")?;
    let commitments = vec![commitment; committed(&schema, size.layout()).len()];
    let query = |word: u32| {
        let term = Term { column: 1, intervals: vec![Interval { low: word, high: word }] };
        Ok(("t".to_owned(), Query::new(&schema, vec![term], Vec::new(), Vec::new())?))
    };
    let plan = (1..).take(queries).map(query).collect::<Result<Vec<_>>>()?;
    let mut table =
        TableRecord::new(schema.clone(), size, 9, commitments, golden.sponsor().map(|by| by.address))?;
    table.consents = known.consents.clone();
    Ok(Dataset::new(vec![table], plan, vec![Mode::Plan])?.to_json())
}

#[test]
fn a_datasets_plan_is_read_in_linear_time() -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../verifier/tests/cohort/dataset.json");
    let golden = Dataset::from_json(&fs::read(file)?)?;
    ensure!(Dataset::from_json(planned(&golden, 9)?.as_bytes())?.plan().len() == 9);
    let read = |file: &[u8]| drop(Dataset::from_json(file));
    linear("plan", 128, |queries| planned(&golden, queries).unwrap_or_default(), &read)
}

#[test]
fn sql_is_read_in_linear_time() -> Result<()> {
    let words = (0..200).map(|i| format!("w{i}")).collect();
    let columns = vec![
        Column { name: "K".to_owned(), kind: Kind::Key { count: 9 } },
        Column { name: "N".to_owned(), kind: Kind::Integer { minimum: 0, maximum: 1_000_000, scale: 0 } },
        Column { name: "W".to_owned(), kind: Kind::Category { dictionary: words } },
    ];
    let schemas = [Schema::new("t".to_owned(), columns, 0, Unit::Subject, 11)?];
    let read = |file: &[u8]| drop(str::from_utf8(file).map(|text| sql::parse(text, &schemas)));
    let listed = many("SELECT COUNT(*) FROM t WHERE N IN (", |i| i.to_string(), ",", ")");
    linear("constants", 300, listed, &read)?;
    linear("brackets", 900, |number| format!("SELECT COUNT(*) FROM t WHERE {}N", "(".repeat(number)), &read)?;
    linear(
        "chain",
        100,
        |number| format!("SELECT COUNT(*) FROM t WHERE N=1{}", " OR N=1".repeat(number)),
        &read,
    )?;
    let plan = |file: &[u8]| drop(str::from_utf8(file).map(|text| sql::parse_plan(text, &schemas)));
    let statements = |number: usize| {
        (0..number).fold(String::new(), |mut text, i| {
            let _ = writeln!(text, "SELECT W, COUNT(*) FROM t WHERE N > {i} GROUP BY W;");
            text
        })
    };
    linear("plan", 1000, statements, &plan)
}
