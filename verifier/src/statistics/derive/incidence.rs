//! Incidence: subjects with an event, from an event table, of all subjects, from the subject table of the same dataset.

use super::{
    Reading,
    comparison::{cells, ratios},
    counts::percent,
    named, ordered_pairs,
};
use crate::statistics::{
    Figure, Finding, Kind, Row, Word, fourfold::Fourfold, source::HiddenCell, words::word,
};
use nightingale_circuits::cohort::{Column, Unit, text};

/// Incidence by the event table's dimension, such as the adverse-event term, and by arm, with each two arms compared.
pub(super) fn incidences(readings: &[Reading<'_>]) -> Vec<Finding> {
    readings.iter().filter_map(|events| incidence(events, readings)).collect()
}

/// The event answer's arms, each with its denominator's place.
struct Arms<'a> {
    column: Option<&'a Column>,
    list: Vec<Arm>,
}

/// One arm; without arms, everybody.
#[derive(Clone)]
struct Arm {
    word: Option<String>,
    /// Its code in the event answer's arm column; `None` where that answer is of one arm only.
    code: Option<u32>,
    /// Its code in the denominators' arm column; `None` where that answer is of one arm only.
    there: Option<u32>,
}

fn incidence(events: &Reading<'_>, readings: &[Reading<'_>]) -> Option<Finding> {
    let Unit::SubjectAnd(dimension) = events.source.schema().unit() else {
        return None;
    };
    if !events.source.counts_subjects() {
        return None;
    }
    let column = events.source.schema().columns().get(dimension)?;
    let fitting = readings.iter().filter_map(|subjects| Some((subjects, arms(events, subjects, dimension)?)));
    // An answer that calls the arms alike goes before one that only has the same words, one of all subjects before one of some.
    let best = fitting.min_by_key(|(subjects, arms)| {
        let name = |column: Option<&Column>| column.map(|column| column.name.to_ascii_uppercase());
        let conditions = subjects.source.query().terms().len();
        (name(arms.column) != name(subjects.arm_column()), conditions, subjects.axes.len())
    });
    let Some((subjects, arms)) = best else {
        let by = events
            .arm_column()
            .map_or_else(String::new, |arm| format!(", by {} in the same words", arm.name));
        let mut finding = events.finding(Kind::Incidence, Some(column.name.clone()), Vec::new());
        finding.notes.push(format!(
            "Incidence needs the number of subjects: give the answer of a COUNT(*) from the dataset's subject table too{by}, with the same conditions."
        ));
        return Some(finding);
    };
    let rows = terms(events, dimension)
        .into_iter()
        .flat_map(|term| term_rows(events, subjects, &arms, (column, term)));
    let mut finding = events.finding(Kind::Incidence, Some(column.name.clone()), rows.collect());
    finding.sources.push(subjects.place);
    finding.notes = own_conditions(events, subjects, dimension);
    Some(finding)
}

/// How the event answer's arms read in `subjects`; `None` if that answer does not have its denominators.
fn arms<'a>(events: &Reading<'a>, subjects: &Reading<'_>, dimension: usize) -> Option<Arms<'a>> {
    if subjects.source.schema().unit() != Unit::Subject || !same_population(events, subjects, dimension) {
        return None;
    }
    let by_term = |arm: &usize| events.source.query().groups().get(*arm) == Some(&dimension);
    let axis = events.arm.filter(|arm| !by_term(arm)).and_then(|axis| events.axes.get(axis).copied());
    let (column, codes) = match (axis, events.fixed_arm()) {
        (Some(column), _) => {
            (column, (1..=column.bound()).take(512).map(|code| (word(column, code), Some(code))).collect())
        }
        (None, Some((column, code))) => (column, vec![(word(column, code), None)]),
        (None, None) if subjects.fixed_arm().is_some() => return None,
        (None, None) => {
            let everybody = Arm { word: None, code: None, there: None };
            return Some(Arms { column: None, list: vec![everybody] });
        }
    };
    let arm = |(word, code): (String, Option<u32>)| {
        let there = place_of(&word, subjects)?;
        Some(Arm { word: Some(word), code, there })
    };
    // An arm that the denominators do not know would be left out unnoticed.
    let list: Option<Vec<Arm>> = codes.into_iter().map(arm).collect();
    Some(Arms { column: Some(column), list: list? })
}

