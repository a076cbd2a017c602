//! Writes text as UTF-8 strings, numbers as 64-bit integers or decimals, days as dates; Snappy, groups of 131,072 rows.

use crate::trial::{Cells, RawColumn, RawTable, TrialError};
use ::parquet::{
    basic::{Compression, LogicalType, Repetition, Type as Physical},
    data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::Type,
};
use std::{fs::File, ops::Range, path::Path, sync::Arc};

const GROUP: usize = 1 << 17;

/// Writes all columns.
pub(in crate::trial) fn write(table: &RawTable, path: &Path) -> Result<(), TrialError> {
    let file = File::create(path).map_err(TrialError::unreadable(path))?;
    write_to(table, file).map_err(|error| TrialError::file(path, format!("cannot be written: {error}")))
}

fn write_to(table: &RawTable, file: File) -> Result<(), ParquetError> {
    let fields =
        table.columns().iter().map(|column| field(column).map(Arc::new)).collect::<Result<_, _>>()?;
    let schema = Arc::new(Type::group_type_builder(table.name()).with_fields(fields).build()?);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by("nightingale".to_owned())
        .build();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties))?;
    for start in (0..table.rows()).step_by(GROUP) {
        let rows = start..(start + GROUP).min(table.rows());
        let mut group = writer.next_row_group()?;
        for column in table.columns() {
            if let Some(mut cells) = group.next_column()? {
                write_cells(column, rows.clone(), &mut cells)?;
                cells.close()?;
            }
        }
        group.close()?;
    }
    writer.close()?;
    Ok(())
}

/// The most decimals that a cell of the column has.
fn scale(column: &RawColumn) -> u8 {
    match column.cells() {
        Cells::Decimal(cells) => cells.iter().flatten().map(|number| number.scale()).max().unwrap_or(0),
        _ => 0,
    }
}

fn field(column: &RawColumn) -> Result<Type, ParquetError> {
    let scale = scale(column);
    let (physical, logical) = match column.cells() {
        Cells::Text(_) | Cells::Unsupported(..) => (Physical::BYTE_ARRAY, LogicalType::String),
        Cells::Day(_) => (Physical::INT32, LogicalType::Date),
        Cells::Decimal(_) if scale == 0 => (Physical::INT64, LogicalType::integer(64, true)),
        Cells::Decimal(_) => (Physical::INT64, LogicalType::decimal(i32::from(scale), 18)),
    };
    let builder = Type::primitive_type_builder(column.name(), physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(logical));
    if scale == 0 { builder.build() } else { builder.with_precision(18).with_scale(i32::from(scale)).build() }
}

fn write_cells(
    column: &RawColumn,
    rows: Range<usize>,
    writer: &mut SerializedColumnWriter<'_>,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = rows.clone().map(|row| i16::from(!column.is_missing(row))).collect();
    match column.cells() {
        Cells::Day(cells) => {
            // Days of the years 1 to 9999 have 22 bits.
            let values: Vec<i32> = cells[rows].iter().flatten().map(|day| day.number() as i32).collect();
            writer.typed::<Int32Type>().write_batch(&values, Some(&levels), None)?;
        }
        Cells::Decimal(cells) => {
            let scale = scale(column);
            let too_large = || ParquetError::General(format!("column {}: too many digits", column.name()));
            let values: Vec<i64> = cells[rows]
                .iter()
                .flatten()
                .map(|number| number.exactly(scale).ok_or_else(too_large))
                .collect::<Result<_, _>>()?;
            writer.typed::<Int64Type>().write_batch(&values, Some(&levels), None)?;
        }
        Cells::Text(_) | Cells::Unsupported(..) => {
            let values: Vec<ByteArray> = rows
                .filter_map(|row| column.text(row))
                .map(|text| ByteArray::from(text.as_bytes().to_vec()))
                .collect();
            writer.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
        }
    }
    Ok(())
}
