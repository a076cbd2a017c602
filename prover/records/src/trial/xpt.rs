//! SAS transport files (XPORT version 5; longer names as version 8), read and written with the `sas_xport` crate.
//!
//! Numbers are IBM hexadecimal doubles. A column with a date format counts days since 1960-01-01.

use super::{
    CellProblem, Cells, Day, Decimal, NotDecimal, RawColumn, RawTable, TrialError, column::TextsBuilder,
    error::file_name,
};
use sas_xport::sas::{
    SasVariableType,
    xport::{
        XportDatasetVersion, XportError, XportFileVersion, XportMetadata, XportReader, XportSchema,
        XportValue, XportVariable, XportWriter,
    },
};
use std::{
    fs::{self, File},
    io::{BufReader, BufWriter, Read, Seek, SeekFrom},
    path::Path,
};

/// A file is a whole number of these, in bytes.
const BLOCK: usize = 80;

/// Cells of one column while they are collected.
enum Collected {
    Text(TextsBuilder),
    Decimal(Vec<Option<Decimal>>),
    Day(Vec<Option<Day>>),
}

/// Where the headers of the library and of its first dataset have their four dates of 16 characters, in bytes from the beginning.
const DATES: [usize; 4] = [144, 160, 464, 480];
/// How many bytes those headers take.
const HEADERS: usize = 7 * BLOCK;
/// Where the first dataset's header says in how many bytes a variable is described, and what it may say: VAX wrote four less.
const DESCRIPTION: std::ops::Range<usize> = 314..318;
const DESCRIPTIONS: [&[u8]; 2] = [b"0140", b"0136"];
/// How the header of the rows begins, in files of version 5 and of version 8.
const ROWS: [&[u8]; 2] = [b"HEADER RECORD*******OBS     ", b"HEADER RECORD*******OBSV8   "];
/// How the header of a dataset begins, in files of version 5 and of version 8.
const DATASET: [&[u8]; 2] = [b"HEADER RECORD*******MEMBER ", b"HEADER RECORD*******MEMBV8 "];

/// How much the crate is to read at once: whole blocks, so that it never takes the first bytes of one for the beginning of a header.
const AT_ONCE: usize = BLOCK << 14;

/// Where the rows begin, in bytes from the beginning. Refuses what the crate would panic at: it cuts the dates of headers into
/// parts, which takes one byte a character, and what describes a variable into fields, however short it is said to be.
fn check_headers(path: &Path) -> Result<u64, TrialError> {
    let mut file = open(path)?;
    let (mut headers, mut block) = (Vec::new(), Vec::new());
    (&mut file).take(HEADERS as u64).read_to_end(&mut headers).map_err(TrialError::unreadable(path))?;
    let dates = DATES.iter().filter_map(|&from| headers.get(from..from + 16));
    if !dates.flatten().all(u8::is_ascii) {
        return Err(TrialError::file(
            path,
            "not a SAS transport file (version 5): a date in its headers is no date",
        ));
    }
    if headers.get(DESCRIPTION).is_some_and(|bytes| !DESCRIPTIONS.contains(&bytes)) {
        return Err(TrialError::file(
            path,
            "not a SAS transport file (version 5): it does not describe a variable in 140 bytes",
        ));
    }
    let (mut at, mut rows) = (HEADERS as u64, None);
    loop {
        block.clear();
        (&mut file).take(BLOCK as u64).read_to_end(&mut block).map_err(TrialError::unreadable(path))?;
        if block.is_empty() {
            return Ok(rows.unwrap_or(at));
        }
        at += block.len() as u64;
        if rows.is_none() && ROWS.iter().any(|header| block.starts_with(header)) {
            rows = Some(at);
        }
        if DATASET.iter().any(|dataset| block.starts_with(dataset)) {
            return Err(TrialError::file(path, MANY));
        }
    }
}

/// What is said of a file with more than one dataset.
const MANY: &str = "it holds more than one dataset; write each to a file of its own";

fn open(path: &Path) -> Result<BufReader<File>, TrialError> {
    let file = File::open(path).map_err(TrialError::unreadable(path))?;
    Ok(BufReader::with_capacity(AT_ONCE, file))
}

/// Whether bytes are what the last block is filled up with: blanks, or some writers' zeros.
fn is_padding(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' ' | 0))
}

