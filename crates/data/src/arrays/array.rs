//! An array with its values, how its numbers are read, and what is wrong with a file that holds none.

use downhill_tensor::UserError;

/// Most bytes that a file may hold once it is unpacked.
pub const MOST_BYTES: usize = 512 << 20;

/// An array with the values it was written with.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Lengths of its dimensions, the last one the fastest.
    pub shape: Vec<usize>,
    /// Its values, as many as the shape says.
    pub values: Values,
}

/// The values of an [`Array`].
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Bytes.
    U8(Vec<u8>),
    /// Whole numbers of any width.
    I64(Vec<i64>),
    /// Numbers.
    F32(Vec<f32>),
    /// Words.
    Text(Vec<String>),
}

/// What is wrong with a file.
pub(super) fn refuse(name: &str, what: &str, hint: &str) -> UserError {
    UserError::new(format!("The file \"{}\" {what}.", crate::spec::quote(name))).hint(hint)
}

/// How many values a shape has, and that a file has as many bytes as they need.
pub(super) fn count(name: &str, shape: &[usize], width: usize, there: usize) -> Result<usize, UserError> {
    let count = shape.iter().try_fold(1usize, |all, &n| all.checked_mul(n));
    let said = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
    match count.and_then(|count| count.checked_mul(width)) {
        Some(wanted) if wanted == there => Ok(count.unwrap_or(0)),
        Some(wanted) if wanted < there => {
            let what = format!("says that it holds {said} values, which are {wanted} bytes, but has {there}");
            Err(refuse(name, &what, "It is damaged, or was written wrongly: fetch or write it again."))
        }
        _ => {
            let what =
                format!("is cut short: it says that it holds {said} values of {width} bytes, but only {there} bytes are there");
            Err(refuse(name, &what, "Fetch it again."))
        }
    }
}

/// How the bytes of a number are read.
#[derive(Clone, Copy)]
pub(super) struct Number {
    pub kind: Kind,
    pub width: usize,
    pub big_endian: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Signed,
    Unsigned,
    Float,
}

impl Number {
    /// Reads all of them.
    pub fn read(self, bytes: &[u8]) -> Values {
        let word = |bytes: &[u8]| {
            let push = |word: u64, &byte: &u8| word << 8 | u64::from(byte);
            if self.big_endian { bytes.iter().fold(0, push) } else { bytes.iter().rev().fold(0, push) }
        };
        let words = bytes.chunks_exact(self.width.max(1)).map(word);
        // A number of fewer bits keeps its sign when it is moved up to the top and down again.
        let spare = 64 - 8 * self.width.min(8) as u32;
        match (self.kind, self.width) {
            (Kind::Unsigned, 1) => Values::U8(bytes.to_vec()),
            (Kind::Float, 2) => Values::F32(words.map(|word| half(word as u16)).collect()),
            (Kind::Float, 4) => Values::F32(words.map(|word| f32::from_bits(word as u32)).collect()),
            (Kind::Float, _) => Values::F32(words.map(|word| f64::from_bits(word) as f32).collect()),
            (Kind::Unsigned, _) => Values::I64(words.map(|word| word as i64).collect()),
            (Kind::Signed, _) => Values::I64(words.map(|word| ((word << spare) as i64) >> spare).collect()),
        }
    }
}

/// A number of 16 bits as one of 32.
fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (u32::from(bits >> 15) << 31, u32::from(bits >> 10 & 31), u32::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction as f32 / 16_777_216.0,
        31 => f32::from_bits(255 << 23 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    f32::from_bits(magnitude.to_bits() | sign)
}
