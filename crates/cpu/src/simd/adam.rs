use super::Lanes;
use super::tile::Place;

/// Operands of [`super::tile::TileOp::Adam`]: six scalars, four reads, three outputs.
pub(crate) const PLACES: usize = 13;

/// `m ← keep·m + take·g`, `v ← keep₂·v + take₂·g²`, `w ← from − lr·m/(√v + eps)`, the averages without their subnormals. Every vector
/// is read before anything of it is written, so outputs may lie where reads lie.
///
/// # Safety
/// Places are those of scalars (`lr`, `eps`, `keep`, `take`, `keep₂`, `take₂`), of `from`, `g`, `m`, `v`, and of the new `w`, `m`, `v`; destinations hold `n`
/// elements, and every operand can be read [`super::OVERREAD`] elements beyond `n`.
#[inline(always)]
pub(super) unsafe fn step<L: Lanes>(places: &[Place], n: usize) {
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
            let (m, v) = (flushed(m), flushed(v));
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

/// Subnormals made zero: they cost a hundred times a normal number.
#[inline(always)]
pub(super) fn flushed<L: Lanes>(x: L) -> L {
    let (mask, smallest) = (L::bits(0x7fff_ffff), L::bits(0x0080_0000));
    x.and(mask).lt(smallest).select(L::splat(0.0), x)
}
