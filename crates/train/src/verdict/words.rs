//! Numbers as verdicts say them.

/// A number with three digits that count: 0.0123, 1.23, 123; as a power of ten where it is very small or large: 1.2e-9.
pub(super) fn number(v: f64) -> String {
    rounded(v, 3)
}

/// Two numbers with as many digits as tell them apart, three at least and six at most.
pub(super) fn pair(a: f64, b: f64) -> [String; 2] {
    let mut both = [number(a), number(b)];
    for digits in 4..=6 {
        if both[0] == both[1] {
            both = [a, b].map(|v| rounded(v, digits));
        }
    }
    both
}

fn rounded(v: f64, figures: i32) -> String {
    if v == 0.0 || !v.is_finite() {
        return if v == 0.0 { "0".to_string() } else { v.to_string() };
    }
    if !(1e-5..1e7).contains(&v.abs()) {
        return format!("{v:.1e}");
    }
    let digits = (figures - 1 - v.abs().log10().floor() as i32).clamp(0, 10) as usize;
    let text = format!("{v:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

/// A share of one; its sign never stands alone on a line.
pub(super) fn percent(v: f64) -> String {
    let text = format!("{:.1}\u{a0}%", 100.0 * v);
    // What lacks a little is not all.
    if v < 1.0 && text.starts_with("100") { "99.9\u{a0}%".to_string() } else { text }
}

/// A count with groups of three: 12,345.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count of something that may be one: `1 step`, `2 steps`.
pub(super) fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_count() {
        assert_eq!([0.0, 0.012_345, 0.5, 1.2345, 1234.5].map(number), ["0", "0.0123", "0.5", "1.23", "1234"]);
        assert_eq!([pair(0.6063, 0.6058), pair(2.0, 2.0), pair(0.7, 0.6)], [["0.6063", "0.6058"], ["2", "2"], ["0.7", "0.6"]]);
        assert_eq!([2.04e-9, -3.1e33].map(number), ["2.0e-9", "-3.1e33"]);
        assert_eq!((percent(0.987), count(1_234_567), count(999)), ("98.7\u{a0}%".into(), "1,234,567".into(), "999".into()));
        assert_eq!([1.0, 0.9999, 0.0].map(percent), ["100.0\u{a0}%", "99.9\u{a0}%", "0.0\u{a0}%"]);
        assert_eq!((counted(1, "step"), counted(2000, "step")), ("1 step".into(), "2,000 steps".into()));
    }
}
