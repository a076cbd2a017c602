//! Cells into codes: 0 is missing, everything else is counted from 1 as the schema says.

use super::{
    CellProblem, Cells, ColumnEntry, Content, Day, Decimal, Edge, NotDecimal, RawColumn, Texts,
    column::TextsBuilder, schema_file::bin_words,
};
use nightingale_circuits::cohort::Kind;
use std::collections::HashMap;

/// Why a column has no codes. Rows are the file's, counted from 0.
pub(super) enum Fault {
    /// One cell does not fit.
    Cell {
        /// The row.
        row: usize,
        /// What is wrong.
        problem: CellProblem,
    },
    /// The column is of another type than declared, or cannot be registered.
    Column(&'static str),
    /// The schema's entry contradicts itself: the key, and why.
    Entry(&'static str, &'static str),
}

/// A column's kind, and the codes of the file's `rows`.
pub(super) fn encode(
    entry: &ColumnEntry,
    column: &RawColumn,
    missing: &[String],
    rows: &[usize],
) -> Result<(Kind, Vec<u32>), Fault> {
    let source = Source { column, missing, rows };
    match &entry.content {
        Content::Number { minimum, maximum, scale, round } => {
            if *scale > Decimal::MOST_SCALE {
                return Err(Fault::Entry("scale", "is at most 9"));
            }
            let bound = |key, bound: Decimal| {
                bound
                    .exactly(*scale)
                    .ok_or(Fault::Entry(key, "has more decimals than `scale`, or too many digits"))
            };
            let numbers = Numbers {
                minimum: bound("minimum", *minimum)?,
                maximum: bound("maximum", *maximum)?,
                scale: *scale,
                round: *round,
            };
            ascending(numbers.minimum, numbers.maximum)?;
            let codes = source.codes(
                |text| numbers.code(number(text)?),
                Some(|decimal| numbers.code(decimal)),
                None::<Never<Day>>,
                "it holds dates; declare it as kind \"date\"",
            )?;
            Ok((Kind::Integer { minimum: numbers.minimum, maximum: numbers.maximum, scale: *scale }, codes))
        }
        Content::Date { minimum, maximum } => {
            let (minimum, maximum) = (minimum.number(), maximum.number());
            ascending(minimum, maximum)?;
            let code = |day: Day| counted(day.number(), minimum, maximum);
            let codes = source.codes(
                |text| code(Day::parse(text.trim()).ok_or(CellProblem::NotADay)?),
                None::<Never<Decimal>>,
                Some(code),
                "it holds numbers; declare it as kind \"integer\", or give it a date format in the file",
            )?;
            Ok((Kind::Date { minimum, maximum }, codes))
        }
        Content::Category { dictionary } => {
            let places: HashMap<&str, u32> = dictionary.iter().map(String::as_str).zip(1..).collect();
            let code = |word: &str| places.get(word).copied().ok_or(CellProblem::NotInDictionary);
            let codes = source.codes(
                |text| code(text),
                Some(|decimal: Decimal| code(&decimal.to_string())),
                Some(|day: Day| code(&day.to_string())),
                "",
            )?;
            Ok((Kind::Category { dictionary: dictionary.clone() }, codes))
        }
        Content::Bins { edges } => {
            let codes = source.bins(edges)?;
            Ok((Kind::Category { dictionary: bin_words(edges) }, codes))
        }
        Content::Key => {
            let mut room = None;
            let texts = spelled(column, &mut room)?;
            let used = used_words(texts, missing, rows);
            let codes = source.codes_of_words(texts, |word| rank(&used, word));
            Ok((Kind::Key { count: u32::try_from(used.len()).unwrap_or(u32::MAX) }, codes))
        }
    }
}

/// An empty range would refuse every cell, and say so of the first.
fn ascending(minimum: i64, maximum: i64) -> Result<(), Fault> {
    if minimum > maximum { Err(Fault::Entry("maximum", "is below `minimum`")) } else { Ok(()) }
}

type Never<T> = fn(T) -> Result<u32, CellProblem>;

/// Scaled numbers of a declared range.
struct Numbers {
    minimum: i64,
    maximum: i64,
    scale: u8,
    round: bool,
}

impl Numbers {
    fn code(&self, number: Decimal) -> Result<u32, CellProblem> {
        let units = if self.round { number.rounded(self.scale) } else { number.exactly(self.scale) };
        match units {
            Some(units) => counted(units, self.minimum, self.maximum),
            None if number.scale() > self.scale => Err(CellProblem::TooFine { scale: self.scale }),
            None => Err(CellProblem::OutOfRange),
        }
    }
}

/// `value - minimum + 1`, if within the range.
fn counted(value: i64, minimum: i64, maximum: i64) -> Result<u32, CellProblem> {
    let code = i128::from(value) - i128::from(minimum) + 1;
    let within = minimum <= value && value <= maximum;
    u32::try_from(code).ok().filter(|_| within).ok_or(CellProblem::OutOfRange)
}

fn number(text: &str) -> Result<Decimal, CellProblem> {
    Decimal::parse(text.trim()).map_err(|problem| match problem {
        NotDecimal::Malformed => CellProblem::NotANumber,
        NotDecimal::NotFinite => CellProblem::NotFinite,
        NotDecimal::TooLarge => CellProblem::TooLarge,
    })
}

/// The cells to encode.
struct Source<'a> {
    column: &'a RawColumn,
    missing: &'a [String],
    rows: &'a [usize],
}

