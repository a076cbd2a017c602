//! Additions of affine points, thousands with one inversion, and every exceptional case of them.
//!
//! The common path never looks for exceptions. Two points with equal x make a denominator, and so the product of all
//! denominators, zero: then, and only then, the pass is repeated *carefully*, which tells doublings and opposite points
//! apart. Infinity hides from this test, so the caller says where it can occur.

use super::lanes::{Lanes, Pending, Place, Work};

/// Independent additions, `first[v] += second[v]`.
pub(crate) trait Additions<L: Lanes> {
    /// Whether it is doublings of the first points instead.
    const DOUBLINGS: bool;
    /// Whether each vector must be searched for infinity.
    const WATCHED: bool;

    /// How many vectors.
    fn len(&self) -> usize;
    /// The accumulator.
    fn first(&self, vector: usize) -> &Place<L>;
    /// What is added to it, and in which lanes there is nothing.
    fn second(&self, vector: usize) -> (Place<L>, u8);
    /// Takes the sum.
    fn put(&mut self, vector: usize, sum: Place<L>);
    /// Called some vectors before `second`, on the way forth.
    fn expect(&self, vector: usize);
    /// Called on the way back.
    fn passed(&self, vector: usize);
}

/// Memory for a batch.
pub(crate) struct Bench<L: Lanes> {
    zero: L,
    pending: Vec<Pending<L>>,
    /// The product of all denominators before.
    products: Vec<L>,
    /// Lanes of a vector whose sum is `aside`, and lanes whose sum is infinity.
    exceptions: Vec<[u8; 2]>,
    /// A place for each vector with an exception, in order.
    aside: Vec<Place<L>>,
}

impl<L: Lanes> Drop for Bench<L> {
    fn drop(&mut self) {
        let zero = self.zero;
        self.pending.fill(Pending { denominator: zero, numerator: zero, minus_sum: zero });
        self.products.fill(zero);
        self.exceptions.fill([0; 2]);
        self.aside.fill(Place { x: zero, y: zero });
        // Nobody reads them again, which must not be a reason to leave them.
        std::hint::black_box(self);
    }
}

impl<L: Lanes> Bench<L> {
    /// For batches of up to this many vectors.
    pub(crate) fn new(proof: L::Proof, vectors: usize) -> Self {
        let zero = L::zero(proof);
        let pending = Pending { denominator: zero, numerator: zero, minus_sum: zero };
        Self {
            zero,
            pending: vec![pending; vectors],
            products: vec![zero; vectors],
            exceptions: vec![[0; 2]; vectors],
            aside: Vec::new(),
        }
    }

    /// Adds. `careful`: infinity may be anywhere. Gives whether a sum may be infinity.
    #[inline(always)]
    pub(crate) fn add<A: Additions<L>>(
        &mut self,
        proof: L::Proof,
        additions: &mut A,
        mut careful: bool,
    ) -> bool {
        let one = L::one(proof);
        let mut inverse = loop {
            let product = self.forth(proof, additions, careful);
            match product.inverse() {
                Some(inverse) => break inverse,
                None if !careful => careful = true,
                // Only from numbers that are no points of the curve: any answer is right.
                None => break one,
            }
        };
        let mut vector = additions.len();
        while vector >= 2 {
            vector -= 2;
            inverse = self.back::<2, A>(proof, vector, inverse, additions);
        }
        if vector == 1 {
            self.back::<1, A>(proof, 0, inverse, additions);
        }
        careful
    }

    /// Multiplies the denominators.
    #[inline(always)]
    fn forth<A: Additions<L>>(&mut self, proof: L::Proof, additions: &A, careful: bool) -> L {
        let one = L::one(proof);
        let mut product = one;
        self.aside.clear();
        let count = additions.len();
        let (pendings, products) = (&mut self.pending[..count], &mut self.products[..count]);
        let exceptions = &mut self.exceptions[..count];
        for vector in 0..count {
            additions.expect(vector);
            let first = additions.first(vector);
            let (second, mut absent) = additions.second(vector);
            let mut pending = if A::DOUBLINGS { L::doubling(first) } else { L::before(first, &second) };
            let mut blank = 0;
            if A::WATCHED || careful {
                blank = L::blank(first);
                absent |= L::blank(&second);
            }
            let mut exception = [0; 2];
            if careful || absent | blank != 0 {
                let equal = careful && !A::DOUBLINGS;
                let except = Except { one, first: *first, second, pending, absent, blank, equal };
                let aside;
                (pending, exception, aside) = L::run(proof, except);
                if exception != [0; 2] {
                    self.aside.push(aside);
                }
            }
            pendings[vector] = pending;
            exceptions[vector] = exception;
            products[vector] = product;
            [product] = L::times([product], [pending.denominator]);
        }
        product
    }

    /// The sums of the `N` vectors from `vector` on; `inverse` is of the product up to them. Gives that of the one
    /// before.
    #[inline(always)]
    fn back<const N: usize, A: Additions<L>>(
        &mut self,
        proof: L::Proof,
        vector: usize,
        mut inverse: L,
        additions: &mut A,
    ) -> L {
        let mut inverses = [inverse; N];
        for n in (0..N).rev() {
            let place = vector + n;
            [inverses[n], inverse] =
                L::times([inverse; 2], [self.products[place], self.pending[place].denominator]);
        }
        let mut firsts = [additions.first(vector); N];
        let mut numerators = [self.pending[vector].numerator; N];
        let mut minus_sums = [self.pending[vector].minus_sum; N];
        for n in 1..N {
            firsts[n] = additions.first(vector + n);
            numerators[n] = self.pending[vector + n].numerator;
            minus_sums[n] = self.pending[vector + n].minus_sum;
        }
        let sums = L::after(firsts, inverses, numerators, minus_sums);
        for n in (0..N).rev() {
            additions.passed(vector + n);
            let mut sum = sums[n];
            let [aside, blank] = self.exceptions[vector + n];
            if aside | blank != 0 {
                let other = self.aside.pop().unwrap_or(sum);
                let zero = L::zero(proof);
                sum.x = sum.x.or_where(aside, other.x).or_where(blank, zero);
                sum.y = sum.y.or_where(aside, other.y).or_where(blank, zero);
            }
            additions.put(vector + n, sum);
        }
        inverse
    }
}

/// One vector with exceptions. Compiled by itself: it is rare and long.
struct Except<L> {
    one: L,
    first: Place<L>,
    second: Place<L>,
    pending: Pending<L>,
    /// Lanes where nothing is added.
    absent: u8,
    /// Lanes where the accumulator is infinity.
    blank: u8,
    /// Whether to look for equal first coordinates.
    equal: bool,
}

impl<L: Lanes> Work for Except<L> {
    type Output = (Pending<L>, [u8; 2], Place<L>);

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self { one, first, second, mut pending, absent, blank, equal } = self;
        let take = blank & !absent;
        let aside = (absent | take) & L::ALL;
        let mut opposite = 0;
        if equal {
            let equal = pending.denominator.vanishes() & !aside;
            let double = equal & pending.numerator.vanishes();
            opposite = equal & !double;
            if double != 0 {
                let doubling = L::doubling(&first);
                pending.denominator = pending.denominator.or_where(double, doubling.denominator);
                pending.numerator = pending.numerator.or_where(double, doubling.numerator);
            }
        }
        pending.denominator = pending.denominator.or_where(aside | opposite, one);
        let settled = L::settle(second);
        let place = Place { x: first.x.or_where(take, settled.x), y: first.y.or_where(take, settled.y) };
        (pending, [aside, opposite], place)
    }
}
