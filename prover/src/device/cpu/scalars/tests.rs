//! The bounds that the sums of transforms rest on, against arkworks' elements.

use super::super::kernel::Kernel;
use super::*;
use ark_ff::{AdditiveGroup, Field, UniformRand};
use ark_std::rand::{Rng, SeedableRng, rngs::StdRng};

fn words(lanes: &Lanes) -> [[i64; 8]; 5] {
    // SAFETY: both are 320 bytes without padding.
    unsafe { std::mem::transmute_copy(lanes) }
}

/// A lane's element and its value in multiples of p.
fn value(lanes: &Lanes, lane: usize) -> (Fr, f64) {
    let weigh =
        |words: [i64; 5]| words.iter().rev().fold(0.0, |sum, word| sum * 2f64.powi(52) + *word as f64);
    let limbs = words(lanes).map(|limb| limb[lane]);
    let shift = Fr::from(1u64 << 52);
    let element = limbs.iter().rev().fold(Fr::ZERO, |sum, limb| sum * shift + Fr::from(*limb));
    (element, weigh(limbs) / weigh(MODULUS.map(u64::cast_signed)))
}

/// Every function's result for one factor, in the order of the test's bounds.
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn results(x: &Lanes, factor: Fr) -> [Lanes; 5] {
    let known = Factor::new(factor);
    let each = Factors::new([factor; 8]);
    [x.times(&known), x.times_tightly(&known), x.times_each(&each), x.reduced(), x.canonical()]
}

#[test]
fn the_greatest_and_random_values_keep_their_bounds() {
    if !Kernel::Ifma.is_available() {
        return;
    }
    let mut rng = StdRng::seed_from_u64(1);
    for round in 0..2000 {
        let mut limbs: [[u64; 8]; 5] =
            std::array::from_fn(|_| std::array::from_fn(|_| rng.r#gen::<u64>() & MASK));
        for limb in &mut limbs {
            (limb[0], limb[1], limb[2]) = (MASK, 0, if rng.gen_bool(0.5) { MASK } else { 0 });
        }
        // A multiple of p, one less, one more.
        let multiples: [[u64; 5]; 3] =
            std::array::from_fn(|_| low_product(MODULUS, [rng.gen_range(1..84), 0, 0, 0, 0]));
        for (i, limb) in limbs.iter_mut().enumerate() {
            limb[3..6].copy_from_slice(&multiples.map(|multiple| multiple[i]));
        }
        limbs[0][4] = limbs[0][4].wrapping_sub(1);
        limbs[0][5] += 1;
        let x = Lanes::from_words(limbs);
        let factor = match round % 4 {
            0 => Fr::ZERO,
            1 => Fr::ONE,
            2 => -Fr::ONE,
            _ => Fr::rand(&mut rng),
        };
        // SAFETY: the processor has the features.
        let results = unsafe { results(&x, factor) };
        for lane in 0..8 {
            let element = value(&x, lane).0;
            let expected = [element * factor, element * factor, element * factor, element, element];
            for ((result, expected), bound) in
                results.iter().zip(expected).zip([10.01, 2.01, 2.01, 1.01, 1.0])
            {
                let (given, size) = value(result, lane);
                assert_eq!(given, expected);
                assert!((-1e-9..=bound).contains(&size), "{size} of at most {bound}");
            }
        }
    }
}
