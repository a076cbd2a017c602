//! Nothing in the circuit is left free: every variable follows from the prover's inputs, and is tied down.

use super::case::{Case, shape, values};
use nightingale_circuits::{
    Fr,
    claim::{circuit::Inputs, *},
    r1cs::{Origin, R1cs, Row},
};
use std::collections::BTreeMap;

/// Claims that between them switch every lookup on and off.
fn assignments(class: SizeClass) -> Vec<(Inputs, Vec<Fr>)> {
    let plain = Case::new(class.lines().min(2));
    let mut authorised = Case::new(class.lines());
    authorised.rows[0].needs_authorisation = true;
    authorised.claim.authorisation = Some(Id::from_text("auth"));
    let balances = Balances { deductible: 100, out_of_pocket: 4_000, maximum: 9_000 };
    let authorised = authorised.with_account(3, balances);
    let mut unknown = Case::new(1);
    unknown.claim.coverage = Id::from_text("unknown");
    [plain, authorised, unknown]
        .into_iter()
        .map(|case| {
            let request = case.request();
            let mut public = adjudicate(&request).unwrap().public;
            public.nullifiers.resize(class.lines(), Fr::from(0u64));
            let inputs = Inputs::new(&request, class, public);
            let values = values(&inputs);
            (inputs, values)
        })
        .collect()
}

fn rows_of(r1cs: &R1cs) -> Vec<Vec<usize>> {
    let mut rows = vec![Vec::new(); r1cs.variables];
    for i in 0..r1cs.a.len() {
        for (_, column) in [&r1cs.a[i], &r1cs.b[i], &r1cs.c[i]].into_iter().flatten() {
            if rows[*column].last() != Some(&i) {
                rows[*column].push(i);
            }
        }
    }
    rows
}

#[test]
fn every_variable_is_used_twice_and_an_inverse_once() {
    for class in SizeClass::ALL {
        let r1cs = shape(class);
        assert_eq!(r1cs.origins.len(), r1cs.variables);
        for (column, rows) in rows_of(r1cs).iter().enumerate() {
            match r1cs.origins[column] {
                Origin::Inverse => assert_eq!(rows.len(), 1, "inverse {column}"),
                Origin::Public => assert!(!rows.is_empty(), "public input {column} is not constrained"),
                _ => assert!(
                    rows.len() >= 2,
                    "{column} in {}",
                    rows.first().map_or("-", |r| r1cs.section_of(*r))
                ),
            }
        }
    }
}

#[test]
fn changing_any_single_variable_violates_a_constraint() {
    let class = SizeClass::Two;
    let r1cs = shape(class);
    let rows = rows_of(r1cs);
    let dot = |row: &Row, z: &[Fr]| row.iter().map(|(k, i)| *k * z[*i]).sum::<Fr>();
    let change = Fr::from(0x9e37_79b9_7f4a_7c15u64);
    for (inputs, z) in assignments(class) {
        assert_eq!(r1cs.first_unsatisfied(&z), None);
        let products: Vec<[Fr; 3]> =
            (0..r1cs.a.len()).map(|i| [&r1cs.a[i], &r1cs.b[i], &r1cs.c[i]].map(|row| dot(row, &z))).collect();
        for (column, rows) in rows.iter().enumerate().skip(1) {
            let of = |row: &Row| {
                row.iter().find(|(_, i)| *i == column).map_or(Fr::from(0u64), |(k, _)| *k * change)
            };
            let caught = rows.iter().any(|&i| {
                let [a, b, c] = products[i];
                (a + of(&r1cs.a[i])) * (b + of(&r1cs.b[i])) != c + of(&r1cs.c[i])
            });
            let unused_root = column == 3 && inputs.note.key == Fr::from(0u64);
            assert!(
                caught || r1cs.origins[column] == Origin::Inverse || unused_root,
                "variable {column} is free in {}",
                r1cs.section_of(rows[0])
            );
        }
    }
}

