//! Parquet files, read and written column by column without Arrow.
//!
//! Flat columns of booleans, integers, decimals, floating point, dates and text can be registered. Others are kept as unsupported, so that they
//! stop nobody who does not register them. Compression: none or Snappy.

mod footer;
mod headers;
mod pages;
mod write;

pub(super) use write::write;

use super::{
    CellProblem, Cells, Day, Decimal, NotDecimal, RawColumn, TrialError, column::TextsBuilder,
    error::file_name,
};
use ::parquet::{
    basic::{Compression, ConvertedType, LogicalType, Type},
    column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader},
    data_type::{ByteArray, DataType, FixedLenByteArray},
    errors::ParquetError,
    file::reader::{FileReader, SerializedFileReader},
    schema::types::ColumnDescPtr,
};
use pages::Pages;
use std::{fs::File, panic::catch_unwind, path::Path, sync::Arc};

/// The most rows of a file: far more than a table holds after its rows were chosen.
const MOST_ROWS: usize = 1 << 24;

/// The most cells: of those that are missing, a few bytes may stand for millions.
const MOST_CELLS: usize = 1 << 26;

/// What a column's values mean.
#[derive(Clone, Copy)]
enum Meaning {
    Signed,
    Unsigned,
    /// Units of `10^-scale`.
    Scaled(u8),
    Day,
    Binary,
    Text,
    Unsupported(&'static str),
}

/// Cells of one column while they are collected.
enum Collected {
    Text(TextsBuilder),
    Decimal(Vec<Option<Decimal>>),
    Day(Vec<Option<Day>>),
    Unsupported(&'static str),
}

/// Why a column cannot be read.
enum Fault {
    Parquet(ParquetError),
    Cell { row: usize, problem: CellProblem },
}

impl From<ParquetError> for Fault {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error)
    }
}

/// All columns.
pub(super) fn read(path: &Path) -> Result<Vec<RawColumn>, TrialError> {
    // The `parquet` crate panics on some damaged files.
    catch_unwind(|| read_columns(path)).unwrap_or_else(|_| {
        Err(TrialError::file(path, "not a Parquet file that can be read: it is damaged; write it again"))
    })
}

fn read_columns(path: &Path) -> Result<Vec<RawColumn>, TrialError> {
    let file = File::open(path).map_err(TrialError::unreadable(path))?;
    let broken =
        |error: ParquetError| TrialError::file(path, format!("not a Parquet file that can be read: {error}"));
    let own = file.try_clone().map_err(TrialError::unreadable(path))?;
    footer::check(&file).map_err(broken)?;
    let reader = SerializedFileReader::new(own).map_err(broken)?;
    let chunks = reader.metadata().row_groups().iter().flat_map(|group| group.columns());
    let mut compressions = chunks.map(|chunk| chunk.compression());
    if let Some(other) =
        compressions.find(|how| !matches!(how, Compression::UNCOMPRESSED | Compression::SNAPPY))
    {
        let other = other.to_string();
        let other = other.split('(').next().unwrap_or_default();
        let problem = format!("it is compressed with {other}; write it with Snappy, or without compression");
        return Err(TrialError::file(path, problem));
    }
    let metadata = reader.metadata().file_metadata();
    // Columns that are not read have as many cells as the file says, and it may say anything.
    let rows = usize::try_from(metadata.num_rows()).unwrap_or(0);
    if rows > MOST_ROWS {
        let problem = format!("it says that it holds {rows} rows; at most {MOST_ROWS} are read");
        return Err(TrialError::file(path, problem));
    }
    let width = metadata.schema_descr().num_columns();
    if rows.saturating_mul(width) > MOST_CELLS {
        let problem = format!(
            "it says that it holds {rows} rows of {width} columns; at most {MOST_CELLS} cells are read"
        );
        return Err(TrialError::file(path, problem));
    }
    let mut columns = Vec::new();
    for (index, descriptor) in metadata.schema_descr().columns().iter().enumerate() {
        let name = descriptor.path().string();
        let cells = read_column(&file, &reader, index, descriptor, rows).map_err(|fault| match fault {
            Fault::Parquet(error) => broken(error),
            Fault::Cell { row, problem } => {
                TrialError::Cell { file: file_name(path), row: row + 1, column: name.clone(), problem }
            }
        })?;
        columns.push(RawColumn::new(name, cells));
    }
    Ok(columns)
}

