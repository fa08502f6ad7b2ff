//! The training worker, build with relaxed SIMD (fused multiply-add).

fn main() {
    #[cfg(target_arch = "wasm32")]
    downhill_train::worker::start();
}
