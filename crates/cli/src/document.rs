//! Reading an experiment with the files beside it, writing files, and printing lines: what all commands share.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use downhill_data::{Assets, Bundled, check_beside};
use downhill_model::Experiment;
use downhill_tensor::UserError;

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
        let text = if path == Path::new("-") {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|e| trouble(path, "read", &e))?;
            text
        } else {
            std::fs::read_to_string(path).map_err(|e| trouble(path, "read", &e))?
        };
        let parsed = Experiment::parse(&text)?;
        for note in parsed.notes {
            eprintln!("note: {note}");
        }
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Self { experiment: parsed.experiment, folder })
    }
}

impl Assets for Document {
    /// A bundled set, or a file beside the experiment.
    fn get(&self, name: &str) -> Option<Vec<u8>> {
        Bundled.get(name).or_else(|| std::fs::read(self.folder.join(name)).ok())
    }

    fn check_name(&self, name: &str) -> Result<(), UserError> {
        check_beside(name)
    }
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

/// What a person is told of a file that could not be read or written.
pub fn trouble(path: &Path, what: &str, error: &std::io::Error) -> UserError {
    UserError::at(path.display().to_string(), format!("This cannot be {what}: {error}."))
}

/// Prints a line; a closed pipe (`| head`) is no error.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
