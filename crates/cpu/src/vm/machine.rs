//! The tile machine: runs code over the elements of a kernel, tile by tile.

use downhill_compile::ExecError;
use downhill_graph::{Expr, StepScalars};
use smallvec::SmallVec;

use super::value::Source;
use super::walk::Access;
use super::{Code, Walk};
use crate::arena::{Buffer, Memory, Operand};
use crate::simd::tile::{self, Counter, Place, TILE};

/// Distance between tiles: a vector may be read beyond the last element.
const TILE_STRIDE: usize = TILE + 16;

/// A fused expression with its operands.
#[derive(Clone, Debug)]
pub(crate) struct MapOp {
    pub code: Code,
    pub walk: Walk,
    pub reads: SmallVec<[Operand; 4]>,
    pub writes: SmallVec<[Operand; 2]>,
    /// Nanoseconds that one element takes, roughly.
    pub cost: f32,
}

/// Where outputs go.
pub(crate) enum Target<'a> {
    /// To the kernel's writes.
    Writes,
    /// To a tile, which is then shown with the linear index of its first element.
    Tiles(&'a mut dyn FnMut(usize, &[f32])),
}

impl MapOp {
    /// Translates an expression. `flush` says which outputs lose their subnormals.
    ///
    /// # Errors
    /// When the expression is too large.
    pub fn new(
        expr: &Expr,
        walk: Walk,
        reads: SmallVec<[Operand; 4]>,
        writes: SmallVec<[Operand; 2]>,
        flush: &dyn Fn(usize) -> bool,
    ) -> Result<Self, ExecError> {
        let clobbers = |n: u8| reads.get(usize::from(n)).is_some_and(|r| writes.iter().any(|w| r.overlaps(w)));
        let code = Code::new(expr, &clobbers, flush)?;
        let cost = 0.2 * code.ins.len() as f32 + 0.1;
        Ok(Self { code, walk, reads, writes, cost })
    }

    /// Tiles that gathered reads need, behind those of the code.
    fn gathered(&self) -> usize {
        self.walk.access.iter().filter(|a| matches!(a, Access::Strided(_))).count()
    }
}

/// Scratch of the tile machine, large enough for every loaded program.
#[derive(Default)]
pub(crate) struct Machine {
    tiles: Buffer,
    splats: Buffer,
    places: Vec<Place>,
}

impl Machine {
    /// Makes room for an expression, so that running it allocates nothing.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn reserve(&mut self, map: &MapOp) -> Result<(), std::collections::TryReserveError> {
        self.tiles.grow((map.code.tiles + map.gathered() + map.writes.len().max(1)) * TILE_STRIDE)?;
        self.splats.grow(map.code.slots.len() * 8)?;
        self.places.try_reserve(map.code.slots.len())
    }

    /// Runs the linear range `start..end` of an expression. `product` takes the place of read 0 at `start`.
    pub fn run(
        &mut self,
        map: &MapOp,
        memory: &Memory<'_>,
        step: &StepScalars,
        (start, end): (usize, usize),
        product: Option<*mut f32>,
        mut target: Target<'_>,
    ) {
        self.place(map, memory, step, start, product, &target);
        let mut counter = Counter { seed: step.seed, step: step.step, index: start as u32 };
        let mut at = start;
        while at < end {
            let n = map.walk.tile_len(at, end);
            self.follow(map, memory, at, n);
            counter.index = at as u32;
            // SAFETY: places were set for every slot of the code; they point into checked operands, tiles and splats, all with
            // room to read beyond the end, and hold `n` elements from here on.
            unsafe { tile::run(&map.code.ins, &self.places, n, counter) };
            if let Target::Tiles(show) = &mut target {
                let out = self.out_tile(map, 0);
                show(at, &self.tiles.floats()[out..out + n]);
            }
            at += n;
            self.advance(map, n, &target);
        }
    }

    fn out_tile(&self, map: &MapOp, out: usize) -> usize {
        (map.code.tiles + map.gathered() + out) * TILE_STRIDE
    }

    /// Sets the places of all slots for a run that starts at linear index `start`.
    fn place(
        &mut self,
        map: &MapOp,
        memory: &Memory<'_>,
        step: &StepScalars,
        start: usize,
        product: Option<*mut f32>,
        target: &Target<'_>,
    ) {
        self.places.clear();
        let tiles = self.tiles.as_mut_ptr();
        for (slot, source) in map.code.slots.iter().enumerate() {
            let place = match *source {
                Source::Const(c) => self.splat(slot, c),
                Source::Scalar(id) => self.splat(slot, step.get(id)),
                Source::Tile(t) => Place { ptr: tiles.wrapping_add(usize::from(t) * TILE_STRIDE), step: 1 },
                Source::Out(o) => match target {
                    Target::Writes => Place { ptr: memory.ptr(&map.writes[usize::from(o)]).wrapping_add(start), step: 1 },
                    Target::Tiles(_) => Place { ptr: tiles.wrapping_add(self.out_tile(map, usize::from(o))), step: 1 },
                },
                Source::Read(r) => {
                    let r = usize::from(r);
                    match (r, product) {
                        (0, Some(ptr)) => Place { ptr, step: 1 },
                        _ => match map.walk.access[r] {
                            Access::Direct => Place { ptr: memory.ptr(&map.reads[r]).wrapping_add(start), step: 1 },
                            Access::Splat => self.splat(slot, memory.cells(&map.reads[r])[0].get()),
                            Access::Strided(_) => Place { ptr: tiles, step: 1 },
                        },
                    }
                }
            };
            self.places.push(place);
        }
    }

    /// Repeats a number for the vectors of a slot.
    #[inline]
    fn splat(&mut self, slot: usize, x: f32) -> Place {
        self.splats.words_mut()[slot * 8..slot * 8 + 8].fill(x.to_bits());
        Place { ptr: self.splats.as_mut_ptr().wrapping_add(slot * 8), step: 0 }
    }

    /// Points the strided reads at the tile from `at` on, or copies them.
    fn follow(&mut self, map: &MapOp, memory: &Memory<'_>, at: usize, n: usize) {
        if map.gathered() == 0 {
            return;
        }
        let mut gathered = 0;
        for (slot, source) in map.code.slots.iter().enumerate() {
            let Source::Read(r) = *source else { continue };
            let Access::Strided(strides) = &map.walk.access[usize::from(r)] else { continue };
            let operand = &map.reads[usize::from(r)];
            self.places[slot] = match strides[3] {
                1 if map.walk.by_rows => Place { ptr: memory.ptr(operand).wrapping_add(map.walk.offset(strides, at)), step: 1 },
                0 if map.walk.by_rows => self.splat(slot, memory.cells(operand)[map.walk.offset(strides, at)].get()),
                _ => {
                    let tile = (map.code.tiles + gathered) * TILE_STRIDE;
                    let cells = self.tiles.cells();
                    map.walk.gather(strides, at, memory.cells(operand), &cells[tile..tile + n]);
                    Place { ptr: self.tiles.as_mut_ptr().wrapping_add(tile), step: 1 }
                }
            };
            gathered += 1;
        }
    }

    fn advance(&mut self, map: &MapOp, n: usize, target: &Target<'_>) {
        for (place, source) in self.places.iter_mut().zip(&map.code.slots) {
            let moves = match source {
                Source::Out(_) => matches!(target, Target::Writes),
                Source::Read(r) => matches!(map.walk.access[usize::from(*r)], Access::Direct),
                _ => false,
            };
            if moves {
                place.ptr = place.ptr.wrapping_add(n);
            }
        }
    }
}