/// Values spread from the inputs through constraints with one unknown, and through decompositions into bits. What they do
/// not reach could be chosen. The public inputs count as unknown: the statement is a total function.
#[test]
fn every_variable_and_public_input_follows_from_the_inputs() {
    for class in SizeClass::ALL {
        let r1cs = shape(class);
        for (inputs, z) in assignments(class) {
            let mut known: Vec<bool> = r1cs
                .origins
                .iter()
                .map(|o| matches!(o, Origin::One | Origin::Input | Origin::Guess))
                .collect();
            // Without a registered note, the account root is not read; verifiers compare it with the published one.
            known[3] = inputs.note.key == Fr::from(0u64);
            spread(r1cs, &z, &mut known);
            for (column, known) in known.iter().enumerate() {
                assert!(
                    *known || r1cs.origins[column] == Origin::Inverse,
                    "{column} of {} is undetermined",
                    class.name()
                );
            }
        }
    }
}

#[test]
fn guesses_are_the_quotients_and_the_years() {
    for class in SizeClass::ALL {
        let guesses = shape(class).origins.iter().filter(|o| **o == Origin::Guess).count();
        // Two Luhn sums and the birth date; for each line the fee, the coinsurance and the filing anchor.
        assert_eq!(guesses, 3 + 3 * class.lines());
    }
}

fn spread(r1cs: &R1cs, z: &[Fr], known: &mut [bool]) {
    let (zero, one) = (Fr::from(0u64), Fr::from(1u64));
    let mut binary = vec![false; r1cs.variables];
    for i in 0..r1cs.a.len() {
        if let [(k, column)] = r1cs.a[i][..]
            && k == one
            && r1cs.c[i].is_empty()
            && r1cs.b[i] == [(-one, 0), (one, column)]
        {
            binary[column] = true;
        }
    }
    let unknown = |row: &Row, known: &[bool]| {
        row.iter().filter(|(_, i)| !known[*i]).map(|(k, i)| (*k, *i)).collect::<Vec<_>>()
    };
    let value = |row: &Row| row.iter().map(|(k, i)| *k * z[*i]).sum::<Fr>();
    loop {
        let mut learned = 0;
        for i in 0..r1cs.a.len() {
            let [mut a, mut b, c] = [&r1cs.a[i], &r1cs.b[i], &r1cs.c[i]].map(|row| unknown(row, known));
            // A factor that is known to be 0 hides what the other one holds.
            if a.is_empty() && value(&r1cs.a[i]) == zero {
                b.clear();
            }
            if b.is_empty() && value(&r1cs.b[i]) == zero {
                a.clear();
            }
            let found: Vec<usize> = match (&a[..], &b[..], &c[..]) {
                ([], [], [(_, x)]) | ([(_, x)], [], []) | ([], [(_, x)], []) => vec![*x],
                // The top bit of a decomposition: L (L - 1) = 0, with binary unknowns on different powers of two.
                (_, _, []) if a.len() > 1 && a == b && is_decomposition(&a, &binary) => {
                    a.iter().map(|(_, x)| *x).collect()
                }
                _ => Vec::new(),
            };
            learned += found.len();
            for x in found {
                known[x] = true;
            }
        }
        if learned == 0 {
            return;
        }
    }
}

/// Whether the coefficients are `-unit * 2^i` for different `i` below 253, on binary columns.
fn is_decomposition(terms: &[(Fr, usize)], binary: &[bool]) -> bool {
    let mut powers: BTreeMap<Fr, u32> = BTreeMap::new();
    let mut power = Fr::from(1u64);
    for i in 0..254 {
        powers.insert(power, i);
        power += power;
    }
    let unit = terms[0].0;
    let Some(inverse) = ark_ff::Field::inverse(&unit) else { return false };
    let mut seen = std::collections::BTreeSet::new();
    terms
        .iter()
        .all(|(k, column)| binary[*column] && powers.get(&(*k * inverse)).is_some_and(|i| seen.insert(*i)))
}
