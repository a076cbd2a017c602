//! Scalars out of Montgomery form, eight at a time.

use super::{
    field::{Constants, LIMB, Octet, Scalar, store_words},
    words::{Ifma, Task, Words},
};

/// Writes the magnitudes of scalars in the form of arkworks; where the magnitude is that of the negative, `sign` is set
/// in the top word.
pub(crate) struct Fold<'a> {
    /// Eight by eight.
    pub(crate) scalars: &'a [[u64; 4]],
    /// As many.
    pub(crate) integers: &'a mut [[u64; 4]],
    /// The bit of the sign.
    pub(crate) sign: u64,
}

impl Task for Fold<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self, ifma: Ifma) {
        let sign = Words::splat(ifma, self.sign);
        let zero = Words::splat(ifma, 0);
        let order = Octet::<Scalar>::splat(ifma, &Constants::<Scalar>::MULTIPLES[1]);
        // The number is the scalar times 2^256, and a product loses 2^260.
        let sixteen = Octet::<Scalar>::splat(ifma, &[16 & LIMB, 0, 0, 0, 0]);
        for (scalars, integers) in
            self.scalars.as_chunks::<8>().0.iter().zip(self.integers.as_chunks_mut::<8>().0)
        {
            let number = Octet::<Scalar>::load(ifma, scalars).times(sixteen).canonical();
            let excess = number.plus(number).minus(order).normal();
            let negative = excess.0[4].at_least(zero);
            let mut words = number.or_where(negative, order.minus(number).normal()).to_words();
            words[3] = words[3].or_where(negative, words[3].or(sign));
            store_words(words, integers);
        }
    }
}
