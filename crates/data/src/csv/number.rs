//! Numbers as people and spreadsheets write them: `1,234.5`, `1.234,5`, `1'234`, `12 %`, `€3.50`, `−9.4`. Which of point and comma is the
//! decimal sign often cannot be seen in one value; [`Evidence`] sums up what a whole column says.

use downhill_tensor::parse_number;

use super::choices::Decimal;
use crate::spec::quote;

/// The largest number that is read: what is larger is a mistake more often than a measurement.
pub(super) const LARGEST: f64 = 1e15;

/// Signs of money, before or behind a number.
const MONEY: [char; 6] = ['$', '€', '£', '¥', '₹', '¢'];

/// What a value says about the decimal sign of its column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    /// Values that are numbers only with a decimal point: `0.5`, `1,234.50`.
    pub point: usize,
    /// Values that are numbers only with a decimal comma: `0,5`, `1.234,50`.
    pub comma: usize,
    /// Values that are one number with a point and another one with a comma: `1.020`.
    pub open: usize,
    /// Those of them with a comma: `1,020`.
    pub open_comma: usize,
}

impl Evidence {
    /// Adds what one value says.
    pub fn add(&mut self, value: &str) {
        if !value.contains([',', '.']) {
            return;
        }
        match (number(value, Decimal::Point), number(value, Decimal::Comma)) {
            (Some(_), None) => self.point += 1,
            (None, Some(_)) => self.comma += 1,
            (Some(_), Some(_)) => {
                self.open += 1;
                self.open_comma += usize::from(value.contains(','));
            }
            (None, None) => {}
        }
    }

    /// Adds what another column says.
    pub fn join(&mut self, other: Evidence) {
        self.point += other.point;
        self.comma += other.comma;
        self.open += other.open;
        self.open_comma += other.open_comma;
    }

    /// The decimal sign, if there is more for one than for the other.
    pub fn decided(self) -> Option<Decimal> {
        match self.point.cmp(&self.comma) {
            std::cmp::Ordering::Greater => Some(Decimal::Point),
            std::cmp::Ordering::Less => Some(Decimal::Comma),
            std::cmp::Ordering::Equal => None,
        }
    }
}

/// A number of at most [`LARGEST`].
pub(super) fn number(value: &str, decimal: Decimal) -> Option<f64> {
    plain(value, decimal).or_else(|| dressed(value, decimal)).filter(|n| n.abs() <= LARGEST)
}

/// Digits with nothing around them, and a point only where that is the decimal sign: nearly every value of most tables.
fn plain(value: &str, decimal: Decimal) -> Option<f64> {
    let simple =
        |b: u8| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'e' | b'E') || (b == b'.' && decimal == Decimal::Point);
    if value.bytes().all(simple) { parse_number(value) } else { None }
}

/// A number with its sign, money, percent and grouped digits taken off.
fn dressed(value: &str, decimal: Decimal) -> Option<f64> {
    let mut text = value.trim();
    let mut negative = false;
    for _ in 0..2 {
        if let Some(rest) = text.strip_prefix(['-', '−', '–']) {
            if negative {
                return None;
            }
            (text, negative) = (rest.trim_start(), true);
        } else if let Some(rest) = text.strip_prefix(MONEY) {
            text = rest.trim_start();
        }
    }
    text = text.strip_prefix('+').unwrap_or(text);
    let text = text.strip_suffix(['%', '‰']).or_else(|| text.strip_suffix(MONEY)).unwrap_or(text).trim_end();
    // A second sign is none.
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',')) {
        return None;
    }
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let (sign, group) = if decimal == Decimal::Comma { (',', '.') } else { ('.', ',') };
    let (whole, fraction) = match mantissa.split_once(sign) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let mut digits = ungrouped(whole, group)?;
    if let Some(fraction) = fraction {
        if fraction.is_empty() && sign == ',' {
            return None;
        }
        digits.push('.');
        digits.push_str(fraction);
    }
    digits.push_str(exponent);
    parse_number(&digits).map(|n| if negative { -n } else { n })
}

/// The digits of `1,234,567` or `1 234 567`: groups of three after the first.
fn ungrouped(whole: &str, group: char) -> Option<String> {
    let separators = [group, '\'', '’', ' ', '\u{a0}', '\u{2009}', '\u{202f}'];
    let Some(separator) = whole.chars().find(|c| separators.contains(c)) else { return Some(whole.to_string()) };
    let mut groups = whole.split(separator);
    let first = groups.next().filter(|first| (1..=3).contains(&first.len()) && !first.starts_with('0'))?;
    let mut digits = first.to_string();
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        digits.push_str(group);
    }
    digits.bytes().all(|b| b.is_ascii_digit()).then_some(digits)
}