/// Where an arm is in the denominators: a group, or all of them where they are of this arm only.
fn place_of(arm: &str, subjects: &Reading<'_>) -> Option<Option<u32>> {
    if let Some(column) = subjects.arm_column() {
        let code = (1..=column.bound()).take(512).find(|&code| word(column, code) == arm);
        return code.map(Some);
    }
    let (column, code) = subjects.fixed_arm()?;
    (word(column, code) == arm).then_some(None)
}

/// Whether both answers have the same conditions on the columns that both tables have; arms are matched by their words instead. Case matters in
/// words, and in names it does not.
fn same_population(events: &Reading<'_>, subjects: &Reading<'_>, dimension: usize) -> bool {
    let columns = events.source.schema().columns();
    let is_dimension =
        |column: &Column| columns.get(dimension).is_some_and(|other| other.name == column.name);
    let shared = |reading: &Reading<'_>, other: &Reading<'_>| {
        let arm = reading.fixed_arm().map(|(column, _)| &column.name);
        let mut conditions: Vec<String> = reading
            .terms()
            .filter(|(column, _)| !is_dimension(column) && Some(&column.name) != arm)
            .filter(|(column, _)| {
                other.source.schema().find(&column.name).is_some() || reading.roles.is_arm(column)
            })
            .map(|(column, term)| text::condition_on(&column.name.to_ascii_uppercase(), column, term))
            .collect();
        conditions.sort_unstable();
        conditions
    };
    shared(events, subjects) == shared(subjects, events)
}

/// Says which conditions only one of the tables can have.
fn own_conditions(events: &Reading<'_>, subjects: &Reading<'_>, dimension: usize) -> Vec<String> {
    let only = |reading: &Reading<'_>, other: &Reading<'_>| -> Vec<String> {
        let schema = reading.source.schema();
        let is_term =
            |column: &Column| schema.find(&column.name) == Some(dimension) && schema.unit() != Unit::Subject;
        let own = |column: &Column| {
            !is_term(column)
                && !reading.roles.is_arm(column)
                && other.source.schema().find(&column.name).is_none()
        };
        reading
            .conditions()
            .into_iter()
            .filter(|(column, _)| own(column))
            .map(|(_, condition)| condition)
            .collect()
    };
    let of_events = only(events, subjects).into_iter().map(|condition| {
        format!("{condition} is taken as a condition on the event: the subject table has no such column.")
    });
    let of_subjects = only(subjects, events).into_iter().map(|condition| {
        format!("{condition} is taken to hold for the events too: their table has no such column.")
    });
    of_events.chain(of_subjects).collect()
}

/// The dimension's codes that the answer speaks of.
fn terms(events: &Reading<'_>, dimension: usize) -> Vec<Option<u32>> {
    let position = events.source.query().groups().iter().position(|&group| group == dimension);
    let Some(position) = position else {
        return vec![None];
    };
    let bound = events.axes.get(position).map_or(0, |axis| axis.bound());
    (1..=bound)
        .filter(|code| {
            let here = events.source.total(|codes| codes.get(position) == Some(code));
            here.map_or(true, |figures| figures.count > 0)
        })
        .map(Some)
        .collect()
}

/// Subjects with the event and subjects in all.
type Share = Result<(u64, u64), HiddenCell>;

/// Whether few of a share's subjects, but some, are with the event or without it: fewer than the answers may show. Those without are in no
/// row of the event table, so that no answer about it is judged by them.
fn is_small(share: &Share, threshold: u32) -> bool {
    let small = |count: u64| 0 < count && count < u64::from(threshold);
    share.as_ref().is_ok_and(|&(with, all)| small(with) || small(all.saturating_sub(with)))
}

