//! Images as the right matrix of a product: where the elements of a patch lie, and the canvas that makes them lie there.
//!
//! A canvas is the image with its border of zeros, and with zeros between its elements where the way back of a stride wants them. On it every
//! element of the matrix is at `place + tap`, two numbers out of tables, without a question whether it lies inside. Three by three over 4 × 4
//! with padding 1 has a canvas of 6 × 6: the first place is at 0, the second at 1, the fifth at 6; the last tap at 2·6 + 2.

use std::cell::Cell;

use downhill_graph::kernel::{Patches, Window};

use crate::simd::rows::copy_rows;
use crate::simd::slide::{SIDE, Slide};

/// Patches with their tables.
#[derive(Clone, Debug)]
pub(crate) struct PatchTable {
    patches: Patches,
    /// Where each row of the matrix is, and each column.
    pub rows: Vec<u32>,
    pub columns: Vec<u32>,
    /// Elements of a canvas; none where the image itself is one.
    canvas: usize,
    /// What the image skips before its first element that is met, where it is its own canvas.
    skip: usize,
}

/// Whether an axis needs neither border nor gaps.
fn is_plain(w: &Window) -> bool {
    w.divide == 1 && w.lowest() >= 0 && i64::from(w.lowest()) + i64::from(w.span()) <= i64::from(w.size)
}

impl PatchTable {
    pub fn new(patches: &Patches) -> Self {
        let [height, width] = &patches.windows;
        let plain = is_plain(height) && is_plain(width);
        let [down, across] = if plain { [height.size, width.size] } else { [height.span(), width.span()] };
        let at = |w: &Window, place: u32, tap: u32| (place * w.step) as i32 + tap as i32 * w.dilation + w.offset - w.lowest();
        let place = |y: u32, x: u32| at(height, y, 0) as u32 * across + at(width, x, 0) as u32;
        // A tap lies before the first one where it is a step back: the tables' sums never do.
        let tap = |c: u32, y: u32, x: u32| {
            let [y, x] = [(height, y), (width, x)].map(|(w, tap)| tap as i32 * w.dilation);
            (c * down * across) as i32 + y * across as i32 + x
        };
        let grid = |h: u32, w: u32| (0..h).flat_map(move |y| (0..w).map(move |x| (y, x)));
        let places: Vec<u32> = grid(height.places, width.places).map(|(y, x)| place(y, x)).collect();
        let channels = 0..patches.channels;
        let taps = channels.flat_map(|c| grid(height.kernel, width.kernel).map(move |(y, x)| tap(c, y, x) as u32));
        let taps: Vec<u32> = taps.collect();
        let (rows, columns) = if patches.transposed { (places, taps) } else { (taps, places) };
        let canvas = if plain { 0 } else { (patches.channels * down * across) as usize };
        let skip = if plain { (height.lowest() as u32 * across) as usize + width.lowest() as usize } else { 0 };
        Self { patches: *patches, rows, columns, canvas, skip }
    }

    /// Elements of a canvas; none where the image itself is one.
    pub fn canvas(&self) -> usize {
        self.canvas
    }

    /// What the image skips before its first element that is met, where it is its own canvas.
    pub fn skip(&self) -> usize {
        self.skip
    }

    /// Whether neighbouring places lie side by side on the canvas.
    pub fn places_follow(&self) -> bool {
        self.patches.windows[1].step == 1
    }

    /// Whether rows are places and columns are taps.
    pub fn transposed(&self) -> bool {
        self.patches.transposed
    }

    /// Where every tap is, and every place, and how many places a row has.
    pub fn taps_and_places(&self) -> (&[u32], &[u32], usize) {
        let (taps, places) = if self.patches.transposed { (&self.columns, &self.rows) } else { (&self.rows, &self.columns) };
        (taps, places, self.patches.windows[1].places as usize)
    }

    /// How the kernel slides over the image as it lies there, where it can: one channel, three by three neighbouring places, a border that is
    /// narrower than the kernel and the image.
    pub fn slide(&self) -> Option<Slide> {
        let windows = &self.patches.windows;
        let [_, width] = windows;
        let fits = |w: &Window| {
            let (before, beyond) = (-w.lowest(), w.lowest() + w.span() as i32 - w.size as i32);
            let next = w.step == 1 && w.divide == 1 && w.dilation.abs() == 1 && w.dilation == width.dilation;
            next && w.kernel as usize == SIDE && before.max(beyond) < w.kernel as i32 && before <= w.size as i32
        };
        if self.patches.channels != 1 || !windows.iter().all(fits) {
            return None;
        }
        let (size, places) = (windows.map(|w| w.size as usize), windows.map(|w| w.places as usize));
        let first = windows.map(|w| w.lowest() as isize);
        Some(Slide { size, first, places, flipped: width.dilation < 0 })
    }

