//! Functions of a vector, to about 1e-6 relative. Polynomials are those of Cephes (Moshier) unless a line says otherwise.

use super::Lanes;

/// 1.5·2²³: adding it rounds a float to an integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts, the first with so few bits that its product with an exponent is exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;

#[inline(always)]
fn c<L: Lanes>(x: f32) -> L {
    L::splat(x)
}

/// Horner's scheme, highest coefficient first.
#[inline(always)]
fn poly<L: Lanes, const N: usize>(x: L, coefficients: [f32; N]) -> L {
    let mut y = c::<L>(coefficients[0]);
    let mut i = 1;
    while i < N {
        y = y.fma(x, c(coefficients[i]));
        i += 1;
    }
    y
}

/// eˣ; below −87 it is 0.
#[inline(always)]
pub(crate) fn exp<L: Lanes>(x: L) -> L {
    let x = x.least(c(88.8)).most(c(-87.3));
    let t = x.fma(c(std::f32::consts::LOG2_E), c(ROUND));
    let n = t.sub(c(ROUND));
    let r = n.fma(c(-LN2_LOW), n.fma(c(-LN2_HIGH), x));
    let p = poly(r, [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5]);
    let y = p.fma(r.mul(r), r).add(c(1.0));
    // 2ⁿ would overflow at n = 128 and 2ⁿ⁻¹ is zero at n = −126.
    let half_scale = t.shl::<23>().int_add(L::bits(126 << 23));
    y.mul(half_scale).mul(c(2.0))
}

/// ln x; −∞ at 0, NaN below.
#[inline(always)]
pub(crate) fn log<L: Lanes>(x: L) -> L {
    let tiny = x.lt(L::bits(0x0080_0000));
    let scaled = tiny.select(x.mul(c(8_388_608.0)), x);
    let e = scaled.shr::<23>().int_to_float().sub(tiny.select(c(149.0), c(126.0)));
    let m = scaled.and(L::bits(0x007f_ffff)).or(L::bits(0x3f00_0000));
    let small = m.lt(c(std::f32::consts::FRAC_1_SQRT_2));
    let e = e.sub(small.and(c(1.0)));
    let f = small.select(m.add(m), m).sub(c(1.0));
    let z = f.mul(f);
    let p = poly(
        f,
        [
            7.037_683_6e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_8e-1,
            2.000_071_5e-1,
            -2.499_999_4e-1,
            3.333_333e-1,
        ],
    );
    let y = p.mul(f).mul(z).add(e.mul(c(LN2_LOW))).sub(z.mul(c(0.5)));
    let y = f.add(y).add(e.mul(c(LN2_HIGH)));
    // Infinity and NaN stay as they are; zero and negatives get their own answers.
    let y = x.lt(c(f32::INFINITY)).select(y, x);
    let y = x.lt(c(0.0)).select(c(f32::NAN), y);
    x.eq(c(0.0)).select(c(f32::NEG_INFINITY), y)
}

/// ln(1 + x): the rounding of 1 + x is taken out by the factor x / ((1 + x) − 1) (Goldberg 1991, theorem 4).
#[inline(always)]
pub(crate) fn log1p<L: Lanes>(x: L) -> L {
    let u = x.add(c(1.0));
    let d = u.sub(c(1.0));
    let y = log(u);
    let y = u.lt(c(f32::INFINITY)).select(y.mul(x.div(d)), y);
    d.eq(c(0.0)).select(x, y)
}

/// tanh x as a quotient of polynomials, the one that Eigen uses.
#[inline(always)]
pub(crate) fn tanh<L: Lanes>(x: L) -> L {
    let near = x.least(c(7.905_311)).most(c(-7.905_311));
    let z = near.mul(near);
    let p = poly(
        z,
        [-2.760_768_5e-16, 2.000_188e-13, -8.604_672e-11, 5.122_297_1e-8, 1.485_722_4e-5, 6.372_619_3e-4, 4.893_524_6e-3],
    );
    let q = poly(z, [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3]);
    // Exactly ±1 where it rounds to that: a gradient has the factor 1 − tanh².
    let one = c::<L>(1.0).or(x.and(L::bits(0x8000_0000)));
    c::<L>(8.32).le(x.abs()).select(one, near.mul(p.div(q)))
}

/// 1/(1 + e⁻ˣ)
#[inline(always)]
pub(crate) fn sigmoid<L: Lanes>(x: L) -> L {
    c::<L>(1.0).div(c::<L>(1.0).add(exp(x.neg())))
}

/// ln(1 + eˣ) = max(x, 0) + log1p(e^−|x|)
#[inline(always)]
pub(crate) fn softplus<L: Lanes>(x: L) -> L {
    x.most(c(0.0)).add(log1p(exp(x.abs().neg())))
}

/// eˣ − 1 = tanh(x/2)·(eˣ + 1), which does not cancel near 0.
#[inline(always)]
pub(crate) fn expm1<L: Lanes>(x: L) -> L {
    tanh(x.mul(c(0.5))).mul(exp(x).add(c(1.0)))
}

