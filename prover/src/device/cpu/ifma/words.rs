//! Vectors of eight 64-bit words, and the proof that this processor has them.
//!
//! An [`Ifma`] exists only where the processor was found to have the instructions, and a [`Words`] only where there is
//! an [`Ifma`]: that makes the operations here safe. They become single instructions only when they are inlined into a
//! function compiled for these instructions, so everything between [`Ifma::run`] and them is `#[inline(always)]`, and
//! free of closures, `map` and `from_fn`, which are functions of their own.
#![expect(unsafe_code, reason = "vector instructions")]

use std::arch::x86_64::{
    __m512i, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm512_add_epi64, _mm512_and_si512,
    _mm512_cmpge_epi64_mask, _mm512_loadu_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64,
    _mm512_mask_blend_epi64, _mm512_mask_sub_epi64, _mm512_or_si512, _mm512_permutex2var_epi64,
    _mm512_permutexvar_epi64, _mm512_set1_epi64, _mm512_shrdi_epi64, _mm512_shuffle_i64x2, _mm512_slli_epi64,
    _mm512_srai_epi64, _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi64, _mm512_test_epi64_mask,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};

/// The proof that this processor has AVX-512 with 52-bit multiply-add.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ifma(());

/// What runs with the vector instructions. Its `call` must be `#[inline(always)]`.
pub(crate) trait Task {
    /// What it gives.
    type Output;

    /// Does it.
    fn call(self, ifma: Ifma) -> Self::Output;
}

impl Ifma {
    /// `None` where the processor has no such instructions.
    pub(crate) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi2")
            && is_x86_feature_detected!("avx512ifma")
            && is_x86_feature_detected!("bmi2");
        found.then_some(Self(()))
    }

    /// Runs a task compiled for these instructions.
    #[inline]
    pub(crate) fn run<T: Task>(self, task: T) -> T::Output {
        // SAFETY: `self` is the proof that the processor has them.
        unsafe { compiled(task, self) }
    }
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx512vbmi2,avx512ifma,bmi2")]
fn compiled<T: Task>(task: T, ifma: Ifma) -> T::Output {
    task.call(ifma)
}

/// Asks for the cache line at `place` in the second cache.
#[inline(always)]
pub(crate) fn prefetch_far<T>(place: *const T) {
    // SAFETY: a prefetch of any address has no effect but on time.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(place.cast()) }
}

/// Asks for the cache line at `place` in the nearest cache.
#[inline(always)]
pub(crate) fn prefetch_near<T>(place: *const T) {
    // SAFETY: a prefetch of any address has no effect but on time.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) }
}

/// Eight words of 64 bits.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Words(__m512i);

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Words").field(&self.store()).finish()
    }
}

/// Writes methods that are one instruction each.
macro_rules! instructions {
    ($($(#[$doc:meta])* $name:ident$(<$constant:ident>)?($($argument:ident : $kind:ty),*) = $instruction:ident$(::<$parameter:ident>)?($($operand:expr),*);)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name$(<const $constant: u32>)?($($argument: $kind),*) -> Words {
            // SAFETY: the operands exist only where the instruction does.
            Words(unsafe { $instruction$(::<$parameter>)?($($operand),*) })
        }
    )*};
}

