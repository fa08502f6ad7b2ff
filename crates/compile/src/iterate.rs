//! Builds the iteration space of an elementwise kernel from walks through views, refining dimensions where a view needs it.

use downhill_graph::Expr;
use downhill_graph::kernel::{MapSpec, Strides};
use downhill_tensor::Shape;
use smallvec::SmallVec;

use crate::access::{Dims, Parts, View, collapse, compose, even_stride};
use crate::simplify::compact_reads;
use crate::work::{BufferId, Read};

/// What a backend's elementwise kernels can walk.
const MAX_RANK: usize = 4;

/// An iteration space with reads in it. Dimensions may split as reads are added; results stay row-major over `original`.
///
/// For example, `y[i] = a[i] + b[i]` over `[12]`, where `a` is contiguous and `b` is the transpose of a buffer `[4, 3]`, so that its elements
/// lie 0, 3, 6, 9, 1, 4, … in the buffer. Reading `a` leaves the space at shape `[12]` with stride `[1]`. Reading `b` has no single
/// stride over 12 elements, but has strides `[1, 3]` over `[3, 4]`: the dimension splits, and `a`, which was there before, now has strides
/// `[4, 1]`. A kernel then walks `[3, 4]` and reads `a` by `[4, 1]` and `b` by `[1, 3]`; [`Iteration::grouped`], which may not
/// split dimensions, refuses.
#[derive(Clone, Debug)]
pub(crate) struct Iteration {
    original: Dims,
    shape: Dims,
    /// Dimension of `original` that each of `shape` is a part of.
    owner: Dims,
    reads: Vec<Walk>,
}

#[derive(Clone, Debug, PartialEq)]
struct Walk {
    buffer: BufferId,
    start: usize,
    strides: Dims,
}

/// Reads with their strides over a final shape.
pub(crate) struct Walked {
    pub shape: Dims,
    pub reads: Vec<(Read, Dims)>,
}

impl Walked {
    /// A map over the walk, with the reads that its expression still has.
    pub fn kernel(&self, mut expr: Expr) -> (MapSpec, SmallVec<[Read; 4]>) {
        let used = compact_reads(&mut expr);
        let narrow = |dims: &[usize]| -> Strides { dims.iter().map(|&n| n as u32).collect() };
        let read_strides = used.iter().map(|&i| narrow(&self.reads[i].1)).collect();
        let spec = MapSpec { shape: narrow(&self.shape), read_strides, expr };
        (spec, used.iter().map(|&i| self.reads[i].0).collect())
    }
}

impl Iteration {
    pub fn new(shape: &[usize]) -> Self {
        let shape = Dims::from_slice(shape);
        Self { original: shape.clone(), owner: (0..shape.len()).collect(), shape, reads: Vec::new() }
    }

    /// Adds a walk (`strides` over the original dimensions, from `start`) over the row-major elements of the tensor `view` of
    /// `buffer`; returns the number of the read, an earlier one if that walks the same. `None` when the walk has no strides.
    pub fn add(&mut self, buffer: BufferId, strides: &[usize], start: usize, view: &View) -> Option<usize> {
        let fine = self.split(strides);
        let (start, parts) = compose(&self.shape, &fine, start, view)?;
        self.refine(&parts);
        let strides = parts.iter().flatten().map(|&(_, s)| s).collect();
        Some(self.push(Walk { buffer, start, strides }))
    }

    /// Adds a walk straight over a buffer.
    pub fn add_plain(&mut self, read: Read, strides: &[usize]) -> usize {
        let strides = self.split(strides);
        self.push(Walk { buffer: read.buffer, start: read.start, strides })
    }

    fn push(&mut self, mut walk: Walk) -> usize {
        // The stride of a single step is never taken; zero makes equal walks equal.
        walk.strides.iter_mut().zip(&self.shape).filter(|(_, n)| **n == 1).for_each(|(s, _)| *s = 0);
        if let Some(i) = self.reads.iter().position(|w| *w == walk) {
            return i;
        }
        self.reads.push(walk);
        self.reads.len() - 1
    }

    /// Strides over the original dimensions as strides over their parts.
    fn split(&self, strides: &[usize]) -> Dims {
        let mut fine = Dims::from_elem(0, self.shape.len());
        let mut inner = Dims::from_elem(1, self.original.len());
        for d in (0..self.shape.len()).rev() {
            let owner = self.owner[d];
            fine[d] = strides[owner] * inner[owner];
            inner[owner] *= self.shape[d];
        }
        fine
    }