/// The error function as a quotient of polynomials, the one that XLA uses.
#[inline(always)]
pub(crate) fn erf<L: Lanes>(x: L) -> L {
    let near = x.least(c(4.0)).most(c(-4.0));
    let z = near.mul(near);
    let p = poly(
        z,
        [-2.726_142_3e-10, 2.770_681_4e-8, -2.101_024e-6, -5.692_506_5e-5, -7.349_906_3e-4, -2.954_6e-3, -1.609_603_3e-2],
    );
    let q = poly(z, [-1.456_607_2e-5, -2.133_740_5e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2]);
    // Exactly ±1 where it rounds to that, so that gelu of a large negative number is zero.
    let one = c::<L>(1.0).or(x.and(L::bits(0x8000_0000)));
    c::<L>(4.0).le(x.abs()).select(one, near.mul(p.div(q)))
}

/// sin(x + quarter·π/2). Beyond |x| = 8192 the reduction would lose bits, so those take the slow way.
#[inline(always)]
pub(crate) fn sin_quarter<L: Lanes>(x: L, quarter: u32) -> L {
    if c::<L>(8192.0).lt(x.abs()).any() {
        let f = if quarter == 0 { libm::sin } else { libm::cos };
        return L::from_array(&x.to_array().map(|v| f(f64::from(v)) as f32));
    }
    let t = x.fma(c(std::f32::consts::FRAC_2_PI), c(ROUND));
    let n = t.sub(c(ROUND));
    let r = n.fma(c(-7.549_79e-8), n.fma(c(-4.837_513e-4), n.fma(c(-1.570_312_5), x)));
    let z = r.mul(r);
    let sin = poly(z, [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1]).mul(z).fma(r, r);
    let cos = poly(z, [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2]).mul(z).fma(z, z.fma(c(-0.5), c(1.0)));
    let q = t.int_add(L::bits(quarter));
    let odd = q.and(L::bits(1)).int_eq(L::bits(1));
    odd.select(cos, sin).xor(q.and(L::bits(2)).shl::<30>())
}

/// x·Φ(x)
#[inline(always)]
pub(crate) fn gelu<L: Lanes>(x: L) -> L {
    x.mul(c(0.5)).mul(erf(x.mul(c(std::f32::consts::FRAC_1_SQRT_2))).add(c(1.0)))
}

/// The tanh approximation of [`gelu`], by (1 + tanh z)/2 = sigmoid 2z, which does not cancel.
#[inline(always)]
pub(crate) fn gelu_tanh<L: Lanes>(x: L) -> L {
    let inner = x.mul(x).mul(x).fma(c(0.044_715), x).mul(c(1.595_769));
    x.mul(sigmoid(inner))
}

/// x·tanh(softplus x) = x·n/(n + 2) with n = eˣ(eˣ + 2); beyond 20 the quotient is 1.
#[inline(always)]
pub(crate) fn mish<L: Lanes>(x: L) -> L {
    let e = exp(x.least(c(20.0)));
    let n = e.mul(e.add(c(2.0)));
    x.mul(n.div(n.add(c(2.0))))
}

/// −1, 0 or 1; NaN stays.
#[inline(always)]
pub(crate) fn sign<L: Lanes>(x: L) -> L {
    c::<L>(0.0).lt(x).select(c(1.0), x.lt(c(0.0)).select(c(-1.0), x))
}

/// The larger one; NaN if either is.
#[inline(always)]
pub(crate) fn max<L: Lanes>(a: L, b: L) -> L {
    b.eq(b).select(a.most(b), b)
}

/// The smaller one; NaN if either is.
#[inline(always)]
pub(crate) fn min<L: Lanes>(a: L, b: L) -> L {
    b.eq(b).select(a.least(b), b)
}

/// aᵇ, lane by lane: rare, and the corner cases are many.
#[inline(always)]
pub(crate) fn pow<L: Lanes>(a: L, b: L) -> L {
    let (a, b) = (a.to_array(), b.to_array());
    L::from_array(&std::array::from_fn(|i| libm::pow(f64::from(a[i]), f64::from(b[i])) as f32))
}

