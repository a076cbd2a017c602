//! A proving key together with its constraint system, as devices take it.

use crate::{
    ProveError,
    device::{G1Point, G2Point, Slab},
    reduction::System,
};
use ark_bn254::{Bn254, G1Affine, G2Affine};
use ark_ec::{AffineRepr, pairing::Pairing};
use ark_ff::Zero;
use ark_groth16::{ProvingKey, VerifyingKey};
use bytemuck::Pod;
use rayon::prelude::*;

/// The points of a query that are not infinity (28 % of B are), and the column whose value each is multiplied by.
#[derive(Clone, Debug)]
pub struct Query<P> {
    /// Ascending columns of the assignment.
    pub columns: Slab<u32>,
    /// A point for each.
    pub points: Slab<P>,
}

/// A proving key and its constraint system.
pub struct Key {
    pub(crate) system: System,
    pub(crate) verifying: VerifyingKey<Bn254>,
    pub(crate) beta_g1: G1Affine,
    pub(crate) delta_g1: G1Affine,
    /// The columns' A polynomials at tau.
    pub a: Query<G1Point>,
    /// The columns' B polynomials at tau in G1.
    pub b_g1: Query<G1Point>,
    /// The same in G2, for the columns of [`Key::b_g1`].
    pub b_g2: Query<G2Point>,
    /// The witness columns' part of C, by delta. The columns count from the assignment's start.
    pub l: Query<G1Point>,
    /// The quotient's values on the odd points, by delta: one point for each element of the domain.
    pub h: Slab<G1Point>,
}

/// Whether a query's columns ascend and are in this range, each with a point that is `usable`.
fn check<P: Pod + Sync>(
    query: &Query<P>,
    (first, end): (usize, usize),
    usable: impl Fn(&P) -> bool + Sync,
) -> Result<(), &'static str> {
    let columns = &*query.columns;
    let inside = columns.first().is_none_or(|column| *column as usize >= first)
        && columns.last().is_none_or(|column| (*column as usize) < end);
    if !inside || !columns.is_sorted_by(|a, b| a < b) {
        return Err("the columns of a query do not ascend, or are not the system's");
    }
    if columns.len() != query.points.len() {
        return Err("a query has another number of points than of columns");
    }
    if !all(&query.points, usable) {
        return Err("a query has a point at infinity, or one that is not reduced");
    }
    Ok(())
}

/// Whether all points are such, looked at in parallel.
fn all<P: Sync>(points: &[P], such: impl Fn(&P) -> bool + Sync) -> bool {
    points.par_chunks(1 << 13).all(|points| points.iter().all(&such))
}

/// The finite points with their columns, the first of which is `first`.
fn query<A: AffineRepr, P: From<A>>(points: &[A], first: usize) -> Option<Query<P>> {
    let finite = || points.iter().enumerate().filter(|(_, point)| !point.is_zero());
    let columns: Option<Vec<u32>> = finite().map(|(i, _)| u32::try_from(first + i).ok()).collect();
    let points: Vec<P> = finite().map(|(_, point)| P::from(*point)).collect();
    Some(Query { columns: columns?.into(), points: points.into() })
}

/// The points of the columns from `first` to before `end`, infinity where the query has none.
fn whole<A: AffineRepr + From<P>, P: Pod>(query: &Query<P>, first: usize, end: usize) -> Vec<A> {
    let mut points = vec![A::zero(); end - first];
    for (column, point) in query.columns.iter().zip(query.points.iter()) {
        points[*column as usize - first] = A::from(*point);
    }
    points
}

impl Key {
    /// Joins the two.
    ///
    /// # Errors
    /// Sizes that do not fit each other: the key is for another system.
    pub fn new(system: System, key: &ProvingKey<Bn254>) -> Result<Self, ProveError> {
        let (public, variables) = (system.public(), system.variables());
        let fits = [&key.a_query, &key.b_g1_query].iter().all(|query| query.len() == variables)
            && key.b_g2_query.len() == variables
            && key.l_query.len() + public + 1 == variables
            && key.vk.gamma_abc_g1.len() == public + 1
            && key.h_query.len() == system.domain().size();
        let bug = || ProveError::Bug("a proving key for another constraint system".to_owned());
        if !fits {
            return Err(bug());
        }
        let b_g1 = query(&key.b_g1_query, 0).ok_or_else(bug)?;
        let b_g2: Query<G2Point> = query(&key.b_g2_query, 0).ok_or_else(bug)?;
        if *b_g1.columns != *b_g2.columns {
            return Err(bug());
        }
        let joined = Self {
            a: query(&key.a_query, 0).ok_or_else(bug)?,
            // One list of columns for both groups.
            b_g2: Query { columns: b_g1.columns.clone(), points: b_g2.points },
            b_g1,
            l: query(&key.l_query, public + 1).ok_or_else(bug)?,
            h: key.h_query.iter().map(|point| G1Point::from(*point)).collect::<Vec<_>>().into(),
            verifying: key.vk.clone(),
            beta_g1: key.beta_g1,
            delta_g1: key.delta_g1,
            system,
        };
        joined.check().map_err(|_| bug())?;
        Ok(joined)
    }