    fn refine(&mut self, parts: &SmallVec<[Parts; 4]>) {
        if parts.iter().all(|p| p.len() == 1) {
            return;
        }
        for walk in &mut self.reads {
            walk.strides = parts
                .iter()
                .zip(&walk.strides)
                .flat_map(|(dim, &stride)| {
                    let mut inner: usize = dim.iter().map(|p| p.0).product();
                    dim.iter().map(move |&(size, _)| {
                        inner /= size;
                        stride * inner
                    })
                })
                .collect();
        }
        self.owner = parts.iter().zip(&self.owner).flat_map(|(dim, &o)| dim.iter().map(move |_| o)).collect();
        self.shape = parts.iter().flatten().map(|p| p.0).collect();
        for walk in &mut self.reads {
            walk.strides.iter_mut().zip(&self.shape).filter(|(_, n)| **n == 1).for_each(|(s, _)| *s = 0);
        }
    }

    /// One of the reads as a tensor of its own, in the space's row-major order.
    pub fn view(&self, read: usize) -> Option<(BufferId, View)> {
        let walk = self.reads.get(read)?;
        Some((walk.buffer, View { shape: self.shape.clone(), strides: walk.strides.clone(), offset: walk.start }))
    }

    /// In the fewest dimensions; `None` when these are more than a kernel walks.
    pub fn collapsed(&self) -> Option<Walked> {
        Some(self.fewest()).filter(|walked| walked.shape.len() <= MAX_RANK)
    }

    /// In the fewest dimensions, however many.
    fn fewest(&self) -> Walked {
        let mut walks: Vec<Dims> = self.reads.iter().map(|w| w.strides.clone()).collect();
        let shape = collapse(&self.shape, &mut walks);
        let reads = self.reads.iter().zip(walks).map(|(w, s)| (Read { buffer: w.buffer, start: w.start }, s)).collect();
        Walked { shape, reads }
    }

    /// As spaces of at most four dimensions, one for each index of the dimensions beyond, in row-major order.
    pub fn blocks(&self) -> Vec<Walked> {
        let Walked { shape, reads } = self.fewest();
        let (outer, inner) = shape.split_at(shape.len().saturating_sub(MAX_RANK));
        let rows = Shape::from(outer).strides();
        let block = |i: usize| {
            let reads = reads.iter().map(|(read, strides)| {
                let skip: usize = (0..outer.len()).map(|d| i / rows[d] % outer[d] * strides[d]).sum();
                (Read { start: read.start + skip, ..*read }, Dims::from_slice(&strides[outer.len()..]))
            });
            Walked { shape: Dims::from_slice(inner), reads: reads.collect() }
        };
        (0..outer.iter().product()).map(block).collect()
    }

    /// In the original dimensions; `None` when a read needs one of them split.
    pub fn grouped(&self) -> Option<Walked> {
        let reads = self.reads.iter().map(|w| {
            let mut groups = vec![Parts::new(); self.original.len()];
            for (d, &owner) in self.owner.iter().enumerate() {
                groups[owner].push((self.shape[d], w.strides[d]));
            }
            let strides: Option<Dims> = groups.iter().map(even_stride).collect();
            strides.map(|s| (Read { buffer: w.buffer, start: w.start }, s))
        });
        Some(Walked { shape: self.original.clone(), reads: reads.collect::<Option<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_read_splits_a_flat_space_for_all_reads() {
        let mut space = Iteration::new(&[12]);
        let flat = View::contiguous(&[12]);
        let transposed = View { shape: Dims::from_slice(&[3, 4]), strides: Dims::from_slice(&[1, 3]), offset: 0 };
        space.add(BufferId(0), &[1], 0, &flat).expect("flat");
        space.add(BufferId(1), &[1], 0, &transposed).expect("transposed");
        space.add(BufferId(0), &[1], 0, &flat).expect("flat again");
        let walked = space.collapsed().expect("two dimensions");
        assert_eq!(walked.shape.as_slice(), &[3, 4]);
        assert_eq!(walked.reads.len(), 2, "the same walk is one read");
        assert_eq!(walked.reads[0].1.as_slice(), &[4, 1]);
        assert_eq!(walked.reads[1].1.as_slice(), &[1, 3]);
        assert!(space.grouped().is_none(), "the transposed read has no single stride");
    }
}
