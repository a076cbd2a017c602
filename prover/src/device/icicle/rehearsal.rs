//! What a device is asked before it may work: small questions whose answers arkworks knows. A library of another version
//! reads its settings at other places, and a backend may lack an operation; neither says so.

use super::{
    super::{Bases, DeviceError, Direction, G1Point, G2Point, Pointwise, Scalars, Transform, Vector},
    bases::{G1, G2, Group, Points},
    session::Session,
    vector::Elements,
};
use ark_bn254::{G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{FftField, Field};
use nightingale_circuits::Fr;
use std::sync::Arc;

/// Asks.
///
/// # Errors
/// [`DeviceError::Broken`] for a wrong answer; what fails in the device.
pub(super) fn rehearse(session: &Arc<Session>) -> Result<(), DeviceError> {
    combines(session)?;
    transforms(session)?;
    multiplies::<G1, G1Affine>(session, G1Point::from, "bn254_msm")?;
    multiplies::<G2, G2Affine>(session, G2Point::from, "bn254_g2_msm")
}

fn right(session: &Session, right: bool, what: &str) -> Result<(), DeviceError> {
    if right {
        return Ok(());
    }
    Err(session
        .broken(format!("{what} answers a question of a few elements wrongly; is it ICICLE 3.9 or 4.0?")))
}

/// Elements of all sizes, from one formula.
fn elements(count: u64) -> Vec<Fr> {
    (0..count).map(|i| Fr::from(i + 2).pow([i * 37 + 1]) - Fr::ONE).collect()
}

fn read(vector: &Elements) -> Result<Vec<Fr>, DeviceError> {
    let mut values = vec![Fr::default(); vector.len()];
    vector.read(&mut values)?;
    Ok(values)
}

fn combines(session: &Arc<Session>) -> Result<(), DeviceError> {
    let a = elements(5);
    let b: Vec<Fr> = a.iter().rev().copied().collect();
    let on_device = Elements::new(session, &b)?;
    let operation = |operation: Pointwise, of: fn(&Fr, &Fr) -> Fr, name: &str| {
        let mut answer = Elements::new(session, &a)?;
        answer.combine(operation, &on_device)?;
        let expected: Vec<Fr> = a.iter().zip(&b).map(|(a, b)| of(a, b)).collect();
        right(session, read(&answer)? == expected, name)
    };
    operation(Pointwise::Add, |a, b| *a + b, "bn254_vector_add")?;
    operation(Pointwise::Subtract, |a, b| *a - b, "bn254_vector_sub")?;
    operation(Pointwise::Multiply, |a, b| *a * b, "bn254_vector_mul")
}

fn transforms(session: &Arc<Session>) -> Result<(), DeviceError> {
    let coefficients = elements(8);
    let unknown = || DeviceError::Input("the field has no root of order 8".to_owned());
    let root = Fr::get_root_of_unity(8).ok_or_else(unknown)?;
    // Another root of the same order: the device must let go of the first.
    for root in [root, root.pow([3])] {
        for coset in [Fr::ONE, Fr::from(7)] {
            let points = (0..8).map(|i| coset * root.pow([i]));
            let at = |x: Fr| coefficients.iter().rev().fold(Fr::default(), |sum, c| sum * x + c);
            let values: Vec<Fr> = points.map(at).collect();
            let mut vector = Elements::new(session, &coefficients)?;
            vector.transform(&Transform::new(3, root, coset, Direction::Forward)?)?;
            right(session, read(&vector)? == values, "bn254_ntt")?;
            vector.transform(&Transform::new(3, root, coset, Direction::Inverse)?)?;
            right(session, read(&vector)? == coefficients, "the inverse bn254_ntt")?;
        }
    }
    Ok(())
}

fn multiplies<G, A>(session: &Arc<Session>, form: fn(A) -> G::Point, name: &str) -> Result<(), DeviceError>
where
    G: Group<Sum = A::Group>,
    A: AffineRepr<ScalarField = Fr>,
{
    let g = A::generator();
    let double = (g + g).into_affine();
    let points = [g, double, A::zero(), (-g.into_group()).into_affine(), double, g];
    let scalars = [Fr::from(3), -Fr::ONE, Fr::from(9), Fr::default(), Fr::from(5).pow([100]), Fr::ONE];
    let bases = Points::<G>::new(session, &points.map(form))?;
    let expected: A::Group = points.iter().zip(&scalars).map(|(point, scalar)| *point * scalar).sum();
    let nothing = [Fr::default(); 6];
    let sums = bases.multiply(&[Scalars::Host(&scalars), Scalars::Host(&nothing)])?;
    right(session, sums == [expected, A::Group::default()], name)
}
