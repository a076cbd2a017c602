//! The CDISC pilot study, against values that pandas and pyreadstat computed from the same files.

use crate::shared::pilot;
use anyhow::{Context, Result, bail, ensure};
use nightingale_circuits::cohort::{Table, Unit, evaluate::evaluate};
use nightingale_records::{
    sql,
    trial::{self, Cells, Dataset, RawTable, SchemaFile},
};
use sha2::{Digest, Sha256};

/// For each column: type, filled cells, distinct cells, sum of numbers, and the start of the SHA-256 of all cells, a line each. Made with
/// pyreadstat 1.3 and Python's decimal: text without trailing spaces, numbers as their shortest decimal rounded half up to nine
/// decimals without trailing zeros, dates as ISO 8601, a missing cell as an empty line.
const COLUMNS: &str = include_str!("pilot_columns.csv");

fn raw() -> Result<Option<Vec<RawTable>>> {
    let Some(folder) = pilot() else { return Ok(None) };
    let names = ["adae", "adlbhy", "adsl", "adtte"];
    let tables = names.iter().map(|name| trial::read(&folder.join(format!("{name}.xpt"))));
    Ok(Some(tables.collect::<Result<_, _>>()?))
}

#[test]
fn every_cell_of_the_pilot_study_is_read_as_pandas_reads_it() -> Result<()> {
    let Some(tables) = raw()? else { return Ok(()) };
    let mut seen = 0;
    for line in COLUMNS.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [table, name, kind, filled, distinct, sum, digest] = fields.as_slice() else { bail!("{line}") };
        let table = tables.iter().find(|raw| raw.name() == *table).context("table")?;
        let column = table.find(name).with_context(|| line.to_owned())?;
        let cells: Vec<String> =
            (0..table.rows()).map(|row| column.text(row).unwrap_or_default().into_owned()).collect();
        let found = match column.cells() {
            Cells::Text(_) => "text",
            Cells::Decimal(_) => "number",
            Cells::Day(_) => "day",
            Cells::Unsupported(..) => "unsupported",
        };
        ensure!(found == *kind, "{line}: {found}");
        let mut words: Vec<&String> = cells.iter().filter(|cell| !cell.is_empty()).collect();
        ensure!(words.len().to_string() == *filled, "{line}: {} filled", words.len());
        words.sort();
        words.dedup();
        ensure!(words.len().to_string() == *distinct, "{line}: {} distinct", words.len());
        if let Cells::Decimal(numbers) = column.cells() {
            let units: i128 = numbers
                .iter()
                .flatten()
                .map(|number| i128::from(number.exactly(9).unwrap_or(i64::MAX)))
                .sum();
            let (whole, rest) = (units / 1_000_000_000, (units % 1_000_000_000).abs());
            let text = format!("{whole}.{rest:09}");
            let text = text.trim_end_matches('0').trim_end_matches('.');
            ensure!(text == *sum, "{line}: sum {text}");
        }
        let hash = hex::encode(Sha256::digest(cells.join("\n")));
        ensure!(hash.starts_with(digest), "{line}: the cells differ");
        seen += 1;
    }
    ensure!(seen == tables.iter().map(|table| table.columns().len()).sum::<usize>());
    ensure!(tables.iter().map(RawTable::rows).collect::<Vec<_>>() == [1191, 9954, 254, 254]);
    Ok(())
}

fn inferred() -> Result<Option<(SchemaFile, Dataset)>> {
    let Some(tables) = raw()? else { return Ok(None) };
    let proposal = trial::infer(&tables, "usubjid")?;
    // What a person would read and edit is what is built.
    let schema = SchemaFile::parse(&proposal.to_string())?;
    ensure!(schema == proposal.schema);
    let dataset = trial::build(&tables, &schema)?;
    Ok(Some((schema, dataset)))
}

#[test]
fn the_inferred_schema_of_the_pilot_study_builds() -> Result<()> {
    let Some((schema, dataset)) = inferred()? else { return Ok(()) };
    let rows: Vec<(&str, usize)> =
        dataset.tables.iter().map(|table| (table.schema().table(), table.rows())).collect();
    // One row for each of the 822 pairs of subject and term, and of the 1,524 pairs of subject and parameter.
    ensure!(rows == [("adae", 822), ("adlbhy", 1524), ("adsl", 254), ("adtte", 254)], "{rows:?}");
    ensure!(dataset.subjects.len() == 254);
    ensure!(schema.tables["adae"].dimension.as_deref() == Some("AEDECOD"));
    ensure!(schema.tables["adlbhy"].dimension.as_deref() == Some("PARAMCD"));
    let adsl = &dataset.tables[2];
    ensure!(adsl.schema().unit() == Unit::Subject && adsl.schema().threshold() == 11);
    // SUBJID names people, and is left out; USUBJID is there as a key without its words.
    ensure!(
        adsl.schema().find("SUBJID").is_none()
            && adsl.schema().find("usubjid") == Some(adsl.schema().subject())
    );
    Ok(())
}

/// A cell: key, count; non-missing count, sum and sum of squares of each value in scaled units; sum of products.
type Row = (Vec<u32>, u64, Vec<(u64, i128, i128)>, Option<i128>);

