//! The running sums' values, from the phase-0 columns and the challenges.

use super::{
    row::{Draw, Row, draws},
    shape::{Kind, Shape},
    sums::{self, Fractions},
    witness::Witness,
};
use halo2_proofs::{
    arithmetic::parallelize,
    halo2curves::{bn256::Fr, ff::BatchInvert},
};

/// A row as the witness sees it.
struct ValueRow<'a> {
    shape: Shape,
    columns: &'a [Vec<Fr>],
    keys: &'a [u64],
    challenges: &'a Challenges,
    row: usize,
}

/// The drawn values, by their use.
struct Challenges(Vec<(Draw, Fr)>);

impl Row for ValueRow<'_> {
    type Value = Fr;

    fn shape(&self) -> Shape {
        self.shape
    }

    fn advice(&self, column: usize, rotation: usize) -> Fr {
        self.columns[column][self.row + rotation]
    }

    fn number(&self) -> Fr {
        match self.shape.kind(self.row) {
            Kind::Record(record) => Fr::from(record as u64),
            Kind::Cell(cell) => Fr::from(cell as u64),
            Kind::Endpoint { upper, .. } => Fr::from(u64::from(upper)),
            _ => Fr::zero(),
        }
    }

    fn key(&self) -> Fr {
        Fr::from(self.keys.get(self.row).copied().unwrap_or(0))
    }

    fn challenge(&self, draw: Draw) -> Fr {
        self.challenges.get(draw)
    }
}

impl Challenges {
    fn get(&self, draw: Draw) -> Fr {
        self.0.iter().find(|(drawn, _)| *drawn == draw).map_or(Fr::zero(), |(_, value)| *value)
    }
}

/// The sums' columns, rows 0 to [`Shape::last`], each starting at 0. `challenges` are in the order of [`draws`].
pub(super) fn sums(shape: Shape, witness: &Witness, challenges: &[Fr]) -> Vec<Vec<Fr>> {
    let challenges = Challenges(draws(shape).into_iter().zip(challenges.iter().copied()).collect());
    let (rows, number) = (shape.last(), shape.sums());
    // Row by row: what each sum adds.
    let mut added = vec![Fr::zero(); rows * number];
    parallelize(&mut added, |chunk, start| {
        // A chunk need not begin with a row's first sum.
        let mut poles = vec![Fr::one(); chunk.len()];
        let (first, end) = (start / number, (start + chunk.len()).div_ceil(number));
        for row in first..end {
            let fractions = fractions(&ValueRow {
                shape,
                columns: &witness.columns,
                keys: &witness.keys,
                challenges: &challenges,
                row,
            });
            for (sum, fraction) in fractions.into_iter().enumerate() {
                let place = (row * number + sum).checked_sub(start).filter(|&place| place < chunk.len());
                if let (Some(place), Some(fraction)) = (place, fraction) {
                    chunk[place] = fraction.numerator;
                    poles[place] = fraction.pole;
                }
            }
        }
        // A pole of 0 has probability about 2^-230 and stays 0: the proof then fails to verify and is made again.
        poles.iter_mut().batch_invert();
        chunk.iter_mut().zip(&poles).for_each(|(added, inverse)| *added *= inverse);
    });
    let mut columns = vec![Vec::with_capacity(rows + 1); number];
    for (sum, column) in columns.iter_mut().enumerate() {
        let mut total = Fr::zero();
        column.push(total);
        for row in 0..rows {
            total += added[row * number + sum];
            column.push(total);
        }
    }
    columns
}

fn fractions(row: &ValueRow<'_>) -> Fractions<Fr> {
    match row.shape.kind(row.row) {
        Kind::Record(_) => sums::record(row),
        Kind::Cell(_) => sums::cell(row),
        Kind::Rest => sums::rest(row),
        Kind::Verdict => sums::verdict(row),
        Kind::Endpoint { term, .. } => sums::endpoint(row, term),
        Kind::Limbs => sums::limbs(row),
        Kind::Idle | Kind::Behind => Vec::new(),
    }
}