/// How many rows of `length` bytes there are from `start` on; empty ones at the end that fit into the padding are none.
///
/// Refuses what the crate would never finish, lose or put in another order without a word: rows of no bytes; the bytes behind a
/// row whose end, at a block's beginning, could begin the header of another dataset, for it reads them to see and forgets them;
/// a row that is cut; and, where rows are shorter than a block, two empty ones before another, and those at the end.
fn count_rows(path: &Path, start: u64, length: usize) -> Result<usize, TrialError> {
    let refused = |problem: String| Err(TrialError::file(path, problem));
    if length == 0 {
        return refused("its columns hold nothing: each is 0 bytes wide".to_owned());
    }
    let mut file = open(path)?;
    file.seek(SeekFrom::Start(start)).map_err(TrialError::unreadable(path))?;
    let (mut row, mut seen, mut rows, mut header) = (Vec::new(), 0, 0, None);
    // The rows after the last one that is no padding, and what follows them.
    let (mut to_block, mut tail) = (0, Vec::new());
    loop {
        row.clear();
        (&mut file).take(length as u64).read_to_end(&mut row).map_err(TrialError::unreadable(path))?;
        let padding = is_padding(&row);
        if !padding && let Some(header) = header {
            return refused(format!(
                "row {header} reads as the beginning of a header, which would hide the next; use CSV or Parquet"
            ));
        }
        if row.len() < length {
            tail.extend_from_slice(&row);
            break;
        }
        seen += 1;
        if !padding || length >= BLOCK {
            if seen - rows > 2 {
                return refused(format!(
                    "rows {} and {} are empty, or of zeros that read as empty; leave empty rows out, or use CSV or Parquet",
                    rows + 1,
                    rows + 2
                ));
            }
            rows = seen;
            tail.clear();
        } else if tail.len() < 2 * BLOCK {
            tail.extend_from_slice(&row);
        }
        if let Some((before, rest)) = row.split_at_checked(to_block)
            && !rest.is_empty()
            && is_padding(before)
            && DATASET.iter().any(|dataset| dataset.starts_with(rest))
        {
            header = Some(seen);
        }
        // From the row's end to the beginning of the next block, or of the one that begins there.
        to_block = (to_block + BLOCK - length % BLOCK) % BLOCK;
    }
    if !is_padding(&row) {
        return refused(format!("it ends within row {}; copy the whole file again", seen + 1));
    }
    if (seen - rows) * length + row.len() >= BLOCK {
        return refused(format!(
            "the rows after row {rows} are empty, or it is cut; leave empty rows out, or copy the whole file again"
        ));
    }
    // Whoever fills a block up does so with one byte.
    if seen > rows && tail.contains(&0) && tail.contains(&b' ') {
        return refused(format!("row {} may be zeros or padding; use CSV or Parquet", rows + 1));
    }
    Ok(rows)
}

/// All columns of the file's only dataset.
pub(super) fn read(path: &Path) -> Result<Vec<RawColumn>, TrialError> {
    let start = check_headers(path)?;
    let file = open(path)?;
    let broken = |error: XportError| {
        TrialError::file(path, format!("not a SAS transport file (version 5): {}", error.message()))
    };
    let mut options = XportReader::options();
    // SAS does not say in which encoding it wrote; what is not UTF-8 is nearly always this.
    options.add_fallback_encoding(encoding_rs::WINDOWS_1252);
    let reader = options.from_reader(file).map_err(broken)?;
    let Some(mut dataset) = reader.next_dataset().map_err(broken)? else {
        return Err(TrialError::file(path, "it holds no dataset"));
    };
    let names: Vec<String> =
        dataset.schema().variables().iter().map(|variable| variable.full_name().to_owned()).collect();
    let mut collected: Vec<Collected> = dataset.schema().variables().iter().map(collector).collect();
    let lengths = dataset.schema().variables().iter().map(|variable| usize::from(variable.value_length()));
    let rows = count_rows(path, start, lengths.sum())?;
    // Some writers leave it at zero.
    let said = dataset.schema().record_count().and_then(|count| usize::try_from(count).ok());
    let said = said.filter(|said| *said != 0);
    let mut row = 0;
    while let Some(record) = dataset.next_record().map_err(broken)? {
        for ((value, cells), name) in record.iter().zip(&mut collected).zip(&names) {
            push(cells, value).map_err(|problem| TrialError::Cell {
                file: file_name(path),
                row: row + 1,
                column: name.clone(),
                problem,
            })?;
        }
        row += 1;
    }
    if dataset.next_dataset().map_err(broken)?.is_some() {
        return Err(TrialError::file(path, MANY));
    }
    if let Some(said) = said.filter(|said| *said != rows) {
        return Err(TrialError::file(
            path,
            format!("its header says {said} rows and it has {rows}; copy the whole file again"),
        ));
    }
    if row != rows {
        return Err(TrialError::file(
            path,
            format!("{row} of its {rows} rows can be read; use CSV or Parquet"),
        ));
    }
    Ok(names.into_iter().zip(collected).map(|(name, cells)| RawColumn::new(name, cells.finish())).collect())
}

