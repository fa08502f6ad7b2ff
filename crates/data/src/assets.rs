//! Files that a source reads: who has them ready.

use downhill_tensor::UserError;

/// Where the bytes of a bundled or chosen file come from: compiled in, fetched by the page, read by the command.
pub trait Assets {
    /// The bytes of the file called `name`, if it is there.
    fn get(&self, name: &str) -> Option<Vec<u8>>;

    /// Whether a file may have this name at all. Where names are no paths, as in a browser, any may.
    ///
    /// # Errors
    /// When a name would lead out of where the files lie.
    fn check_name(&self, _name: &str) -> Result<(), UserError> {
        Ok(())
    }
}

/// Refuses a name that is not that of a file beside the experiment: an experiment that came through a link names files beside itself and nothing
/// else. Colons are left to be: only on Windows do they mean a drive, and there no file can have them.
///
/// # Errors
/// When it is an absolute path, an address, or leads upwards.
pub fn check_beside(name: &str) -> Result<(), UserError> {
    let drive = cfg!(windows) && name.contains(':');
    let upwards = name.split(['/', '\\']).any(|part| part == "..");
    if name.starts_with(['/', '\\']) || name.contains("://") || name.contains(":\\") || drive || upwards {
        let message = format!("\"{}\" is not a file beside the experiment.", crate::spec::quote(name));
        return Err(UserError::new(message).hint("Give a name without a drive, an address or \"..\"."));
    }
    Ok(())
}

/// No files at all: enough for every source that is generated.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAssets;

impl Assets for NoAssets {
    fn get(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }
}

impl<F: Fn(&str) -> Option<Vec<u8>>> Assets for F {
    fn get(&self, name: &str) -> Option<Vec<u8>> {
        self(name)
    }
}

/// The bundled sets as the tests see them, straight from the repository.
#[cfg(test)]
pub(crate) fn repository(name: &str) -> Option<Vec<u8>> {
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../static/data").join(name)).ok()
}
