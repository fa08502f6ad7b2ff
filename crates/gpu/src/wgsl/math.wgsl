// Functions of T, a float or four. The language's own are loose (log to 2⁻²¹, sin to 2⁻¹¹, tanh overflows) and differ between
// devices; these are the polynomials of the CPU backend. One function per paragraph: a shader takes what it calls.

// By its bits, for a compiler may assume that no NaN exists.
fn is_nan(x: T) -> B {
    return (bitcast<U>(x) & U(0x7fffffffu)) > U(0x7f800000u);
}

// y, but NaN where x is.
fn keep_nan(y: T, x: T) -> T {
    return select(y, x, is_nan(x));
}

// The sign of x on a magnitude.
fn with_sign(magnitude: T, x: T) -> T {
    return bitcast<T>(bitcast<U>(magnitude) | (bitcast<U>(x) & U(0x80000000u)));
}

// Zero instead of a subnormal: slots decay into them, and they are slow on some devices.
fn flushed(x: T) -> T {
    return select(x, T(0.0), (bitcast<U>(x) & U(0x7f800000u)) == U(0u));
}

// eˣ, scaled in two halves so that 2ⁿ neither overflows nor vanishes early.
fn expf(x: T) -> T {
    let c = clamp(x, T(-104.0), T(89.0));
    let n = round(c * T(1.44269504));
    let r = fma(n, T(2.12194440e-4), fma(n, T(-0.693359375), c));
    var y = fma(T(1.9875691500e-4), r, T(1.3981999507e-3));
    y = fma(y, r, T(8.3334519073e-3));
    y = fma(y, r, T(4.1665795894e-2));
    y = fma(y, r, T(1.6666665459e-1));
    y = fma(y, r, T(0.5));
    y = fma(y, r * r, r) + T(1.0);
    let i = I(n);
    let half = i >> U(1u);
    let low = bitcast<T>(bitcast<U>(half + I(127)) << U(23u));
    let high = bitcast<T>(bitcast<U>(i - half + I(127)) << U(23u));
    return keep_nan(y * low * high, x);
}

// ln x of a positive normal number: x = m·2ᵉ with m around 1 (Cephes).
fn log_normal(x: T) -> T {
    let bits = bitcast<U>(x);
    let m = bitcast<T>((bits & U(0x007fffffu)) | U(0x3f000000u));
    let small = m < T(0.707106781);
    let e = T(bits >> U(23u)) - select(T(126.0), T(127.0), small);
    let f = select(m, m + m, small) - T(1.0);
    let z = f * f;
    var y = fma(T(7.0376836292e-2), f, T(-1.1514610310e-1));
    y = fma(y, f, T(1.1676998740e-1));
    y = fma(y, f, T(-1.2420140846e-1));
    y = fma(y, f, T(1.4249322787e-1));
    y = fma(y, f, T(-1.6668057665e-1));
    y = fma(y, f, T(2.0000714765e-1));
    y = fma(y, f, T(-2.4999993993e-1));
    y = fma(y, f, T(3.3333331174e-1));
    y = fma(e, T(-2.12194440e-4), y * f * z) - T(0.5) * z;
    return fma(e, T(0.693359375), f + y);
}

// ln x; −∞ at 0 (a subnormal counts as 0), NaN below, ∞ and NaN stay.
fn logf(x: T) -> T {
    let magnitude = bitcast<U>(x) & U(0x7fffffffu);
    var bits = bitcast<U>(log_normal(x));
    bits = select(bits, U(0x7fc00000u), x < T(0.0));
    bits = select(bits, U(0xff800000u), magnitude < U(0x00800000u));
    bits = select(bits, bitcast<U>(x), magnitude > U(0x7f800000u));
    bits = select(bits, bitcast<U>(x), bitcast<U>(x) == U(0x7f800000u));
    return bitcast<T>(bits);
}

// ln(1 + x); near 0 as 2·atanh(x / (2 + x)), which does not cancel.
fn log1pf(x: T) -> T {
    let s = x / (T(2.0) + x);
    let z = s * s;
    var y = fma(T(0.0909090909), z, T(0.111111111));
    y = fma(y, z, T(0.142857143));
    y = fma(y, z, T(0.2));
    y = fma(y, z, T(0.333333333));
    let near = fma(y * z, s, s) * T(2.0);
    return select(logf(T(1.0) + x), near, abs(x) < T(0.4));
}

// tanh x as a quotient of polynomials, the one that Eigen uses.
fn tanhf(x: T) -> T {
    let c = clamp(x, T(-7.905311), T(7.905311));
    let z = c * c;
    var n = fma(T(-2.7607684e-16), z, T(2.0001879e-13));
    n = fma(n, z, T(-8.604672e-11));
    n = fma(n, z, T(5.1222971e-8));
    n = fma(n, z, T(1.4857224e-5));
    n = fma(n, z, T(6.3726193e-4));
    n = fma(n, z, T(4.8935246e-3));
    var d = fma(T(1.1982584e-6), z, T(1.1853471e-4));
    d = fma(d, z, T(2.2684346e-3));
    d = fma(d, z, T(4.8935252e-3));
    return keep_nan(c * (n / d), x);
}

fn sigmoidf(x: T) -> T {
    return T(1.0) / (T(1.0) + expf(-x));
}

// ln(1 + eˣ)
fn softplusf(x: T) -> T {
    return keep_nan(max(x, T(0.0)) + log1pf(expf(-abs(x))), x);
}

// eˣ − 1 = tanh(x/2)·(eˣ + 1), which does not cancel near 0.
fn expm1f(x: T) -> T {
    return tanhf(T(0.5) * x) * (expf(x) + T(1.0));
}

