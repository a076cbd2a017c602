//! Operations on two vectors, element by element.

#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "calls of functions that need the processor's features")
)]

use super::super::DeviceError;
use super::kernel::Kernel;
#[cfg(target_arch = "x86_64")]
use super::scalars::layout;
use ark_bn254::Fr;
use rayon::prelude::*;

/// So many elements are a task.
const TASK: usize = 1 << 11;

fn in_tasks(a: &mut [Fr], b: &[Fr], body: impl Fn(&mut [Fr], &[Fr]) + Sync) -> Result<(), DeviceError> {
    if a.len() != b.len() {
        return Err(DeviceError::Input(format!("vectors of {} and {} elements", a.len(), b.len())));
    }
    a.par_chunks_mut(TASK).zip(b.par_chunks(TASK)).for_each(|(a, b)| body(a, b));
    Ok(())
}

/// `a[i] += b[i]`; bound by memory, so the same for every kernel.
///
/// # Errors
/// Another length.
pub(crate) fn add(_kernel: Kernel, a: &mut [Fr], b: &[Fr]) -> Result<(), DeviceError> {
    in_tasks(a, b, |a, b| a.iter_mut().zip(b).for_each(|(a, b)| *a += b))
}

/// `a[i] -= b[i]`; bound by memory, so the same for every kernel.
///
/// # Errors
/// Another length.
pub(crate) fn subtract(_kernel: Kernel, a: &mut [Fr], b: &[Fr]) -> Result<(), DeviceError> {
    in_tasks(a, b, |a, b| a.iter_mut().zip(b).for_each(|(a, b)| *a -= b))
}

/// `a[i] *= b[i]`.
///
/// # Errors
/// Another length.
pub(crate) fn multiply(kernel: Kernel, a: &mut [Fr], b: &[Fr]) -> Result<(), DeviceError> {
    in_tasks(a, b, |a, b| {
        #[cfg(target_arch = "x86_64")]
        if kernel == Kernel::Ifma && kernel.is_available() {
            // SAFETY: the processor has the features.
            unsafe { multiply_eights(a, b) };
            return;
        }
        let _ = kernel;
        multiply_each(a, b);
    })
}

fn multiply_each(a: &mut [Fr], b: &[Fr]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a *= b);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn multiply_eights(a: &mut [Fr], b: &[Fr]) {
    let (eights, rest) = a.as_chunks_mut::<8>();
    let (b_eights, b_rest) = b.as_chunks::<8>();
    for (a, b) in eights.iter_mut().zip(b_eights) {
        let product = layout::load(a).sixteenth_product(&layout::load(b)).sixteenfold().canonical();
        layout::store(&product, a);
    }
    multiply_each(rest, b_rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{AdditiveGroup, Field, UniformRand};
    use ark_std::rand::{Rng, SeedableRng, rngs::StdRng};

    #[test]
    fn every_operation_equals_arkworks_own() -> Result<(), DeviceError> {
        let mut rng = StdRng::seed_from_u64(1);
        let kernels = [
            Kernel::Portable,
            #[cfg(target_arch = "x86_64")]
            Kernel::Ifma,
        ];
        for size in [0, 1, 7, 8, 9, 64, 2047, 2048, 5001] {
            let edges = [Fr::ZERO, Fr::ONE, -Fr::ONE];
            let mut any = || if rng.gen_bool(0.5) { Fr::rand(&mut rng) } else { edges[rng.gen_range(0..3)] };
            let (a, b): (Vec<Fr>, Vec<Fr>) = (0..size).map(|_| (any(), any())).unzip();
            let each = |operation: fn((&Fr, &Fr)) -> Fr| a.iter().zip(&b).map(operation).collect::<Vec<Fr>>();
            for kernel in kernels.into_iter().filter(|kernel| kernel.is_available()) {
                let (mut sums, mut differences, mut products) = (a.clone(), a.clone(), a.clone());
                add(kernel, &mut sums, &b)?;
                subtract(kernel, &mut differences, &b)?;
                multiply(kernel, &mut products, &b)?;
                assert!(sums == each(|(a, b)| *a + b));
                assert!(differences == each(|(a, b)| *a - b));
                assert!(products == each(|(a, b)| *a * b), "{kernel:?}, {size}");
            }
        }
        Ok(())
    }

    #[test]
    fn vectors_of_other_lengths_are_refused() {
        let (mut a, b) = ([Fr::ONE; 3], [Fr::ONE; 2]);
        for operation in [add, subtract, multiply] {
            assert!(matches!(operation(Kernel::detect(), &mut a, &b), Err(DeviceError::Input(_))));
        }
    }
}
