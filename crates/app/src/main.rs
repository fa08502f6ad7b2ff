//! The page's wasm entry.

#[cfg(target_arch = "wasm32")]
fn main() {
    let options = web_sys::WorkerOptions::new();
    options.set_type(web_sys::WorkerType::Module);
    let _worker = web_sys::Worker::new_with_options("./worker_loader.js", &options);
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {}
