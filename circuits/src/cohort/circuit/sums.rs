//! The running sums: which fraction each adds in which row. All fractions of all rows add up to 0.
//!
//! In a record row the sums are, in this order: one for each term, the rows' numbers, the groups, one for each dictionary. In the head
//! a sum takes whatever lookup the row has.

use super::{
    row::{Draw, Identity, Row, Value},
    shape::{Internal, LIMBS, Slot, Variable},
};
use crate::cohort::instances::Statistic;

/// `numerator / pole`.
pub(super) struct Fraction<V> {
    pub(super) numerator: V,
    pub(super) pole: V,
}

/// What the sums add in one row, by sum; `None` adds nothing.
pub(super) type Fractions<V> = Vec<Option<Fraction<V>>>;

fn weight<R: Row>(row: &R, identity: Identity) -> R::Value {
    row.challenge(Draw::Weight(identity))
}

fn alpha<R: Row>(row: &R) -> R::Value {
    row.challenge(Draw::Alpha)
}

fn zero<V: Value>() -> V {
    V::number(0)
}

/// `alpha - place - delta * entry`, the terms' dictionaries apart.
fn dictionary_pole<R: Row>(row: &R, term: usize, place: R::Value, entry: R::Value) -> R::Value {
    let pole = alpha(row) - place - row.challenge(Draw::Delta) * entry;
    if term == 0 { pole } else { pole - row.challenge(Draw::Tag) * R::Value::number(term as u64) }
}

/// `sum_s gamma_s * statistic(s)`, the count's weight being 1.
fn figures<R: Row>(row: &R, figure: impl Fn(usize) -> R::Value) -> R::Value {
    let places = 1..row.shape().statistics().len();
    places.fold(figure(0), |sum, place| sum + row.challenge(Draw::Gamma(place)) * figure(place))
}

/// A record row, which is also an entry of the dictionaries and a row number.
pub(super) fn record<R: Row>(row: &R) -> Fractions<R::Value> {
    let terms = row.shape().class.terms();
    let eta = row.challenge(Draw::Eta);
    let mut fractions = Vec::with_capacity(row.shape().sums());
    for term in 0..terms {
        let passes = row.one() + eta.clone() * row.internal(Internal::Bit(term));
        fractions.push(Some(Fraction {
            numerator: weight(row, Identity::Term(term)) * passes,
            pole: alpha(row) - row.slot(Slot::Rank(term)),
        }));
    }
    fractions.push(Some(numbers(row)));
    fractions.push(Some(groups(row)));
    for term in 0..terms {
        let looked = row.internal(Internal::Looked(term));
        fractions.push(Some(Fraction {
            numerator: zero::<R::Value>() - weight(row, Identity::Dictionary) * looked,
            pole: dictionary_pole(row, term, row.number(), row.slot(Slot::Dictionary(term))),
        }));
    }
    fractions
}

/// What stands at the pole of the row's own number: the terms' tables, the steps of the endpoints, range checks; and, without a pole,
/// the rows that do not pass.
fn numbers<R: Row>(row: &R) -> Fraction<R::Value> {
    let pole = alpha(row) - row.number();
    let left_out = row.slot(Slot::Consent) - row.filter();
    let mut numerator = weight(row, Identity::Rest) * left_out * pole.clone();
    for term in 0..row.shape().class.terms() {
        let (low, high) = (Internal::Low(term), Internal::High(term));
        let passes = row.next_internal(low) - row.next_internal(high);
        let seen = row.internal(Internal::Seen(term)) * (row.one() + row.challenge(Draw::Eta) * passes);
        numerator = numerator - weight(row, Identity::Term(term)) * seen
            + weight(row, Identity::Low(term)) * (row.next_internal(low) - row.internal(low))
            + weight(row, Identity::High(term)) * (row.next_internal(high) - row.internal(high));
    }
    numerator = numerator - weight(row, Identity::Range) * row.internal(Internal::Ranged);
    Fraction { numerator, pole }
}

