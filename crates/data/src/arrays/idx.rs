//! IDX, the files of MNIST: two zeros, the type of a value, the number of dimensions, their lengths, then the values, all with the highest
//! byte first (Y. LeCun, C. Cortes, C. Burges: *The MNIST database*).

use downhill_tensor::UserError;

use super::array::{Array, Kind, Number, count, refuse};

/// Whether a file begins as IDX does.
pub fn is_idx(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0, kind, 1..=6, ..] if number(*kind).is_some())
}

fn number(kind: u8) -> Option<Number> {
    let (kind, width) = match kind {
        8 => (Kind::Unsigned, 1),
        9 => (Kind::Signed, 1),
        11 => (Kind::Signed, 2),
        12 => (Kind::Signed, 4),
        13 => (Kind::Float, 4),
        14 => (Kind::Float, 8),
        _ => return None,
    };
    Some(Number { kind, width, big_endian: true })
}

/// Reads an array.
pub fn read(name: &str, bytes: &[u8]) -> Result<Array, UserError> {
    let cut = || refuse(name, "is cut short: its header is not complete", "Fetch it again.");
    let (Some(&kind), Some(&dimensions)) = (bytes.get(2), bytes.get(3)) else { return Err(cut()) };
    let header = 4 + 4 * usize::from(dimensions);
    let (lengths, values) = bytes.get(4..header).zip(bytes.get(header..)).ok_or_else(cut)?;
    let length = |bytes: &[u8]| bytes.iter().fold(0usize, |n, &byte| n << 8 | usize::from(byte));
    let shape: Vec<usize> = lengths.chunks_exact(4).map(length).collect();
    let number = number(kind).ok_or_else(|| refuse(name, "holds values of an unknown type", "Write it as bytes."))?;
    count(name, &shape, number.width, values.len())?;
    Ok(Array { values: number.read(values), shape })
}
