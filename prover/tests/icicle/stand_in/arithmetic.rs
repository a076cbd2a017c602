//! ICICLE's operations over arkworks: elements and coordinates in standard form, sums homogeneous. As in ICICLE's CPU backend
//! the flag that points are in Montgomery form does nothing.

use super::{
    exceptions,
    state::{self, Config},
};
use ark_bn254::{Fq, Fq2, Fr};
use ark_ec::{
    AffineRepr, CurveGroup, VariableBaseMSM,
    short_weierstrass::{Affine, Projective, SWCurveConfig},
};
use ark_ff::{AdditiveGroup, BigInt, Field, PrimeField, Zero};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};

pub(crate) fn element(words: &[u64]) -> Option<Fr> {
    Fr::from_bigint(BigInt(words.try_into().ok()?))
}

pub(crate) fn words(element: Fr) -> [u64; 4] {
    element.into_bigint().0
}

fn input_words(address: *const u8, count: usize, on_device: bool) -> Option<Vec<u64>> {
    if !on_device {
        // This stand-in is only given memory of its own.
        return None;
    }
    // SAFETY: nobody writes to an input.
    let bytes = unsafe { state::get().on_device(address.expose_provenance(), count * 8) }?;
    Some(bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap_or_default())).collect())
}

fn elements(address: *const u8, count: usize, on_device: bool) -> Option<Vec<Fr>> {
    input_words(address, 4 * count, on_device)?.chunks_exact(4).map(element).collect()
}

/// Writes elements where the device has memory for them.
pub(crate) unsafe fn write(output: *mut u8, values: &[Fr]) -> Option<()> {
    // SAFETY: nobody else works on an output.
    let bytes = unsafe { state::get().on_device(output.expose_provenance(), values.len() * 32) }?;
    for (bytes, value) in bytes.chunks_exact_mut(32).zip(values) {
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(words(*value)) {
            bytes.copy_from_slice(&word.to_ne_bytes());
        }
    }
    Some(())
}

/// A coordinate's words.
pub(crate) trait Words: Field {
    const COUNT: usize;
    fn of(words: &[u64]) -> Option<Self>;
    fn words(&self) -> Vec<u64>;
}

impl Words for Fq {
    const COUNT: usize = 4;

    fn of(words: &[u64]) -> Option<Self> {
        Self::from_bigint(BigInt(words.try_into().ok()?))
    }

    fn words(&self) -> Vec<u64> {
        self.into_bigint().0.to_vec()
    }
}

impl Words for Fq2 {
    const COUNT: usize = 8;

    fn of(words: &[u64]) -> Option<Self> {
        Some(Self::new(Fq::of(&words[..4])?, Fq::of(&words[4..])?))
    }

    fn words(&self) -> Vec<u64> {
        [self.c0.words(), self.c1.words()].concat()
    }
}

/// `MSMConfig`: precompute_factor 8, batch_size 20, scalars_on_device 25, scalars_montgomery 26, points_on_device 27,
/// results_on_device 29, is_async 30, ext 32.
pub(crate) unsafe fn sum<P: SWCurveConfig<ScalarField = Fr>>(
    scalars: *const u8,
    points: *const u8,
    size: i32,
    config: &Config,
) -> Option<Vec<u64>>
where
    P::BaseField: Words,
{
    let supported = config.int(8) == 1 && config.int(20) == 1 && config.word(32) == 0 && config.flag(24)?;
    if !supported || config.flag(29)? || config.flag(30)? {
        return None;
    }
    let size = usize::try_from(size).ok()?;
    let mut scalars = elements(scalars, size, config.flag(25)?)?;
    if config.flag(26)? {
        let r = Fr::from(2u8).pow([256]).inverse()?;
        scalars.iter_mut().for_each(|scalar| *scalar *= r);
    }
    let n = P::BaseField::COUNT;
    let words = input_words(points, size * 2 * n, config.flag(27)?)?;
    let point = |words: &[u64]| {
        let [x, y] = [P::BaseField::of(&words[..n])?, P::BaseField::of(&words[n..])?];
        let point =
            if x.is_zero() && y.is_zero() { Affine::identity() } else { Affine::<P>::new_unchecked(x, y) };
        point.is_on_curve().then_some(point)
    };
    let points: Vec<Affine<P>> = words.chunks_exact(2 * n).map(point).collect::<Option<_>>()?;
    let sum = Projective::<P>::msm(&points, &scalars).ok()?.into_affine();
    let z = P::BaseField::from(1_000_003 + size as u64);
    let [x, y, z] = sum.xy().map_or([P::BaseField::ZERO, z, P::BaseField::ZERO], |(x, y)| [x * z, y * z, z]);
    Some([x.words(), y.words(), z.words()].concat())
}

/// The root of this order in the active device's domain.
pub(crate) fn root_of(log_size: u32) -> Fr {
    let root = state::active().and_then(|device| state::get().domains().get(&device).copied());
    let Some(root) = root else { exceptions::throw_runtime_error(c"no domain") };
    let log_domain = (0..29).find(|k| (0..*k).fold(root, |power, _| power.square()) == Fr::ONE).unwrap_or(0);
    let Some(doublings) = u32::checked_sub(log_domain, log_size) else {
        exceptions::throw_runtime_error(c"Size is too large for domain")
    };
    (0..doublings).fold(root, |power, _| power.square())
}

/// `NTTConfig`: coset 8, batch_size 40, columns_batch 44, ordering 48, inputs_on_device 52, outputs_on_device 53, is_async 54, ext 56.
pub(crate) unsafe fn transform(
    input: *const u8,
    size: i32,
    direction: i32,
    config: &Config,
) -> Option<Vec<Fr>> {
    let supported = config.int(40) == 1 && config.int(48) == 0 && config.word(56) == 0;
    if !supported || config.flag(44)? || !config.flag(53)? || config.flag(54)? {
        return None;
    }
    let size = usize::try_from(size).ok().filter(|size| size.is_power_of_two())?;
    let mut values = elements(input, size, config.flag(52)?)?;
    let coset = element(&[config.word(8), config.word(16), config.word(24), config.word(32)])?;
    let root = root_of(size.trailing_zeros());
    let plain = Radix2EvaluationDomain::<Fr>::new(size)?;
    let domain = Radix2EvaluationDomain { group_gen: root, group_gen_inv: root.inverse()?, ..plain };
    let domain = domain.get_coset(coset)?;
    match direction {
        0 => domain.fft_in_place(&mut values),
        1 => domain.ifft_in_place(&mut values),
        _ => return None,
    }
    Some(values)
}

/// `VecOpsConfig`: a_on_device 8, b_on_device 9, result_on_device 10, is_async 11, batch_size 12, columns_batch 16, ext 24.
pub(crate) unsafe fn combine(
    a: *const u8,
    b: *const u8,
    size: u64,
    config: &Config,
    operation: fn(Fr, Fr) -> Fr,
) -> Option<Vec<Fr>> {
    let supported = config.int(12) == 1 && config.word(24) == 0 && config.flag(10)?;
    if !supported || config.flag(11)? || config.flag(16)? {
        return None;
    }
    let size = usize::try_from(size).ok()?;
    let (a, b) = (elements(a, size, config.flag(8)?)?, elements(b, size, config.flag(9)?)?);
    Some(a.into_iter().zip(b).map(|(a, b)| operation(a, b)).collect())
}
