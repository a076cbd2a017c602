//! Samples, 2x2 tables and pairs against NumPy and SciPy.

use super::{assert_both, assert_close, fixture};
use nightingale_circuits::cohort::PairFigures;
use nightingale_verifier::statistics::{
    correlation::{covariance, pearson},
    fourfold::Fourfold,
    quantile::place,
    sample::{Sample, welch},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    samples: Vec<Samples>,
    fourfolds: Vec<Table>,
    pairs: Vec<Pair>,
}

#[derive(Deserialize)]
struct Samples {
    name: String,
    scale: u8,
    first: Vec<i64>,
    second: Vec<i64>,
    mean: [f64; 2],
    sd: [f64; 2],
    t: f64,
    degrees: f64,
    p: f64,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct Table {
    cells: [u64; 4],
    risk_ratio: Option<f64>,
    risk_ratio_interval: Option<[f64; 2]>,
    odds_ratio: Option<f64>,
    odds_ratio_interval: Option<[f64; 2]>,
    chi_squared: Option<[f64; 2]>,
    yates: Option<[f64; 2]>,
    fisher: f64,
}

#[derive(Deserialize)]
struct Pair {
    first: Vec<i64>,
    second: Vec<i64>,
    scales: (u8, u8),
    covariance: f64,
    correlation: f64,
}

/// Codes are values above this.
const OFFSET: i64 = -1_000;

fn codes(values: &[i64]) -> Vec<u128> {
    values.iter().map(|value| u128::try_from(value - OFFSET).unwrap()).collect()
}

fn sample(values: &[i64], scale: u8) -> Sample {
    let codes = codes(values);
    Sample {
        n: codes.len() as u64,
        codes: codes.iter().sum(),
        squared_codes: codes.iter().map(|code| code * code).sum(),
        offset: OFFSET,
        scale,
    }
}

#[test]
fn means_deviations_and_welch_tests_are_those_of_scipy() {
    let reference: Reference = fixture("reference.json");
    assert!(reference.samples.len() >= 7);
    for case in reference.samples {
        let name = &case.name;
        let (first, second) = (sample(&case.first, case.scale), sample(&case.second, case.scale));
        for (sample, (mean, sd)) in [first, second].iter().zip(case.mean.iter().zip(case.sd)) {
            assert_close(sample.mean().unwrap(), *mean, name);
            assert_close(sample.standard_deviation().unwrap(), sd, name);
        }
        let test = welch(&first, &second).unwrap();
        for (ours, expected) in [
            (test.difference, case.mean[0] - case.mean[1]),
            (test.t, case.t),
            (test.degrees, case.degrees),
            (test.p, case.p),
            (test.low, case.low),
            (test.high, case.high),
        ] {
            assert_close(ours, expected, name);
        }
        let mirrored = welch(&second, &first).unwrap();
        assert_eq!((mirrored.t, mirrored.p), (-test.t, test.p), "{name}");
    }
}

#[test]
fn fourfold_tables_are_those_of_scipy() {
    let reference: Reference = fixture("reference.json");
    assert!(reference.fourfolds.len() > 20);
    for case in reference.fourfolds {
        let [first_with, first_without, second_with, second_without] = case.cells;
        let table = Fourfold { first_with, first_without, second_with, second_without };
        let name = format!("{:?}", case.cells);
        let single = |ours: Option<f64>, expected: Option<f64>, what: &str| {
            assert_both(ours.zip(ours), expected.map(|value| [value, value]), &format!("{what} of {name}"));
        };
        single(table.risk_ratio().map(|ratio| ratio.value), case.risk_ratio, "risk ratio");
        single(table.odds_ratio().map(|ratio| ratio.value), case.odds_ratio, "odds ratio");
        assert_both(table.risk_ratio().and_then(|ratio| ratio.interval), case.risk_ratio_interval, &name);
        assert_both(table.odds_ratio().and_then(|ratio| ratio.interval), case.odds_ratio_interval, &name);
        for (corrected, expected) in [(false, case.chi_squared), (true, case.yates)] {
            let ours = table.chi_squared(corrected).map(|chi| (chi.statistic, chi.p));
            assert_both(ours, expected, &format!("chi2 of {name}, corrected {corrected}"));
        }
        assert_close(table.fisher(), case.fisher, &format!("Fisher of {name}"));
    }
}

#[test]
fn pairs_are_those_of_numpy_and_scipy() {
    let reference: Reference = fixture("reference.json");
    for case in reference.pairs {
        let (a, b) = (codes(&case.first), codes(&case.second));
        let pairs = PairFigures {
            pairs: a.len() as u64,
            first_codes: a.iter().sum(),
            second_codes: b.iter().sum(),
            product_codes: a.iter().zip(&b).map(|(a, b)| a * b).sum(),
        };
        let (first, second) = (sample(&case.first, case.scales.0), sample(&case.second, case.scales.1));
        assert_close(covariance(&pairs, case.scales).unwrap(), case.covariance, "covariance");
        assert_close(pearson(&pairs, &first, &second).unwrap(), case.correlation, "correlation");
        let fewer = PairFigures { pairs: pairs.pairs - 1, ..pairs };
        assert_eq!(pearson(&fewer, &first, &second), None, "squares over other rows than the products");
    }
}

#[test]
fn what_does_not_exist_is_none_and_not_a_number() {
    let one = sample(&[7], 0);
    assert_eq!(one.mean(), Some(7.0));
    assert_eq!(one.variance(), None);
    assert_eq!(sample(&[], 0).mean(), None);
    let constant = sample(&[4, 4, 4], 0);
    assert_eq!(constant.variance(), Some(0.0));
    assert_eq!(welch(&constant, &constant), None);
    assert_eq!(welch(&one, &constant), None);
    assert_eq!(welch(&sample(&[1, 2], 0), &sample(&[1, 2], 1)), None, "other units");
    let empty = Fourfold { first_with: 0, first_without: 0, second_with: 0, second_without: 0 };
    assert_eq!(empty.fisher(), 1.0);
    assert!(
        empty.risk_ratio().is_none() && empty.odds_ratio().is_none() && empty.chi_squared(true).is_none()
    );
}

#[test]
fn means_far_from_zero_lose_no_digits() {
    // 2^31 - 1 rows, half of them 1 and half 3 above a minimum of 9 * 10^17: the deviation is that of the codes.
    let half = 1_073_741_823u64;
    let n = 2 * half;
    let sample = Sample {
        n,
        codes: u128::from(half) * 4,
        squared_codes: u128::from(half) * 10,
        offset: 900_000_000_000_000_000,
        scale: 0,
    };
    assert_close(sample.variance().unwrap(), n as f64 / (n - 1) as f64, "variance");
    assert_close(sample.mean().unwrap(), 900_000_000_000_000_002.0, "mean");
}

#[test]
fn the_widest_sums_fit() {
    // 2^31 - 1 rows of the highest code, but one.
    let (n, high) = (2_147_483_647u64, u128::from(u32::MAX) - 1);
    let sample = Sample {
        n,
        codes: u128::from(n - 1) * high + 1,
        squared_codes: u128::from(n - 1) * high * high + 1,
        offset: i64::MIN,
        scale: 9,
    };
    // One value differs by d from all others: the variance is d^2 / n.
    let d = (high - 1) as f64 / 1e9;
    assert_close(sample.variance().unwrap(), d * d / n as f64, "variance");
    assert!(sample.mean().unwrap() < -9.0e9);
}

#[test]
fn quantiles_lie_between_their_order_statistics() {
    // 1 1 2 5: the median is anything from 1 to 2.
    assert_eq!(place(&[2, 1, 0, 0, 1], 1, 2), Some((0, 1)));
    // 1 2 5: it is 2.
    assert_eq!(place(&[1, 1, 0, 0, 1], 1, 2), Some((1, 1)));
    assert_eq!(place(&[1, 1, 1, 1], 1, 4), Some((0, 1)));
    assert_eq!(place(&[1, 1, 1, 1], 3, 4), Some((2, 3)));
    assert_eq!(place(&[0, 0], 1, 2), None);
    assert_eq!(place(&[5], 1, 1), Some((0, 0)));
    assert_eq!(place(&[u64::MAX, u64::MAX], 1, 2), Some((0, 1)));
}