    /// Whether the parts fit each other, so that no device that takes the columns for places in an assignment of the
    /// system's length, and as many points as columns or domain elements, can leave an array. Coordinates are reduced,
    /// for inversions of others may not end; whether points are on the curve is not looked at: others give proofs
    /// that do not verify.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let (public, variables) = (self.system.public(), self.system.variables());
        let in_g1 = |point: &G1Point| point.is_reduced() && !point.is_infinity();
        check(&self.a, (0, variables), in_g1)?;
        check(&self.b_g1, (0, variables), in_g1)?;
        check(&self.b_g2, (0, variables), |point| point.is_reduced() && !point.is_infinity())?;
        check(&self.l, (public + 1, variables), in_g1)?;
        if *self.b_g1.columns != *self.b_g2.columns {
            return Err("the B query has other columns in G1 than in G2");
        }
        if self.h.len() != self.system.domain().size() {
            return Err("the H query has another size than the system's domain");
        }
        if !all(&self.h, G1Point::is_reduced) {
            return Err("the H query has a point that is not reduced");
        }
        if self.verifying.gamma_abc_g1.len() != public + 1 {
            return Err("the verifying key has another number of inputs than the system");
        }
        self.hides()
    }

    /// Whether its proofs hide their witness, whatever else is in the key: a proof's A is blinded by r delta and its B by s
    /// delta, and its C follows from both because it verifies. B's delta is the verifying key's; A's is the proving key's
    /// own, and with infinity or a point of small order in its place A would be the witness's, the same in every proof. So
    /// delta, and beta with it, must be the multiples in G1 that the verifying key has in G2.
    fn hides(&self) -> Result<(), &'static str> {
        let vk = &self.verifying;
        // A pairing of what is no point need not have a value at all.
        let is_point = |point: G2Affine| {
            !point.is_zero() && point.is_on_curve() && point.is_in_correct_subgroup_assuming_on_curve()
        };
        if ![vk.beta_g2, vk.gamma_g2, vk.delta_g2].into_iter().all(is_point) {
            return Err("beta, gamma or delta is no point of G2");
        }
        let same = |in_g1: G1Affine, in_g2: G2Affine| {
            let on_curve = !in_g1.is_zero() && in_g1.is_on_curve();
            let pairs = [(in_g1, G2Affine::generator()), (-G1Affine::generator(), in_g2)];
            let (in_g1, in_g2): (Vec<G1Affine>, Vec<G2Affine>) = pairs.into_iter().unzip();
            on_curve && Bn254::multi_pairing(in_g1, in_g2).is_zero()
        };
        let (delta, beta) =
            rayon::join(|| same(self.delta_g1, vk.delta_g2), || same(self.beta_g1, vk.beta_g2));
        if delta && beta {
            return Ok(());
        }
        Err(
            "delta or beta is another in G1 than in the verifying key: its proofs would not hide their witness",
        )
    }

    /// The key as arkworks has it: for its prover, the oracle of the tests and a peer of `compare`.
    #[must_use]
    pub fn to_arkworks(&self) -> ProvingKey<Bn254> {
        let (first, end) = (self.system.public() + 1, self.system.variables());
        ProvingKey {
            vk: self.verifying.clone(),
            beta_g1: self.beta_g1,
            delta_g1: self.delta_g1,
            a_query: whole(&self.a, 0, end),
            b_g1_query: whole(&self.b_g1, 0, end),
            b_g2_query: whole::<G2Affine, _>(&self.b_g2, 0, end),
            h_query: self.h.iter().map(|point| G1Affine::from(*point)).collect(),
            l_query: whole(&self.l, first, end),
        }
    }

    /// Its constraint system.
    #[must_use]
    pub const fn system(&self) -> &System {
        &self.system
    }

    /// What its proofs verify under.
    #[must_use]
    pub const fn verifying(&self) -> &VerifyingKey<Bn254> {
        &self.verifying
    }
}
