//! Numbers from text, without the ten kilobytes of tables with which the standard library gets the last bit of every one right.

/// Powers of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21,
    1e22,
];
/// A mantissa below this has room for another digit.
const FULL: u64 = u64::MAX / 10 - 1;

/// Reads a number as [`str::parse`] does: the nearest double for up to 15 digits and exponents up to 22, else at most a few units in the
/// last place beside it.
pub fn parse_number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let size = match unsigned.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => f64::INFINITY,
        "nan" => f64::NAN,
        digits => {
            let (mantissa, exponent) = digits.split_once('e').unwrap_or((digits, "0"));
            decimal(mantissa, exponent.parse().ok()?)?
        }
    };
    Some(if text.starts_with('-') { -size } else { size })
}

/// The value of digits with or without a point, times a power of ten.
fn decimal(text: &str, exponent: i32) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() + fraction.len() == 0 || text.len() > i32::MAX as usize {
        return None;
    }
    let (mut mantissa, mut dropped) = (0, 0);
    for digit in whole.bytes().chain(fraction.trim_end_matches('0').bytes()) {
        if !digit.is_ascii_digit() {
            return None;
        }
        if mantissa < FULL {
            mantissa = mantissa * 10 + u64::from(digit - b'0');
        } else {
            dropped += 1;
        }
    }
    let shift = dropped - fraction.trim_end_matches('0').len() as i32;
    Some(scaled(mantissa as f64, exponent.saturating_add(shift)))
}

fn scaled(mut value: f64, mut exponent: i32) -> f64 {
    while exponent > 22 && value != 0.0 && value.is_finite() {
        value *= 1e22;
        exponent -= 22;
    }
    while exponent < -22 && value != 0.0 {
        value /= 1e22;
        exponent += 22;
    }
    let power = POWERS[exponent.unsigned_abs().min(22) as usize];
    if exponent < 0 { value / power } else { value * power }
}

#[cfg(test)]
mod tests {
    use super::parse_number;

    #[test]
    fn usual_numbers_are_read_to_the_last_bit() {
        for text in [
            "0",
            "-0",
            "1",
            "+3",
            ".5",
            "5.",
            "0.1",
            "0.030",
            "-12.75",
            "1e-3",
            "2.5E+10",
            "123456789.012345",
            "1e22",
            "0.010000000000",
            "100000000000000000000",
            "7e-22",
        ] {
            let exact: f64 = text.parse().expect("a number");
            assert_eq!(parse_number(text).map(f64::to_bits), Some(exact.to_bits()), "{text}");
        }
    }

    #[test]
    fn long_and_extreme_numbers_are_within_a_few_units_in_the_last_place() {
        for text in [
            "3.14159265358979323846264338327950288",
            "1.7976931348623157e308",
            "2.2250738585072014e-308",
            "6.02214076e23",
            "123456789012345678901234567890",
        ] {
            let exact: f64 = text.parse().expect("a number");
            let read = parse_number(text).expect("a number");
            assert!((read - exact).abs() <= exact.abs() * 1e-14, "{text}: {read:e}");
        }
        assert_eq!(parse_number("1e-400"), Some(0.0));
        assert_eq!(parse_number("1e400"), Some(f64::INFINITY));
        assert_eq!(parse_number("0e2000000000"), Some(0.0));
    }

    #[test]
    fn words_for_what_is_no_finite_number_are_known() {
        assert_eq!(parse_number("-Infinity"), Some(f64::NEG_INFINITY));
        assert!(parse_number("NaN").is_some_and(f64::is_nan));
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", ".", "-", "+-1", "1e", "e5", "1.2.3", "1,5", "0x10", "1 ", "١", "12a", "1e5.5", "--1"] {
            assert_eq!(parse_number(text), None, "{text}");
            assert!(text.parse::<f64>().is_err(), "{text}");
        }
    }
}
