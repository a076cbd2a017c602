//! Names like a mistyped one.

/// `; near it: a, b`, with at most five of `names`, or nothing.
pub(super) fn near<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> String {
    let wanted = wanted.to_lowercase();
    let allowed = wanted.chars().count() / 3 + 1;
    let mut found: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let part = wanted.chars().count() > 2 && lower.contains(&wanted);
            let distance = if part { 0 } else { distance(&wanted, &lower) };
            (distance <= allowed).then_some((distance, name))
        })
        .collect();
    found.sort_unstable();
    let names: Vec<&str> = found.into_iter().take(5).map(|(_, name)| name).collect();
    if names.is_empty() { String::new() } else { format!("; near it: {}", names.join(", ")) }
}

/// Insertions, deletions and replacements between two words (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, l) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (column, r) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(l != *r);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(
            near("plcebo", ["Xanomeline", "Placebo", "Place"].into_iter()),
            "; near it: Placebo, Place"
        );
        assert_eq!(near("zzzz", ["Placebo"].into_iter()), "");
        assert_eq!(near("high", ["Xanomeline High Dose"].into_iter()), "; near it: Xanomeline High Dose");
    }
}