fn read_column(
    file: &File,
    reader: &SerializedFileReader<File>,
    index: usize,
    descriptor: &ColumnDescPtr,
    rows: usize,
) -> Result<Cells, Fault> {
    let meaning = meaning(descriptor);
    let mut collected = match meaning {
        Meaning::Text => Collected::Text(TextsBuilder::default()),
        Meaning::Day => Collected::Day(Vec::new()),
        Meaning::Unsupported(reason) => Collected::Unsupported(reason),
        Meaning::Signed | Meaning::Unsigned | Meaning::Scaled(_) | Meaning::Binary => {
            Collected::Decimal(Vec::new())
        }
    };
    if !matches!(collected, Collected::Unsupported(_)) {
        for group in 0..reader.num_row_groups() {
            headers::check(file, reader.metadata().row_group(group).column(index))?;
            let pages = reader.get_row_group(group)?.get_column_page_reader(index)?;
            let pages = Pages::new(pages, descriptor, rows - collected.rows());
            let column = get_column_reader(Arc::clone(descriptor), Box::new(pages));
            read_group(column, descriptor.max_def_level(), meaning, &mut collected)?;
        }
    }
    Ok(match collected {
        Collected::Text(builder) => Cells::Text(builder.finish()),
        Collected::Decimal(cells) => Cells::Decimal(cells),
        Collected::Day(cells) => Cells::Day(cells),
        Collected::Unsupported(reason) => Cells::Unsupported(rows, reason),
    })
}

fn meaning(descriptor: &ColumnDescPtr) -> Meaning {
    if descriptor.max_rep_level() > 0 || descriptor.path().parts().len() > 1 || descriptor.max_def_level() > 1
    {
        return Meaning::Unsupported("it is nested; only flat columns can be registered");
    }
    let (logical, converted) = (descriptor.logical_type_ref(), descriptor.converted_type());
    let scaled = matches!(logical, Some(LogicalType::Decimal(_))) || converted == ConvertedType::DECIMAL;
    let unsigned = matches!(logical, Some(LogicalType::Integer(integer)) if !integer.is_signed)
        || matches!(
            converted,
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
        );
    let clock = matches!(logical, Some(LogicalType::Time(_) | LogicalType::Timestamp(_)))
        || matches!(
            converted,
            ConvertedType::TIME_MILLIS
                | ConvertedType::TIME_MICROS
                | ConvertedType::TIMESTAMP_MILLIS
                | ConvertedType::TIMESTAMP_MICROS
        );
    let date = matches!(logical, Some(LogicalType::Date)) || converted == ConvertedType::DATE;
    match descriptor.physical_type() {
        _ if clock => Meaning::Unsupported("it holds times; write it as dates"),
        Type::INT32 | Type::INT64 | Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY if scaled => {
            u8::try_from(descriptor.type_scale())
                .map_or(Meaning::Unsupported("its scale is not 0 to 255"), Meaning::Scaled)
        }
        Type::INT32 if date => Meaning::Day,
        Type::INT32 | Type::INT64 if unsigned => Meaning::Unsigned,
        Type::BOOLEAN | Type::INT32 | Type::INT64 => Meaning::Signed,
        Type::FLOAT | Type::DOUBLE => Meaning::Binary,
        Type::BYTE_ARRAY => Meaning::Text,
        Type::INT96 => Meaning::Unsupported("it holds times; write it as dates"),
        Type::FIXED_LEN_BYTE_ARRAY => {
            Meaning::Unsupported("it holds bytes of a fixed length; write it as text")
        }
    }
}