/// A number with a unit behind it: `12 kg` is 12 and `kg`.
pub(super) fn with_unit(value: &str, decimal: Decimal) -> Option<(f64, &str)> {
    const LONGEST: usize = 8;
    let value = value.trim();
    let at = value.rfind(|c: char| c.is_ascii_digit())? + 1;
    let unit = value[at..].trim();
    let is_unit =
        !unit.is_empty() && unit.chars().count() <= LONGEST && unit.chars().all(|c| c.is_alphabetic() || "²³°/µ%".contains(c));
    if !is_unit {
        return None;
    }
    number(&value[..at], decimal).map(|number| (number, unit))
}

/// What is wrong with a value that should have been a number and is none.
pub(super) fn not_a_number(value: &str) -> String {
    match parse_number(value) {
        Some(_) => format!("{} is beyond the largest number, {LARGEST:e}", quote(value)),
        None => format!("\"{}\" is not a number", quote(value)),
    }
}

/// Whether a value says that there is none: always, or only where it is not one of the words of a column.
pub(super) fn missing(value: &str) -> Absence {
    const ALWAYS: [&str; 9] = ["na", "n/a", "nan", "null", "#n/a", "?", "…", "...", "<na>"];
    const USUALLY: [&str; 11] = ["none", "missing", "-", "–", "—", "--", ".", "nil", "n.a.", "k.a.", "(blank)"];
    if value.is_empty() {
        return Absence::Always;
    }
    // The longest of them has nine letters; a longer value need not be compared.
    if value.len() > 12 {
        return Absence::No;
    }
    let is = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    let of_a_spreadsheet = value.starts_with('#') && value.ends_with(['!', '?']);
    match () {
        () if of_a_spreadsheet || is(&ALWAYS) => Absence::Always,
        () if is(&USUALLY) => Absence::Usually,
        () => Absence::No,
    }
}

/// See [`missing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// It is a value.
    No,
    /// There is none, unless the column is one of words and this is one of them.
    Usually,
    /// There is none.
    Always,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        let point = |text: &str| number(text, Decimal::Point);
        for (text, value) in [
            ("1,117", 1117.0),
            ("1.3%", 1.3),
            ("12 %", 12.0),
            ("$0.65", 0.65),
            ("-$1,234.50", -1234.5),
            ("3.50 €", 3.5),
            ("−9.4", -9.4),
            ("1'234", 1234.0),
            ("1\u{a0}234", 1234.0),
            ("1\u{2009}234\u{2009}567.5", 1_234_567.5),
            ("+3", 3.0),
            ("1e3", 1000.0),
            ("2.5E-1", 0.25),
            (".5", 0.5),
            ("0.013", 0.013),
        ] {
            assert_eq!(point(text), Some(value), "{text}");
        }
        for text in ["(5.00)", "1,5", "1,23,456", "12 kg", "", "-", "--1", "$", "%", "1.2.3", "0,123", "1e20", "nan", "12:30"] {
            assert_eq!(point(text), None, "{text}");
        }
        let comma = |text: &str| number(text, Decimal::Comma);
        assert_eq!([comma("1.234,50"), comma("1.020"), comma("0,07"), comma("500")], [1234.5, 1020.0, 0.07, 500.0].map(Some));
        assert_eq!([comma("0.5"), comma("1.23")], [None; 2]);
        assert_eq!(with_unit("12 kg", Decimal::Point), Some((12.0, "kg")));
        assert_eq!(with_unit("1.5m²", Decimal::Point), Some((1.5, "m²")));
        assert_eq!([with_unit("A12", Decimal::Point), with_unit("12", Decimal::Point)], [None; 2]);
    }

    #[test]
    fn a_column_says_which_sign_is_the_decimal_one() {
        let decided = |values: &[&str]| {
            let mut evidence = Evidence::default();
            values.iter().for_each(|value| evidence.add(value));
            evidence.decided()
        };
        assert_eq!(decided(&["1.020", "0.5"]), Some(Decimal::Point));
        assert_eq!(decided(&["1.020", "0,5"]), Some(Decimal::Comma));
        assert_eq!(decided(&["1.234.567"]), Some(Decimal::Comma));
        assert_eq!(decided(&["1,234,567"]), Some(Decimal::Point));
        assert_eq!(decided(&["1.020", "500"]), None);
    }

    #[test]
    fn words_for_nothing_are_known() {
        for text in ["", "NA", "n/a", "#DIV/0!", "#N/A", "#VALUE!", "#NAME?", "?", "…", "NaN"] {
            assert_eq!(missing(text), Absence::Always, "{text}");
        }
        for text in ["none", "missing", "-", "n.a."] {
            assert_eq!(missing(text), Absence::Usually, "{text}");
        }
        for text in ["milk", "+", "#1", "0", "no"] {
            assert_eq!(missing(text), Absence::No, "{text}");
        }
    }
}