/// The cells of a query that are not empty.
fn ask(tables: &[Table], text: &str) -> Result<Vec<Row>> {
    let schemas: Vec<_> = tables.iter().map(|table| table.schema().clone()).collect();
    let asked = sql::parse(text, &schemas)?;
    let schema = &schemas[asked.table];
    let offsets: Vec<i64> =
        asked.query.values().iter().filter_map(|&value| schema.columns()[value].offset()).collect();
    let totals = evaluate(&asked.query, &tables[asked.table]);
    let rows = totals.cells.iter().enumerate().filter(|(_, cell)| cell.count > 0).map(|(index, cell)| {
        let figures = cell.values.iter().zip(&offsets);
        let values = figures
            .map(|(value, &offset)| (value.nonmissing, value.sum(offset), value.squares(offset)))
            .collect();
        let cross = cell.pair.map(|pair| pair.cross(offsets[0], offsets[1]));
        (asked.query.key(schema, index), cell.count, values, cross)
    });
    Ok(rows.collect())
}

#[test]
fn queries_of_the_pilot_study_give_what_pandas_gives() -> Result<()> {
    let Some((_, dataset)) = inferred()? else { return Ok(()) };
    let ask = |text: &str| ask(&dataset.tables, text);
    // adsl.groupby("TRT01A").AGE: count, sum, sum of squares. Placebo, high dose, low dose.
    let age = ask("SELECT TRT01A, COUNT(*), AVG(AGE) FROM adsl GROUP BY TRT01A")?;
    ensure!(
        age == [
            (vec![1], 86, vec![(86, 6468, 492_726)], None),
            (vec![2], 84, vec![(84, 6248, 469_894)], None),
            (vec![3], 84, vec![(84, 6356, 486_636)], None),
        ],
        "{age:?}"
    );
    // 20.05 <= BMIBL < 30 and TRTSDT from 2013 on: height and weight in tenths, in the order of the table's columns, and the sum of their products.
    let text = "SELECT SEX, CORR(WEIGHTBL, HEIGHTBL) FROM adsl WHERE BMIBL >= 20.05 AND BMIBL < 30 AND TRTSDT >= DATE '2013-01-01' GROUP BY SEX";
    let cross: Vec<_> = ask(text)?
        .into_iter()
        .map(|(_, count, values, cross)| (count, values[0].1, values[1].1, cross))
        .collect();
    ensure!(
        cross == [(83, 130_745, 49_358, Some(78_066_195)), (77, 133_013, 57_215, Some(99_062_793))],
        "{cross:?}"
    );
    // Subjects with pruritus, by arm.
    let counts = |text: &str| {
        Ok::<_, anyhow::Error>(ask(text)?.into_iter().map(|(_, count, ..)| count).collect::<Vec<_>>())
    };
    let pruritus = counts("SELECT TRTA, COUNT(*) FROM adae WHERE AEDECOD = 'PRURITUS' GROUP BY TRTA")?;
    ensure!(pruritus == [8, 26, 23], "{pruritus:?}");
    let graver = counts("SELECT TRTA, COUNT(*) FROM adae WHERE NOT AESEV = 'MILD' GROUP BY TRTA")?;
    ensure!(graver == [51, 95, 120], "{graver:?}");
    // Time to the first dermatologic event: number, and days, by arm and censoring.
    let time: Vec<_> = ask("SELECT TRTA, CNSR, SUM(AVAL) FROM adtte GROUP BY TRTA, CNSR")?
        .into_iter()
        .map(|(_, count, values, _)| (count, values[0].1))
        .collect();
    ensure!(time == [(29, 1372), (57, 8483), (61, 1811), (23, 1242), (62, 2248), (22, 1697)], "{time:?}");
    Ok(())
}

#[test]
fn keep_and_bins_choose_rows_and_make_groups() -> Result<()> {
    let Some(tables) = raw()? else { return Ok(()) };
    let schema = SchemaFile::parse(
        r#"
        subject = "USUBJID"
        [table.adlbhy]
        keep = { PARAMCD = ["ALT"], AVISIT = ["Week 8"] }
        columns = [
          { name = "USUBJID", kind = "key" },
          { name = "TRTA", kind = "category", dictionary = ["Placebo", "Xanomeline Low Dose", "Xanomeline High Dose"] },
          { name = "ALT", source = "AVAL", kind = "integer", minimum = 0, maximum = 200 },
        ]
        [table.adsl]
        columns = [
          { name = "USUBJID", kind = "key" },
          { name = "AGES", source = "AGE", kind = "bins", edges = [65, 80] },
        ]
        "#,
    )?;
    let tables: Vec<RawTable> =
        tables.into_iter().filter(|table| ["adlbhy", "adsl"].contains(&table.name())).collect();
    let dataset = trial::build(&tables, &schema)?;
    let alt: Vec<_> = ask(&dataset.tables, "SELECT TRTA, SUM(ALT) FROM adlbhy GROUP BY TRTA")?
        .into_iter()
        .map(|(_, count, values, _)| (count, values[0].1))
        .collect();
    ensure!(alt == [(72, 1204), (60, 1058), (56, 1276)], "{alt:?}");
    let ages: Vec<_> = ask(&dataset.tables, "SELECT AGES, COUNT(*) FROM adsl GROUP BY AGES")?
        .into_iter()
        .map(|(key, count, ..)| (key[0], count))
        .collect();
    ensure!(ages == [(1, 33), (2, 133), (3, 88)], "{ages:?}");
    let elderly = ask(&dataset.tables, "SELECT COUNT(*) FROM adsl WHERE AGES IN ('[65,80)', '>=80')")?;
    ensure!(elderly[0].1 == 221);
    Ok(())
}
