//! Pooling, window by window; the ways back add up what each window hands on, in the order of the windows.

use std::cell::Cell;

use downhill_compile::ExecError;
use downhill_graph::kernel::{PoolKind, PoolSpec, Window};

use super::{Bound, CpuKernel, Cursor, Cx, Loader};
use crate::arena::{Operand, word};

/// Elements of the image between two looks at the clock.
const CHUNK: usize = 1 << 14;

/// The kernel with its operands.
#[derive(Clone, Debug)]
pub(crate) struct PoolOp {
    spec: PoolSpec,
    first: Operand,
    /// Places of the largest elements, where they are read or written.
    places: Option<Operand>,
    out: Operand,
}

/// What a window sees of an axis: from, to.
fn seen(w: &Window, place: usize) -> (usize, usize) {
    let start = (place as i32) * w.step as i32 + w.offset;
    (start.max(0) as usize, (start + w.kernel as i32).min(w.size as i32) as usize)
}

/// The larger of two elements with their places, the first where they are equal, the last that is no number where there is one. Selects, for what is
/// larger cannot be guessed.
#[inline(always)]
fn larger(best: (f32, usize), next: (f32, usize)) -> (f32, usize) {
    let replaces = (next.0 > best.0) | next.0.is_nan();
    (if replaces { next.0 } else { best.0 }, if replaces { next.1 } else { best.1 })
}

impl CpuKernel for PoolOp {
    type Spec = PoolSpec;
    const AT_ONCE: bool = false;

    fn load(spec: &PoolSpec, operands: Bound, _: &mut Loader<'_>) -> Result<Self, ExecError> {
        let Bound { reads, writes } = operands;
        let places = reads.get(1).or(writes.get(1)).copied();
        Ok(Self { spec: *spec, first: reads[0], places, out: writes[0] })
    }

    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        let [image, windows] = self.spec.windows.iter().fold([1, 1], |[i, p], w| [i * w.size as usize, p * w.places as usize]);
        let (first, out) = (cx.memory.cells(&self.first), cx.memory.cells(&self.out));
        let places = self.places.as_ref().map_or(&out[..0], |places| cx.memory.cells(places));
        let some = |_: &mut Cx<'_>, _: &mut Cursor, start: usize, end: usize| {
            for plane in start..end {
                let (pixels, seen) = (plane * image..(plane + 1) * image, plane * windows..(plane + 1) * windows);
                match self.spec.kind {
                    PoolKind::Max => self.largest(&first[pixels.clone()], pixels.start, &out[seen.clone()], &places[seen]),
                    PoolKind::MaxGrad => {
                        out[pixels].iter().for_each(|cell| cell.set(0.0));
                        for (dy, place) in first[seen.clone()].iter().zip(&places[seen]) {
                            let cell = &out[word(place) as usize];
                            cell.set(cell.get() + dy.get());
                        }
                    }
                    PoolKind::Average => self.mean(&first[pixels], &out[seen]),
                    PoolKind::AverageGrad => self.spread(&first[seen], &out[pixels]),
                }
            }
        };
        cursor.pieces(cx, self.spec.planes as usize, CHUNK.div_ceil(image), 2.0 * image as f64, some)
    }
}

impl PoolOp {
    /// Calls `visit` for every window of a plane, with its number, the rows and the columns that it sees.
    #[inline(always)]
    fn each(&self, mut visit: impl FnMut(usize, (usize, usize), (usize, usize))) {
        let [height, width] = &self.spec.windows;
        for y in 0..height.places as usize {
            let rows = seen(height, y);
            for x in 0..width.places as usize {
                visit(y * width.places as usize + x, rows, seen(width, x));
            }
        }
    }

    /// The largest of each window of a plane that begins at `start`.
    fn largest(&self, plane: &[Cell<f32>], start: usize, out: &[Cell<f32>], places: &[Cell<f32>]) {
        if self.halves() {
            return self.largest_of_four(plane, start, out, places);
        }
        let row = self.spec.windows[1].size as usize;
        self.each(|number, (top, bottom), (left, right)| {
            let mut best = (plane[top * row + left].get(), top * row + left);
            for y in top..bottom {
                for x in left..right {
                    best = larger(best, (plane[y * row + x].get(), y * row + x));
                }
            }
            out[number].set(best.0);
            places[number].set(f32::from_bits((start + best.1) as u32));
        });
    }

    /// Whether windows are two by two, side by side, without a border.
    fn halves(&self) -> bool {
        self.spec.windows.iter().all(|w| (w.kernel, w.step, w.offset) == (2, 2, 0) && 2 * w.places <= w.size)
    }

    /// The same for windows that halve an image: pairs of two rows.
    fn largest_of_four(&self, plane: &[Cell<f32>], start: usize, out: &[Cell<f32>], places: &[Cell<f32>]) {
        let [row, across] = [self.spec.windows[1].size, self.spec.windows[1].places].map(|n| n as usize);
        let lines = plane.chunks_exact(2 * row).zip(out.chunks_exact(across).zip(places.chunks_exact(across)));
        for (y, (rows, (out, places))) in lines.enumerate() {
            let (top, bottom) = rows.split_at(row);
            let pairs = top.chunks_exact(2).zip(bottom.chunks_exact(2)).zip(out.iter().zip(places));
            for (x, ((top, bottom), (out, place))) in pairs.enumerate() {
                let at = 2 * (y * row + x);
                let four = [(&top[0], at), (&top[1], at + 1), (&bottom[0], at + row), (&bottom[1], at + row + 1)];
                let [first, rest @ ..] = four.map(|(cell, at)| (cell.get(), at));
                let best = rest.into_iter().fold(first, larger);
                out.set(best.0);
                place.set(f32::from_bits((start + best.1) as u32));
            }
        }
    }

    /// What a mean over so many elements multiplies with.
    fn share(&self, seen: usize) -> f32 {
        let whole = self.spec.windows.iter().map(|w| w.kernel as usize).product();
        1.0 / (if self.spec.count_include_pad { whole } else { seen }) as f32
    }

    fn mean(&self, plane: &[Cell<f32>], out: &[Cell<f32>]) {
        let row = self.spec.windows[1].size as usize;
        self.each(|number, (top, bottom), (left, right)| {
            let mut sum = 0.0;
            for y in top..bottom {
                sum += plane[y * row + left..y * row + right].iter().map(Cell::get).sum::<f32>();
            }
            out[number].set(sum * self.share((bottom - top) * (right - left)));
        });
    }

    fn spread(&self, dy: &[Cell<f32>], out: &[Cell<f32>]) {
        let row = self.spec.windows[1].size as usize;
        out.iter().for_each(|cell| cell.set(0.0));
        self.each(|number, (top, bottom), (left, right)| {
            let share = dy[number].get() * self.share((bottom - top) * (right - left));
            for y in top..bottom {
                out[y * row + left..y * row + right].iter().for_each(|cell| cell.set(cell.get() + share));
            }
        });
    }
}