    /// Lays an image out; a canvas that is not `clear` has held another image of these patches, so that its zeros are where they should be.
    pub fn lay(&self, image: &[Cell<f32>], canvas: &[Cell<f32>], clear: bool) {
        if clear {
            canvas.iter().take(self.canvas).for_each(|cell| cell.set(0.0));
        }
        let [height, width] = self.patches.windows.map(|w| Span::new(&w));
        let (plane, row) =
            ((self.patches.windows[0].size * self.patches.windows[1].size) as usize, self.patches.windows[1].size as usize);
        for channel in 0..self.patches.channels as usize {
            let image = &image[channel * plane + height.first * row + width.first..];
            let canvas = &canvas[(channel * height.len + height.start) * width.len + width.start..];
            if width.gap == 1 {
                copy_rows(image, canvas, [row, height.gap * width.len], [height.count, width.count], 1.0);
                continue;
            }
            for y in 0..height.count {
                let to = canvas[y * height.gap * width.len..].iter().step_by(width.gap);
                to.zip(&image[y * row..][..width.count]).for_each(|(to, from)| to.set(from.get()));
            }
        }
    }
}

/// The elements of an axis that lie on the canvas: `count` from `first` on, at `start` and every `gap` from there, of `len` places.
struct Span {
    first: usize,
    count: usize,
    start: usize,
    gap: usize,
    len: usize,
}

impl Span {
    fn new(w: &Window) -> Self {
        let (lowest, gap, len, size) = (w.lowest(), w.divide as usize, w.span() as usize, w.size as usize);
        let first = (lowest.max(0) as usize).div_ceil(gap).min(size);
        let start = ((first * gap) as i64 - i64::from(lowest)).min(len as i64) as usize;
        let count = (len - start).div_ceil(gap).min(size - first);
        // What lies beyond has no place that a slice could begin at.
        if count == 0 { Self { first: 0, count, start: 0, gap, len } } else { Self { first, count, start, gap, len } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_of_a_patch_lies_where_the_tables_say() {
        let axes = [
            Window { size: 5, kernel: 3, places: 3, step: 2, dilation: 1, offset: -1, divide: 1 },
            Window { size: 3, kernel: 3, places: 5, step: 1, dilation: -1, offset: 1, divide: 2 },
            Window { size: 7, kernel: 2, places: 3, step: 2, dilation: 2, offset: 0, divide: 1 },
            Window { size: 2, kernel: 2, places: 7, step: 1, dilation: -2, offset: 0, divide: 2 },
            Window { size: 6, kernel: 1, places: 3, step: 2, dilation: 1, offset: 1, divide: 1 },
            Window { size: 2, kernel: 4, places: 3, step: 1, dilation: 1, offset: -2, divide: 1 },
            Window { size: 3, kernel: 2, places: 9, step: 1, dilation: -1, offset: 0, divide: 3 },
        ];
        for (height, width) in axes.iter().flat_map(|h| axes.iter().map(move |w| (*h, *w))) {
            let patches = Patches { channels: 2, windows: [height, width], transposed: false };
            let image: Vec<f32> = (1..=patches.elements()).map(|i| i as f32).collect();
            let table = PatchTable::new(&patches);
            let image: Vec<Cell<f32>> = image.into_iter().map(Cell::new).collect();
            let canvas = vec![Cell::new(7.0); table.canvas()];
            let shown = if table.canvas() == 0 {
                &image[table.skip()..]
            } else {
                table.lay(&image.iter().map(|_| Cell::new(9.0)).collect::<Vec<_>>(), &canvas, true);
                table.lay(&image, &canvas, false);
                &canvas[..]
            };
            let (rows, columns) = patches.shape();
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                let at = table.rows[row as usize].wrapping_add(table.columns[column as usize]);
                let want = patches.source(row, column).map_or(0.0, |i| image[i as usize].get());
                assert_eq!(shown[at as usize].get(), want, "{patches:?} row {row}, column {column}");
            }
        }
    }
}