fn read_group(reader: ColumnReader, most: i16, meaning: Meaning, into: &mut Collected) -> Result<(), Fault> {
    match reader {
        ColumnReader::BoolColumnReader(reader) => {
            each(reader, most, into, |value| whole(i128::from(*value), meaning))
        }
        ColumnReader::Int32ColumnReader(reader) => each(reader, most, into, |value| match meaning {
            Meaning::Day => Day::from_number(i64::from(*value)).map(Value::Day).ok_or(CellProblem::NotADay),
            Meaning::Unsigned => whole(i128::from(value.cast_unsigned()), meaning),
            _ => whole(i128::from(*value), meaning),
        }),
        ColumnReader::Int64ColumnReader(reader) => each(reader, most, into, |value| match meaning {
            Meaning::Unsigned => whole(i128::from(value.cast_unsigned()), meaning),
            _ => whole(i128::from(*value), meaning),
        }),
        // The shortest digits of a single are not those of the double that it becomes.
        ColumnReader::FloatColumnReader(reader) => each(reader, most, into, |value| {
            if value.is_finite() {
                number(Decimal::parse(&value.to_string()))
            } else {
                Err(CellProblem::NotFinite)
            }
        }),
        ColumnReader::DoubleColumnReader(reader) => {
            each(reader, most, into, |value| number(Decimal::from_binary(*value)))
        }
        ColumnReader::ByteArrayColumnReader(reader) => {
            each(reader, most, into, |value: &ByteArray| match meaning {
                Meaning::Text => str::from_utf8(value.data())
                    .map(|text| Value::Text(text.to_owned()))
                    .map_err(|_| CellProblem::NotText),
                _ => big_endian(value.data(), meaning),
            })
        }
        ColumnReader::FixedLenByteArrayColumnReader(reader) => {
            each(reader, most, into, |value: &FixedLenByteArray| big_endian(value.data(), meaning))
        }
        // Unsupported columns are not read.
        ColumnReader::Int96ColumnReader(_) => Ok(()),
    }
}

/// One cell's value.
enum Value {
    Text(String),
    Decimal(Decimal),
    Day(Day),
}

fn number(decimal: Result<Decimal, NotDecimal>) -> Result<Value, CellProblem> {
    decimal.map(Value::Decimal).map_err(|problem| match problem {
        NotDecimal::NotFinite => CellProblem::NotFinite,
        NotDecimal::TooLarge | NotDecimal::Malformed => CellProblem::TooLarge,
    })
}

fn whole(units: i128, meaning: Meaning) -> Result<Value, CellProblem> {
    let scale = if let Meaning::Scaled(scale) = meaning { scale } else { 0 };
    number(Decimal::new(units, scale))
}

/// A two's complement integer of any length.
fn big_endian(bytes: &[u8], meaning: Meaning) -> Result<Value, CellProblem> {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let filling = if negative { 0xff } else { 0 };
    let surplus = bytes.len().saturating_sub(16);
    if bytes[..surplus].iter().any(|&byte| byte != filling) {
        return Err(CellProblem::TooLarge);
    }
    let mut wide = [filling; 16];
    let rest = &bytes[surplus..];
    wide[16 - rest.len()..].copy_from_slice(rest);
    whole(i128::from_be_bytes(wide), meaning)
}

/// Reads a column chunk in batches.
fn each<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    most: i16,
    into: &mut Collected,
    value: impl Fn(&T::T) -> Result<Value, CellProblem>,
) -> Result<(), Fault> {
    const BATCH: usize = 1 << 15;
    let (mut values, mut levels) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
    loop {
        values.clear();
        levels.clear();
        let (records, _, _) = reader.read_records(BATCH, Some(&mut levels), None, &mut values)?;
        if records == 0 {
            return Ok(());
        }
        let mut present = values.iter();
        for record in 0..records {
            // Without definition levels every value is there.
            let is_there = levels.get(record).is_none_or(|&level| level == most);
            let cell = if is_there { present.next().map(&value).transpose() } else { Ok(None) };
            let row = into.rows();
            into.push(cell.map_err(|problem| Fault::Cell { row, problem })?);
        }
    }
}

impl Collected {
    fn rows(&self) -> usize {
        match self {
            Self::Text(builder) => builder.rows(),
            Self::Decimal(cells) => cells.len(),
            Self::Day(cells) => cells.len(),
            Self::Unsupported(_) => 0,
        }
    }

    fn push(&mut self, value: Option<Value>) {
        match (self, value) {
            (Self::Text(builder), Some(Value::Text(text))) => builder.push(&text),
            (Self::Text(builder), _) => builder.push(""),
            (Self::Decimal(cells), Some(Value::Decimal(number))) => cells.push(Some(number)),
            (Self::Decimal(cells), _) => cells.push(None),
            (Self::Day(cells), Some(Value::Day(day))) => cells.push(Some(day)),
            (Self::Day(cells), _) => cells.push(None),
            (Self::Unsupported(_), _) => {}
        }
    }
}
