//! SQL: its canonical text, what the SELECT list becomes, and every refusal with the nearest form.

use anyhow::{Context, Result, ensure};
use nightingale_circuits::cohort::{Column, Interval, Kind, Query, Schema, Term, Unit, text};
use nightingale_records::sql::{self, SqlError, What};

pub(crate) const WORDS: [&str; 4] = ["Control", "it's", "Low; dose", "HIGH"];

/// A table of each kind of column.
pub(crate) fn schema() -> Result<Schema> {
    let column = |name: &str, kind| Column { name: name.to_owned(), kind };
    let words =
        |words: &[&str]| Kind::Category { dictionary: words.iter().map(|word| (*word).to_owned()).collect() };
    let columns = vec![
        column("USUBJID", Kind::Key { count: 1000 }),
        column("ARM", words(&WORDS)),
        // 5.0 to 14.0 with one decimal.
        column("BASE", Kind::Integer { minimum: 50, maximum: 140, scale: 1 }),
        column("CHG", Kind::Integer { minimum: -6, maximum: 6, scale: 0 }),
        column("START", Kind::Date { minimum: 16_000, maximum: 16_040 }),
        column("SEX", words(&["F", "M"])),
        column("ORDER", Kind::Integer { minimum: 0, maximum: 9, scale: 0 }),
    ];
    Ok(Schema::new("trial".to_owned(), columns, 0, Unit::Subject, 11)?)
}

fn events() -> Result<Schema> {
    let term =
        Column { name: "TERM".to_owned(), kind: Kind::Category { dictionary: vec!["Rash".to_owned()] } };
    let key = Column { name: "USUBJID".to_owned(), kind: Kind::Key { count: 9 } };
    Ok(Schema::new("events".to_owned(), vec![key, term], 0, Unit::SubjectAnd(1), 11)?)
}

fn ask(text: &str) -> Result<sql::Asked> {
    Ok(sql::parse(text, &[events()?, schema()?])?)
}

fn refusal(text: &str) -> Result<String> {
    match sql::parse(text, &[events()?, schema()?]) {
        Ok(asked) => anyhow::bail!("{text}: was understood as {}", asked.sql),
        Err(error) => Ok(error.to_string()),
    }
}

#[test]
fn a_query_has_one_canonical_text() -> Result<()> {
    for (text, canonical) in [
        ("select count(*) from TRIAL", "SELECT COUNT(*) FROM trial"),
        (
            "SELECT t.arm, COUNT(*) AS n, AVG(base), STDDEV(base) FROM trial t WHERE t.CHG BETWEEN -2 AND 3 AND arm IN ('HIGH', 'Control') GROUP BY arm",
            "SELECT ARM, COUNT(*), SUM(BASE) FROM trial WHERE ARM IN ('Control', 'HIGH') AND CHG BETWEEN -2 AND 3 GROUP BY ARM",
        ),
        // 12.34 lies between 12.3 and 12.4.
        ("SELECT COUNT(*) FROM trial WHERE base > 12.34", "SELECT COUNT(*) FROM trial WHERE BASE >= 12.4"),
        ("SELECT COUNT(*) FROM trial WHERE base <= 12.34", "SELECT COUNT(*) FROM trial WHERE BASE <= 12.3"),
        (
            "SELECT COUNT(*) FROM trial WHERE 12.30 < base AND NOT base >= 13",
            "SELECT COUNT(*) FROM trial WHERE BASE BETWEEN 12.4 AND 12.9",
        ),
        (
            "SELECT COUNT(*) FROM trial WHERE chg > -2.5 AND chg < -0.5",
            "SELECT COUNT(*) FROM trial WHERE CHG BETWEEN -2 AND -1",
        ),
        ("SELECT COUNT(*) FROM trial WHERE base = 12.34", "SELECT COUNT(*) FROM trial WHERE BASE < 5.0"),
        (
            "SELECT COUNT(*) FROM trial WHERE base <> 12.34",
            "SELECT COUNT(*) FROM trial WHERE BASE IS NOT NULL",
        ),
        (
            "SELECT COUNT(*) FROM trial WHERE chg = 1 OR (chg = 3 OR chg = 2) OR chg > 5",
            "SELECT COUNT(*) FROM trial WHERE (CHG BETWEEN 1 AND 3 OR CHG = 6)",
        ),
        (
            "SELECT COUNT(*) FROM trial WHERE NOT (chg < 0 OR sex = 'F')",
            "SELECT COUNT(*) FROM trial WHERE CHG >= 0 AND SEX = 'M'",
        ),
        (
            "SELECT COUNT(*) FROM trial WHERE NOT (chg IS NULL) AND chg NOT IN (1, 3)",
            "SELECT COUNT(*) FROM trial WHERE (CHG <= 0 OR CHG = 2 OR CHG >= 4)",
        ),
        (
            "SELECT COUNT(*) FROM trial WHERE arm <> 'it''s'",
            "SELECT COUNT(*) FROM trial WHERE ARM <> 'it''s'",
        ),
        (
            "SELECT COUNT(*) FROM trial WHERE arm = 'HIGH' AND arm = 'Control'",
            "SELECT COUNT(*) FROM trial WHERE ARM = 'Control' AND ARM <> 'Control'",
        ),
        (
            "SELECT COUNT(*) FROM trial WHERE start >= '2013-10-31' AND start < DATE '2013-11-05'",
            "SELECT COUNT(*) FROM trial WHERE START BETWEEN '2013-10-31' AND '2013-11-04'",
        ),
        (
            "SELECT SUM(\"ORDER\") FROM trial WHERE \"order\" > 2",
            "SELECT COUNT(*), SUM(\"ORDER\") FROM trial WHERE \"ORDER\" >= 3",
        ),
    ] {
        let asked = ask(text).with_context(|| text.to_owned())?;
        ensure!(asked.sql == canonical, "{text}\n{}", asked.sql);
        ensure!(asked.table == 1 && ask(canonical)?.query == asked.query, "{canonical}");
    }
    Ok(())
}

