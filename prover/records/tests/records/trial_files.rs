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

/// A transport file of what a CSV file holds, and the same with bytes of it replaced, wherever they stand.
fn transport(folder: &Path, csv: &str) -> Result<Vec<u8>> {
    let path = folder.join("t.xpt");
    trial::write(&trial::read(&written(folder, "t.csv", csv)?)?, &path)?;
    Ok(fs::read(path)?)
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Result<Vec<u8>> {
    ensure!(old.len() == new.len());
    let at = bytes.windows(old.len()).position(|window| window == old).context("no such bytes")?;
    Ok([bytes.get(..at), Some(new), bytes.get(at + old.len()..)]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .concat())
}

fn read_transport(folder: &Path, bytes: &[u8]) -> Result<RawTable, TrialError> {
    let path = folder.join("t.xpt");
    fs::write(&path, bytes).map_err(|source| TrialError::Unreadable { path: path.clone(), source })?;
    trial::read(&path)
}

#[test]
fn a_transport_file_describes_a_variable_in_140_bytes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for name in ["K", "A_LONG_NAME"] {
        let bytes = transport(folder.path(), &format!("{name},N\na,1\nb,5\n"))?;
        for length in ["0000", "0060", "0087", "0119", "0139", "0141", "9999", "+140", " 140"] {
            let other = replaced(&bytes, b"01600000000140", format!("0160000000{length}").as_bytes())?;
            let said = refusal(read_transport(folder.path(), &other))?;
            ensure!(said.contains("describe a variable in 140 bytes"), "{name}, {length}: {said}");
        }
    }
    // As VAX wrote them: four bytes less each.
    let bytes = transport(folder.path(), "K,N\na,1\nb,5\n")?;
    let bytes = replaced(&bytes, b"01600000000140", b"01600000000136")?;
    let (headers, first, second) = (bytes.get(..640), bytes.get(640..776), bytes.get(780..916));
    let rows = [Some(&[b' '; 48][..]), bytes.get(960..)];
    let vax = [headers, first, second].into_iter().chain(rows).flatten().collect::<Vec<_>>().concat();
    ensure!(
        cells(&read_transport(folder.path(), &vax)?, "N")? == [Some("1".to_owned()), Some("5".to_owned())]
    );
    Ok(())
}

#[test]
fn a_transport_file_of_rows_without_bytes_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bytes = transport(folder.path(), "K\na\nb\n")?;
    let empty = replaced(&bytes, b"\0\x02\0\0\0\x01\0\x01K", b"\0\x02\0\0\0\0\0\x01K")?;
    let none = [replaced(&bytes, b"!!!!!!!0000000001", b"!!!!!!!0000000000")?.get(..640), bytes.get(800..)]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .concat();
    for bytes in [empty, none] {
        let said = refusal(read_transport(folder.path(), &bytes))?;
        ensure!(said.contains("its columns hold nothing"), "{said}");
    }
    Ok(())
}

/// Row 9 of 9 bytes each ends with a block's first, and the crate reads 79 bytes more to see whether a header follows.
#[test]
fn no_row_of_a_transport_file_is_lost_behind_one_that_could_begin_a_header() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let rows = |rows: usize, ninth: char| {
        let row = |row: usize| if row == 9 { format!("0,{ninth}\n") } else { format!("{row},x\n") };
        format!("N,K\n{}", (1..=rows).map(row).collect::<String>())
    };
    for count in [10, 200] {
        let bytes = transport(folder.path(), &rows(count, 'I'))?;
        ensure!(read_transport(folder.path(), &bytes)?.rows() == count);
        let bytes = replaced(&bytes, b"\0\0\0\0\0\0\0\0I", b"\0\0\0\0\0\0\0\0H")?;
        let said = refusal(read_transport(folder.path(), &bytes))?;
        ensure!(said.contains("row 9 reads as the beginning of a header"), "{count}: {said}");
        let unwritten = transport(folder.path(), &rows(count, 'H')).err().context("it was written")?;
        ensure!(unwritten.to_string() == said, "{unwritten}");
        ensure!(!folder.path().join("t.xpt").exists());
    }
    // Behind the last row there is only padding to lose.
    let table = read_transport(folder.path(), &transport(folder.path(), &rows(9, 'H'))?)?;
    ensure!(cells(&table, "K")?.last().cloned().flatten().as_deref() == Some("H"));
    Ok(())
}

