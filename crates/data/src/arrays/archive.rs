//! What is packed: zip and gzip, each unpacked within [`MOST_BYTES`](super::MOST_BYTES), whatever it says of itself.

use downhill_tensor::UserError;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use rawzip::{CompressionMethod, ZipArchive, ZipArchiveWriter};

use super::array::{MOST_BYTES, refuse};

/// A file out of an archive, or one that stands for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its path in the archive.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Most files of an archive.
const MOST_MEMBERS: usize = 200_000;

/// The files in a zip, the one in a gzip, or the file itself. What is packed in a zip once more by gzip is unpacked too.
///
/// # Errors
/// When it is damaged, is locked, or holds more than there is room for.
#[inline(never)]
pub fn members(name: &str, bytes: Vec<u8>) -> Result<Vec<Member>, UserError> {
    let mut left = MOST_BYTES;
    let packed =
        if bytes.starts_with(b"PK") { unzip(name, &bytes, &mut left)? } else { vec![Member { name: name.to_string(), bytes }] };
    let unpacked = packed.into_iter().map(|member| {
        if !member.bytes.starts_with(&[0x1f, 0x8b]) {
            return Ok(member);
        }
        let bytes = gunzip(&member.name, &member.bytes, &mut left)?;
        Ok(Member { name: member.name.trim_end_matches(".gz").to_string(), bytes })
    });
    unpacked.collect()
}

fn damaged(name: &str) -> UserError {
    refuse(name, "is damaged, or no zip", "Fetch or pack it again.")
}

fn too_much(name: &str) -> UserError {
    let what = format!("holds more than {} MB once it is unpacked", MOST_BYTES >> 20);
    refuse(name, &what, "Pack fewer or smaller files.")
}

fn unzip(name: &str, bytes: &[u8], left: &mut usize) -> Result<Vec<Member>, UserError> {
    let archive = ZipArchive::from_slice(bytes).map_err(|_| damaged(name))?;
    let (mut entries, mut members) = (archive.entries(), Vec::new());
    while let Some(entry) = entries.next_entry().map_err(|_| damaged(name))? {
        if entry.is_dir() {
            continue;
        }
        if members.len() == MOST_MEMBERS {
            return Err(refuse(name, &format!("holds more than {MOST_MEMBERS} files"), "Pack fewer of them."));
        }
        let path = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
        let (method, wanted) = (entry.compression_method(), entry.uncompressed_size_hint());
        if entry.flags().is_encrypted() {
            return Err(refuse(name, "is locked with a password", "Pack it without one."));
        }
        let local = archive.get_entry(entry.wayfinder()).map_err(|_| damaged(name))?;
        let most = usize::try_from(wanted).ok().filter(|wanted| wanted <= left).ok_or_else(|| too_much(name))?;
        let bytes = match method {
            CompressionMethod::STORE => local.data().to_vec(),
            // Not more than it says of itself: so much was there room for.
            CompressionMethod::DEFLATE => decompress_to_vec_with_limit(local.data(), most).map_err(|_| damaged(name))?,
            _ => return Err(refuse(name, "is packed in a way that is not known here", "Pack it as a plain zip.")),
        };
        if bytes.len() != most || rawzip::crc32(&bytes) != entry.crc32() {
            return Err(damaged(name));
        }
        *left -= bytes.len();
        members.push(Member { name: path, bytes });
    }
    Ok(members)
}

/// The content of a gzip (RFC 1952): ten bytes of header, what its flags announce, the packed bytes, their checksum and their length.
fn gunzip(name: &str, bytes: &[u8], left: &mut usize) -> Result<Vec<u8>, UserError> {
    let cut = || refuse(name, "is damaged or cut short", "Fetch it again.");
    let (&flags, mut rest) = bytes.get(3).zip(bytes.get(10..)).ok_or_else(cut)?;
    if flags & 4 != 0 {
        let length = rest.get(..2).map(|n| usize::from(n[0]) | usize::from(n[1]) << 8).ok_or_else(cut)?;
        rest = rest.get(2 + length..).ok_or_else(cut)?;
    }
    for text in [8, 16] {
        if flags & text != 0 {
            let end = rest.iter().position(|&byte| byte == 0).ok_or_else(cut)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & 2 != 0 {
        rest = rest.get(2..).ok_or_else(cut)?;
    }
    let (packed, checked) = rest.split_last_chunk::<8>().map(|(packed, tail)| (packed, &tail[..4])).ok_or_else(cut)?;
    let unpacked = decompress_to_vec_with_limit(packed, *left).map_err(|error| {
        if error.status == miniz_oxide::inflate::TINFLStatus::HasMoreOutput { too_much(name) } else { cut() }
    })?;
    if rawzip::crc32(&unpacked).to_le_bytes() != checked {
        return Err(cut());
    }
    *left -= unpacked.len();
    Ok(unpacked)
}

/// A zip of files, as they are.
///
/// # Errors
/// When a name is longer than a zip can hold.
pub fn pack(members: &[Member]) -> Result<Vec<u8>, UserError> {
    let write = || {
        let mut archive = ZipArchiveWriter::new(Vec::new());
        for member in members {
            let (mut entry, config) = archive.new_file(&member.name).compression_method(CompressionMethod::STORE).start()?;
            let mut writer = config.wrap(&mut entry);
            std::io::Write::write_all(&mut writer, &member.bytes)?;
            let (_, descriptor) = writer.finish()?;
            entry.finish(descriptor)?;
        }
        archive.finish()
    };
    write().map_err(|error: rawzip::Error| UserError::new(format!("The files could not be packed: {error}.")))
}