#[test]
fn the_select_list_says_what_is_made_of_the_sums() -> Result<()> {
    let asked = ask(
        "SELECT ARM, COUNT(*) n, COUNT(CHG), SUM(CHG), AVG(chg), VAR_POP(CHG), STDDEV(CHG), CORR(CHG, BASE), COVAR_POP(BASE, CHG) FROM trial GROUP BY ARM",
    )?;
    let (chg, base) = (3, 2);
    let whats: Vec<What> = asked.select.iter().map(|item| item.what).collect();
    ensure!(
        whats
            == [
                What::Group(1),
                What::Rows,
                What::NonMissing(chg),
                What::Sum(chg),
                What::Mean(chg),
                What::Variance { column: chg, population: true },
                What::Deviation { column: chg, population: false },
                What::Correlation { first: chg, second: base },
                What::Covariance { first: base, second: chg, population: true },
            ]
    );
    let labels: Vec<&str> = asked.select.iter().map(|item| item.label.as_str()).collect();
    ensure!(labels[..5] == ["ARM", "n", "COUNT(CHG)", "SUM(CHG)", "AVG(CHG)"], "{labels:?}");
    ensure!(asked.query.values() == [base, chg] && asked.query.groups() == [1]);
    // Subjects are rows of the subject table, and of a term's rows in the event table.
    ensure!(ask("SELECT COUNT(DISTINCT usubjid) FROM trial")?.select[0].what == What::Rows);
    ensure!(
        ask("SELECT TERM, COUNT(DISTINCT USUBJID) FROM events GROUP BY TERM")?.select[1].what == What::Rows
    );
    Ok(())
}