fn collector(variable: &XportVariable) -> Collected {
    match variable.value_type() {
        SasVariableType::Character => Collected::Text(TextsBuilder::default()),
        SasVariableType::Numeric if is_date_format(variable.full_format()) => Collected::Day(Vec::new()),
        SasVariableType::Numeric => Collected::Decimal(Vec::new()),
    }
}

impl Collected {
    fn finish(self) -> Cells {
        match self {
            Self::Text(builder) => Cells::Text(builder.finish()),
            Self::Decimal(cells) => Cells::Decimal(cells),
            Self::Day(cells) => Cells::Day(cells),
        }
    }
}

/// Whether a SAS format shows days as dates; `DATE9.`, `YYMMDD10.` and their kin. Datetimes and times count seconds and are numbers.
fn is_date_format(format: &str) -> bool {
    let name = format.trim().to_ascii_uppercase();
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let plain = [
        "DATE", "E8601DA", "B8601DA", "IS8601DA", "WORDDATE", "WORDDATX", "WEEKDATE", "WEEKDATX", "JULIAN",
        "MONYY",
    ];
    // DDMMYYD, YYMMDDN and so on name a separator in their last letter.
    let ordered = ["DDMMYY", "MMDDYY", "YYMMDD"];
    plain.contains(&name)
        || ordered.iter().any(|start| name.strip_prefix(start).is_some_and(|separator| separator.len() <= 1))
}

fn push(cells: &mut Collected, value: &XportValue<'_>) -> Result<(), CellProblem> {
    match (cells, value) {
        // A field is filled up with blanks, or by some writers with zeros.
        (Collected::Text(builder), XportValue::Character(text)) => {
            builder.push(text.trim_end_matches(|c: char| c.is_whitespace() || c == '\0'));
        }
        (Collected::Decimal(cells), XportValue::Number(number)) => cells.push(decimal(*number)?),
        (Collected::Day(cells), XportValue::Number(number)) => cells.push(day(*number)?),
        _ => return Err(CellProblem::NotANumber),
    }
    Ok(())
}

/// Eight blanks as a number. No writer means it: the crate gives it for each number of a row of blanks and zeros, which may be padding.
fn is_blank(number: f64) -> bool {
    let blanks = 0x20_2020_2020_2020_u64 as f64 * 2f64.powi(-56) * 16f64.powi(0x20 - 64);
    number.to_bits() == blanks.to_bits()
}

/// The crate reads each of SAS's 28 missing values as a NaN, and the format has no other.
fn decimal(number: f64) -> Result<Option<Decimal>, CellProblem> {
    if is_blank(number) {
        return Err(CellProblem::NotANumber);
    }
    if number.is_nan() {
        return Ok(None);
    }
    Decimal::from_binary(number).map(Some).map_err(|problem| match problem {
        NotDecimal::NotFinite => CellProblem::NotFinite,
        NotDecimal::TooLarge | NotDecimal::Malformed => CellProblem::TooLarge,
    })
}

fn day(number: f64) -> Result<Option<Day>, CellProblem> {
    let Some(days) = decimal(number)? else { return Ok(None) };
    let day = days.exactly(0).and_then(|days| Day::from_number(days.checked_add(Day::SAS_EPOCH.number())?));
    day.map(Some).ok_or(CellProblem::NotADay)
}

