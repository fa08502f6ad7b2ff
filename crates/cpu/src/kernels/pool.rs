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

impl CpuKernel for PoolOp {
    type Spec = PoolSpec;

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
        let row = self.spec.windows[1].size as usize;
        self.each(|number, (top, bottom), (left, right)| {
            let mut at = top * row + left;
            let mut best = plane[at].get();
            for y in top..bottom {
                for (x, cell) in plane[y * row + left..y * row + right].iter().enumerate() {
                    let value = cell.get();
                    if value > best || value.is_nan() {
                        (best, at) = (value, y * row + left + x);
                    }
                }
            }
            out[number].set(best);
            places[number].set(f32::from_bits((start + at) as u32));
        });
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
