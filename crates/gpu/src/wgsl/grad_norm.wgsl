// The 2-norm. Squares of large and small numbers would leave the range of f32, so three sums are kept: of the large numbers scaled down,
// of those in the middle, and of the small ones scaled up (Blue 1978). `sums` and `finish` are generated. The small ones are scaled by
// less than 2⁶⁴, for a compiler may multiply the factors first, and their product has to be finite.

const DOWN: f32 = 5.421010862427522e-20;
const UP: f32 = 18446744073709551616.0;
const SMALL_UP: f32 = 9223372036854775808.0;
const SMALL_DOWN: f32 = 1.0842021724855044e-19;

fn add(s: vec3<f32>, value: f32) -> vec3<f32> {
    let a = abs(value);
    if (a > 1e15) {
        return vec3<f32>(s.x + (a * DOWN) * (a * DOWN), s.y, s.z);
    }
    if (a < 1e-15) {
        return vec3<f32>(s.x, s.y, s.z + (a * SMALL_UP) * (a * SMALL_UP));
    }
    return vec3<f32>(s.x, s.y + a * a, s.z);
}

fn root(s: vec3<f32>) -> f32 {
    if (s.x > 0.0) {
        return sqrt(s.x + (s.y * DOWN) * DOWN) * UP;
    }
    if (s.y > 0.0) {
        return sqrt(s.y + (s.z * SMALL_DOWN) * SMALL_DOWN);
    }
    // NaN is neither, and ends up here through the middle sum.
    return sqrt(s.z) * SMALL_DOWN + s.y;
}

fn run(group: u32, local: u32) {
    let s = sums(group * 64u + local, p.groups * 64u);
    let x = lanes_sum(local, local, s.x);
    let y = lanes_sum(local, local, s.y);
    let z = lanes_sum(local, local, s.z);
    if (local == 0u) {
        finish(group, vec3<f32>(x, y, z));
    }
}
