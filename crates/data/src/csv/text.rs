//! From the bytes of a file to the text of a table: encodings, and what is no text at all.

use downhill_tensor::UserError;

use super::choices::MAX_BYTES;

/// The text of a file: UTF-8, UTF-16 where a byte order mark says so, or else Windows-1252, in which every byte is a character.
///
/// # Errors
/// When it is larger than what is read.
pub fn decode(bytes: &[u8]) -> Result<String, UserError> {
    check_size(bytes.len())?;
    Ok(match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => utf8(bytes),
    })
}

fn utf8(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_string(),
        Err(_) => bytes.iter().map(|&byte| windows_1252(byte)).collect(),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Windows-1252 is Latin-1 but for 32 bytes; the five that it leaves open stay what they are.
fn windows_1252(byte: u8) -> char {
    const OTHERS: [u16; 32] = [
        0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f,
        0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178,
    ];
    match byte {
        0x80..=0x9f => char::from_u32(u32::from(OTHERS[usize::from(byte) - 0x80])).unwrap_or(char::REPLACEMENT_CHARACTER),
        _ => char::from(byte),
    }
}

fn check_size(bytes: usize) -> Result<(), UserError> {
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    let size = bytes.div_ceil(1_000_000);
    let message = format!("The table has {size} MB; at most {} MB are read.", MAX_BYTES / 1_000_000);
    Err(UserError::at("text", message).hint("Keep a random part of its rows."))
}

/// Refuses what cannot be a table.
pub(super) fn check(text: &str) -> Result<(), UserError> {
    check_size(text.len())?;
    if text.trim().is_empty() {
        return Err(UserError::at("text", "The table is empty.").hint("Paste one, or drop a file."));
    }
    if text.contains('\0') {
        let message = "This is not a table in text form: it contains zero bytes.";
        return Err(UserError::at("text", message).hint("Save it as CSV."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_encoding_is_read() {
        let text = "größe,€\n1,2\n";
        let utf16 = |unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        assert_eq!(decode(text.as_bytes()).unwrap(), text);
        assert_eq!(decode(&[b"\xef\xbb\xbf", text.as_bytes()].concat()).unwrap(), text);
        assert_eq!(decode(&[vec![0xff, 0xfe], utf16(u16::to_le_bytes)].concat()).unwrap(), text);
        assert_eq!(decode(&[vec![0xfe, 0xff], utf16(u16::to_be_bytes)].concat()).unwrap(), text);
        assert_eq!(decode(b"gr\xf6\xdfe,\x80\n1,2\n").unwrap(), text);
    }
}