/// Writes one dataset. What would be read as something else is refused, and no file is left.
pub(super) fn write(table: &RawTable, path: &Path) -> Result<(), TrialError> {
    let broken =
        |error: XportError| TrialError::file(path, format!("cannot be written: {}", error.message()));
    let widths: Vec<usize> =
        table.columns().iter().map(|column| width(table, column)).collect::<Result<_, _>>()?;
    let long = table.name().len() > 8
        || table.columns().iter().any(|column| column.name().len() > 8)
        || widths.iter().any(|&width| width > 200);
    if widths.iter().sum::<usize>() < BLOCK
        && let Some(row) =
            (0..table.rows()).find(|&row| table.columns().iter().all(|column| is_empty(column, row)))
    {
        let problem = format!(
            "cannot be written: row {} is empty, and such a file cannot tell it from padding",
            row + 1
        );
        return Err(TrialError::file(path, problem));
    }
    let (file_version, version) = if long {
        (XportFileVersion::V8, XportDatasetVersion::V8)
    } else {
        (XportFileVersion::V5, XportDatasetVersion::V5)
    };
    let variables = table.columns().iter().zip(&widths).map(|(column, &width)| {
        let mut variable = XportVariable::builder();
        variable.full_name(column.name());
        match column.cells() {
            Cells::Text(_) => variable
                .value_type(SasVariableType::Character)
                .value_length(u16::try_from(width).unwrap_or(u16::MAX)),
            Cells::Day(_) => variable
                .value_type(SasVariableType::Numeric)
                .value_length(8)
                .short_format("DATE")
                .format_length(9),
            Cells::Decimal(_) | Cells::Unsupported(..) => {
                variable.value_type(SasVariableType::Numeric).value_length(8)
            }
        };
        variable
    });
    let mut schema = XportSchema::builder();
    schema
        .xport_dataset_version(version)
        .dataset_name(table.name().to_ascii_uppercase())
        .add_variables(variables);
    schema.record_count(u64::try_from(table.rows()).ok());
    let schema = schema.try_build().map_err(broken)?;
    let file = BufWriter::new(File::create(path).map_err(TrialError::unreadable(path))?);
    let metadata = XportMetadata::builder().xport_file_version(file_version).build();
    let mut writer =
        XportWriter::from_writer(file, metadata).map_err(broken)?.write_schema(schema).map_err(broken)?;
    for row in 0..table.rows() {
        let record: Vec<XportValue<'_>> = table.columns().iter().map(|column| value(column, row)).collect();
        writer.write_record(&record).map_err(broken)?;
    }
    writer.set_count_and_finish().map_err(broken)?;
    let rows = check_headers(path).and_then(|start| count_rows(path, start, widths.iter().sum()));
    let problem = match rows {
        Ok(rows) if rows == table.rows() => return Ok(()),
        Ok(rows) => TrialError::file(path, format!("cannot be written: only {rows} rows would be read")),
        Err(problem) => problem,
    };
    fs::remove_file(path).map_err(TrialError::unreadable(path))?;
    Err(problem)
}

/// Whether a cell is written as blanks or zeros: what rows that are shorter than a block are padded with.
fn is_empty(column: &RawColumn, row: usize) -> bool {
    match value(column, row) {
        XportValue::Character(text) => text.trim_end().is_empty(),
        XportValue::Number(number) => number.to_bits() == 0,
    }
}

/// Bytes of the longest word, at least 1.
fn width(table: &RawTable, column: &RawColumn) -> Result<usize, TrialError> {
    match column.cells() {
        Cells::Text(texts) => {
            let width = texts.words().iter().map(String::len).max().unwrap_or(0).max(1);
            let most = usize::from(XportVariable::MAX_V8_CHARACTER_LENGTH_IN_BYTES);
            if width > most {
                Err(table.column_error(column.name(), "its text is too long for a transport file"))
            } else {
                Ok(width)
            }
        }
        _ => Ok(8),
    }
}

fn value(column: &RawColumn, row: usize) -> XportValue<'_> {
    match (column.cells(), column.text(row)) {
        (Cells::Text(_), text) => XportValue::Character(text.unwrap_or_default()),
        (Cells::Decimal(_), Some(text)) => XportValue::Number(text.parse().unwrap_or(f64::NAN)),
        (Cells::Day(cells), Some(_)) => {
            let day = cells.get(row).copied().flatten();
            // A day number is far below 2^53.
            XportValue::Number(day.map_or(f64::NAN, |day| (day.number() - Day::SAS_EPOCH.number()) as f64))
        }
        _ => XportValue::Number(f64::NAN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_dates_from_datetimes() {
        for format in
            ["DATE", "DATE9.", "date9", "YYMMDD10.", "YYMMDDD", "MMDDYY8.", "E8601DA", "IS8601DA10."]
        {
            assert!(is_date_format(format), "{format}");
        }
        for format in ["", "8.2", "BEST12.", "DATETIME20.", "E8601DT", "TIME5.", "YYMMDDXX", "DATEAMPM"] {
            assert!(!is_date_format(format), "{format}");
        }
    }

    #[test]
    fn counts_days_from_1960() {
        let text = |number| day(number).map(|day| day.map(|day| day.to_string()));
        assert_eq!(text(0.0), Ok(Some("1960-01-01".to_owned())));
        assert_eq!(text(19_906.0), Ok(Some("2014-07-02".to_owned())));
        assert_eq!(text(f64::NAN), Ok(None));
        assert_eq!(text(1.5), Err(CellProblem::NotADay));
    }
}
