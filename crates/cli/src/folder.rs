//! A folder of a person's own, read as the files of an archive are.

use std::path::Path;

use downhill_data::arrays::{MOST_BYTES, Member};
use downhill_tensor::UserError;

use crate::trouble::trouble;

/// All files below a folder, in the order of their names, with their paths in it.
///
/// # Errors
/// When one cannot be read, or all together are too large.
pub fn files(folder: &Path) -> Result<Vec<Member>, UserError> {
    let (mut found, mut room) = (Vec::new(), 2 * MOST_BYTES as u64);
    walk(folder, "", &mut found, &mut room)?;
    Ok(found)
}

fn walk(folder: &Path, inside: &str, found: &mut Vec<Member>, room: &mut u64) -> Result<(), UserError> {
    let entries = folder.read_dir().and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let mut entries = entries.map_err(|e| trouble(folder, "read", &e))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if name.starts_with('.') {
            continue;
        }
        let name = if inside.is_empty() { name } else { format!("{inside}/{name}") };
        // A link to a folder above would have no end.
        if path.is_dir() && !path.is_symlink() {
            walk(&path, &name, found, room)?;
        } else if path.is_file() {
            let size = path.metadata().map_err(|e| trouble(&path, "read", &e))?.len();
            *room = room.checked_sub(size).ok_or_else(|| {
                let message = format!("The files of this folder have more than {} MB.", (2 * MOST_BYTES) >> 20);
                UserError::at(folder.display().to_string(), message).hint("Take a part of them.")
            })?;
            let bytes = std::fs::read(&path).map_err(|e| trouble(&path, "read", &e))?;
            found.push(Member { name, bytes });
        }
    }
    Ok(())
}
