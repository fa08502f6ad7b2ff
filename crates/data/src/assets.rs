//! Files that a source reads: who has them ready.

use std::rc::Rc;

use downhill_tensor::UserError;

use crate::corpus::Corpus;

/// Where the bytes of a file come from: compiled in, fetched by the page, read by the command.
///
/// Bundled files and a person's own have names apart: an own file called `iris.csv` is never the bundled flowers.
pub trait Assets {
    /// The bytes of the file of `static/data` called `name`, if it is there.
    fn get(&self, name: &str) -> Option<Vec<u8>>;

    /// The bytes of a person's own file.
    ///
    /// # Errors
    /// When it is not there.
    fn own(&self, name: &str) -> Result<Vec<u8>, UserError> {
        let message = format!("The file \"{}\" is not here.", crate::spec::quote(name));
        Err(UserError::new(message).hint("Choose it again: no link holds a file."))
    }

    /// The text that was read last: a data set of it need not read it again.
    fn corpus(&self) -> Option<Rc<Corpus>> {
        None
    }
}

/// No files at all: enough for every source that is generated.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAssets;

impl Assets for NoAssets {
    fn get(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }
}

/// Bundled files only.
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