fn term_rows(
    events: &Reading<'_>,
    subjects: &Reading<'_>,
    arms: &Arms<'_>,
    (column, term): (&Column, Option<u32>),
) -> Vec<Row> {
    let position = events.axes.iter().position(|axis| axis.name == column.name);
    let label = match (
        term,
        events.source.schema().find(&column.name).and_then(|index| events.source.fixed(index)),
    ) {
        (Some(code), _) | (None, Some(code)) => vec![named(column, code)],
        (None, None) => Vec::new(),
    };
    let share = |arm: &Arm| -> Share {
        let with = events.source.total(|codes| {
            let of_term =
                term.is_none() || position.and_then(|position| codes.get(position).copied()) == term;
            of_term && (arm.code.is_none() || events.arm_of(codes) == arm.code)
        })?;
        let all =
            subjects.source.total(|codes| arm.there.is_none() || subjects.arm_of(codes) == arm.there)?;
        Ok((with.count, all.count))
    };
    let mut shares: Vec<(&Arm, Share)> = arms.list.iter().map(|arm| (arm, share(arm))).collect();
    shares.retain(|(_, share)| share.as_ref().map_or(true, |(with, all)| with.max(all) > &0));
    let key = |word: Option<Word>| {
        let arm = arms.column.zip(word).map(|(column, word)| (column.name.clone(), word));
        label.iter().cloned().chain(arm).collect::<Vec<_>>()
    };
    let threshold = events.source.threshold().max(subjects.source.threshold());
    let mut rows: Vec<Row> = shares
        .iter()
        .map(|(arm, share)| share_row(Row::new(key(arm.word.clone().map(Word::One))), share, threshold))
        .collect();
    let list: Vec<&(&Arm, Share)> = shares.iter().collect();
    let few = u32::try_from(list.len()).is_ok_and(|number| number <= super::MOST_COMPARED);
    let is_reference =
        |(arm, _): &&(&Arm, Share)| arm.word.as_ref().is_some_and(|word| events.roles.is_reference(word));
    for (first, second) in ordered_pairs(if few { &list } else { &[] }, is_reference) {
        let words = first.0.word.clone().zip(second.0.word.clone());
        let words = words.map(|(first, second)| Word::Versus(first, second));
        rows.push(comparison_row(Row::new(key(words)), &first.1, &second.1, threshold));
    }
    rows
}

fn share_row(row: Row, share: &Share, threshold: u32) -> Row {
    if is_small(share, threshold) {
        return row
            .with("subjects_with", WITHHELD)
            .with("subjects", share.clone().map(|(_, all)| all))
            .with("percent", WITHHELD);
    }
    let percentage = |(with, all): &(u64, u64)| {
        if with > all { MORE_THAN_ALL } else { percent(*with, *all) }
    };
    row.with("subjects_with", share.clone().map(|(with, _)| with))
        .with("subjects", share.clone().map(|(_, all)| all))
        .with("percent", share.as_ref().map(percentage).map_err(Clone::clone))
}

const MORE_THAN_ALL: Figure =
    Figure::Undefined("more subjects with the event than subjects: the answers are not of one population");

const WITHHELD: Figure = Figure::Withheld(
    "some subjects are with the event or without it, but fewer than the disclosure threshold",
);

fn comparison_row(row: Row, first: &Share, second: &Share, threshold: u32) -> Row {
    if is_small(first, threshold) || is_small(second, threshold) {
        return row.with("risk_ratio", WITHHELD);
    }
    let both = first.clone().and_then(|first| Ok((first, second.clone()?)));
    let impossible = both.as_ref().is_ok_and(|(a, b)| a.0 > a.1 || b.0 > b.1);
    if impossible {
        return row.with("risk_ratio", MORE_THAN_ALL);
    }
    let without = |(with, all): (u64, u64)| (with, all.saturating_sub(with));
    let table: Result<Fourfold, HiddenCell> =
        both.map(|(first, second)| cells(without(first), without(second)));
    ratios(row, &table).with("fisher_p", table.map(|table| Figure::Number(table.fisher())))
}
