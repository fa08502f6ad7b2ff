//! Reading an experiment with the files beside it, writing files, and printing lines: what all commands share.

use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

use downhill_data::arrays::pack;
use downhill_data::{Assets, Bundled, Source};
use downhill_model::{Experiment, Parsed};
use downhill_tensor::UserError;

use crate::folder;
use crate::pictures;
use crate::trouble::trouble;

/// An experiment with the folder that its own files lie in.
pub struct Document {
    /// The experiment.
    pub experiment: Experiment,
    folder: PathBuf,
}

impl Document {
    /// Reads an experiment; notes go to standard error.
    ///
    /// # Errors
    /// When the file cannot be read or does not hold an experiment.
    pub fn read(path: &Path) -> Result<Self, UserError> {
        Ok(Self::of(Experiment::parse(&text(path)?)?, path))
    }

    /// An experiment that was read from there; notes go to standard error.
    pub fn of(parsed: Parsed, path: &Path) -> Self {
        parsed.notes.iter().for_each(|note| eprintln!("note: {note}"));
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Self { experiment: parsed.experiment, folder }
    }
}

impl Assets for Document {
    /// A bundled set.
    fn get(&self, name: &str) -> Option<Vec<u8>> {
        Bundled.get(name)
    }

    /// A file beside the experiment, or a folder of pictures or sounds. One that came through a link names nothing else.
    fn own(&self, name: &str) -> Result<Vec<u8>, UserError> {
        let beside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !beside {
            let message = format!("\"{}\" is not a file beside the experiment.", downhill_data::spec::quote(name));
            return Err(UserError::new(message).hint("Give a name without a drive, an address or \"..\"."));
        }
        let path = self.folder.join(name);
        match self.experiment.data {
            Source::Images(_) => pictures::read(&path),
            Source::Sounds(_) if path.is_dir() => pack(&folder::files(&path)?),
            _ => read(&path),
        }
    }
}

/// The text of a file, or of standard input for `-`.
///
/// # Errors
/// When it cannot be read.
pub fn text(path: &Path) -> Result<String, UserError> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|e| trouble(path, "read", &e))?;
    Ok(text)
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, UserError> {
    std::fs::read(path).map_err(|e| trouble(path, "read", &e))
}

/// Writes a file.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), UserError> {
    std::fs::write(path, bytes).map_err(|e| trouble(path, "written", &e))
}

/// Prints a line; a closed pipe (`| head`) is no error.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
