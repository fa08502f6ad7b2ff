//! The page's wasm entry.

fn main() {
    #[cfg(target_arch = "wasm32")]
    downhill_app::page::start();
}
