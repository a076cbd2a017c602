//! Files of trial data: what is written is read back, and what is not of its format is refused.

use anyhow::{Context, Result, ensure};
use nightingale_records::{
    synth,
    trial::{self, Cells, RawTable, TrialError},
};
use std::{fs, path::Path};

fn written(folder: &Path, name: &str, text: &str) -> Result<std::path::PathBuf> {
    let path = folder.join(name);
    fs::write(&path, text)?;
    Ok(path)
}

fn cells(table: &RawTable, column: &str) -> Result<Vec<Option<String>>> {
    let column = table.find(column).context(column.to_owned())?;
    Ok((0..table.rows()).map(|row| column.text(row).map(std::borrow::Cow::into_owned)).collect())
}

fn refusal(result: Result<RawTable, TrialError>) -> Result<String> {
    match result {
        Ok(_) => anyhow::bail!("was read"),
        Err(error) => Ok(error.to_string()),
    }
}

#[test]
fn each_format_keeps_every_cell() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let invented = synth::trial(7, 500)?;
    for extension in ["csv", "parquet", "xpt"] {
        for table in [&invented.subjects, &invented.events] {
            let path = folder.path().join(format!("{}.{extension}", table.name()));
            trial::write(table, &path)?;
            let back = trial::read(&path)?;
            ensure!(back.name() == table.name() && back.rows() == table.rows(), "{extension}");
            for column in table.columns() {
                let name = column.name();
                ensure!(cells(&back, name)? == cells(table, name)?, "{extension}: {name}");
                let same_type = std::mem::discriminant(back.find(name).context("column")?.cells())
                    == std::mem::discriminant(column.cells());
                ensure!(same_type, "{extension}: {name}");
            }
        }
    }
    Ok(())
}

#[test]
fn days_and_difficult_text_survive_each_format() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let text = "ID,DAY,WORD,AMOUNT\na,2014-07-02,\"semi; comma, and \"\"quotes\"\"\",-0.5\nb,,Grüße,\nc,1959-12-31,,1234567.25\n";
    let table = trial::read(&written(folder.path(), "difficult.csv", text)?)?;
    ensure!(matches!(table.find("day").context("day")?.cells(), Cells::Day(_)));
    ensure!(
        cells(&table, "WORD")?
            == [Some("semi; comma, and \"quotes\"".to_owned()), Some("Grüße".to_owned()), None]
    );
    for extension in ["csv", "parquet", "xpt"] {
        let path = folder.path().join(format!("again.{extension}"));
        trial::write(&table, &path)?;
        let back = trial::read(&path)?;
        for column in ["ID", "DAY", "WORD", "AMOUNT"] {
            ensure!(cells(&back, column)? == cells(&table, column)?, "{extension}: {column}");
        }
    }
    Ok(())
}

#[test]
fn csv_numbers_are_read_digit_by_digit_and_labels_stay_text() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let text = "\u{feff}N,LABEL,MIXED\n0.1,007,1\n900719925474099.3,010,x\n-3.50,,2\n";
    let table = trial::read(&written(folder.path(), "numbers.csv", text)?)?;
    let number = |text: &str| Some(text.to_owned());
    ensure!(cells(&table, "N")? == [number("0.1"), number("900719925474099.3"), number("-3.5")]);
    ensure!(cells(&table, "LABEL")? == [number("007"), number("010"), None]);
    ensure!(matches!(table.find("MIXED").context("mixed")?.cells(), Cells::Text(_)));
    Ok(())
}

/// Written by pyarrow: decimals of 128 bits, singles, doubles, unsigned integers, a dictionary column, a list and a timestamp.
#[test]
fn a_parquet_file_of_another_writer_is_read() -> Result<()> {
    let table = trial::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/records/arrow.parquet")))?;
    for (column, expected) in [
        ("ID", [Some("a"), Some("b"), Some("c")]),
        ("D", [Some("1.25"), None, Some("-3.5")]),
        ("F", [Some("0.1"), None, Some("2.2")]),
        ("S", [Some("0.1"), Some("0.001"), None]),
        ("B", [Some("1"), Some("0"), None]),
        ("U", [Some("4294967295"), Some("0"), None]),
        ("I8", [Some("-1"), Some("2"), None]),
        ("DAY", [Some("2014-07-02"), None, Some("1959-12-31")]),
        ("CAT", [Some("x"), None, Some("y")]),
        ("U64", [Some("9223372036854775807"), Some("1"), None]),
    ] {
        let expected: Vec<Option<String>> = expected.iter().map(|cell| cell.map(str::to_owned)).collect();
        ensure!(cells(&table, column)? == expected, "{column}");
    }
    let unsupported =
        table.columns().iter().filter(|column| matches!(column.cells(), Cells::Unsupported(3, _)));
    ensure!(unsupported.map(trial::RawColumn::name).eq(["TS", "L.list.element"]));
    Ok(())
}

