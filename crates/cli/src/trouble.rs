//! What is said of a file that could not be read or written.

use std::path::Path;

use downhill_tensor::UserError;

/// What a person is told of a file that could not be read or written.
pub fn trouble(path: &Path, what: &str, error: &std::io::Error) -> UserError {
    UserError::at(path.display().to_string(), format!("This cannot be {what}: {error}."))
}
