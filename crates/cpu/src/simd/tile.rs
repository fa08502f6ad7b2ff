//! The instructions of the tile machine: each walks up to a tile of elements, one vector at a time.

use downhill_graph::{BinaryOp, UnaryOp};

use super::{Lanes, OVERREAD, math, versions};

/// Most elements that one instruction handles: with a handful of operands a tile stays in the first-level cache.
pub(crate) const TILE: usize = 256;

/// Where an operand of the current tile lies; `step` is 1, or 0 for one vector of equal lanes.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub ptr: *mut f32,
    pub step: usize,
}

/// Index into the places of a kernel.
pub(crate) type Slot = u8;

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TileOp {
    /// a
    Copy,
    /// a, subnormals made zero: they cost a hundred times a normal number.
    Flush,
    /// Uniform numbers of this stream.
    Random(u32),
    /// f(a)
    Unary(UnaryOp),
    /// f(a, b)
    Binary(BinaryOp),
    /// b where a ≠ 0, else c
    Select,
    /// a·b + c
    MulAdd,
    /// a·b − c
    MulSub,
    /// c − a·b
    SubMul,
}

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ins {
    pub op: TileOp,
    pub dst: Slot,
    pub a: Slot,
    pub b: Slot,
    pub c: Slot,
}

/// What random numbers depend on besides the instruction.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counter {
    pub seed: u32,
    pub step: u32,
    /// Linear index of the tile's first element.
    pub index: u32,
}

versions! {
    /// Runs a program over the `n ≤ TILE` elements that the places name.
    ///
    /// # Safety
    /// Slots lie within `places`. Destinations hold `n` elements; every operand can be read [`OVERREAD`] elements beyond `n`.
    pub(crate) unsafe fn run(code: &[Ins], places: &[Place], n: usize, counter: Counter) {
        // SAFETY: handed on.
        unsafe { run_lanes::<L>(code, places, n, counter) }
    }
}

#[inline(always)]
unsafe fn each1<L: Lanes>(n: usize, d: Place, a: Place, f: impl Fn(L) -> L) {
    const { assert!(L::N <= OVERREAD) };
    let (mut dp, mut ap, step) = (d.ptr, a.ptr, a.step * L::N);
    let mut left = n;
    // SAFETY: `run`'s promise; the last vector is read whole and stored in part.
    unsafe {
        while left >= L::N {
            f(L::load(ap)).store(dp);
            (dp, ap) = (dp.add(L::N), ap.add(step));
            left -= L::N;
        }
        if left > 0 {
            f(L::load(ap)).store_part(dp, left);
        }
    }
}

#[inline(always)]
unsafe fn each2<L: Lanes>(n: usize, d: Place, a: Place, b: Place, f: impl Fn(L, L) -> L) {
    let (mut dp, mut ap, mut bp) = (d.ptr, a.ptr, b.ptr);
    let (sa, sb) = (a.step * L::N, b.step * L::N);
    let mut left = n;
    // SAFETY: as in `each1`.
    unsafe {
        while left >= L::N {
            f(L::load(ap), L::load(bp)).store(dp);
            (dp, ap, bp) = (dp.add(L::N), ap.add(sa), bp.add(sb));
            left -= L::N;
        }
        if left > 0 {
            f(L::load(ap), L::load(bp)).store_part(dp, left);
        }
    }
}

#[inline(always)]
unsafe fn each3<L: Lanes>(n: usize, d: Place, [a, b, c]: [Place; 3], f: impl Fn(L, L, L) -> L) {
    let (mut dp, mut ap, mut bp, mut cp) = (d.ptr, a.ptr, b.ptr, c.ptr);
    let (sa, sb, sc) = (a.step * L::N, b.step * L::N, c.step * L::N);
    let mut left = n;
    // SAFETY: as in `each1`.
    unsafe {
        while left >= L::N {
            f(L::load(ap), L::load(bp), L::load(cp)).store(dp);
            (dp, ap, bp, cp) = (dp.add(L::N), ap.add(sa), bp.add(sb), cp.add(sc));
            left -= L::N;
        }
        if left > 0 {
            f(L::load(ap), L::load(bp), L::load(cp)).store_part(dp, left);
        }
    }
}

#[inline(always)]
unsafe fn random<L: Lanes>(n: usize, d: Place, stream: u32, counter: Counter) {
    let iota: [f32; 8] = std::array::from_fn(|i| f32::from_bits(i as u32));
    let (mut index, mut dp, mut left) = (L::from_array(&iota).int_add(L::bits(counter.index)), d.ptr, n);
    // SAFETY: `n` elements may be written.
    unsafe {
        while left > 0 {
            let u = math::uniform(counter.seed, stream, counter.step, index);
            if left < L::N {
                return u.store_part(dp, left);
            }
            u.store(dp);
            index = index.int_add(L::bits(L::N as u32));
            (dp, left) = (dp.add(L::N), left - L::N);
        }
    }
}

