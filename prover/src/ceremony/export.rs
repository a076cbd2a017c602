//! What snarkjs needs of a circuit: `.r1cs` for the ceremony, and `.wtns` for proving with it.
//!
//! Wires are in snarkjs' order already: the one, the public inputs, the witness. Formats: iden3's `r1csfile` and `wtns`.

use super::container::Writer;
use super::encoding::WORD;
use ark_ff::{AdditiveGroup, BigInt, PrimeField};
use nightingale_circuits::{
    Fr,
    r1cs::{Origin, R1cs, Row},
};
use zeroize::Zeroizing;

fn word(value: BigInt<4>, out: &mut Vec<u8>) {
    value.0.iter().for_each(|limb| out.extend(limb.to_le_bytes()));
}

fn number(value: usize, out: &mut Vec<u8>) {
    // A system has fewer than 2^32 columns and rows, or no prover takes it.
    out.extend(u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
}

fn field(out: &mut Vec<u8>) {
    number(WORD, out);
    word(Fr::MODULUS, out);
}

/// The `.r1cs` file of a constraint system.
#[must_use]
pub fn r1cs(system: &R1cs) -> Vec<u8> {
    let mut writer = Writer::new(*b"r1cs", 1, 3);
    writer.section(1, |out| {
        field(out);
        let inputs = system.origins.iter().filter(|origin| **origin == Origin::Input).count();
        // No outputs: snarkjs treats them as public inputs.
        for size in [system.variables, 0, system.public, inputs] {
            number(size, out);
        }
        out.extend((system.variables as u64).to_le_bytes());
        number(system.a.len(), out);
    });
    writer.section(2, |out| {
        let mut form = |row: &Row| {
            number(row.len(), out);
            for (coefficient, column) in row {
                number(*column, out);
                word(coefficient.into_bigint(), out);
            }
        };
        for ((a, b), c) in system.a.iter().zip(&system.b).zip(&system.c) {
            [a, b, c].into_iter().for_each(&mut form);
        }
    });
    // Each wire is its own label.
    writer.section(3, |out| (0..system.variables as u64).for_each(|wire| out.extend(wire.to_le_bytes())));
    writer.finish()
}

/// The first constraint that has neither left nor right factors. There is none in our circuits, and must be none in a key's: it says
/// that its products are 0, which a reduction that computes the products from the factors does not see.
#[must_use]
pub fn first_empty_row(system: &R1cs) -> Option<usize> {
    let empty = |row: &Row| row.iter().all(|(coefficient, _)| *coefficient == Fr::ZERO);
    system.a.iter().zip(&system.b).position(|(a, b)| empty(a) && empty(b))
}

/// The `.wtns` file of an assignment `[1, public.., witness..]`. **It holds the records in clear.**
#[must_use]
pub fn wtns(values: &[Fr]) -> Zeroizing<Vec<u8>> {
    // Whole at once, so that no copy is left behind by growing.
    let mut writer = Writer::new(*b"wtns", 2, 2).with_capacity(24 + 40 + WORD * values.len());
    writer.section(1, |out| {
        field(out);
        number(values.len(), out);
    });
    writer.section(2, |out| values.iter().for_each(|value| word(value.into_bigint(), out)));
    Zeroizing::new(writer.finish())
}
