//! Tail probabilities against 40 digits of mpmath.

use super::{assert_close, fixture};
use nightingale_verifier::statistics::distribution::{
    NORMAL_975, chi_squared_upper, student_975, student_two_sided,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    chi_squared: Vec<(f64, u32, f64)>,
    student: Vec<(f64, f64, f64)>,
    student_975: Vec<(f64, f64)>,
}

#[test]
fn chi_squared_tails_are_those_of_mpmath() {
    let reference: Reference = fixture("reference.json");
    assert!(reference.chi_squared.len() > 80);
    for (statistic, degrees, p) in reference.chi_squared {
        assert_close(chi_squared_upper(statistic, degrees), p, &format!("chi2 {statistic}, df {degrees}"));
    }
}

#[test]
fn student_tails_are_those_of_mpmath() {
    let reference: Reference = fixture("reference.json");
    assert!(reference.student.len() > 80);
    for (t, degrees, p) in reference.student {
        assert_close(student_two_sided(t, degrees), p, &format!("t {t}, df {degrees}"));
        assert_eq!(student_two_sided(-t, degrees), student_two_sided(t, degrees));
    }
}

#[test]
fn student_quantiles_are_those_of_mpmath_and_approach_the_normal_one() {
    let reference: Reference = fixture("reference.json");
    for (degrees, quantile) in reference.student_975 {
        assert_close(student_975(degrees), quantile, &format!("df {degrees}"));
    }
    assert_close(student_975(4e9), NORMAL_975, "as many degrees as rows can give");
}

#[test]
fn ends_of_the_distributions_are_what_they_must_be() {
    assert_eq!(chi_squared_upper(0.0, 3), 1.0);
    assert_eq!(chi_squared_upper(f64::INFINITY, 3), 0.0);
    assert_eq!(student_two_sided(0.0, 4.0), 1.0);
    assert_eq!(student_two_sided(f64::INFINITY, 4.0), 0.0);
}