impl Words {
    instructions! {
        /// `self + other` modulo 2^64.
        add(self: Words, other: Words) = _mm512_add_epi64(self.0, other.0);
        /// `self - other` modulo 2^64.
        sub(self: Words, other: Words) = _mm512_sub_epi64(self.0, other.0);
        /// `self - other` where the mask is set, else `self`.
        sub_where(self: Words, mask: u8, other: Words) = _mm512_mask_sub_epi64(self.0, mask, self.0, other.0);
        /// `other - self` where the mask is set, else `self`.
        taken_from_where(self: Words, mask: u8, other: Words) = _mm512_mask_sub_epi64(self.0, mask, other.0, self.0);
        /// The bits of both.
        and(self: Words, other: Words) = _mm512_and_si512(self.0, other.0);
        /// The bits of either.
        or(self: Words, other: Words) = _mm512_or_si512(self.0, other.0);
        /// `self` plus the low 52 bits of the product of the low 52 bits of `a` and `b`.
        add_low(self: Words, a: Words, b: Words) = _mm512_madd52lo_epu64(self.0, a.0, b.0);
        /// `self` plus the high 52 bits of the product of the low 52 bits of `a` and `b`.
        add_high(self: Words, a: Words, b: Words) = _mm512_madd52hi_epu64(self.0, a.0, b.0);
        /// `other` where the mask is set, else `self`.
        or_where(self: Words, mask: u8, other: Words) = _mm512_mask_blend_epi64(mask, self.0, other.0);
        /// The low words of pairs of both: `self[0], other[0], self[2], other[2], ..`.
        pair_low(self: Words, other: Words) = _mm512_unpacklo_epi64(self.0, other.0);
        /// The high words of pairs of both: `self[1], other[1], self[3], other[3], ..`.
        pair_high(self: Words, other: Words) = _mm512_unpackhi_epi64(self.0, other.0);
        /// Pairs 0 and 2 of `self`, then of `other`.
        pairs_even(self: Words, other: Words) = _mm512_shuffle_i64x2::<PAIRS_EVEN>(self.0, other.0);
        /// Pairs 1 and 3 of `self`, then of `other`.
        pairs_odd(self: Words, other: Words) = _mm512_shuffle_i64x2::<PAIRS_ODD>(self.0, other.0);
        /// The low halves of `self`, then of `other`.
        halves_low(self: Words, other: Words) = _mm512_shuffle_i64x2::<HALVES_LOW>(self.0, other.0);
        /// The high halves of `self`, then of `other`.
        halves_high(self: Words, other: Words) = _mm512_shuffle_i64x2::<HALVES_HIGH>(self.0, other.0);
        /// Word `places[i] mod 8` of `self` for every i.
        pick(self: Words, places: Words) = _mm512_permutexvar_epi64(places.0, self.0);
        /// Word `places[i] mod 16` of `self` followed by `other`.
        pick_of_both(self: Words, places: Words, other: Words) = _mm512_permutex2var_epi64(self.0, places.0, other.0);
        /// Shifted left by `N` bits.
        left<N>(self: Words) = _mm512_slli_epi64::<N>(self.0);
        /// Shifted right by `N` bits.
        right<N>(self: Words) = _mm512_srli_epi64::<N>(self.0);
        /// Shifted right by `N` bits, the sign kept.
        right_signed<N>(self: Words) = _mm512_srai_epi64::<N>(self.0);
    }

    /// The low word of `high : self` shifted right by `N` bits.
    #[inline(always)]
    pub(crate) fn funnel_right<const N: i32>(self, high: Self) -> Self {
        // SAFETY: the operands exist only where the instruction does.
        Self(unsafe { _mm512_shrdi_epi64::<N>(self.0, high.0) })
    }

    /// Eight times the same word.
    #[inline(always)]
    pub(crate) fn splat(_: Ifma, word: u64) -> Self {
        // SAFETY: an `Ifma` exists only where the instruction does.
        Self(unsafe { _mm512_set1_epi64(word.cast_signed()) })
    }

    /// These eight words.
    #[inline(always)]
    pub(crate) fn load(_: Ifma, words: &[u64; 8]) -> Self {
        // SAFETY: an `Ifma` exists only where the instruction does, and `words` are 64 readable bytes.
        Self(unsafe { _mm512_loadu_si512(words.as_ptr().cast()) })
    }

    /// The eight words.
    #[inline(always)]
    pub(crate) fn store(self) -> [u64; 8] {
        let mut words = [0; 8];
        self.store_to(&mut words);
        words
    }

    /// Puts the eight words there.
    #[inline(always)]
    pub(crate) fn store_to(self, words: &mut [u64; 8]) {
        // SAFETY: `self` exists only where the instruction does, and `words` are 64 writable bytes.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), self.0) }
    }

    /// Where `self >= other`, as signed numbers.
    #[inline(always)]
    pub(crate) fn at_least(self, other: Self) -> u8 {
        // SAFETY: the operands exist only where the instruction does.
        unsafe { _mm512_cmpge_epi64_mask(self.0, other.0) }
    }

    /// Where `self` is not zero.
    #[inline(always)]
    pub(crate) fn nonzero(self) -> u8 {
        // SAFETY: the operands exist only where the instruction does.
        unsafe { _mm512_test_epi64_mask(self.0, self.0) }
    }

    /// The proof by which this value exists.
    #[inline(always)]
    pub(crate) fn ifma(self) -> Ifma {
        Ifma(())
    }
}

const PAIRS_EVEN: i32 = 0x88;
const PAIRS_ODD: i32 = 0xdd;
const HALVES_LOW: i32 = 0x44;
const HALVES_HIGH: i32 = 0xee;