#[test]
fn each_unsupported_form_is_named_with_the_nearest_one() -> Result<()> {
    for (text, part, nearest) in [
        ("SELECT * FROM trial", "SELECT *", "COUNT(*)"),
        ("SELECT ARM FROM trial", "the column ARM outside GROUP BY", "add it to GROUP BY"),
        ("SELECT MIN(BASE) FROM trial", "the function MIN", "bins"),
        ("SELECT MEDIAN(BASE) FROM trial", "the function MEDIAN", "bounds"),
        ("SELECT SUM(BASE + 1) FROM trial", "SUM of the expression BASE + 1", "arithmetic on the answer"),
        (
            "SELECT AVG(BASE) - AVG(CHG) FROM trial",
            "the expression AVG(BASE) - AVG(CHG)",
            "arithmetic on the answer",
        ),
        ("SELECT SUM(ARM) FROM trial", "SUM(ARM)", "GROUP BY ARM"),
        ("SELECT COUNT(DISTINCT ARM) FROM trial", "COUNT(DISTINCT ARM)", "count the cells"),
        ("SELECT COUNT(DISTINCT USUBJID) FROM events", "COUNT(DISTINCT subject)", "GROUP BY TERM"),
        ("SELECT SUM(BASE) OVER (PARTITION BY ARM) FROM trial", "OVER", "GROUP BY"),
        ("SELECT COUNT(*) FILTER (WHERE CHG > 0) FROM trial", "FILTER", "WHERE"),
        ("SELECT CORR(BASE, BASE) FROM trial", "anything but two different columns", "CORR"),
        ("SELECT DISTINCT ARM FROM trial GROUP BY ARM", "SELECT DISTINCT", "GROUP BY"),
        ("SELECT COUNT(*) FROM trial JOIN events ON 1 = 1", "JOIN", "one table"),
        ("SELECT COUNT(*) FROM trial, events", "FROM with several tables", "one table"),
        ("SELECT COUNT(*) FROM (SELECT * FROM trial) t", "a subquery", "name a table"),
        ("SELECT COUNT(*) FROM trial GROUP BY ARM HAVING COUNT(*) > 5", "HAVING", "from the answer"),
        ("SELECT COUNT(*) FROM trial ORDER BY 1", "ORDER BY", "after it is verified"),
        ("SELECT COUNT(*) FROM trial LIMIT 3", "LIMIT", "after it is verified"),
        ("WITH x AS (SELECT 1) SELECT COUNT(*) FROM trial", "WITH", "by itself"),
        ("SELECT COUNT(*) FROM trial UNION SELECT COUNT(*) FROM events", "UNION", "a query for each"),
        ("SELECT COUNT(*) FROM trial GROUP BY 1", "GROUP BY 1", "name the column"),
        ("SELECT COUNT(*) FROM trial GROUP BY ROLLUP (ARM)", "GROUP BY ROLLUP", "sums of cells"),
        (
            "SELECT COUNT(*) FROM trial WHERE ARM = 'HIGH' OR SEX = 'F'",
            "OR across the columns ARM, SEX",
            "GROUP BY these columns",
        ),
        (
            "SELECT COUNT(*) FROM trial WHERE NOT (CHG > 1 AND SEX = 'F')",
            "OR across the columns CHG, SEX",
            "one column",
        ),
        ("SELECT COUNT(*) FROM trial WHERE ARM LIKE 'H%'", "LIKE", "IN ("),
        ("SELECT COUNT(*) FROM trial WHERE ARM > 'HIGH'", "comparing the category ARM by order", "ARM IN ("),
        ("SELECT COUNT(*) FROM trial WHERE BASE IS NULL", "BASE IS NULL", "GROUP BY BASE"),
        ("SELECT COUNT(*) FROM trial WHERE BASE = NULL", "a comparison with NULL", "IS NOT NULL"),
        ("SELECT COUNT(*) FROM trial WHERE BASE > CHG", "comparing a column with the column CHG", "constant"),
        ("SELECT COUNT(*) FROM trial WHERE BASE + 1 > 3", "the expression BASE + 1", "as it is"),
        ("SELECT COUNT(*) FROM trial WHERE ARM = \"HIGH\"", "the text \"HIGH\"", "'HIGH'"),
        ("SELECT COUNT(*) FROM trial WHERE CHG IN (SELECT 1)", "a subquery", "by itself"),
        ("SELECT COUNT(*) FROM trial WHERE SEX", "a column as a condition", "column = 1"),
        ("SELECT COUNT(*) FROM trial TABLESAMPLE BERNOULLI (10)", "TABLESAMPLE", "every row"),
        ("INSERT INTO trial VALUES (1)", "INSERT", "SELECT"),
        ("SELECT 1", "a query without FROM", "one table"),
    ] {
        let message = refusal(text)?;
        let (front, back) = message.split_once("; ").with_context(|| message.clone())?;
        ensure!(
            front.contains(part) && front.ends_with("is not supported") && back.contains(nearest),
            "{text}\n{message}"
        );
    }
    Ok(())
}

