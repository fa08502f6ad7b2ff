//! Values that lie close together and far from nothing, written with the digits that tell them apart.

use crate::document::grouped;

/// Digits behind the point with which differences of this size show three figures.
pub fn digits(size: f64) -> usize {
    if size > 0.0 && size.is_finite() { (2.0 - size.log10().floor()).clamp(0.0, 12.0) as usize } else { 2 }
}

/// The value that lies `offset` from `mean`: the sum is rounded once.
pub fn written(mean: f64, offset: f64, digits: usize) -> String {
    let value = mean + offset;
    if !value.is_finite() {
        return "–".to_string();
    }
    let text = format!("{:.digits$}", value.abs());
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let sign = if value < 0.0 && text.contains(|c: char| ('1'..='9').contains(&c)) { "−" } else { "" };
    let whole =
        whole.parse().map_or_else(|_| whole.to_string(), |n: u64| if n > 9_999 { grouped(n) } else { whole.to_string() });
    format!("{sign}{whole}{rest}")
}

/// A difference, with its sign.
pub fn signed(value: f64, digits: usize) -> String {
    let text = written(0.0, value, digits);
    if text.starts_with('−') || text == "–" || !text.contains(|c: char| ('1'..='9').contains(&c)) {
        text
    } else {
        format!("+{text}")
    }
}

/// A difference of two probabilities, in points of a hundred.
pub fn points(value: f64) -> String {
    signed(100.0 * value, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_far_from_nothing_shows_the_digits_that_differ() {
        let digits = digits(0.004);
        assert_eq!(written(55_000_000.0, 0.001, digits), "55,000,000.00100");
        assert_eq!(written(55_000_000.0, 0.002, digits), "55,000,000.00200");
        assert_eq!(
            (written(1086.0, 326.4, 0), written(0.0, -0.2, 0), written(-3.0, 0.0, 1)),
            ("1412".into(), "0".into(), "−3.0".into())
        );
    }

    #[test]
    fn a_difference_has_its_sign_unless_it_is_none() {
        assert_eq!([signed(213.0, 0), signed(-64.0, 0), signed(0.01, 1), points(-0.125)], ["+213", "−64", "0.0", "−12.5"]);
        assert_eq!((digits(0.0), digits(f64::NAN), digits(13_000.0), digits(50.0)), (2, 2, 0, 1));
    }
}