impl Source<'_> {
    /// Codes of all rows, by what the cells are; `None` is refused with `mismatch`.
    fn codes(
        &self,
        text: impl Fn(&str) -> Result<u32, CellProblem>,
        decimal: Option<impl Fn(Decimal) -> Result<u32, CellProblem>>,
        day: Option<impl Fn(Day) -> Result<u32, CellProblem>>,
        mismatch: &'static str,
    ) -> Result<Vec<u32>, Fault> {
        match self.column.cells() {
            Cells::Text(texts) => {
                // Each word once, however many rows repeat it; a word of other rows only may be anything.
                let of_words: Vec<Result<u32, CellProblem>> = texts
                    .words()
                    .iter()
                    .map(|word| if self.missing.contains(word) { Ok(0) } else { text(word) })
                    .collect();
                self.each(|row| match texts.codes()[row] as usize {
                    0 => Ok(0),
                    word => of_words[word - 1],
                })
            }
            Cells::Decimal(cells) => {
                let decimal = decimal.ok_or(Fault::Column(mismatch))?;
                self.each(|row| cells[row].map_or(Ok(0), &decimal))
            }
            Cells::Day(cells) => {
                let day = day.ok_or(Fault::Column(mismatch))?;
                self.each(|row| cells[row].map_or(Ok(0), &day))
            }
            Cells::Unsupported(_, reason) => Err(Fault::Column(reason)),
        }
    }

    fn each(&self, code: impl Fn(usize) -> Result<u32, CellProblem>) -> Result<Vec<u32>, Fault> {
        self.rows.iter().map(|&row| code(row).map_err(|problem| Fault::Cell { row, problem })).collect()
    }

    /// The bin of each cell: 1 and the number of edges that are not above it.
    fn bins(&self, edges: &[Edge]) -> Result<Vec<u32>, Fault> {
        let place = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
        let numbers: Vec<Decimal> = edges
            .iter()
            .filter_map(|edge| if let Edge::Number(edge) = edge { Some(*edge) } else { None })
            .collect();
        let days: Vec<Day> = edges
            .iter()
            .filter_map(|edge| if let Edge::Day(edge) = edge { Some(*edge) } else { None })
            .collect();
        let of_number = |value: Decimal| Ok(place(numbers.partition_point(|edge| *edge <= value)));
        let of_day = |value: Day| Ok(place(days.partition_point(|edge| *edge <= value)));
        if days.is_empty() {
            self.codes(
                |text| of_number(number(text)?),
                Some(of_number),
                None::<Never<Day>>,
                "it holds dates; give `edges` as days",
            )
        } else {
            let day = |text: &str| of_day(Day::parse(text.trim()).ok_or(CellProblem::NotADay)?);
            self.codes(day, None::<Never<Decimal>>, Some(of_day), "it holds numbers; give `edges` as numbers")
        }
    }

    /// Codes of all rows by word; a missing one is 0.
    fn codes_of_words(&self, texts: &Texts, code: impl Fn(&str) -> u32) -> Vec<u32> {
        let of_words: Vec<u32> = texts
            .words()
            .iter()
            .map(|word| if self.missing.contains(word) { 0 } else { code(word) })
            .collect();
        let of_row =
            |row: &usize| (texts.codes()[*row] as usize).checked_sub(1).map_or(0, |word| of_words[word]);
        self.rows.iter().map(of_row).collect()
    }
}

/// The column's cells as words: as they are, or spelled out into `room`.
pub(super) fn spelled<'a>(column: &'a RawColumn, room: &'a mut Option<Texts>) -> Result<&'a Texts, Fault> {
    match column.cells() {
        Cells::Text(texts) => Ok(texts),
        Cells::Unsupported(_, reason) => Err(Fault::Column(reason)),
        cells => {
            let mut builder = TextsBuilder::default();
            (0..cells.rows()).for_each(|row| builder.push(column.text(row).as_deref().unwrap_or_default()));
            Ok(room.insert(builder.finish()))
        }
    }
}

/// The words of `rows`, ascending, without those that stand for missing.
pub(super) fn used_words<'a>(texts: &'a Texts, missing: &[String], rows: &[usize]) -> Vec<&'a str> {
    let mut used = vec![false; texts.words().len() + 1];
    rows.iter().for_each(|&row| used[texts.codes()[row] as usize] = true);
    let words = texts.words().iter().zip(&used[1..]).filter(|(word, used)| **used && !missing.contains(word));
    let mut words: Vec<&str> = words.map(|(word, _)| word.as_str()).collect();
    words.sort_unstable();
    words
}

/// A word's place in a sorted list, from 1; 0 if it is not there.
fn rank(sorted: &[&str], word: &str) -> u32 {
    sorted.binary_search(&word).ok().and_then(|place| u32::try_from(place + 1).ok()).unwrap_or(0)
}

/// The codes of subjects: their places in the registration's dictionary.
pub(super) fn subject_codes(
    column: &RawColumn,
    missing: &[String],
    rows: &[usize],
    code: impl Fn(&str) -> u32,
) -> Result<Vec<u32>, Fault> {
    let mut room = None;
    let texts = spelled(column, &mut room)?;
    Ok(Source { column, missing, rows }.codes_of_words(texts, code))
}