/// Uniform numbers of `index`: [`downhill_tensor::rng::hash`] and [`downhill_tensor::rng::uniform`] in lanes.
#[inline(always)]
pub(crate) fn uniform<L: Lanes>(seed: u32, stream: u32, step: u32, index: L) -> L {
    let (m, a) = (L::bits(1_664_525), L::bits(1_013_904_223));
    let lcg = |v: u32| L::bits(v.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let (mut x, mut y, mut z, mut w) = (index.int_mul(m).int_add(a), lcg(step), lcg(stream), lcg(seed));
    x = x.int_add(y.int_mul(w));
    y = y.int_add(z.int_mul(x));
    z = z.int_add(x.int_mul(y));
    w = w.int_add(y.int_mul(z));
    x = x.xor(x.shr::<16>());
    y = y.xor(y.shr::<16>());
    w = w.xor(w.shr::<16>());
    let word = x.int_add(y.int_mul(w));
    word.shr::<8>().int_to_float().mul(c(1.0 / 16_777_216.0))
}

#[cfg(test)]
mod tests {
    use downhill_graph::expr::Accuracy;
    use downhill_graph::{BinaryOp, UnaryOp};

    use crate::simd::tile::{self, Counter, Ins, Place, TILE, TileOp};

    /// What the tile machine gives for `x` (and `y`); the portable version has to give nearly the same.
    fn computed(op: TileOp, x: &[f32], y: f32) -> Vec<f32> {
        let best = computed_by(op, x, y, tile::run);
        #[cfg(not(target_arch = "wasm32"))]
        for (a, b) in best.iter().zip(computed_by(op, x, y, tile::run_lanes::<crate::simd::portable::F4>)) {
            let close = (a - b).abs() <= 1e-5 * a.abs().max(0.1) || *a == b || (a.is_nan() && b.is_nan());
            assert!(close, "{op:?}: {a} and {b}");
        }
        best
    }

    fn computed_by(op: TileOp, x: &[f32], y: f32, run: unsafe fn(&[Ins], &[Place], usize, Counter)) -> Vec<f32> {
        let mut out = Vec::new();
        for chunk in x.chunks(TILE) {
            let (mut a, mut b, mut d) = ([0.0f32; TILE + 32], [y; TILE + 32], [0.0f32; TILE + 32]);
            a[..chunk.len()].copy_from_slice(chunk);
            let places = [d.as_mut_ptr(), a.as_mut_ptr(), b.as_mut_ptr()].map(|ptr| Place { ptr, step: 1 });
            let ins = Ins { op, dst: 0, a: 1, b: 2, c: 2 };
            // SAFETY: three arrays of a tile and what may be read beyond.
            unsafe { run(&[ins], &places, chunk.len(), Counter::default()) };
            assert_eq!(d[chunk.len()], 0.0, "nothing is written beyond the end");
            out.extend_from_slice(&d[..chunk.len()]);
        }
        out
    }

    /// Worst error relative to max(|f|, floor) over a range that is sampled densely, on a linear and on a logarithmic scale.
    fn worst(op: UnaryOp, low: f32, high: f32, floor: f64) -> (f64, f32) {
        let n = 20_000;
        let mut xs: Vec<f32> = (0..n).map(|i| low + (high - low) * (i as f32 / n as f32)).collect();
        xs.extend((0..4000).map(|i| 10f32.powf(i as f32 / 100.0 - 37.0)).filter(|&x| x <= high));
        xs.extend((0..4000).map(|i| -(10f32.powf(i as f32 / 100.0 - 37.0))).filter(|&x| x >= low));
        let got = computed(TileOp::Unary(op), &xs, 0.0);
        xs.iter().zip(got).fold((0.0, 0.0), |worst, (&x, y)| {
            let expected = op.eval(f64::from(x));
            let error = (f64::from(y) - expected).abs() / expected.abs().max(floor);
            if error > worst.0 || error.is_nan() { (error, x) } else { worst }
        })
    }

    #[test]
    fn functions_are_accurate_over_their_range() {
        for op in UnaryOp::tries() {
            for &Accuracy { from, to, floor, error } in op.accuracy() {
                let (worst, at) = worst(op, from, to, floor);
                assert!(worst <= error, "{op} is off by {worst:e} at {at}");
            }
        }
    }

    #[test]
    fn nan_and_infinity_go_through_as_in_the_reference() {
        let xs = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -1.0];
        for op in UnaryOp::tries() {
            for (x, y) in xs.iter().zip(computed(TileOp::Unary(op), &xs, 0.0)) {
                let expected = op.eval(f64::from(*x)) as f32;
                let same = (y.is_nan() && expected.is_nan()) || (y - expected).abs() < 1e-6 || y == expected;
                assert!(same, "{op}({x}) = {y}, not {expected}");
            }
        }
    }

    #[test]
    fn comparisons_and_powers_follow_the_reference() {
        let xs = [f32::NAN, f32::INFINITY, -2.0, 0.0, 0.5, 3.0];
        for &op in BinaryOp::ALL {
            for y in [f32::NAN, -2.0, 0.5, 2.0] {
                for (x, z) in xs.iter().zip(computed(TileOp::Binary(op), &xs, y)) {
                    let expected = op.eval(f64::from(*x), f64::from(y)) as f32;
                    let same = (z.is_nan() && expected.is_nan()) || z == expected || (z - expected).abs() < 1e-6;
                    assert!(same, "{op}({x}, {y}) = {z}, not {expected}");
                }
            }
        }
    }

    #[test]
    fn random_numbers_are_those_of_the_house() {
        use downhill_tensor::rng::{hash, uniform};
        let mut out = [0.0f32; 64];
        let place = Place { ptr: out.as_mut_ptr(), step: 1 };
        let ins = Ins { op: TileOp::Random(5 | 3 << 8), dst: 0, a: 0, b: 0, c: 0 };
        let counter = Counter { seed: 7, step: 11, index: 1000 };
        // SAFETY: 37 elements of 64.
        unsafe { tile::run(&[ins], &[place], 37, counter) };
        let expected: Vec<f32> = (0..37).map(|i| uniform(hash(7, 5 | 3 << 8, 11, 1000 + i))).collect();
        assert_eq!(&out[..37], expected);
    }
}
