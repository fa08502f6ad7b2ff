//! `.npy`, the files of NumPy: a magic word, a header that is a dictionary in Python's words, then the values
//! (*NEP 1: A simple file format for NumPy arrays*).

use downhill_tensor::UserError;

use super::array::{Array, Kind, Number, Values, count, refuse};

const MAGIC: &[u8] = b"\x93NUMPY";

/// Whether a file begins as `.npy` does.
pub fn is_npy(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Reads an array.
pub fn read(name: &str, bytes: &[u8]) -> Result<Array, UserError> {
    let cut = || refuse(name, "is cut short: its header is not complete", "Fetch it again.");
    let (&version, lengths) = bytes.get(MAGIC.len()).zip(bytes.get(8..12)).ok_or_else(cut)?;
    // The length of the header has two bytes in the first version and four since.
    let (begin, wide) = if version == 1 { (10, 2) } else { (12, 4) };
    let length = lengths.iter().take(wide).rev().fold(0usize, |n, &byte| n << 8 | usize::from(byte));
    let end = begin + length;
    let (header, values) = bytes.get(begin..end).zip(bytes.get(end..)).ok_or_else(cut)?;
    let header = String::from_utf8_lossy(header);
    let broken = || refuse(name, "has a header that cannot be read", "Write it with numpy.save.");
    let shape = shape(&header).ok_or_else(broken)?;
    let kind = after(&header, "descr").ok_or_else(broken)?;
    let Some(kind) = kind.strip_prefix(['\'', '"']).and_then(|rest| rest.split(['\'', '"']).next()) else {
        return Err(refuse(name, "holds records with named fields", "Save one field as an array of numbers."));
    };
    let array = of_kind(name, kind, &shape, values)?;
    if after(&header, "fortran_order").is_some_and(|rest| rest.starts_with("True")) {
        return Ok(Array { values: last_axis_fastest(&array.values, &shape), shape });
    }
    Ok(array)
}

/// What stands behind a key of the header.
fn after<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = header.split_once(key)?;
    Some(rest.trim_start_matches(['\'', '"']).trim_start().strip_prefix(':')?.trim_start())
}

fn shape(header: &str) -> Option<Vec<usize>> {
    let inner = after(header, "shape")?.strip_prefix('(')?.split(')').next()?;
    inner.split(',').map(str::trim).filter(|n| !n.is_empty()).map(|n| n.trim_end_matches('L').parse().ok()).collect()
}

/// Values of a type as NumPy writes it: `<f4`, `|u1`, `>f8`, `<U5`.
fn of_kind(name: &str, kind: &str, shape: &[usize], bytes: &[u8]) -> Result<Array, UserError> {
    let unknown = || {
        let what = match kind {
            _ if kind.contains('O') => "holds Python objects".to_string(),
            _ => format!("holds values of the type {}", crate::spec::quote(kind)),
        };
        refuse(name, &what, "Save numbers: numpy.save(path, array.astype(\"uint8\")).")
    };
    let digits = kind.find(|c: char| c.is_ascii_digit()).ok_or_else(unknown)?;
    let (letters, width) = kind.split_at(digits);
    let width: usize = width.parse().ok().filter(|&n| n > 0 && n < 1 << 20).ok_or_else(unknown)?;
    let big_endian = letters.starts_with('>');
    let values = match (letters.trim_start_matches(['<', '>', '|', '=']), width) {
        ("U", _) => {
            let n = count(name, shape, 4 * width, bytes.len())?;
            let word = |bytes: &[u8]| words(bytes, big_endian);
            Values::Text(bytes.chunks_exact(4 * width).take(n).map(word).collect())
        }
        ("b", 1) => {
            count(name, shape, 1, bytes.len())?;
            Values::U8(bytes.iter().map(|&b| if b == 0 { 0 } else { u8::MAX }).collect())
        }
        (letter @ ("u" | "i"), 1 | 2 | 4 | 8) | (letter @ "f", 2 | 4 | 8) => {
            count(name, shape, width, bytes.len())?;
            let kind = match letter {
                "u" => Kind::Unsigned,
                "i" => Kind::Signed,
                _ => Kind::Float,
            };
            Number { kind, width, big_endian }.read(bytes)
        }
        _ => return Err(unknown()),
    };
    Ok(Array { shape: shape.to_vec(), values })
}

/// A word of letters of four bytes, filled up with zeros.
fn words(bytes: &[u8], big_endian: bool) -> String {
    let letter = |bytes: &[u8]| {
        let push = |word: u32, &byte: &u8| word << 8 | u32::from(byte);
        char::from_u32(if big_endian { bytes.iter().fold(0, push) } else { bytes.iter().rev().fold(0, push) })
    };
    let letters = bytes.chunks_exact(4).map(|bytes| letter(bytes).unwrap_or(char::REPLACEMENT_CHARACTER));
    letters.take_while(|&c| c != '\0').collect()
}

/// Values whose first axis is the fastest, with the last one as the fastest.
fn last_axis_fastest(values: &Values, shape: &[usize]) -> Values {
    fn moved<T: Clone>(values: &[T], shape: &[usize]) -> Vec<T> {
        let mut at = vec![0; shape.len()];
        let mut moved = Vec::with_capacity(values.len());
        for _ in 0..values.len() {
            // [a, b, c] of a shape [A, B, C] is at a + A·(b + B·c).
            let from = at.iter().zip(shape).rev().fold(0, |from, (&i, &n)| from * n + i);
            moved.extend(values.get(from).cloned());
            for (i, &n) in at.iter_mut().zip(shape).rev() {
                *i += 1;
                if *i < n {
                    break;
                }
                *i = 0;
            }
        }
        moved
    }
    match values {
        Values::U8(values) => Values::U8(moved(values, shape)),
        Values::I64(values) => Values::I64(moved(values, shape)),
        Values::F32(values) => Values::F32(moved(values, shape)),
        Values::Text(values) => Values::Text(moved(values, shape)),
    }
}

/// An array of bytes, or of labels of four bytes each, as NumPy reads it.
pub fn write(kind: &str, shape: &[usize], values: &[u8]) -> Vec<u8> {
    let lengths: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({lengths}), }}");
    // Header and magic together are a multiple of 64 bytes.
    let length = (header.len() + 11).next_multiple_of(64) - 10;
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0, length as u8, (length >> 8) as u8]);
    bytes.extend(header.bytes());
    bytes.resize(10 + length - 1, b' ');
    bytes.push(b'\n');
    bytes.extend(values);
    bytes
}
