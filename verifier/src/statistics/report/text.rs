//! Findings as text: a heading, a table, notes.

use super::{Figure, Finding, Row, Statistics, Word};
use crate::statistics::number::ten_digits;
use std::fmt;

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, source) in self.sources.iter().enumerate() {
            write!(f, "[{place}] {}", source.query)?;
            if source.hidden_cells > 0 {
                write!(f, "   ({} cells hidden)", source.hidden_cells)?;
            }
            writeln!(f)?;
        }
        self.findings.iter().try_for_each(|finding| write!(f, "\n{finding}"))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: Vec<String> = self.sources.iter().map(|source| format!("[{source}]")).collect();
        let of = self.of.as_ref().map(|of| format!(": {of}")).unwrap_or_default();
        writeln!(f, "{}{of}   {}", self.kind.title(), sources.join(" "))?;
        let keys = distinct(self.rows.iter().flat_map(|row| row.key.iter().map(|(name, _)| name.as_str())));
        let figures = distinct(self.rows.iter().flat_map(|row| row.figures.iter().map(|(name, _)| *name)));
        let mut lines = vec![keys.iter().chain(&figures).map(|&name| name.to_owned()).collect::<Vec<_>>()];
        lines.extend(self.rows.iter().map(|row| line(row, &keys, &figures)));
        let widths: Vec<usize> = (0..keys.len().saturating_add(figures.len()))
            .map(|column| {
                lines.iter().filter_map(|line| Some(line.get(column)?.chars().count())).max().unwrap_or(0)
            })
            .collect();
        for line in &lines {
            let mut text = String::from(" ");
            for (place, (entry, &width)) in line.iter().zip(&widths).enumerate() {
                // Groups to the left, figures to the right.
                let entry = if place < keys.len() {
                    format!(" {entry:<width$} ")
                } else {
                    format!(" {entry:>width$} ")
                };
                text.push_str(&entry);
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        let reasons: Vec<String> = self.rows.iter().flat_map(|row| &row.figures).filter_map(reason).collect();
        for reason in distinct(reasons.iter().map(String::as_str)) {
            writeln!(f, "  {reason}")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  {note}"))
    }
}

fn reason((name, figure): &(&str, Figure)) -> Option<String> {
    match figure {
        Figure::Hidden(cell) => Some(format!("hidden: it needs the hidden cell {cell}")),
        Figure::Withheld(why) => Some(format!("withheld: {why}")),
        Figure::Undefined(why) => Some(format!("no {name}: {why}")),
        _ => None,
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut distinct = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

fn line(row: &Row, keys: &[&str], figures: &[&str]) -> Vec<String> {
    let groups = keys.iter().map(|key| {
        let word = row.key.iter().find(|(name, _)| name == key);
        word.map_or_else(|| "(all)".to_owned(), |(_, word)| word.to_string())
    });
    let values = figures.iter().map(|name| row.figure(name).map_or_else(String::new, ToString::to_string));
    groups.chain(values).collect()
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(word) => f.write_str(word),
            Self::Versus(first, second) => write!(f, "{first} / {second}"),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Number(number) => f.write_str(&ten_digits(*number)),
            Self::Word(word) => f.write_str(word),
            Self::Hidden(_) => f.write_str("hidden"),
            Self::Withheld(_) => f.write_str("withheld"),
            Self::Undefined(_) => f.write_str("-"),
        }
    }
}
