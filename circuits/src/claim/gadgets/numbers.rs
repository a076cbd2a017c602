//! Bits, comparisons, minima and division with remainder.

use crate::{
    Fr,
    field::power_of_two,
    r1cs::{Builder, Wire},
};
use ark_ff::{BigInteger, PrimeField};

/// The bits of `x`, lowest first; enforces `x < 2^count`, for a count of 1 to 253.
///
/// The top bit is what the others leave, so `count` constraints do it all.
pub fn bits(b: &mut Builder, x: &Wire, count: u32) -> Vec<Wire> {
    let value = x.value().into_bigint();
    let mut out = Vec::with_capacity(count as usize);
    let mut rest = x.clone();
    for i in 0..count - 1 {
        let bit = b.witness(Fr::from(u64::from(value.get_bit(i as usize))));
        boolean(b, &bit);
        rest = &rest - &bit.shift(i);
        out.push(bit);
    }
    let unit = ark_ff::Field::inverse(&power_of_two(count - 1)).unwrap_or_default();
    let top = rest.scale(unit);
    boolean(b, &top);
    out.push(top);
    out
}

/// Enforces `x (x - 1) = 0`.
pub fn boolean(b: &mut Builder, x: &Wire) {
    let one = b.constant(1u64);
    b.enforce(x, &(x - &one), &b.constant(0u64));
}

/// The number with these bits, lowest first.
#[must_use]
pub fn number(b: &Builder, bits: &[Wire]) -> Wire {
    bits.iter().enumerate().fold(b.constant(0u64), |sum, (i, bit)| &sum + &bit.shift(i as u32))
}

/// Splits `packed` into fields of these widths, the first in the lowest bits, and enforces their total width.
pub fn unpack<const N: usize>(b: &mut Builder, packed: &Wire, widths: [u32; N]) -> [Vec<Wire>; N] {
    let all = bits(b, packed, widths.iter().sum());
    let mut start = 0;
    widths.map(|width| {
        let field = all[start..start + width as usize].to_vec();
        start += width as usize;
        field
    })
}

/// `not bit`.
#[must_use]
pub fn not(b: &Builder, bit: &Wire) -> Wire {
    &b.constant(1u64) - bit
}

/// `x or y`, for bits.
pub fn or(b: &mut Builder, x: &Wire, y: &Wire) -> Wire {
    let both = b.multiply(x, y);
    &(x + y) - &both
}

/// `when ? x : y`, for a bit `when`.
pub fn select(b: &mut Builder, when: &Wire, x: &Wire, y: &Wire) -> Wire {
    let difference = b.multiply(when, &(x - y));
    &difference + y
}

/// Whether `x = y`, as a bit.
pub fn is_equal(b: &mut Builder, x: &Wire, y: &Wire) -> Wire {
    b.is_zero(&(x - y))
}

/// Whether `x <= y`, as a bit, for `x, y < 2^width`: the top bit of `y - x + 2^width`.
pub fn at_most(b: &mut Builder, x: &Wire, y: &Wire, width: u32) -> Wire {
    let difference = &(y - x) + &b.constant(power_of_two(width));
    let mut difference = bits(b, &difference, width + 1);
    difference.pop().unwrap_or_else(|| b.constant(0u64))
}

/// The smaller of `x, y < 2^width`.
pub fn minimum(b: &mut Builder, x: &Wire, y: &Wire, width: u32) -> Wire {
    let x_first = at_most(b, x, y, width);
    select(b, &x_first, x, y)
}

/// `floor(x / divisor)` below `2^width`, for a constant divisor with `2^width * divisor` far below the field's size.
///
/// There is one quotient: `x = quotient * divisor + remainder` with `remainder < divisor` holds over the integers,
/// because neither side reaches the field's size.
pub fn divide(b: &mut Builder, x: &Wire, divisor: u32, width: u32) -> Wire {
    let value = crate::field::low_u128(&x.value());
    let quotient = b.guess(Fr::from(value / u128::from(divisor)));
    bits(b, &quotient, width);
    let remainder = x - &quotient.scale(Fr::from(divisor));
    let remainder_width = 32 - divisor.leading_zeros();
    bits(b, &remainder, remainder_width);
    let above = &b.constant(divisor - 1) - &remainder;
    bits(b, &above, remainder_width);
    quotient
}

/// Whether any of these bits is set, as a bit, for fewer bits than the field's size.
pub fn any(b: &mut Builder, bits: &[Wire]) -> Wire {
    let sum = bits.iter().fold(b.constant(0u64), |sum, bit| &sum + bit);
    let none = b.is_zero(&sum);
    not(b, &none)
}
