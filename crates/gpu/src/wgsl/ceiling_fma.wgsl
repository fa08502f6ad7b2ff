// 64 rounds of 128 multiply-adds in eight independent chains, which hide the latency of each other.

@group(0) @binding(0) var<storage, read_write> words: array<vec4<f32>>;

fn four(value: vec4<f32>, factor: vec4<f32>) -> vec4<f32> {
    return fma(fma(fma(fma(value, factor, factor), factor, factor), factor, factor), factor, factor);
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
    // Unknown to the compiler, as is what follows from it.
    let factor = words[0];
    var a = factor + f32(local);
    var b = a + 1.0;
    var c = a + 2.0;
    var d = a + 3.0;
    var e = a + 4.0;
    var f = a + 5.0;
    var g = a + 6.0;
    var h = a + 7.0;
    for (var round = 0u; round < 64u; round++) {
        a = four(a, factor);
        b = four(b, factor);
        c = four(c, factor);
        d = four(d, factor);
        e = four(e, factor);
        f = four(f, factor);
        g = four(g, factor);
        h = four(h, factor);
    }
    let sum = a + b + c + d + e + f + g + h;
    // Never so, for the buffer is zero; but who knows?
    if (any(sum > vec4<f32>(1e6))) {
        words[1] = sum;
    }
}