#[inline(always)]
unsafe fn run_lanes<L: Lanes>(code: &[Ins], places: &[Place], n: usize, counter: Counter) {
    for ins in code {
        // SAFETY: `run`'s promise.
        unsafe {
            let at = |s: Slot| *places.get_unchecked(usize::from(s));
            let (d, a) = (at(ins.dst), at(ins.a));
            match ins.op {
                TileOp::Copy => each1::<L>(n, d, a, |x| x),
                TileOp::Flush => {
                    let (mask, smallest) = (L::bits(0x7fff_ffff), L::bits(0x0080_0000));
                    each1::<L>(n, d, a, |x| x.and(mask).lt(smallest).select(L::splat(0.0), x));
                }
                TileOp::Random(stream) => random::<L>(n, d, stream, counter),
                TileOp::Unary(op) => unary::<L>(n, d, a, op),
                TileOp::Binary(op) => binary::<L>(n, d, a, at(ins.b), op),
                TileOp::Select => {
                    each3::<L>(n, d, [a, at(ins.b), at(ins.c)], |a, b, c| a.eq(L::splat(0.0)).select(c, b));
                }
                TileOp::MulAdd => each3::<L>(n, d, [a, at(ins.b), at(ins.c)], |a, b, c| a.fma(b, c)),
                TileOp::MulSub => each3::<L>(n, d, [a, at(ins.b), at(ins.c)], |a, b, c| a.fma(b, c.neg())),
                TileOp::SubMul => each3::<L>(n, d, [a, at(ins.b), at(ins.c)], |a, b, c| a.neg().fma(b, c)),
            }
        }
    }
}

#[inline(always)]
unsafe fn unary<L: Lanes>(n: usize, d: Place, a: Place, op: UnaryOp) {
    let one = L::splat(1.0);
    let zero = L::splat(0.0);
    // SAFETY: `run`'s promise.
    unsafe {
        match op {
            UnaryOp::Neg => each1::<L>(n, d, a, L::neg),
            UnaryOp::Abs => each1::<L>(n, d, a, L::abs),
            UnaryOp::Sign => each1::<L>(n, d, a, math::sign),
            UnaryOp::Exp => each1::<L>(n, d, a, math::exp),
            UnaryOp::Log => each1::<L>(n, d, a, math::log),
            UnaryOp::Log1p => each1::<L>(n, d, a, math::log1p),
            UnaryOp::Sqrt => each1::<L>(n, d, a, L::sqrt),
            UnaryOp::Rsqrt => each1::<L>(n, d, a, |x| one.div(x.sqrt())),
            UnaryOp::Recip => each1::<L>(n, d, a, |x| one.div(x)),
            UnaryOp::Square => each1::<L>(n, d, a, |x| x.mul(x)),
            UnaryOp::Sin => each1::<L>(n, d, a, |x| math::sin_quarter(x, 0)),
            UnaryOp::Cos => each1::<L>(n, d, a, |x| math::sin_quarter(x, 1)),
            UnaryOp::Tanh => each1::<L>(n, d, a, math::tanh),
            UnaryOp::Sigmoid => each1::<L>(n, d, a, math::sigmoid),
            UnaryOp::Erf => each1::<L>(n, d, a, math::erf),
            UnaryOp::Relu => each1::<L>(n, d, a, |x| x.most(zero)),
            UnaryOp::LeakyRelu(slope) => {
                let slope = L::splat(slope);
                each1::<L>(n, d, a, |x| zero.lt(x).select(x, x.mul(slope)));
            }
            UnaryOp::Elu(alpha) => {
                let alpha = L::splat(alpha);
                each1::<L>(n, d, a, |x| zero.lt(x).select(x, math::expm1(x).mul(alpha)));
            }
            UnaryOp::Gelu => each1::<L>(n, d, a, math::gelu),
            UnaryOp::GeluTanh => each1::<L>(n, d, a, math::gelu_tanh),
            UnaryOp::Silu => each1::<L>(n, d, a, |x| x.mul(math::sigmoid(x))),
            UnaryOp::Mish => each1::<L>(n, d, a, math::mish),
            UnaryOp::Softplus => each1::<L>(n, d, a, math::softplus),
            UnaryOp::Hardtanh(min, max) => {
                let (min, max) = (L::splat(min), L::splat(max));
                each1::<L>(n, d, a, |x| x.most(min).least(max));
            }
        }
    }
}

#[inline(always)]
unsafe fn binary<L: Lanes>(n: usize, d: Place, a: Place, b: Place, op: BinaryOp) {
    let one = L::splat(1.0);
    // SAFETY: `run`'s promise.
    unsafe {
        match op {
            BinaryOp::Add => each2::<L>(n, d, a, b, L::add),
            BinaryOp::Sub => each2::<L>(n, d, a, b, L::sub),
            BinaryOp::Mul => each2::<L>(n, d, a, b, L::mul),
            BinaryOp::Div => each2::<L>(n, d, a, b, L::div),
            BinaryOp::Pow => each2::<L>(n, d, a, b, math::pow),
            BinaryOp::Max => each2::<L>(n, d, a, b, math::max),
            BinaryOp::Min => each2::<L>(n, d, a, b, math::min),
            BinaryOp::Lt => each2::<L>(n, d, a, b, |x, y| x.lt(y).and(one)),
            BinaryOp::Le => each2::<L>(n, d, a, b, |x, y| x.le(y).and(one)),
            BinaryOp::Eq => each2::<L>(n, d, a, b, |x, y| x.eq(y).and(one)),
        }
    }
}
