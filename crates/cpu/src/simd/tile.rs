//! The instructions of the tile machine: each walks up to a tile of elements, one vector at a time.

use downhill_graph::{BinaryOp, UnaryOp};

use super::{Lanes, math, versions};

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

/// Operands of [`TileOp::Adam`]: six scalars, four reads, three outputs.
const ADAM_PLACES: usize = 13;

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
    /// Adam's step over the [`ADAM_PLACES`] slots from a on.
    Adam,
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
    /// Slots lie within `places`. Destinations hold `n` elements; every operand can be read [`super::OVERREAD`] elements beyond `n`.
    pub(crate) unsafe fn run(code: &[Ins], places: &[Place], n: usize, counter: Counter) {
        // SAFETY: handed on.
        unsafe { run_lanes::<L>(code, places, n, counter) }
    }
}

/// Walks vectors of the named operands and stores what the expression makes of them. A macro, not a function of a closure: closures
/// are compiled without the instruction set of the function around them, and are then not always inlined.
macro_rules! each {
    ($n:expr, $d:expr; $($x:ident: $place:expr),+ => $value:expr) => {{
        let (mut out, mut left) = ($d.ptr, $n);
        $(let mut $x = ($place.ptr, $place.step * L::N);)+
        while left > 0 {
            let value: L = {
                $(let $x = L::load($x.0);)+
                $value
            };
            if left < L::N {
                value.store_part(out, left);
                break;
            }
            value.store(out);
            out = out.add(L::N);
            $($x.0 = $x.0.add($x.1);)+
            left -= L::N;
        }
    }};
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

/// [`run`] with vectors of this kind.
///
/// # Safety
/// As [`run`], and the machine has the vectors.
#[inline(always)]
pub(super) unsafe fn run_lanes<L: Lanes>(code: &[Ins], places: &[Place], n: usize, counter: Counter) {
    for ins in code {
        // SAFETY: `run`'s promise.
        unsafe {
            let at = |s: Slot| *places.get_unchecked(usize::from(s));
            let (d, a) = (at(ins.dst), at(ins.a));
            match ins.op {
                TileOp::Copy => each!(n, d; x: a => x),
                TileOp::Flush => each!(n, d; x: a => x.flushed()),
                TileOp::Random(stream) => random::<L>(n, d, stream, counter),
                TileOp::Unary(op) => unary::<L>(n, d, a, op),
                TileOp::Binary(op) => binary::<L>(n, d, a, at(ins.b), op),
                TileOp::Select => {
                    each!(n, d; x: a, y: at(ins.b), z: at(ins.c) => x.eq(L::splat(0.0)).select(z, y));
                }
                TileOp::MulAdd => each!(n, d; x: a, y: at(ins.b), z: at(ins.c) => x.fma(y, z)),
                TileOp::MulSub => each!(n, d; x: a, y: at(ins.b), z: at(ins.c) => x.fma(y, z.neg())),
                TileOp::SubMul => each!(n, d; x: a, y: at(ins.b), z: at(ins.c) => x.neg().fma(y, z)),
                TileOp::Adam => {
                    let first = usize::from(ins.a);
                    adam::<L>(places.get_unchecked(first..first + ADAM_PLACES), n);
                }
            }
        }
    }
}

/// `m ← keep·m + take·g`, `v ← keep₂·v + take₂·g²`, `w ← from − lr·m/(√v + eps)`, the averages without their subnormals. Every vector
/// is read before anything of it is written, so outputs may lie where reads lie.
///
/// # Safety
/// Places are those of scalars (`lr`, `eps`, `keep`, `take`, `keep₂`, `take₂`), of `from`, `g`, `m`, `v`, and of the new `w`, `m`, `v`; destinations hold `n`
/// elements, and every operand can be read [`super::OVERREAD`] elements beyond `n`.
#[inline(always)]
unsafe fn adam<L: Lanes>(places: &[Place], n: usize) {
    let &[lr, eps, keep, take, keep_square, take_square, from, g, m, v, to_w, to_m, to_v] = places else { return };
    // SAFETY: the caller's promise.
    unsafe {
        let (lr, eps) = (L::load(lr.ptr).neg(), L::load(eps.ptr));
        let (keep, take) = (L::load(keep.ptr), L::load(take.ptr));
        let (keep_square, take_square) = (L::load(keep_square.ptr), L::load(take_square.ptr));
        let mut at = 0;
        while at < n {
            let g = L::load(g.ptr.add(at));
            let m = keep.fma(L::load(m.ptr.add(at)), take.mul(g));
            let v = keep_square.fma(L::load(v.ptr.add(at)), take_square.mul(g.mul(g)));
            let w = lr.fma(m.div(v.sqrt().add(eps)), L::load(from.ptr.add(at)));
            let (m, v) = (m.flushed(), v.flushed());
            let (to_w, to_m, to_v, left) = (to_w.ptr.add(at), to_m.ptr.add(at), to_v.ptr.add(at), n - at);
            if left < L::N {
                w.store_part(to_w, left);
                m.store_part(to_m, left);
                return v.store_part(to_v, left);
            }
            w.store(to_w);
            m.store(to_m);
            v.store(to_v);
            at += L::N;
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
            UnaryOp::Neg => each!(n, d; x: a => L::neg(x)),
            UnaryOp::Abs => each!(n, d; x: a => L::abs(x)),
            UnaryOp::Sign => each!(n, d; x: a => math::sign(x)),
            UnaryOp::Exp => each!(n, d; x: a => math::exp(x)),
            UnaryOp::Log => each!(n, d; x: a => math::log(x)),
            UnaryOp::Log1p => each!(n, d; x: a => math::log1p(x)),
            UnaryOp::Sqrt => each!(n, d; x: a => L::sqrt(x)),
            UnaryOp::Rsqrt => each!(n, d; x: a => one.div(x.sqrt())),
            UnaryOp::Recip => each!(n, d; x: a => one.div(x)),
            UnaryOp::Square => each!(n, d; x: a => x.mul(x)),
            UnaryOp::Sin => each!(n, d; x: a => math::sin_quarter(x, 0)),
            UnaryOp::Cos => each!(n, d; x: a => math::sin_quarter(x, 1)),
            UnaryOp::Tanh => each!(n, d; x: a => math::tanh(x)),
            UnaryOp::Sigmoid => each!(n, d; x: a => math::sigmoid(x)),
            UnaryOp::Erf => each!(n, d; x: a => math::erf(x)),
            UnaryOp::Relu => each!(n, d; x: a => x.most(zero)),
            UnaryOp::LeakyRelu(slope) => {
                let slope = L::splat(slope);
                each!(n, d; x: a => zero.lt(x).select(x, x.mul(slope)));
            }
            UnaryOp::Elu(alpha) => {
                let alpha = L::splat(alpha);
                each!(n, d; x: a => zero.lt(x).select(x, math::expm1(x).mul(alpha)));
            }
            UnaryOp::Gelu => each!(n, d; x: a => math::gelu(x)),
            UnaryOp::GeluTanh => each!(n, d; x: a => math::gelu_tanh(x)),
            UnaryOp::Silu => each!(n, d; x: a => x.mul(math::sigmoid(x))),
            UnaryOp::Mish => each!(n, d; x: a => math::mish(x)),
            UnaryOp::Softplus => each!(n, d; x: a => math::softplus(x)),
            UnaryOp::Hardtanh(min, max) => {
                let (min, max) = (L::splat(min), L::splat(max));
                each!(n, d; x: a => x.most(min).least(max));
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
            BinaryOp::Add => each!(n, d; x: a, y: b => L::add(x, y)),
            BinaryOp::Sub => each!(n, d; x: a, y: b => L::sub(x, y)),
            BinaryOp::Mul => each!(n, d; x: a, y: b => L::mul(x, y)),
            BinaryOp::Div => each!(n, d; x: a, y: b => L::div(x, y)),
            BinaryOp::Pow => each!(n, d; x: a, y: b => math::pow(x, y)),
            BinaryOp::Max => each!(n, d; x: a, y: b => math::max(x, y)),
            BinaryOp::Min => each!(n, d; x: a, y: b => math::min(x, y)),
            BinaryOp::Lt => each!(n, d; x: a, y: b => x.lt(y).and(one)),
            BinaryOp::Le => each!(n, d; x: a, y: b => x.le(y).and(one)),
            BinaryOp::Eq => each!(n, d; x: a, y: b => x.eq(y).and(one)),
        }
    }
}
