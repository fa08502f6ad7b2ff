//! The training worker, plain `simd128` build.

fn main() {
    #[cfg(target_arch = "wasm32")]
    downhill_train::worker::start();
}
