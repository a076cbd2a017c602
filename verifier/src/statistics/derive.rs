//! What the given answers allow: which formula applies to which cells.

mod comparison;
mod counts;
mod distribution;
mod incidence;
mod pair;
mod summary;
mod survival;

use super::{Finding, Kind, Roles, Row, Source, Word, roles::MOST_COMPARED, source::HiddenCell, words::word};
use nightingale_circuits::cohort::{Column, Figures, Kind as ColumnKind, Term, text};

/// All findings: each answer on its own, then those that need several.
pub(super) fn findings(sources: &[Source], roles: &Roles) -> Vec<Finding> {
    let readings: Vec<Reading<'_>> =
        sources.iter().enumerate().map(|(place, source)| Reading::new(place, source, roles)).collect();
    let mut findings = Vec::new();
    for reading in readings.iter().filter(|reading| !survival::is_about(reading)) {
        findings.extend(counts::counts(reading));
        findings.extend(summary::summaries(reading));
        findings.extend(comparison::welch_tests(reading));
        findings.extend(comparison::fourfolds(reading));
        findings.extend(pair::covariance(reading));
        findings.extend(counts::shift(reading));
        findings.extend(distribution::histograms(reading));
    }
    findings.extend(incidence::incidences(&readings));
    findings.extend(survival::survivals(&readings));
    findings.retain(|finding| !finding.rows.is_empty() || !finding.notes.is_empty());
    findings
}

/// An answer with the meaning of its group columns.
struct Reading<'a> {
    place: usize,
    source: &'a Source,
    roles: &'a Roles,
    axes: Vec<&'a Column>,
    /// The position of the axis whose groups are compared.
    arm: Option<usize>,
    /// The positions of two axes with one dictionary: from and to.
    shift: Option<(usize, usize)>,
}

impl<'a> Reading<'a> {
    fn new(place: usize, source: &'a Source, roles: &'a Roles) -> Self {
        let axes = source.axes();
        let arm = roles.arm(source);
        let certain = |place: usize| axes.get(place).is_some_and(|axis| roles.is_arm(axis));
        let shift = shift(&axes).filter(|&(from, to)| !certain(from) && !certain(to));
        let arm = arm.filter(|arm| shift.is_none_or(|(from, to)| *arm != from && *arm != to));
        Self { place, source, roles, axes, arm, shift }
    }

    fn finding(&self, kind: Kind, of: Option<String>, rows: Vec<Row>) -> Finding {
        Finding { kind, of, sources: vec![self.place], rows, notes: Vec::new() }
    }

    /// The column whose groups are compared.
    fn arm_column(&self) -> Option<&'a Column> {
        self.axes.get(self.arm?).copied()
    }

    /// The arm that a condition fixes.
    fn fixed_arm(&self) -> Option<(&'a Column, u32)> {
        let columns = self.source.schema().columns().iter().enumerate();
        let mut fixed = columns
            .filter(|(_, column)| self.roles.is_arm(column))
            .filter_map(|(index, column)| Some((column, self.source.fixed(index)?)));
        fixed.next()
    }

    /// A cell's groups in words.
    fn key(&self, codes: &[u32]) -> Vec<(String, Word)> {
        self.axes.iter().zip(codes).map(|(column, &code)| named(column, code)).collect()
    }

    /// One group in words.
    fn key_at(&self, axis: usize, code: u32) -> Vec<(String, Word)> {
        self.axes.get(axis).map(|column| named(column, code)).into_iter().collect()
    }

    /// The arm's code in a cell.
    fn arm_of(&self, codes: &[u32]) -> Option<u32> {
        codes.get(self.arm?).copied()
    }

    /// What is counted in one arm.
    fn in_arm(&self, arm: u32) -> Result<Figures, HiddenCell> {
        self.source.total(|codes| self.arm_of(codes) == Some(arm))
    }

    /// The arms that somebody is in, missing left out; none if there are too many to compare.
    fn arms(&self) -> Vec<u32> {
        let Some(column) = self.arm_column() else {
            return Vec::new();
        };
        let nonempty = |&arm: &u32| self.in_arm(arm).map_or(true, |figures| figures.count > 0);
        let arms: Vec<u32> = (1..=column.bound()).take(512).filter(nonempty).collect();
        let few = u32::try_from(arms.len()).is_ok_and(|number| number <= MOST_COMPARED);
        if few { arms } else { Vec::new() }
    }

    /// Each two arms, the reference last.
    fn arm_pairs(&self) -> Vec<(u32, u32)> {
        let Some(column) = self.arm_column() else {
            return Vec::new();
        };
        ordered_pairs(&self.arms(), |&arm| self.roles.is_reference(&word(column, arm)))
    }

    /// Two arms in words.
    fn versus(&self, (first, second): (u32, u32)) -> Vec<(String, Word)> {
        let key = self
            .arm_column()
            .map(|column| (column.name.clone(), Word::Versus(word(column, first), word(column, second))));
        key.into_iter().collect()
    }

    /// Whether a cell's row is worth a line: an empty cell is not when one of its groups is missing or a number.
    fn is_worth_a_line(&self, codes: &[u32], figures: Option<&Figures>) -> bool {
        let sparse = self.axes.iter().zip(codes).any(|(axis, &code)| code == 0 || axis.offset().is_some());
        figures.is_none_or(|figures| figures.count > 0) || !sparse
    }

    /// The terms of the query's filter, with the columns that they are on.
    fn terms(&self) -> impl Iterator<Item = (&'a Column, &'a Term)> {
        let (schema, query) = (self.source.schema(), self.source.query());
        query.terms().iter().filter_map(|term| Some((schema.columns().get(term.column)?, term)))
    }

    /// The conditions of the query in words, with the columns that they are on.
    fn conditions(&self) -> Vec<(&'a Column, String)> {
        self.terms().map(|(column, term)| (column, text::condition(column, term))).collect()
    }
}

/// A column and one of its groups.
fn named(column: &Column, code: u32) -> (String, Word) {
    (column.name.clone(), Word::One(word(column, code)))
}

/// Each two of a list in its order, except that a reference comes second.
fn ordered_pairs<T: Copy>(list: &[T], is_reference: impl Fn(&T) -> bool) -> Vec<(T, T)> {
    let pairs = list.iter().enumerate().flat_map(|(place, first)| {
        list.iter().skip(place.saturating_add(1)).map(move |second| (first, second))
    });
    pairs
        .map(|(first, second)| {
            let swapped = is_reference(first) && !is_reference(second);
            if swapped { (*second, *first) } else { (*first, *second) }
        })
        .collect()
}

/// Two category axes with one dictionary.
fn shift(axes: &[&Column]) -> Option<(usize, usize)> {
    let dictionary = |column: &Column| match &column.kind {
        ColumnKind::Category { dictionary } => Some(dictionary.clone()),
        _ => None,
    };
    let dictionaries: Vec<_> = axes.iter().map(|axis| dictionary(axis)).collect();
    dictionaries.iter().enumerate().find_map(|(from, words)| {
        let words = words.as_ref()?;
        let to = dictionaries
            .iter()
            .skip(from.saturating_add(1))
            .position(|other| other.as_ref() == Some(words))?;
        Some((from, to.saturating_add(from).saturating_add(1)))
    })
}
