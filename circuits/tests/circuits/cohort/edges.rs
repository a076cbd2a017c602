//! What every gate reads, and where: degree, rotations and rows.

use super::trial::{NARROW, WIDE};
use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Circuit, ConstraintSystem, Expression},
};
use nightingale_circuits::cohort::{Class, Layout, QueryCircuit, Size, circuit::Shape};

fn system(class: Class, layout: Layout) -> ConstraintSystem<Fr> {
    let mut system = ConstraintSystem::default();
    QueryCircuit::configure_with_params(&mut system, Shape { class, layout });
    system
}

#[test]
fn every_gate_has_degree_three_at_most() {
    for (class, layout) in [(Class::Narrow, NARROW), (Class::Wide, WIDE)] {
        let system = system(class, layout);
        // `degree()` alone would not tell: it stops at MAX_DEGREE.
        let highest = system.gates().iter().flat_map(|gate| gate.polynomials()).map(Expression::degree).max();
        assert_eq!(highest, Some(3));
        assert_eq!(system.degree(), 3);
    }
}

#[test]
fn the_unusable_rows_are_salt() {
    for class in Class::ALL {
        for size in Size::ALL {
            let system = system(class, size.layout());
            assert!(system.blinding_factors() < Layout::SALT, "{class:?}");
        }
    }
}
