//! How the reads of an elementwise kernel are walked: as they lie, as one number, or by strides.

use std::cell::Cell;

use downhill_graph::kernel::Strides;
use smallvec::SmallVec;

use crate::simd::tile::TILE;

/// Rows shorter than this are handled several at a time, with broadcast operands gathered into tiles.
const SHORT_ROW: usize = 64;

/// How one read is walked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Access {
    /// Like the output: no copy.
    Direct,
    /// One element for all.
    Splat,
    /// By strides, one per dimension of the walk.
    Strided([usize; 4]),
}

/// An iteration space of four dimensions with as many of them joined as all reads allow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Walk {
    /// Sizes, outermost first, filled up with ones in front.
    pub dims: [usize; 4],
    /// How reads are walked.
    pub access: SmallVec<[Access; 4]>,
    /// Whether tiles end at the end of a row.
    pub by_rows: bool,
}

impl Walk {
    /// Joins neighbouring dimensions that every read walks as one.
    pub fn new(shape: &[u32], strides: &[Strides]) -> Self {
        let mut dims: SmallVec<[usize; 4]> = SmallVec::new();
        let mut walked: Vec<SmallVec<[usize; 4]>> = vec![SmallVec::new(); strides.len()];
        for (d, &size) in shape.iter().enumerate() {
            let size = size as usize;
            if size == 1 {
                continue;
            }
            let stride = |r: usize| strides[r].get(d).copied().unwrap_or(0) as usize;
            let joins = !dims.is_empty()
                && (0..strides.len()).all(|r| walked[r].last().is_some_and(|&outer| outer == stride(r) * size));
            if !joins {
                dims.push(1);
            }
            for (r, w) in walked.iter_mut().enumerate() {
                if joins {
                    w.pop();
                }
                w.push(stride(r));
            }
            if let Some(last) = dims.last_mut() {
                *last *= size;
            }
        }
        let lead = 4usize.saturating_sub(dims.len());
        let full = |from: &[usize], fill: usize| std::array::from_fn(|i| if i < lead { fill } else { from[i - lead] });
        let dims4: [usize; 4] = full(&dims, 1);
        let access = walked.iter().map(|w| access(&dims, w, full(w, 0))).collect::<SmallVec<[Access; 4]>>();
        let strided = access.iter().any(|a| matches!(a, Access::Strided(_)));
        Self { dims: dims4, by_rows: strided && dims4[3] >= SHORT_ROW, access }
    }

    /// Number of elements.
    pub fn total(&self) -> usize {
        self.dims.iter().product()
    }

    /// Length of a tile that starts at linear index `at`.
    #[inline]
    pub fn tile_len(&self, at: usize, end: usize) -> usize {
        let left = (end - at).min(TILE);
        if self.by_rows { left.min(self.dims[3] - at % self.dims[3]) } else { left }
    }

    /// Offset of the element at linear index `at` of a read with these strides.
    #[inline]
    pub fn offset(&self, strides: &[usize; 4], at: usize) -> usize {
        let mut rest = at;
        let mut offset = 0;
        for d in (0..4).rev() {
            if self.dims[d] > 1 {
                offset += rest % self.dims[d] * strides[d];
                rest /= self.dims[d];
            }
        }
        offset
    }

    /// Copies the `tile.len()` elements from linear index `at` on into a tile.
    pub fn gather(&self, strides: &[usize; 4], at: usize, from: &[Cell<f32>], tile: &[Cell<f32>]) {
        let inner = self.dims[3];
        let mut done = 0;
        while done < tile.len() {
            let column = (at + done) % inner;
            let run = (inner - column).min(tile.len() - done);
            let offset = self.offset(strides, at + done);
            let to = &tile[done..done + run];
            match strides[3] {
                0 => to.iter().for_each(|t| t.set(from[offset].get())),
                1 => to.iter().zip(&from[offset..offset + run]).for_each(|(t, f)| t.set(f.get())),
                s => to.iter().zip(from[offset..].iter().step_by(s)).for_each(|(t, f)| t.set(f.get())),
            }
            done += run;
        }
    }
}

fn access(dims: &[usize], walked: &[usize], full: [usize; 4]) -> Access {
    if walked.iter().all(|&s| s == 0) && !dims.is_empty() {
        return Access::Splat;
    }
    match (dims, walked) {
        ([], _) | ([_], [1]) => Access::Direct,
        _ => {
            let mut contiguous = 1;
            for d in (0..dims.len()).rev() {
                if walked[d] != contiguous {
                    return Access::Strided(full);
                }
                contiguous *= dims[d];
            }
            Access::Direct
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strides(s: &[u32]) -> Strides {
        Strides::from_slice(s)
    }

    #[test]
    fn contiguous_dimensions_become_one() {
        let walk = Walk::new(&[2, 3, 4], &[strides(&[12, 4, 1]), strides(&[0, 0, 0])]);
        assert_eq!(walk.dims, [1, 1, 1, 24]);
        assert_eq!(walk.access.as_slice(), &[Access::Direct, Access::Splat]);
    }

    #[test]
    fn a_bias_is_walked_by_rows_when_rows_are_long_and_gathered_when_they_are_short() {
        let long = Walk::new(&[8, 100], &[strides(&[100, 1]), strides(&[0, 1])]);
        assert!(long.by_rows);
        assert_eq!(long.access[1], Access::Strided([0, 0, 0, 1]));
        let short = Walk::new(&[5, 3], &[strides(&[0, 1])]);
        assert!(!short.by_rows);
        let (from, tile) = ([10.0, 11.0, 12.0].map(Cell::new), [0.0; 7].map(Cell::new));
        let Access::Strided(s) = &short.access[0] else { panic!("strided") };
        short.gather(s, 2, &from, &tile);
        assert_eq!(tile.map(|c| c.get()), [12.0, 10.0, 11.0, 12.0, 10.0, 11.0, 12.0]);
    }

    #[test]
    fn a_transposed_read_is_found_element_by_element() {
        let walk = Walk::new(&[3, 2], &[strides(&[1, 3])]);
        let (from, tile) = ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0].map(Cell::new), [0.0; 6].map(Cell::new));
        let Access::Strided(s) = &walk.access[0] else { panic!("strided") };
        walk.gather(s, 0, &from, &tile);
        assert_eq!(tile.map(|c| c.get()), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    }
}