fn groups<R: Row>(row: &R) -> Fraction<R::Value> {
    let shape = row.shape();
    let group = (0..shape.class.groups()).fold(zero::<R::Value>(), |sum, group| {
        sum + row.slot(Slot::Group(group)) * R::Value::number(1 << (10 * group))
    });
    let statistics = shape.statistics();
    let figures = figures(row, |place| {
        let weighted = |value| row.internal(Internal::Weighted(value));
        match statistics[place] {
            Statistic::Count => row.filter(),
            Statistic::Nonmissing(value) => row.filter() * row.slot(Slot::Flag(value)),
            Statistic::Sum(value) => weighted(value),
            Statistic::Squares(value) => weighted(value) * row.slot(Slot::Value(value)),
            Statistic::Pairs => row.internal(Internal::Both) * row.slot(Slot::Flag(1)),
            Statistic::PairSum(value) => weighted(value) * row.slot(Slot::Flag(1 - value)),
            Statistic::Products => weighted(0) * row.slot(Slot::Value(1)),
        }
    });
    Fraction { numerator: weight(row, Identity::Group) * figures, pole: alpha(row) - group }
}

/// A lookup of a row's number.
fn ranged<R: Row>(row: &R, number: R::Value) -> Option<Fraction<R::Value>> {
    Some(Fraction { numerator: weight(row, Identity::Range), pole: alpha(row) - number })
}

/// The lookups that comparisons with the threshold need in the row of a cell or of the rest.
fn margins<R: Row>(row: &R) -> impl Iterator<Item = Option<Fraction<R::Value>>> {
    let tests = row.shape().tested().len();
    (0..tests).map(|test| ranged(row, row.variable(Variable::Margin(test))))
}

/// The row of a cell.
pub(super) fn cell<R: Row>(row: &R) -> Fractions<R::Value> {
    let figures = figures(row, |place| row.variable(Variable::Figure(place)));
    let key = Fraction {
        numerator: zero::<R::Value>() - weight(row, Identity::Group) * figures,
        pole: alpha(row) - row.key(),
    };
    let distance = ranged(row, row.variable(Variable::Distance));
    padded(row, std::iter::once(Some(key)).chain(margins(row)).chain([distance]))
}

/// The row of the rest.
pub(super) fn rest<R: Row>(row: &R) -> Fractions<R::Value> {
    let count = Fraction {
        numerator: zero::<R::Value>() - weight(row, Identity::Rest) * row.variable(Variable::Figure(0)),
        pole: row.one(),
    };
    padded(row, std::iter::once(Some(count)).chain(margins(row)))
}

/// The row of the verdict: three range checks.
pub(super) fn verdict<R: Row>(row: &R) -> Fractions<R::Value> {
    padded(row, super::verdict::CHECKED.into_iter().map(|place| ranged(row, row.free(place))))
}

/// A row of limbs.
pub(super) fn limbs<R: Row>(row: &R) -> Fractions<R::Value> {
    padded(row, (1..=LIMBS).map(|limb| ranged(row, row.free(limb))))
}

/// The row of an endpoint of `term`: its step, and the two entries beside it.
pub(super) fn endpoint<R: Row>(row: &R, term: usize) -> Fractions<R::Value> {
    use super::endpoint::{ABOVE, BELOW, BEYOND, PLACE, POSITION};
    let upper = row.number();
    let weights = weight(row, Identity::Low(term)) * (row.one() - upper.clone())
        + weight(row, Identity::High(term)) * upper;
    let position = row.free(POSITION);
    let step = Fraction {
        numerator: zero::<R::Value>() - weights * (row.one() - row.free(BEYOND)),
        pole: alpha(row) - position.clone(),
    };
    let entry = |place, entry| {
        Some(Fraction {
            numerator: weight(row, Identity::Dictionary),
            pole: dictionary_pole(row, term, place, entry),
        })
    };
    let below = entry(position - row.one(), row.free(BELOW));
    let above = entry(row.free(PLACE), row.free(ABOVE));
    padded(row, [Some(step), below, above].into_iter())
}

fn padded<R: Row>(
    row: &R,
    fractions: impl Iterator<Item = Option<Fraction<R::Value>>>,
) -> Fractions<R::Value> {
    let mut fractions: Fractions<R::Value> = fractions.collect();
    fractions.resize_with(row.shape().sums(), || None);
    fractions
}
