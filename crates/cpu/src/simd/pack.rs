//! Panels of the matrix product: operands copied into the order in which the register tile reads them, where transposes vanish.

use super::{Lanes, versions};

/// Panels that are filled side by side where lanes lie side by side: one alone would use a part of every line of the cache.
const SIDE_BY_SIDE: usize = 4;

/// What to pack: `lanes` × `depth` elements, with their distances.
#[derive(Clone, Copy)]
pub(crate) struct Pack {
    pub src: *const f32,
    pub lanes: usize,
    pub depth: usize,
    pub lane_stride: usize,
    pub depth_stride: usize,
    /// Lanes per panel.
    pub width: usize,
    pub dst: *mut f32,
}

versions! {
    /// Copies into panels of `width` lanes, each lying depth by depth; missing lanes of the last panel are zero.
    ///
    /// # Safety
    /// The source can be read, and [`super::OVERREAD`] beyond; `dst` holds the lanes, rounded up to whole panels, times the depth.
    pub(crate) unsafe fn pack(p: &Pack) {
        const NR: usize = NV * <L as Lanes>::N;
        // SAFETY: handed on; widths known when compiled unroll the copies.
        unsafe {
            match p.width {
                MR => pack_lanes::<L>(p, MR),
                NR => pack_lanes::<L>(p, NR),
                width => pack_lanes::<L>(p, width),
            }
        }
    }
}

#[inline(always)]
unsafe fn pack_lanes<L: Lanes>(p: &Pack, width: usize) {
    let mut at = 0;
    while at < p.lanes {
        let left = p.lanes - at;
        let mut panels = 1;
        // SAFETY: the panel at lane `at` starts at `at·depth`.
        unsafe {
            let (src, dst) = (p.src.add(at * p.lane_stride), p.dst.add(at * p.depth));
            if p.lane_stride == 1 && left >= SIDE_BY_SIDE * width {
                pack_rows::<L, SIDE_BY_SIDE>(p, width, src, dst);
                panels = SIDE_BY_SIDE;
            } else if p.lane_stride == 1 && left >= width {
                pack_rows::<L, 1>(p, width, src, dst);
            } else if p.depth_stride == 1 && left >= width {
                pack_transposed::<L>(p, width, src, dst);
            } else {
                pack_any(p, width, src, dst, left.min(width));
            }
        }
        at += panels * width;
    }
}

/// Panels whose lanes lie side by side.
#[inline(always)]
unsafe fn pack_rows<L: Lanes, const PANELS: usize>(p: &Pack, width: usize, mut src: *const f32, mut dst: *mut f32) {
    for _ in 0..p.depth {
        for panel in 0..PANELS {
            // SAFETY: `width` lanes of every panel at every depth.
            unsafe {
                let (src, dst) = (src.add(panel * width), dst.add(panel * width * p.depth));
                let mut i = 0;
                while i + L::N <= width {
                    L::load(src.add(i)).store(dst.add(i));
                    i += L::N;
                }
                while i < width {
                    *dst.add(i) = *src.add(i);
                    i += 1;
                }
            }
        }
        (src, dst) = (src.wrapping_add(p.depth_stride), dst.wrapping_add(width));
    }
}

/// A panel whose depth lies side by side: four by four elements at a time.
#[inline(always)]
unsafe fn pack_transposed<L: Lanes>(p: &Pack, width: usize, src: *const f32, dst: *mut f32) {
    let (lanes4, depth4) = (width / 4 * 4, p.depth / 4 * 4);
    let mut d = 0;
    // SAFETY: `width` lanes of `depth` elements.
    unsafe {
        while d < depth4 {
            let mut i = 0;
            while i < lanes4 {
                let row = |r: usize| src.add((i + r) * p.lane_stride + d);
                L::transpose4([row(0), row(1), row(2), row(3)], dst.add(d * width + i), width);
                i += 4;
            }
            d += 4;
        }
        for i in 0..width {
            let from = if i < lanes4 { depth4 } else { 0 };
            for d in from..p.depth {
                *dst.add(d * width + i) = *src.add(i * p.lane_stride + d);
            }
        }
    }
}

/// A panel of any strides, or one that is not full.
#[inline(always)]
unsafe fn pack_any(p: &Pack, width: usize, src: *const f32, dst: *mut f32, lanes: usize) {
    for d in 0..p.depth {
        for i in 0..width {
            // SAFETY: only the lanes that exist are read.
            unsafe {
                *dst.add(d * width + i) = if i < lanes { *src.add(i * p.lane_stride + d * p.depth_stride) } else { 0.0 };
            }
        }
    }
}
