//! Between arkworks' elements, one after another in four words of 64 bits, and lanes.

#![expect(unsafe_code, reason = "loads and stores of registers")]

use super::{Lanes, MASK, every};
use ark_bn254::Fr;
use std::arch::x86_64::{
    __m512i, _MM_HINT_T0, _mm_prefetch, _mm256_loadu_si256, _mm512_and_si512, _mm512_castsi256_si512,
    _mm512_inserti64x4, _mm512_loadu_si512, _mm512_or_si512, _mm512_permutex2var_epi64, _mm512_set_epi64,
    _mm512_shuffle_i64x2, _mm512_slli_epi64, _mm512_srli_epi64, _mm512_storeu_si512, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi64,
};

// An element is its four words and nothing else; `elements_are_four_words` tests their order.
const _: () = assert!(size_of::<Fr>() == 32 && align_of::<Fr>() == 8);

/// Limbs of 52 bits from words of 64, times 2^`UP`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn limbs<const UP: u32>(words: [__m512i; 4]) -> Lanes {
    let mask = every(MASK);
    let [a, b, c, d] = words;
    let or = |x, y| _mm512_and_si512(_mm512_or_si512(x, y), mask);
    if UP == 4 {
        Lanes([
            _mm512_and_si512(_mm512_slli_epi64::<4>(a), mask),
            or(_mm512_srli_epi64::<48>(a), _mm512_slli_epi64::<16>(b)),
            or(_mm512_srli_epi64::<36>(b), _mm512_slli_epi64::<28>(c)),
            or(_mm512_srli_epi64::<24>(c), _mm512_slli_epi64::<40>(d)),
            _mm512_srli_epi64::<12>(d),
        ])
    } else {
        Lanes([
            _mm512_and_si512(a, mask),
            or(_mm512_srli_epi64::<52>(a), _mm512_slli_epi64::<12>(b)),
            or(_mm512_srli_epi64::<40>(b), _mm512_slli_epi64::<24>(c)),
            or(_mm512_srli_epi64::<28>(c), _mm512_slli_epi64::<36>(d)),
            _mm512_srli_epi64::<16>(d),
        ])
    }
}

/// From pairs of elements (0, 1), (2, 3), .. the words side by side.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn words(pairs: [__m512i; 4]) -> [__m512i; 4] {
    // Lanes after unpacking: words 0 (or 1) of elements 0, 2, then words 2 (or 3), then the same of 1, 3.
    let even = _mm512_set_epi64(13, 9, 12, 8, 5, 1, 4, 0);
    let odd = _mm512_set_epi64(15, 11, 14, 10, 7, 3, 6, 2);
    let [low, high] = [
        [_mm512_unpacklo_epi64(pairs[0], pairs[1]), _mm512_unpacklo_epi64(pairs[2], pairs[3])],
        [_mm512_unpackhi_epi64(pairs[0], pairs[1]), _mm512_unpackhi_epi64(pairs[2], pairs[3])],
    ];
    [
        _mm512_permutex2var_epi64(low[0], even, low[1]),
        _mm512_permutex2var_epi64(high[0], even, high[1]),
        _mm512_permutex2var_epi64(low[0], odd, low[1]),
        _mm512_permutex2var_epi64(high[0], odd, high[1]),
    ]
}

/// Asks for `bytes` from `place` on, which need not be memory that can be read.
#[inline]
pub(in super::super) fn prefetch<T>(place: *const T, bytes: usize) {
    for line in (0..bytes).step_by(64) {
        // SAFETY: a prefetch is a hint; it never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast::<i8>().wrapping_add(line)) };
    }
}

/// Eight elements that lie one after another.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(in super::super) fn load(elements: &[Fr; 8]) -> Lanes {
    let pointer = elements.as_ptr().cast::<__m512i>();
    // SAFETY: eight elements are four registers, read without alignment.
    let pair = |i: usize| unsafe { _mm512_loadu_si512(pointer.add(i)) };
    limbs::<0>(words([pair(0), pair(1), pair(2), pair(3)]))
}

/// Eight elements from anywhere, times 2^`UP` (0 or 4).
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(in super::super) fn gather<const UP: u32>(elements: [&Fr; 8]) -> Lanes {
    // SAFETY: an element is four words, read without alignment.
    let one = |i: usize| unsafe { _mm256_loadu_si256(std::ptr::from_ref(elements[i]).cast()) };
    let pair = |i: usize| _mm512_inserti64x4::<1>(_mm512_castsi256_si512(one(2 * i)), one(2 * i + 1));
    limbs::<UP>(words([pair(0), pair(1), pair(2), pair(3)]))
}