/// Ten rows of 90 bytes and 60 of padding: what the crate reads too much behind row 2 shifts the others, and none is missing.
#[test]
fn no_long_row_of_a_transport_file_is_shifted_into_the_padding() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let row = "y".repeat(90);
    let bytes = transport(folder.path(), &format!("A\n{}", format!("{row}\n").repeat(10)))?;
    ensure!(read_transport(folder.path(), &bytes)?.rows() == 10);
    let header = format!("{row}{}HEADER RECORD*******", " ".repeat(70));
    let bytes = replaced(&bytes, row.repeat(2).as_bytes(), header.as_bytes())?;
    let said = refusal(read_transport(folder.path(), &bytes))?;
    ensure!(said.contains("row 2 reads as the beginning of a header"), "{said}");
    Ok(())
}

#[test]
fn empty_rows_of_a_transport_file_keep_their_places_or_are_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bytes = transport(folder.path(), &format!("K\nabcd\nefgh\nijkl\n{}", "mnop\n".repeat(50)))?;
    let one = read_transport(folder.path(), &replaced(&bytes, b"efgh", b"    ")?)?;
    ensure!(one.rows() == 53 && cells(&one, "K")?.get(1) == Some(&None));
    let two = replaced(&bytes, b"abcdefgh", b"        ")?;
    let said = refusal(read_transport(folder.path(), &two))?;
    ensure!(said.contains("rows 1 and 2 are empty"), "{said}");
    // 53 rows fill 212 bytes, and 28 are padding.
    let end = bytes.len() - 28;
    let emptied = |rows: usize| -> Result<Vec<u8>> {
        let mut bytes = bytes.clone();
        bytes.get_mut(end - 4 * rows..end).context("no rows")?.fill(b' ');
        Ok(bytes)
    };
    ensure!(read_transport(folder.path(), &emptied(12)?)?.rows() == 41);
    for rows in [13, 50] {
        let said = refusal(read_transport(folder.path(), &emptied(rows)?))?;
        ensure!(said.contains(&format!("the rows after row {} are empty", 53 - rows)), "{rows}: {said}");
    }
    Ok(())
}

#[test]
fn a_transport_file_that_ends_within_a_row_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bytes = transport(folder.path(), "K,N\nab,1\ncd,5\n")?;
    let end = bytes.len() - 60;
    ensure!(read_transport(folder.path(), bytes.get(..end).context("short")?)?.rows() == 2);
    let said = refusal(read_transport(folder.path(), bytes.get(..end - 8).context("short")?))?;
    ensure!(said.contains("it ends within row 2"), "{said}");
    // What is left of its last row is blank, and more than padding is.
    let (wide, other) = ("y".repeat(120), "z".repeat(80));
    let bytes = transport(folder.path(), &format!("A,B\n{wide},{other}\n,{other}\n"))?;
    ensure!(read_transport(folder.path(), &bytes)?.rows() == 2);
    let cut = bytes.get(..bytes.len() - 100).context("short")?;
    let said = refusal(read_transport(folder.path(), cut))?;
    ensure!(said.contains("or it is cut"), "{said}");
    // Between two rows; the header of version 8 says how many there are.
    let bytes = transport(folder.path(), &format!("A_LONG_NAME\n{}", "mnop\n".repeat(53)))?;
    ensure!(read_transport(folder.path(), &bytes)?.rows() == 53);
    let cut = bytes.get(..bytes.len() - 80).context("short")?;
    let said = refusal(read_transport(folder.path(), cut))?;
    ensure!(said.contains("its header says 53 rows and it has 40"), "{said}");
    // Where it says nothing but zeros, as ReadStat writes it, it is not asked.
    let silent = replaced(&bytes, b"!!!!!!!             53", b"!!!!!!!000000000000000")?;
    ensure!(read_transport(folder.path(), &silent)?.rows() == 53);
    Ok(())
}

#[test]
fn a_last_row_of_zeros_before_padding_of_blanks_is_not_lost() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bytes = transport(folder.path(), "N\n1\n5\n")?;
    ensure!(read_transport(folder.path(), &bytes)?.rows() == 2);
    let zero = replaced(&bytes, b"\x41\x50\0\0\0\0\0\0", &[0; 8])?;
    let said = refusal(read_transport(folder.path(), &zero))?;
    ensure!(said.contains("row 2 may be zeros or padding"), "{said}");
    Ok(())
}

/// Rows that are shorter than a block are padded with blanks, and some writers' zeros are taken for blanks.
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
