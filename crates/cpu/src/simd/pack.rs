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
    /// Depth of a whole panel, of which this may be a part.
    pub panel: usize,
    pub dst: *mut f32,
}

/// Patches to pack: lane `i` at depth `d` lies at `lanes[i] + depths[d]`.
#[derive(Clone, Copy)]
pub(crate) struct PackPatches<'a> {
    pub src: *const f32,
    pub lanes: &'a [u32],
    pub depths: &'a [u32],
    /// As in [`Pack`].
    pub width: usize,
    pub panel: usize,
    pub dst: *mut f32,
}

versions! {
    /// Copies into panels of `width` lanes, each lying depth by depth; missing lanes of the last panel are zero.
    ///
    /// # Safety
    /// The source can be read, and [`super::OVERREAD`] beyond; `dst` holds the lanes, rounded up to whole panels, times the depth of a panel.
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
        // SAFETY: the panel at lane `at` starts at `at` times its depth.
        unsafe {
            let (src, dst) = (p.src.add(at * p.lane_stride), p.dst.add(at * p.panel));
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
                let (src, dst) = (src.add(panel * width), dst.add(panel * width * p.panel));
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

versions! {
    /// Copies patches into panels as [`pack`] does a matrix.
    ///
    /// # Safety
    /// All sums of a lane and a depth can be read from the source, and [`super::OVERREAD`] beyond; `dst` is as for [`pack`].
    pub(crate) unsafe fn pack_patches(p: &PackPatches<'_>) {
        const NR: usize = NV * <L as Lanes>::N;
        // SAFETY: handed on.
        unsafe {
            match p.width {
                NR => pack_patch_lanes::<L>(p, NR),
                width => pack_patch_lanes::<L>(p, width),
            }
        }
    }
}

/// Whether so many entries lie side by side.
#[inline(always)]
fn side_by_side(entries: &[u32], count: usize) -> bool {
    let last = count - 1;
    entries.len() >= count && entries[last].wrapping_sub(entries[0]) == last as u32 && {
        // Entries ascend within a row of places or of taps and only then: a difference that fits is no coincidence but for rows of one.
        (1..last).all(|i| entries[i].wrapping_sub(entries[0]) == i as u32)
    }
}

#[inline(always)]
unsafe fn pack_patch_lanes<L: Lanes>(p: &PackPatches<'_>, width: usize) {
    for (number, lanes) in p.lanes.chunks(width).enumerate() {
        let mut i = 0;
        // SAFETY: the panel at lane `number·width` starts at that times its depth; at each depth it has `width` lanes.
        unsafe {
            let dst = p.dst.add(number * width * p.panel);
            while i < lanes.len() {
                let (lane, to) = (&lanes[i..], dst.add(i));
                // Offsets may wrap: a tap can lie before the first one.
                let from = |lane: u32, depth: u32| p.src.add(lane.wrapping_add(depth) as usize);
                if side_by_side(lane, L::N) {
                    for (d, &depth) in p.depths.iter().enumerate() {
                        L::load(from(lane[0], depth)).store(to.add(d * width));
                    }
                    i += L::N;
                } else if side_by_side(lane, 4) {
                    for (d, &depth) in p.depths.iter().enumerate() {
                        to.add(d * width)
                            .cast::<[f32; 4]>()
                            .write_unaligned(from(lane[0], depth).cast::<[f32; 4]>().read_unaligned());
                    }
                    i += 4;
                } else if lane.len() >= 4 {
                    pack_four::<L>(p, [lane[0], lane[1], lane[2], lane[3]], width, to);
                    i += 4;
                } else {
                    for (d, &depth) in p.depths.iter().enumerate() {
                        *to.add(d * width) = *from(lane[0], depth);
                    }
                    i += 1;
                }
            }
            while i < width {
                for d in 0..p.depths.len() {
                    *dst.add(d * width + i) = 0.0;
                }
                i += 1;
            }
        }
    }
}

/// Four lanes that lie anywhere: four by four elements where depths lie side by side.
#[inline(always)]
unsafe fn pack_four<L: Lanes>(p: &PackPatches<'_>, lanes: [u32; 4], width: usize, dst: *mut f32) {
    let mut d = 0;
    while d < p.depths.len() {
        let depth = &p.depths[d..];
        // SAFETY: the caller's promise.
        unsafe {
            let from = |r: usize| p.src.add(lanes[r].wrapping_add(depth[0]) as usize);
            let to = dst.add(d * width);
            if side_by_side(depth, 4) {
                L::transpose4([from(0), from(1), from(2), from(3)], to, width);
                d += 4;
            } else {
                for r in 0..4 {
                    *to.add(r) = *from(r);
                }
                d += 1;
            }
        }
    }
}
