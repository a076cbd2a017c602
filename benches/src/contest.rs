//! Several ways to do the same work, taking turns, so that a busy moment of the machine falls on all of them.

use crate::clock::{Cost, measure};
use anyhow::{Context, Result};

/// One way to do the work.
pub struct Contestant<'a, T> {
    /// Its name in the report; what is this project's begins with `ours`.
    pub name: String,
    /// The work of one round, measured.
    pub work: Box<dyn FnMut(u16) -> Result<T> + 'a>,
}

impl<'a, T> Contestant<'a, T> {
    /// A contestant.
    pub fn new(name: impl Into<String>, work: impl FnMut(u16) -> Result<T> + 'a) -> Self {
        Self { name: name.into(), work: Box::new(work) }
    }
}

/// What each contestant's runs of one case took.
pub struct Measured {
    /// The case.
    pub case: String,
    /// The runs by contestant.
    pub contestants: Vec<(String, Vec<Cost>)>,
}

/// Round after round, each starting with another contestant. The first round warms up and is not counted. `check`, which is
/// not measured, judges every result.
///
/// # Errors
/// A contestant's, and those of `check`.
pub fn interleave<T>(
    case: impl Into<String>,
    mut contestants: Vec<Contestant<'_, T>>,
    rounds: u16,
    mut check: impl FnMut(u16, &T) -> Result<()>,
) -> Result<Measured> {
    let case = case.into();
    let mut costs: Vec<Vec<Cost>> = contestants.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        for turn in 0..contestants.len() {
            let at = (usize::from(round) + turn) % contestants.len();
            let Contestant { name, work } = &mut contestants[at];
            let (result, cost) = measure(|| work(round));
            let what = || format!("{case}: {name}");
            check(round, &result.with_context(what)?).with_context(what)?;
            if round > 0 {
                costs[at].push(cost);
            }
        }
    }
    let names = contestants.into_iter().map(|contestant| contestant.name);
    Ok(Measured { case, contestants: names.zip(costs).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::ensure;
    use std::cell::RefCell;

    #[test]
    fn lets_each_begin_in_turn_and_judges_every_result() -> Result<()> {
        let order = RefCell::new(String::new());
        let contestant = |name: &'static str| {
            let order = &order;
            Contestant::new(name, move |_| {
                order.borrow_mut().push_str(name);
                Ok(name)
            })
        };
        let mut judged = 0;
        let measured = interleave("case", vec![contestant("a"), contestant("b")], 2, |_, _| {
            judged += 1;
            Ok(())
        })?;
        assert_eq!((order.borrow().as_str(), judged), ("abbaab", 6));
        assert!(measured.contestants.iter().all(|(_, costs)| costs.len() == 2));
        let refused = interleave("case", vec![contestant("a")], 1, |_, _| {
            ensure!(false, "wrong");
            Ok(())
        });
        assert!(refused.is_err());
        Ok(())
    }
}
