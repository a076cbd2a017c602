//! Writes a schema file: one line a column, with comments where columns were left out.

use super::{ColumnEntry, Content, Day, Decimal, Edge, Role, SchemaFile, TableEntry};
use std::{collections::BTreeMap, fmt};

/// The widest line of a dictionary.
const WIDTH: usize = 110;

/// The file's text; `notes` are comments at the head of each table.
pub(in crate::trial) fn print(
    file: &SchemaFile,
    notes: &BTreeMap<String, Vec<String>>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    writeln!(
        f,
        "# What of these files is registered. All of it becomes public: names, ranges, dictionaries and rules."
    )?;
    let text = |f: &mut fmt::Formatter<'_>, key: &str, value: &Option<String>| match value {
        Some(value) => writeln!(f, "{key} = {}", quoted(value)),
        None => Ok(()),
    };
    text(f, "subject", &file.subject)?;
    if let Some(threshold) = file.threshold {
        writeln!(f, "threshold = {threshold}")?;
    }
    text(f, "plan", &file.plan)?;
    if let Some(roles) = &file.roles {
        writeln!(f, "\n[roles]")?;
        for (role, mode) in Role::ALL.iter().filter_map(|role| Some((role, roles.get(role)?))) {
            writeln!(f, "{role} = \"{mode}\"")?;
        }
    }
    for (name, table) in &file.tables {
        writeln!(f, "\n[table.{name}]")?;
        for note in notes.get(name).into_iter().flatten() {
            writeln!(f, "# {note}")?;
        }
        print_table(table, f)?;
    }
    Ok(())
}

fn print_table(table: &TableEntry, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (key, value) in
        [("subject", &table.subject), ("dimension", &table.dimension), ("consent", &table.consent)]
    {
        if let Some(value) = value {
            writeln!(f, "{key} = {}", quoted(value))?;
        }
    }
    if let Some(reduce) = table.reduce {
        writeln!(f, "reduce = \"{}\"", reduce.name())?;
    }
    if let Some(threshold) = table.threshold {
        writeln!(f, "threshold = {threshold}")?;
    }
    if !table.missing.is_empty() {
        writeln!(f, "missing = {}", list(&table.missing, 2))?;
    }
    if !table.keep.is_empty() {
        let kept =
            table.keep.iter().map(|(column, words)| format!("{} = {}", quoted(column), list(words, 2)));
        writeln!(f, "keep = {{ {} }}", kept.collect::<Vec<_>>().join(", "))?;
    }
    writeln!(f, "columns = [")?;
    for column in &table.columns {
        print_column(column, f)?;
    }
    writeln!(f, "]")
}

fn print_column(column: &ColumnEntry, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "  {{ name = {}", quoted(&column.name))?;
    if let Some(source) = &column.source {
        write!(f, ", source = {}", quoted(source))?;
    }
    match &column.content {
        Content::Number { minimum, maximum, scale, round } => {
            write!(
                f,
                ", kind = \"integer\", minimum = {}, maximum = {}",
                number(*minimum),
                number(*maximum)
            )?;
            if *scale > 0 {
                write!(f, ", scale = {scale}")?;
            }
            if *round {
                write!(f, ", round = true")?;
            }
        }
        Content::Date { minimum, maximum } => {
            write!(f, ", kind = \"date\", minimum = {}, maximum = {}", day(*minimum), day(*maximum))?;
        }
        Content::Category { dictionary } => {
            write!(f, ", kind = \"category\", dictionary = {}", list(dictionary, 4))?
        }
        Content::Key => write!(f, ", kind = \"key\"")?,
        Content::Bins { edges } => {
            let edges = edges.iter().map(|edge| match edge {
                Edge::Number(edge) => number(*edge),
                Edge::Day(edge) => day(*edge),
            });
            write!(f, ", kind = \"bins\", edges = [{}]", edges.collect::<Vec<_>>().join(", "))?;
        }
    }
    writeln!(f, " }},")
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn day(day: Day) -> String {
    format!("\"{day}\"")
}

/// Bare where TOML's numbers hold it exactly: whole, or of at most 15 digits.
fn number(number: Decimal) -> String {
    let text = number.to_string();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if number.scale() == 0 || digits <= 15 { text } else { format!("\"{text}\"") }
}

/// Words in brackets, broken into lines where they are many.
fn list(words: &[String], indent: usize) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    let one_line = format!("[{}]", words.join(", "));
    if one_line.len() <= WIDTH - 40 {
        return one_line;
    }
    let mut text = String::from("[");
    let mut width = WIDTH;
    for word in words {
        if width + word.len() + 2 > WIDTH {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            width = indent;
        } else {
            text.push(' ');
        }
        text.push_str(&word);
        text.push(',');
        width += word.len() + 2;
    }
    text + "\n" + &" ".repeat(indent.saturating_sub(2)) + "]"
}