// The error function as a quotient of polynomials, the one that XLA uses; exactly ±1 where it rounds to that.
fn erff(x: T) -> T {
    let c = clamp(x, T(-4.0), T(4.0));
    let z = c * c;
    var n = fma(T(-2.7261423e-10), z, T(2.7706814e-8));
    n = fma(n, z, T(-2.101024e-6));
    n = fma(n, z, T(-5.6925065e-5));
    n = fma(n, z, T(-7.3499063e-4));
    n = fma(n, z, T(-2.954600e-3));
    n = fma(n, z, T(-1.6096033e-2));
    var d = fma(T(-1.4566072e-5), z, T(-2.1337405e-4));
    d = fma(d, z, T(-1.682827e-3));
    d = fma(d, z, T(-7.373329e-3));
    d = fma(d, z, T(-1.4264739e-2));
    let y = select(c * (n / d), with_sign(T(1.0), x), abs(x) >= T(4.0));
    return keep_nan(y, x);
}

// sin(x + quarter·π/2), reduced in three parts; good to |x| about 8192.
fn sin_quarter(x: T, quarter: u32) -> T {
    let n = round(x * T(0.636619772));
    let r = fma(n, T(-7.54979013e-8), fma(n, T(-4.83751297e-4), fma(n, T(-1.5703125), x)));
    let z = r * r;
    let s = fma(fma(fma(T(-1.9515296e-4), z, T(8.3321610e-3)), z, T(-1.66666547e-1)) * z, r, r);
    let c = fma(fma(fma(T(2.4433157e-5), z, T(-1.38873163e-3)), z, T(4.16666457e-2)) * z, z, fma(z, T(-0.5), T(1.0)));
    let q = bitcast<U>(I(n)) + U(quarter);
    let y = select(s, c, (q & U(1u)) == U(1u));
    let bits = bitcast<U>(y) ^ ((q & U(2u)) << U(30u));
    let finite = (bitcast<U>(x) & U(0x7f800000u)) != U(0x7f800000u);
    return bitcast<T>(select(U(0x7fc00000u), bits, finite));
}

fn sinf(x: T) -> T {
    return sin_quarter(x, 0u);
}

fn cosf(x: T) -> T {
    return sin_quarter(x, 1u);
}

fn signf(x: T) -> T {
    return select(select(x, T(-1.0), x < T(0.0)), T(1.0), x > T(0.0));
}

fn reluf(x: T) -> T {
    return select(T(0.0), x, (x > T(0.0)) | is_nan(x));
}

fn hardtanhf(x: T, low: f32, high: f32) -> T {
    return keep_nan(clamp(x, T(low), T(high)), x);
}

// x·Φ(x)
fn geluf(x: T) -> T {
    return T(0.5) * x * (T(1.0) + erff(x * T(0.707106781)));
}

// Its tanh approximation, by (1 + tanh z)/2 = sigmoid 2z.
fn gelu_tanhf(x: T) -> T {
    return x * sigmoidf(T(1.59576912) * fma(x * x * x, T(0.044715), x));
}

// x·tanh(softplus x) = x·n/(n + 2) with n = eˣ(eˣ + 2); beyond 20 the quotient is 1.
fn mishf(x: T) -> T {
    let e = expf(min(x, T(20.0)));
    let n = e * (e + T(2.0));
    return keep_nan(x * (n / (n + T(2.0))), x);
}

fn maxf(a: T, b: T) -> T {
    return select(b, a, (a > b) | is_nan(a));
}

fn minf(a: T, b: T) -> T {
    return select(b, a, (a < b) | is_nan(a));
}

// aᵇ with the corner cases of IEEE 754: a negative base takes integers only, and anything to the power of 0 is 1.
fn powf(a: T, b: T) -> T {
    let whole = b == round(b);
    let odd = whole & (abs(b) < T(16777216.0)) & ((bitcast<U>(I(clamp(b, T(-16777216.0), T(16777216.0)))) & U(1u)) == U(1u));
    let l = logf(abs(a));
    // The product in two parts: what rounding loses of it would be multiplied by eˣ.
    let product = b * l;
    let rest = fma(b, l, -product);
    var y = expf(product);
    y = select(y, fma(y, rest, y), (abs(product) < T(88.0)));
    y = select(y, with_sign(y, a), odd);
    let finite = ((bitcast<U>(a) & U(0x7f800000u)) != U(0x7f800000u)) & ((bitcast<U>(b) & U(0x7f800000u)) != U(0x7f800000u));
    let wrong = finite & (a < T(0.0)) & !whole;
    var bits = select(bitcast<U>(y), U(0x7fc00000u), wrong | is_nan(a) | is_nan(b));
    bits = select(bits, bitcast<U>(T(1.0)), (b == T(0.0)) | (a == T(1.0)));
    return bitcast<T>(bits);
}

// Four hashed words from four counters (Jarzynski, Olano: Hash Functions for GPU Rendering, JCGT 2020); the first is the number's.
fn hashed(index: U, step_number: u32, stream: u32, seed: u32) -> U {
    var x = index * U(1664525u) + U(1013904223u);
    var y = U(step_number * 1664525u + 1013904223u);
    var z = U(stream * 1664525u + 1013904223u);
    var w = U(seed * 1664525u + 1013904223u);
    x += y * w;
    y += z * x;
    z += x * y;
    w += y * z;
    x ^= x >> U(16u);
    y ^= y >> U(16u);
    w ^= w >> U(16u);
    return x + y * w;
}

// Uniform in [0, 1): the same number as on the host.
fn random(index: U, stream: u32) -> T {
    return T(hashed(index, step.number, stream, step.seed) >> U(8u)) * T(5.9604644775390625e-8);
}
