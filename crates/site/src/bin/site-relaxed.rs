//! Page and worker, build with relaxed SIMD (fused multiply-add).

fn main() {
    downhill_site::start();
}
