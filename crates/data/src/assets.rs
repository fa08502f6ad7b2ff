//! Files that a source reads: who has them ready.

/// Where the bytes of a bundled or chosen file come from: compiled in, fetched by the page, read by the command.
pub trait Assets {
    /// The bytes of the file called `name`, if it is there.
    fn get(&self, name: &str) -> Option<Vec<u8>>;
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
