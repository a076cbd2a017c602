//! An answer's times and events, arm by arm.

use super::Reading;
use crate::statistics::{
    Word,
    derive::{counts::is_ordered, named},
    interval::ascending_bins,
    roles::{Event, Meaning},
    source::HiddenCell,
    survival::{Exits, Exposure},
    words::{value, word},
};
use nightingale_circuits::cohort::{Column, Figures, Kind};

/// Where an answer has its time and its events.
pub(super) struct Clock<'a> {
    reading: &'a Reading<'a>,
    time: usize,
    event: Event,
    place: EventPlace,
}

/// Where the event is known from.
#[derive(Clone, Copy)]
enum EventPlace {
    /// A group column.
    Group(usize),
    /// A value column, summed.
    Value(usize),
}

/// One arm's exposure.
pub(super) struct Arm<'a> {
    /// The answer's place.
    pub(super) place: usize,
    /// The arm in words; empty when there are none.
    pub(super) key: Vec<(String, Word)>,
    /// Exits by time; by the interval's rank when the time is in intervals.
    pub(super) exposure: Result<Exposure, HiddenCell>,
    /// Rows without a time or without knowledge of the event.
    pub(super) excluded: Result<u64, HiddenCell>,
    /// The time column.
    pub(super) time: &'a Column,
    /// The time's codes in ascending order, when they are intervals.
    pub(super) bins: Option<Vec<u32>>,
    /// What it is, in words.
    pub(super) title: String,
    /// Its code in the arm's column; `None` where there are no arms.
    code: Option<u32>,
    /// Whether others are compared with it.
    pub(super) is_reference: bool,
}

impl Arm<'_> {
    /// Whether tests compare it: a missing arm is none, whatever the words of the others are.
    pub(super) fn is_compared(&self) -> bool {
        self.code.is_some_and(|code| code != 0)
    }

    /// Whether two answers of one table are about this arm.
    pub(super) fn is(&self, other: &Self) -> bool {
        (&self.key, self.code) == (&other.key, other.code)
    }
}

impl<'a> Clock<'a> {
    /// The clock of an answer, if it has a time among its groups and knows of events.
    pub(super) fn of(reading: &'a Reading<'a>) -> Option<Self> {
        let event = reading.roles.event(reading.source)?;
        let is_event = |column: &Column| column.name.eq_ignore_ascii_case(&event.column);
        let group = reading.axes.iter().position(|axis| is_event(axis)).map(EventPlace::Group);
        let summed = || reading.source.values().into_iter().position(is_event).map(EventPlace::Value);
        let place = group.or_else(summed)?;
        let ordered = reading.axes.iter().enumerate().filter(|(_, axis)| is_ordered(axis) && !is_event(axis));
        let by_name = ordered.clone().find(|(_, axis)| reading.roles.is_time(axis));
        let other = || {
            let mut others = ordered.filter(|(axis, _)| Some(*axis) != reading.arm);
            others.next().filter(|_| reading.roles.is_surely_survival(&event))
        };
        let (time, _) = by_name.or_else(other)?;
        Some(Self { reading, time, event, place })
    }

