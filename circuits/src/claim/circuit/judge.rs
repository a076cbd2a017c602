//! The rules, line by line: one bit per reason, all but the benefit maximum.

use super::{
    super::{
        gadgets::{
            calendar::{FUTURE_DATE_BITS, day_of_year, plus_years, split},
            numbers::{any, at_most, bits, is_equal, not, number, or, select},
        },
        reasons::{REASONS, Reason},
        types::{DATE_BITS, MAX_POINTERS, REPEAT_BITS, UNITS_BITS},
    },
    Shared,
    header::LineWires,
    lookups::RowWires,
};
use crate::r1cs::{Builder, Wire};

/// Bits of a group's count over the pointed diagnoses: at most [`MAX_POINTERS`].
const COUNT_BITS: u32 = 3;
const _: () = assert!(MAX_POINTERS < 1 << COUNT_BITS);
/// Bits of the units that a claim's lines use together.
const USED_UNITS_BITS: u32 = UNITS_BITS + 4;

/// A judged line.
pub(super) struct JudgedLine {
    /// Which line it is.
    pub(super) index: usize,
    /// Whether it passes every rule but the benefit maximum, as a bit.
    pub(super) covered: Wire,
    /// Reasons by bit.
    pub(super) reasons: Vec<Wire>,
    /// Whether it is covered by way of the authorisation, as a bit.
    pub(super) authorised: Wire,
}

/// Judges line `index`; `used_units` is what earlier lines took of the authorisation.
pub(super) fn line(b: &mut Builder, shared: &Shared, index: usize, used_units: &Wire) -> JudgedLine {
    let header = &shared.header;
    let lookups = &shared.lookups;
    let line = &header.lines[index];
    let row = &lookups.rows[index];
    let zero = b.constant(0u64);
    let mut reasons = vec![zero.clone(); REASONS];
    let mut set = |reason: Reason, bit: Wire| reasons[reason as usize] = bit;

    let (from, through) = dates(b, shared, line);
    let enrolled = b.multiply(&lookups.enrolment.present, &line.present);
    let [before, after] = coverage(b, shared, line, &enrolled);
    set(Reason::BeforeCoverage, before);
    set(Reason::AfterCoverage, after);
    set(Reason::NotInsured, not_insured(b, shared, line));
    set(Reason::WrongPayer, wrong_payer(b, shared, line, &enrolled));

    let same_network = is_equal(b, &lookups.billing.network, &lookups.enrolment.network);
    let in_network = b.multiply(&same_network, &lookups.billing.present);
    let out_of_network = not(b, &in_network);
    let restricted = b.multiply(&row.present, &row.network_only);
    let outside = b.multiply(&restricted, &out_of_network);
    set(Reason::NotCovered, &(&enrolled - &row.present) + &outside);

    set(Reason::Diagnosis, unsupported(b, shared, line, row));

    let youngest = plus_years(b, &lookups.enrolment.birth, &row.min_age);
    let one = b.constant(1u64);
    let oldest = plus_years(b, &lookups.enrolment.birth, &(&row.max_age + &one));
    let old_enough = at_most(b, &youngest, &from, FUTURE_DATE_BITS);
    let too_old = at_most(b, &oldest, &from, FUTURE_DATE_BITS);
    let too_young = not(b, &old_enough);
    let wrong_age = or(b, &too_young, &too_old);
    set(Reason::Age, b.multiply(&row.present, &wrong_age));

    let for_any = b.is_zero(&row.sex);
    let for_member = is_equal(b, &row.sex, &lookups.enrolment.sex);
    let fits = or(b, &for_any, &for_member);
    let wrong_sex = not(b, &fits);
    set(Reason::Sex, b.multiply(&row.present, &wrong_sex));

    let few = at_most(b, &line.units, &row.max_units, UNITS_BITS);
    let rare = at_most(b, &line.repeat, &row.max_repeat, REPEAT_BITS);
    let fits = b.multiply(&few, &rare);
    let too_many = not(b, &fits);
    set(Reason::Frequency, b.multiply(&row.present, &too_many));

    let needed = b.multiply(&row.present, &row.needs_authorisation);
    let [absent, mismatch, exceeded] = authorisation(b, shared, line, &needed, used_units);
    set(Reason::AuthorisationAbsent, absent);
    set(Reason::AuthorisationMismatch, mismatch);
    set(Reason::AuthorisationExceeded, exceeded);

    let anchor = select(b, &row.filing_from_through, &through, &from);
    let anchor = split(b, &anchor);
    let deadline = &plus_years(b, &anchor, &row.filing_years) + &row.filing_days;
    let in_time = at_most(b, &header.received, &deadline, FUTURE_DATE_BITS);
    let late = not(b, &in_time);
    set(Reason::Late, b.multiply(&row.present, &late));

    let [billing, rendering] = [&lookups.billing, &lookups.rendering]
        .map(|provider| within(b, &provider.from, &provider.to, line, &provider.usable));
    let providers = b.multiply(&billing, &rendering);
    let unenrolled = not(b, &providers);
    set(Reason::Provider, b.multiply(&line.present, &unenrolled));

    let fails = any(b, &reasons);
    let passes = not(b, &fails);
    let covered = b.multiply(&line.present, &passes);
    let authorised = b.multiply(&covered, &row.needs_authorisation);
    JudgedLine { index, covered, reasons, authorised }
}