#[test]
fn names_words_and_constants_that_are_not_there_are_named() -> Result<()> {
    for (text, expected) in [
        ("SELECT COUNT(*) FROM trail", "there is no table trail; the dataset has events, trial"),
        ("SELECT SUM(BASELINE) FROM trial", "there is no column BASELINE; describe"),
        ("SELECT SUM(CHNG) FROM trial", "there is no column CHNG; near it: CHG"),
        ("SELECT COUNT(*) FROM trial WHERE x.CHG > 1", "the name x.CHG is not supported"),
        (
            "SELECT COUNT(*) FROM trial WHERE ARM = 'Contrl'",
            "\"Contrl\" is not in the dictionary of ARM; near it: Control",
        ),
        ("SELECT COUNT(*) FROM trial WHERE ARM = 'high'", "near it: HIGH"),
        ("SELECT COUNT(*) FROM trial WHERE SEX = 'unknown'", "it has F, M"),
        ("SELECT COUNT(*) FROM trial WHERE ARM = 1", "ARM is compared with 1; expected a word"),
        (
            "SELECT COUNT(*) FROM trial WHERE BASE > '12'",
            "BASE is compared with '12'; expected a plain number",
        ),
        ("SELECT COUNT(*) FROM trial WHERE BASE > 1e3", "expected a plain number"),
        ("SELECT COUNT(*) FROM trial WHERE START > '2013-02-30'", "expected a day as 'YYYY-MM-DD'"),
        ("SELECT COUNT(*) FROM trial WHERE USUBJID = 'x'", "USUBJID names subjects: a query may not use it"),
        ("SELECT COUNT(*) FROM trial GROUP BY USUBJID", "USUBJID names subjects"),
        ("SELECT COUNT(*) FROM trial GROUP BY ARM, ARM", "ARM is there twice"),
        ("SELECT COUNT(*) FROM trial WHERE CHG IN (-6, -4, -2, 0, 2)", "more than 4 separate ranges"),
        ("SELECT SUM(BASE), SUM(CHG), SUM(START) FROM trial", "3 value columns; at most 2"),
        ("SELECT COUNT(*) FROM trial GROUP BY BASE, CHG", "GROUP BY makes 1288 cells; at most 512"),
        ("SELECT COUNT(*) FROM trial WHERE", "not SQL that can be read"),
        ("SELECT COUNT(*) FROM trial; SELECT 1", "2 statements"),
        ("", "0 statements"),
    ] {
        let message = refusal(text)?;
        ensure!(message.contains(expected), "{text}\n{message}");
    }
    let long = format!("SELECT COUNT(*) FROM trial WHERE {}", "NOT ".repeat(5000));
    ensure!(refusal(&long)?.contains("bytes; at most"));
    let deep = format!("SELECT COUNT(*) FROM trial WHERE CHG = 1{}", " OR CHG = 1".repeat(300));
    ensure!(refusal(&deep)?.contains("nested more than 200 deep"));
    let deeper = format!("SELECT COUNT(*) FROM trial WHERE CHG = 1{}", " OR CHG = 1".repeat(900));
    ensure!(refusal(&deeper)?.contains("operators in one statement; at most 1000 are read"));
    ensure!(
        refusal(&format!("SELECT COUNT(*) FROM trial WHERE {}CHG = 1{}", "(".repeat(900), ")".repeat(900)))?
            .contains("not SQL")
    );
    Ok(())
}

