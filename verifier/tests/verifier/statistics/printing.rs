//! Ten significant digits.

use nightingale_verifier::statistics::number::{ratio, ten_digits, to_ten_digits};

#[test]
fn prints_at_most_ten_significant_digits() {
    for (value, printed) in [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (0.5, "0.5"),
        (75.209_302_325_581_39, "75.20930233"),
        (-2.0 / 3.0, "-0.6666666667"),
        (1e14, "100000000000000"),
        (1e15, "1e15"),
        (123_456_789_012.0, "123456789000"),
        (1_234_567.890_625, "1234567.891"),
        (0.000_012_345, "0.000012345"),
        (1.234_567_890_12e-6, "1.23456789e-6"),
        (9.999_999_999_99, "10"),
        (2.5e-300, "2.5e-300"),
    ] {
        assert_eq!(ten_digits(value), printed);
    }
}

#[test]
fn half_of_the_last_digit_goes_to_the_even_one() {
    // Both are exact in binary.
    assert_eq!(ten_digits(1_000_000_000.5), "1000000000");
    assert_eq!(ten_digits(1_000_000_001.5), "1000000002");
}

#[test]
fn json_shows_the_same_ten_digits() {
    for value in [1.0 / 3.0, 2e10 / 7.0, -1e-9 / 7.0, 12.0] {
        let json = serde_json::to_string(&to_ten_digits(value)).unwrap();
        let (json, printed): (f64, f64) = (json.parse().unwrap(), ten_digits(value).parse().unwrap());
        assert_eq!(json, printed);
    }
    assert_eq!(serde_json::to_string(&to_ten_digits(1.0 / 3.0)).unwrap(), "0.3333333333");
}

#[test]
fn nothing_is_divided_by_zero() {
    assert_eq!(ratio(1, 0), None);
    assert_eq!(ratio(1, 8), Some(0.125));
}