/// The elements, which must be [`Lanes::canonical`].
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(in super::super) fn store(lanes: &Lanes, elements: &mut [Fr; 8]) {
    let [a, b, c, d, e] = lanes.0;
    let join = |x, y| _mm512_or_si512(x, y);
    let words = [
        join(a, _mm512_slli_epi64::<52>(b)),
        join(_mm512_srli_epi64::<12>(b), _mm512_slli_epi64::<40>(c)),
        join(_mm512_srli_epi64::<24>(c), _mm512_slli_epi64::<28>(d)),
        join(_mm512_srli_epi64::<36>(d), _mm512_slli_epi64::<16>(e)),
    ];
    // Words 0 and 1 of elements 0, 2, 4, 6, then of 1, 3, 5, 7; and words 2 and 3.
    let (low_even, low_odd) =
        (_mm512_unpacklo_epi64(words[0], words[1]), _mm512_unpackhi_epi64(words[0], words[1]));
    let (high_even, high_odd) =
        (_mm512_unpacklo_epi64(words[2], words[3]), _mm512_unpackhi_epi64(words[2], words[3]));
    let first = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    let second = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
    // Elements 0, 2 and 4, 6; elements 1, 3 and 5, 7.
    let even = [
        _mm512_permutex2var_epi64(low_even, first, high_even),
        _mm512_permutex2var_epi64(low_even, second, high_even),
    ];
    let odd = [
        _mm512_permutex2var_epi64(low_odd, first, high_odd),
        _mm512_permutex2var_epi64(low_odd, second, high_odd),
    ];
    let lower = _mm512_set_epi64(11, 10, 9, 8, 3, 2, 1, 0);
    let pointer = elements.as_mut_ptr().cast::<__m512i>();
    for i in 0..2 {
        let pairs = [
            _mm512_permutex2var_epi64(even[i], lower, odd[i]),
            _mm512_shuffle_i64x2::<0b11_10_11_10>(even[i], odd[i]),
        ];
        for (j, pair) in pairs.into_iter().enumerate() {
            // SAFETY: eight elements are four registers, written without alignment.
            unsafe { _mm512_storeu_si512(pointer.add(2 * i + j), pair) };
        }
    }
}

/// Lane j of vector i becomes lane i of vector j.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(in super::super) fn transpose(tile: &mut [Lanes; 8]) {
    for limb in 0..5 {
        let row = |i: usize| tile[i].0[limb];
        let mut pairs = [row(0); 8];
        for i in 0..4 {
            pairs[2 * i] = _mm512_unpacklo_epi64(row(2 * i), row(2 * i + 1));
            pairs[2 * i + 1] = _mm512_unpackhi_epi64(row(2 * i), row(2 * i + 1));
        }
        // pairs[2 i + odd] has lanes 0, 2, 4, 6 (+ odd) of rows 2 i and 2 i + 1.
        let first = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0);
        let second = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
        for odd in 0..2 {
            // Lanes 0 and 4 (2 and 6) of four rows.
            let quads = [0, 1].map(|half| {
                let (a, b) = (pairs[4 * half + odd], pairs[4 * half + 2 + odd]);
                [_mm512_permutex2var_epi64(a, first, b), _mm512_permutex2var_epi64(a, second, b)]
            });
            for k in 0..2 {
                let (a, b) = (quads[0][k], quads[1][k]);
                tile[2 * k + odd].0[limb] = _mm512_shuffle_i64x2::<0b01_00_01_00>(a, b);
                tile[2 * k + 4 + odd].0[limb] = _mm512_shuffle_i64x2::<0b11_10_11_10>(a, b);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{AdditiveGroup, BigInt};

    fn words_of(element: &Fr) -> [u64; 4] {
        // SAFETY: an element has these 32 bytes.
        unsafe { *std::ptr::from_ref(element).cast() }
    }

    #[test]
    fn elements_are_four_words() {
        assert_eq!(words_of(&Fr::new_unchecked(BigInt([1, 2, 3, 4]))), [1, 2, 3, 4]);
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    fn there_and_back(elements: &[Fr; 8]) -> [[Fr; 8]; 3] {
        let mut out = [[Fr::ZERO; 8]; 3];
        store(&load(elements).canonical(), &mut out[0]);
        store(&gather::<0>(elements.each_ref()).canonical(), &mut out[1]);
        store(&gather::<4>(elements.each_ref()).canonical(), &mut out[2]);
        out
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    fn turned(rows: &[[Fr; 8]; 8]) -> [[Fr; 8]; 8] {
        let mut tile = [Lanes::zero(); 8];
        tile.iter_mut().zip(rows).for_each(|(lanes, row)| *lanes = load(row));
        transpose(&mut tile);
        let mut out = [[Fr::ZERO; 8]; 8];
        tile.iter().zip(&mut out).for_each(|(lanes, row)| store(&lanes.canonical(), row));
        out
    }

    #[test]
    fn lanes_keep_their_order() {
        if !super::super::super::kernel::Kernel::Ifma.is_available() {
            return;
        }
        let element = |i: usize, j: usize| Fr::new_unchecked(BigInt([i as u64, u64::MAX, j as u64, 5 << 40]));
        let rows: [[Fr; 8]; 8] = std::array::from_fn(|i| std::array::from_fn(|j| element(i, j)));
        // SAFETY: the processor has the features.
        let (copies, columns) = unsafe { (there_and_back(&rows[3]), turned(&rows)) };
        assert_eq!(copies, [rows[3], rows[3], rows[3].map(|x| x * Fr::from(16u64))]);
        assert_eq!(columns, std::array::from_fn(|i| std::array::from_fn(|j| element(j, i))));
    }
}
