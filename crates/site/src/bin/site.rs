//! Page and worker, plain `simd128` build.

fn main() {
    downhill_site::start();
}