#[test]
fn a_chain_of_any_operator_is_refused_before_it_is_a_deep_tree() -> Result<()> {
    // The stack of a server's thread; trees are built by loops, so nesting limits of the parser do not see them.
    let hostile = || -> Result<()> {
        let long = |start: &str, repeated: &str, end: &str| {
            let room = (16 << 10) - start.len() - end.len();
            format!("{start}{}{end}", repeated.repeat(room / repeated.len()))
        };
        for operator in [
            "+1",
            "-1",
            "*1",
            "/1",
            "%1",
            "||1",
            "=1",
            "<>1",
            "<1",
            "&1",
            "|1",
            "^1",
            "::INT",
            "[1]",
            "->1",
            " AND 1=1",
            " OR CHG=1",
            " IS NULL",
            " IN (1)",
            " COLLATE x",
            " AT TIME ZONE 'x'",
            " LIKE 1",
            " NOT IN (1)",
        ] {
            for text in [
                long("SELECT COUNT(*) FROM trial WHERE CHG=1", operator, ""),
                long("SELECT 1", operator, " FROM trial"),
                long("SELECT COUNT(*) FROM trial GROUP BY CHG", operator, ""),
            ] {
                let message = refusal(&text)?;
                ensure!(message.len() < 1000, "{operator}: {} bytes", message.len());
            }
        }
        Ok(())
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(hostile)?;
    thread.join().map_err(|_| anyhow::anyhow!("panicked"))?
}

#[test]
fn a_plan_is_statements_and_an_error_names_its_number() -> Result<()> {
    let schemas = [schema()?];
    let plan = "-- Table 1\nSELECT ARM, AVG(BASE) FROM trial GROUP BY ARM;\nSELECT COUNT(*) FROM trial;\n";
    ensure!(sql::parse_plan(plan, &schemas)?.len() == 2);
    let refused = sql::parse_plan(&format!("{plan}SELECT * FROM trial;"), &schemas);
    ensure!(matches!(&refused, Err(SqlError::InPlan { number: 3, .. })), "{refused:?}");
    ensure!(matches!(sql::parse_plan("-- nothing\n", &schemas), Err(SqlError::Statements { given: 0 })));
    Ok(())
}

#[test]
fn a_column_of_any_keywords_name_is_read_back() -> Result<()> {
    let mut unread = Vec::new();
    let names = sqlparser::keywords::ALL_KEYWORDS.iter().filter(|keyword| !keyword.contains('-'));
    for keyword in names {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let columns = vec![
            column("USUBJID", Kind::Key { count: 1000 }),
            column(keyword, Kind::Integer { minimum: -6, maximum: 6, scale: 1 }),
        ];
        let schema = Schema::new((*keyword).to_owned(), columns, 0, Unit::Subject, 11)?;
        let intervals = vec![Interval { low: 1, high: 3 }, Interval { low: 5, high: 6 }];
        for intervals in [intervals, vec![Interval { low: 1, high: 13 }], Vec::new()] {
            let term = Term { column: 1, intervals };
            let query = Query::new(&schema, vec![term], vec![1], vec![1])?;
            let written = text::sql(&schema, &query);
            let read = sql::parse(&written, std::slice::from_ref(&schema));
            if !read.is_ok_and(|read| read.query == query) {
                unread.push(*keyword);
            }
        }
    }
    unread.dedup();
    ensure!(unread.is_empty(), "{unread:?}");
    Ok(())
}

#[test]
fn a_query_made_without_sql_is_written_too() -> Result<()> {
    let schema = schema()?;
    let query = Query::new(&schema, Vec::new(), vec![3, 2], vec![5, 1])?;
    ensure!(
        text::sql(&schema, &query)
            == "SELECT ARM, SEX, COUNT(*), SUM(BASE), SUM(CHG) FROM trial GROUP BY ARM, SEX"
    );
    Ok(())
}

#[test]
fn a_question_in_another_order_is_the_same_query() -> Result<()> {
    let one = ask(
        "SELECT ARM, SEX, COVAR_POP(BASE, CHG) FROM trial WHERE BASE > 60 AND CHG > 0 GROUP BY ARM, SEX",
    )?;
    let other =
        ask("SELECT SEX, SUM(CHG), AVG(BASE), ARM FROM trial WHERE CHG > 0 AND BASE > 60 GROUP BY SEX, ARM")?;
    ensure!(one.query == other.query && one.sql == other.sql, "{} is not {}", one.sql, other.sql);
    // What is shown of the answer is in the order of the question.
    let labels: Vec<&str> = other.select.iter().map(|item| item.label.as_str()).collect();
    ensure!(labels == ["SEX", "SUM(CHG)", "AVG(BASE)", "ARM"], "{labels:?}");
    Ok(())
}