/// Enforces the order of the dates and the benefit year; an absent line takes the year's first day.
fn dates(b: &mut Builder, shared: &Shared, line: &LineWires) -> (Wire, Wire) {
    let year = &shared.lookups.account.year;
    let absent = not(b, &line.present);
    let start = b.multiply(&absent, &year.start);
    let (from, through) = (&line.from + &start, &line.through + &start);
    day_of_year(b, year, &(&from - &year.start));
    bits(b, &(&through - &from), DATE_BITS);
    bits(b, &(&shared.header.received - &through), DATE_BITS);
    (from, through)
}

/// `when` and `from <= line.from` and `line.through <= to`, as a bit.
fn within(b: &mut Builder, from: &Wire, to: &Wire, line: &LineWires, when: &Wire) -> Wire {
    let begun = at_most(b, from, &line.from, DATE_BITS);
    let lasts = at_most(b, &line.through, to, DATE_BITS);
    let inside = b.multiply(&begun, &lasts);
    b.multiply(&inside, when)
}

/// Reasons 26 and 27.
fn coverage(b: &mut Builder, shared: &Shared, line: &LineWires, enrolled: &Wire) -> [Wire; 2] {
    let enrolment = &shared.lookups.enrolment;
    let begun = at_most(b, &enrolment.from, &line.from, DATE_BITS);
    let lasts = at_most(b, &line.through, &enrolment.to, DATE_BITS);
    let in_force = b.multiply(&lasts, &enrolment.active);
    let not_begun = not(b, &begun);
    let ended = not(b, &in_force);
    [b.multiply(enrolled, &not_begun), b.multiply(enrolled, &ended)]
}

/// Reason 31.
fn not_insured(b: &mut Builder, shared: &Shared, line: &LineWires) -> Wire {
    let enrolment = &shared.lookups.enrolment;
    let same = is_equal(b, &enrolment.member, &shared.header.patient);
    let insured = b.multiply(&enrolment.present, &same);
    let other = not(b, &insured);
    b.multiply(&line.present, &other)
}

/// Reason 109.
fn wrong_payer(b: &mut Builder, shared: &Shared, line: &LineWires, enrolled: &Wire) -> Wire {
    let header = &shared.header;
    let same_payer = is_equal(b, &header.insurer, &shared.lookups.payer);
    let other_payer = not(b, &same_payer);
    let other_payer = b.multiply(&line.present, &other_payer);
    let unnamed = b.is_zero(&header.plan);
    let same_plan = is_equal(b, &header.plan, &shared.lookups.enrolment.plan);
    let fits = or(b, &unnamed, &same_plan);
    let other_plan = not(b, &fits);
    let other_plan = b.multiply(enrolled, &other_plan);
    or(b, &other_payer, &other_plan)
}

/// Reason 11: the row asks for groups and no pointed diagnosis is in one of them.
///
/// Each diagnosis' bitmap is spread to digits of three bits; the pointed ones are added, at most four to a digit.
fn unsupported(b: &mut Builder, shared: &Shared, line: &LineWires, row: &RowWires) -> Wire {
    let zero = b.constant(0u64);
    let mut counts = zero.clone();
    for (bitmap, pointer) in shared.lookups.groups.iter().zip(&line.pointers) {
        let spread = bitmap
            .iter()
            .enumerate()
            .fold(zero.clone(), |sum, (i, bit)| &sum + &bit.shift(COUNT_BITS * i as u32));
        counts = &counts + &b.multiply(pointer, &spread);
    }
    let digits = bits(b, &counts, COUNT_BITS * row.groups.len() as u32);
    let mut support = zero.clone();
    for (asked, digit) in row.groups.iter().zip(digits.chunks(COUNT_BITS as usize)) {
        let count = number(b, digit);
        support = &support + &b.multiply(asked, &count);
    }
    let supported = any(b, std::slice::from_ref(&support));
    let asks = any(b, &row.groups);
    b.multiply(&row.present, &(&asks - &supported))
}

/// Reasons 197, 15 and 198.
fn authorisation(
    b: &mut Builder,
    shared: &Shared,
    line: &LineWires,
    needed: &Wire,
    used_units: &Wire,
) -> [Wire; 3] {
    let given = &shared.lookups.authorisation;
    let shown = b.multiply(needed, &given.present);
    let same_code = is_equal(b, &given.code, &line.code);
    let fits = b.multiply(&same_code, &given.covers);
    let fits = within(b, &given.from, &given.to, line, &fits);
    let usable = b.multiply(&shown, &fits);
    let enough = at_most(b, &(used_units + &line.units), &given.units, USED_UNITS_BITS);
    let short = not(b, &enough);
    let exceeded = b.multiply(&usable, &short);
    [needed - &shown, &shown - &usable, exceeded]
}