#[test]
fn what_is_not_of_its_format_is_refused_by_name() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let refuse = |name: &str, text: &str| refusal(trial::read(&written(folder.path(), name, text)?));
    for (name, text, expected) in [
        ("a.txt", "x", ".xpt, .csv and .parquet"),
        ("a-b.csv", "x\n1\n", "rename the file"),
        ("short.csv", "x,y\n1,2\n3\n", "short.csv: not a CSV file: CSV error: record 2"),
        ("semicolons.csv", "x;y\n1;2\n", "commas between the fields"),
        ("twice.csv", "x,X\n1,2\n", "column X: its name is there twice"),
        ("empty.csv", "x,y\n", "it holds no rows"),
        ("not.parquet", "PAR0", "not a Parquet file"),
        ("not.xpt", "hello", "not a SAS transport file"),
    ] {
        let message = refuse(name, text)?;
        ensure!(message.contains(expected), "{name}: {message}");
    }
    ensure!(refusal(trial::read(&folder.path().join("absent.csv")))?.contains("absent.csv: No such file"));
    Ok(())
}

#[test]
fn a_cut_file_is_an_error_and_never_a_panic() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let invented = synth::trial(3, 60)?;
    for extension in ["parquet", "xpt"] {
        let path = folder.path().join(format!("whole.{extension}"));
        trial::write(&invented.subjects, &path)?;
        let bytes = fs::read(&path)?;
        let cut = folder.path().join(format!("cut.{extension}"));
        for length in (0..bytes.len()).step_by(bytes.len() / 97 + 1) {
            fs::write(&cut, &bytes[..length])?;
            // A transport file has no end mark: a cut between two rows is a shorter file.
            let read = trial::read(&cut);
            ensure!(
                read.map_or(true, |table| extension == "xpt" && table.rows() < 60),
                "{extension} cut at {length}"
            );
        }
    }
    Ok(())
}

#[test]
fn a_damaged_file_is_read_or_refused_and_never_a_panic() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let invented = synth::trial(3, 60)?;
    // A fixed sequence (xorshift), so that a failure comes again.
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    for extension in ["parquet", "xpt", "csv"] {
        let path = folder.path().join(format!("damaged.{extension}"));
        trial::write(&invented.subjects, &path)?;
        let bytes = fs::read(&path)?;
        let mut refused = 0;
        for _ in 0..1500 {
            let mut damaged = bytes.clone();
            for _ in 0..=next() % 3 {
                let at = next() % damaged.len();
                damaged[at] = (next() >> 20) as u8;
            }
            fs::write(&path, &damaged)?;
            refused += usize::from(trial::read(&path).is_err());
        }
        ensure!(refused > 0, "{extension}: none was refused");
    }
    Ok(())
}

/// Rows that are shorter than a block are padded with blanks, and some writers' zeros are taken for blanks.
#[test]
fn dates_in_a_transport_files_headers_are_characters_of_one_byte() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (csv, path) = (folder.path().join("t.csv"), folder.path().join("t.xpt"));
    fs::write(&csv, "K,N\na,1\nb,5\n")?;
    trial::write(&trial::read(&csv)?, &path)?;
    let written = fs::read(&path)?;
    let refused = |bytes: &[u8]| -> Result<String> {
        fs::write(&path, bytes)?;
        Ok(trial::read(&path).err().context("it was read")?.to_string())
    };
    // A letter of two bytes where a part of a date ends.
    for date in [144, 160, 464, 480] {
        let mut bytes = written.clone();
        bytes.get_mut(date + 1..date + 3).context("no date")?.copy_from_slice("Ϲ".as_bytes());
        let said = refused(&bytes)?;
        anyhow::ensure!(said.contains("a date in its headers"), "{date}: {said}");
    }
    let another = written.get(240..).context("no dataset")?;
    let mut bytes = [&written[..], another].concat();
    anyhow::ensure!(refused(&bytes)?.contains("more than one dataset"));
    let date = written.len() + 464 - 240;
    bytes.get_mut(date + 1..date + 3).context("no date")?.copy_from_slice("Ϲ".as_bytes());
    anyhow::ensure!(refused(&bytes)?.contains("more than one dataset"));
    Ok(())
}

#[test]
fn a_row_of_a_transport_file_that_may_be_padding_is_neither_read_as_numbers_nor_written() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (csv, path) = (folder.path().join("t.csv"), folder.path().join("t.xpt"));
    fs::write(&csv, "K,N\na,1\n,0\nb,2\n")?;
    let refused = trial::write(&trial::read(&csv)?, &path).err().context("it was written")?;
    anyhow::ensure!(refused.to_string().contains("row 2 is empty"), "{refused}");
    fs::write(&csv, "K,N\na,1\nb,5\nc,2\n")?;
    trial::write(&trial::read(&csv)?, &path)?;
    let (row, empty) = (*b"b\x41\x50\0\0\0\0\0\0", *b" \0\0\0\0\0\0\0\0");
    let mut bytes = fs::read(&path)?;
    let at = bytes.windows(row.len()).position(|window| window == row).context("no such row")?;
    bytes.get_mut(at..at + row.len()).context("no row")?.copy_from_slice(&empty);
    fs::write(&path, bytes)?;
    let refused = trial::read(&path).err().context("numbers were made of padding")?;
    anyhow::ensure!(refused.to_string().contains("row 2"), "{refused}");
    Ok(())
}
