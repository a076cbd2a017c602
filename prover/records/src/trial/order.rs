//! The order of a table's rows: ascending in the unit, each unit once.

use super::Reduce;

/// Two places of one unit.
pub(super) struct Repeated {
    /// The earlier place.
    pub(super) first: usize,
    /// The later place.
    pub(super) second: usize,
}

/// The places of rows in ascending order of `(subject, dimension)`. Of places with one key the first stays, or they are refused.
pub(super) fn order(
    subject: &[u32],
    dimension: Option<&[u32]>,
    reduce: Option<Reduce>,
) -> Result<Vec<usize>, Repeated> {
    let key = |place: usize| (subject[place], dimension.map_or(0, |dimension| dimension[place]));
    let mut places: Vec<usize> = (0..subject.len()).collect();
    // Stable: places of one key stay in the file's order.
    places.sort_by_key(|&place| key(place));
    match reduce {
        Some(Reduce::First) => places.dedup_by_key(|place| key(*place)),
        None => {
            let repeated =
                places.windows(2).filter(|pair| key(pair[0]) == key(pair[1])).min_by_key(|pair| pair[1]);
            if let Some(pair) = repeated {
                return Err(Repeated { first: pair[0], second: pair[1] });
            }
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_unit_stays_or_the_pair_is_named() {
        let (subject, term) = ([2, 1, 2, 1, 2], [7, 3, 7, 1, 5]);
        assert!(matches!(order(&subject, Some(&term), None), Err(Repeated { first: 0, second: 2 })));
        assert_eq!(order(&subject, Some(&term), Some(Reduce::First)).ok(), Some(vec![3, 1, 4, 0]));
        assert!(matches!(order(&subject, None, None), Err(Repeated { first: 0, second: 2 })));
        assert_eq!(order(&[3, 1, 2], None, None).ok(), Some(vec![1, 2, 0]));
    }
}
