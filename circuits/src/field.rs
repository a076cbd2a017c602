//! The scalar field of BN254, and packing of small integers into one element.

use ark_ff::{BigInteger, PrimeField};

/// An element of the scalar field of BN254, `r = 21888242871839275222246405745257275088548364400416034343698204186575808495617`.
pub type Fr = ark_bn254::Fr;

/// Packs `(value, bits)` fields, the first in the lowest bits.
///
/// The widths must add up to at most 253 bits, so that the packing is injective; every caller's widths are
/// constants, and the tests pin them.
#[must_use]
pub fn pack(fields: &[(u128, u32)]) -> Fr {
    let (mut sum, mut shift) = (Fr::from(0u64), Fr::from(1u64));
    for &(value, bits) in fields {
        debug_assert!(bits >= 128 || value >> bits == 0, "a packed field exceeds its width");
        sum += Fr::from(value) * shift;
        shift *= power_of_two(bits);
    }
    sum
}

/// `2^bits` as a field element.
#[must_use]
pub fn power_of_two(bits: u32) -> Fr {
    let two = Fr::from(2u64);
    (0..bits).fold(Fr::from(1u64), |power, _| power * two)
}

/// The canonical 32-byte big-endian form, as Solidity reads a `uint256`.
#[must_use]
pub fn to_be_bytes(x: &Fr) -> [u8; 32] {
    let mut out = [0u8; 32];
    let bytes = x.into_bigint().to_bytes_be();
    out.copy_from_slice(&bytes);
    out
}

/// Reads a canonical 32-byte big-endian element; `None` when it is not below `r`.
#[must_use]
pub fn from_be_bytes(bytes: &[u8; 32]) -> Option<Fr> {
    let x = Fr::from_be_bytes_mod_order(bytes);
    (to_be_bytes(&x) == *bytes).then_some(x)
}

/// The lowest 128 bits of the canonical form.
#[must_use]
pub fn low_u128(x: &Fr) -> u128 {
    let limbs = x.into_bigint().0;
    u128::from(limbs[0]) | (u128::from(limbs[1]) << 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_an_encoding_at_or_above_the_modulus() {
        let modulus: [u8; 32] = Fr::MODULUS.to_bytes_be().try_into().unwrap_or([0; 32]);
        assert_eq!(from_be_bytes(&modulus), None);
        let last = to_be_bytes(&-Fr::from(1u64));
        assert_eq!(from_be_bytes(&last), Some(-Fr::from(1u64)));
    }

    #[test]
    fn packs_the_first_field_lowest() {
        assert_eq!(pack(&[(3, 4), (1, 17)]), Fr::from(3u64 + 16));
    }
}