    fn time(&self) -> Option<&'a Column> {
        self.reading.axes.get(self.time).copied()
    }

    /// Time and event in words.
    pub(super) fn title(&self) -> String {
        let time = self.time().map(|column| column.name.as_str()).unwrap_or_default();
        let meaning = match &self.event.meaning {
            Meaning::OneIsEvent => " = 1".to_owned(),
            Meaning::ZeroIsEvent => " = 0".to_owned(),
            Meaning::Words(words) => format!(" in ({})", words.join(", ")),
        };
        format!("{time}, event {}{meaning}", self.event.column)
    }

    /// What answers must share to be arms of one study.
    pub(super) fn study(&self) -> String {
        let fixed = self.reading.fixed_arm().map(|(column, _)| &column.name);
        let others: Vec<String> = self
            .reading
            .conditions()
            .into_iter()
            .filter(|(column, _)| self.reading.arm.is_some() || Some(&column.name) != fixed)
            .map(|(_, condition)| condition)
            .collect();
        format!("{} {} {}", self.reading.source.schema().table(), self.title(), others.join(" AND "))
    }

    /// The position of the axis that holds the arms.
    fn arm_axis(&self) -> Option<usize> {
        let is_event = |axis: usize| matches!(self.place, EventPlace::Group(place) if place == axis);
        self.reading.arm.filter(|&axis| axis != self.time && !is_event(axis))
    }

    /// All arms with somebody in them.
    ///
    /// # Errors
    /// In words, why the events cannot be told.
    pub(super) fn arms(&self) -> Result<Vec<Arm<'a>>, String> {
        if let EventPlace::Value(place) = self.place {
            let values = self.reading.source.values();
            let is_flag = |column: &&&Column| {
                matches!(column.kind, Kind::Integer { minimum: 0 | 1, maximum: 0 | 1, scale: 0 })
            };
            if values.get(place).filter(is_flag).is_none() || matches!(self.event.meaning, Meaning::Words(_))
            {
                let name = &self.event.column;
                return Err(format!(
                    "{name} may be something else than 0 or 1, so its sum does not tell events: GROUP BY {name} too."
                ));
            }
        }
        let Some(axis) = self.arm_axis() else {
            let fixed = self.reading.fixed_arm();
            let key = fixed.map(|(column, code)| named(column, code)).into_iter().collect();
            return Ok(self.arm(None, key).into_iter().collect());
        };
        let bound = self.reading.axes.get(axis).map_or(0, |column| column.bound());
        let codes = (1..=bound).chain([0]);
        let arms = codes.filter_map(|code| self.arm(Some((axis, code)), self.reading.key_at(axis, code)));
        Ok(arms.filter(|arm| arm.exposure.as_ref().map_or(true, |times| !times.is_empty())).collect())
    }

    fn arm(&self, group: Option<(usize, u32)>, key: Vec<(String, Word)>) -> Option<Arm<'a>> {
        let time = self.time()?;
        let bins = ascending_bins(time);
        let mut exposure: Result<Exposure, HiddenCell> = Ok(Exposure::new());
        let mut excluded: Result<u64, HiddenCell> = Ok(0);
        for (codes, _) in self.reading.source.cells() {
            if group.is_some_and(|(axis, code)| codes.get(axis) != Some(&code)) {
                continue;
            }
            let code = codes.get(self.time).copied().unwrap_or(0);
            let rank = |bins: &Vec<u32>| i64::try_from(bins.iter().position(|&bin| bin == code)?).ok();
            let when = bins.as_ref().map_or_else(|| value(time, code), rank);
            let known = self.knows(codes);
            let figures = self.reading.source.total(|other| other == codes);
            match (figures, when.filter(|_| known)) {
                (Ok(figures), Some(when)) => {
                    let (exits, unknown) = self.exits(codes, &figures);
                    if let Ok(exposure) = exposure.as_mut().map(|times| times.entry(when).or_default()) {
                        exposure.events = exposure.events.saturating_add(exits.events);
                        exposure.censored = exposure.censored.saturating_add(exits.censored);
                    }
                    excluded = excluded.map(|sum| sum.saturating_add(unknown));
                }
                (Ok(figures), None) => excluded = excluded.map(|sum| sum.saturating_add(figures.count)),
                (Err(cell), None) => excluded = Err(cell),
                (Err(cell), Some(_)) => {
                    // Whoever left in a hidden cell was at risk until then: the curve is unknown from its start.
                    exposure = exposure.and(Err(cell.clone()));
                    excluded = excluded.and(Err(cell));
                }
            }
        }
        if let Ok(exposure) = &mut exposure {
            exposure.retain(|_, exits| exits.all() > 0);
        }
        let column = group.and_then(|(axis, _)| self.reading.axes.get(axis).copied());
        let arm = match (column.zip(group), self.reading.fixed_arm()) {
            (Some((column, (_, code))), _) | (None, Some((column, code))) => Some((column, code)),
            (None, None) => None,
        };
        Some(Arm {
            place: self.reading.place,
            key,
            exposure,
            excluded,
            time,
            bins,
            title: self.title(),
            code: arm.map(|(_, code)| code),
            is_reference: arm
                .is_some_and(|(column, code)| self.reading.roles.is_reference(&word(column, code))),
        })
    }

    /// Whether a cell's rows are known to have the event or not.
    fn knows(&self, codes: &[u32]) -> bool {
        match self.place {
            EventPlace::Group(axis) => self.happened(axis, codes).is_some(),
            EventPlace::Value(_) => true,
        }
    }

    fn happened(&self, axis: usize, codes: &[u32]) -> Option<bool> {
        self.event.happened(self.reading.axes.get(axis)?, codes.get(axis).copied()?)
    }

    /// Who leaves in a cell, and how many more have no known event.
    fn exits(&self, codes: &[u32], figures: &Figures) -> (Exits, u64) {
        match self.place {
            EventPlace::Group(axis) => {
                let event = self.happened(axis, codes) == Some(true);
                let (events, censored) = if event { (figures.count, 0) } else { (0, figures.count) };
                (Exits { events, censored }, 0)
            }
            EventPlace::Value(place) => {
                let value = figures.values.get(place).copied().unwrap_or_default();
                let offset =
                    self.reading.source.values().get(place).and_then(|column| column.offset()).unwrap_or(0);
                let ones = u64::try_from(value.sum(offset)).unwrap_or(0).min(value.nonmissing);
                let rest = value.nonmissing.saturating_sub(ones);
                let zero_is_event = self.event.meaning == Meaning::ZeroIsEvent;
                let (events, censored) = if zero_is_event { (rest, ones) } else { (ones, rest) };
                (Exits { events, censored }, figures.count.saturating_sub(value.nonmissing))
            }
        }
    }
}
