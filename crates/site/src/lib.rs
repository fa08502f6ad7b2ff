//! What the browser downloads: the page and the training worker in one wasm file, of which each starts its own instance.
//!
//! They share no memory and speak only through messages; one file, because most of what they are made of is the same code.

/// Becomes the worker where there is one to become, and the page everywhere else.
pub fn start() {
    #[cfg(target_arch = "wasm32")]
    if !downhill_train::worker::start() {
        downhill_app::page::start();
    }
}
