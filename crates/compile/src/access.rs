//! Strided access: how a tensor lies in a buffer, and what a walk over a tensor becomes when the tensor is itself a view.

use downhill_graph::kernel::ViewSpec;
use downhill_tensor::Shape;
use smallvec::{SmallVec, smallvec};

/// Sizes or strides, outermost first.
pub(crate) type Dims = SmallVec<[usize; 4]>;

/// How a tensor's elements lie in a buffer: element `i` is at `offset + Σ i[d]·strides[d]`.
///
/// `shape` may be finer than the tensor's own (a merged dimension that is not evenly spaced keeps its parts), but its row-major
/// order is the tensor's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub shape: Dims,
    pub strides: Dims,
    pub offset: usize,
}

/// One dimension of a walk after composition: `(size, stride)` parts, outermost first, whose sizes multiply to the dimension's.
pub(crate) type Parts = SmallVec<[(usize, usize); 2]>;

impl View {
    /// Row-major from the start of a buffer.
    pub fn contiguous(shape: &[usize]) -> Self {
        Self { shape: Dims::from_slice(shape), strides: Shape::from(shape).strides(), offset: 0 }
    }

    /// Number of elements seen.
    pub fn numel(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the elements follow each other without gaps.
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&n, &s)| {
            let fits = n == 1 || s == expected;
            expected *= n;
            fits
        })
    }

    /// The same elements in the fewest dimensions.
    pub fn merged(&self) -> Self {
        let mut walks: [Dims; 1] = [self.strides.clone()];
        let shape = collapse(&self.shape, &mut walks);
        let [strides] = walks;
        Self { shape, strides, offset: self.offset }
    }

    /// This tensor seen as an op's view of it.
    pub fn seen_as(&self, to: &Shape, spec: &ViewSpec) -> Option<View> {
        self.walked(to, &spec.strides, spec.offset)
    }

    fn walked(&self, shape: &[usize], strides: &[usize], offset: usize) -> Option<View> {
        let (offset, parts) = compose(shape, strides, offset, self)?;
        let mut view = View { shape: Dims::new(), strides: Dims::new(), offset };
        for (size, stride) in parts.into_iter().flatten() {
            view.shape.push(size);
            view.strides.push(stride);
        }
        Some(view)
    }
}

/// The stride of a dimension whose parts are evenly spaced.
pub(crate) fn even_stride(parts: &Parts) -> Option<usize> {
    let (mut run, mut stride) = (1, None);
    for &(size, s) in parts.iter().rev().filter(|(size, _)| *size != 1) {
        match stride {
            None => stride = Some(s),
            Some(first) if s == first * run => {}
            Some(_) => return None,
        }
        run *= size;
    }
    Some(stride.unwrap_or(0))
}

/// Walks a tensor's row-major elements (`offset + Σ i[d]·strides[d]`) where the tensor is the view `through`, and returns the walk
/// over the view's buffer. `None` when it is not a strided walk, or would leave the view's dimensions.
///
/// For example, a tensor `[4, 3]` is the transpose of a buffer `[3, 4]`: its view has shape `[4, 3]` and strides `[1, 4]`, so that its
/// row-major elements 0, 1, 2, 3, … lie at 0, 4, 8, 1, … of the buffer. A walk of shape `[12]` with stride 1 through it takes elements 0
/// to 11 in turn. Its stride fits the view's inner dimension, where 3 elements have room, so the walk's one dimension becomes the parts
/// `(4, 1)` and `(3, 4)`: four runs of three elements, 4 apart in the buffer, runs 1 apart. A walk of shape `[2, 2]` with strides
/// `[5, 1]` takes elements 0, 1, 5, 6 and is refused: 5 is neither a step along the inner dimension nor along the outer one, whose steps are
/// multiples of 3.
pub(crate) fn compose(
    shape: &[usize],
    strides: &[usize],
    offset: usize,
    through: &View,
) -> Option<(usize, SmallVec<[Parts; 4]>)> {
    let view = through.merged();
    let rank = view.shape.len();
    let rows = Shape::from(view.shape.as_slice()).strides();
    let coordinate = |j: usize| offset / rows[j] % view.shape[j];
    // Highest coordinate reached in each of the view's dimensions: beyond its size the walk would carry into the next.
    let mut reach: Dims = (0..rank).map(coordinate).collect();
    let start = (0..rank).fold(view.offset, |at, j| at + reach[j] * view.strides[j]);
    let mut dims: SmallVec<[Parts; 4]> = smallvec![Parts::new(); shape.len()];
    for d in 0..shape.len() {
        let (mut size, mut stride) = (shape[d], strides[d]);
        if size == 1 || stride == 0 {
            dims[d].push((size, 0));
            continue;
        }
        while size > 1 {
            let j = (0..rank).find(|&j| rows[j] <= stride)?;
            if !stride.is_multiple_of(rows[j]) {
                return None;
            }
            let hop = stride / rows[j];
            let room = view.shape[j] / hop;
            let inner = if (size - 1) * hop + reach[j] < view.shape[j] || j == 0 {
                size
            } else if room > 1 && view.shape[j].is_multiple_of(hop) && size.is_multiple_of(room) {
                room
            } else {
                return None;
            };
            reach[j] += (inner - 1) * hop;
            dims[d].insert(0, (inner, hop * view.strides[j]));
            size /= inner;
            stride *= inner;
        }
    }
    (0..rank).all(|j| reach[j] < view.shape[j]).then_some((start, dims))
}

/// Merges neighbouring dimensions that every walk passes evenly and drops those of size 1; returns the shape, at least `[1]`.
pub(crate) fn collapse(shape: &[usize], walks: &mut [Dims]) -> Dims {
    let mut out = Dims::new();
    let mut kept: Vec<Dims> = vec![Dims::new(); walks.len()];
    for d in (0..shape.len()).rev().filter(|&d| shape[d] != 1) {
        let merges =
            out.last().is_some_and(|&n| walks.iter().zip(&kept).all(|(w, k)| k.last().is_some_and(|&s| w[d] == s * n)));
        if let (true, Some(n)) = (merges, out.last_mut()) {
            *n *= shape[d];
        } else {
            out.push(shape[d]);
            for (k, w) in kept.iter_mut().zip(walks.iter()) {
                k.push(w[d]);
            }
        }
    }
    if out.is_empty() {
        out.push(1);
        kept.iter_mut().for_each(|k| k.push(0));
    }
    out.reverse();
    for (walk, mut k) in walks.iter_mut().zip(kept) {
        k.reverse();
        *walk = k;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices(shape: &[usize], strides: &[usize], offset: usize) -> Vec<usize> {
        let rows = Shape::from(shape).strides();
        (0..shape.iter().product())
            .map(|i| offset + (0..shape.len()).map(|d| i / rows[d] % shape[d] * strides[d]).sum::<usize>())
            .collect()
    }

    fn check(shape: &[usize], strides: &[usize], offset: usize, view: &View) -> bool {
        let expected: Vec<usize> = {
            let seen = indices(&view.shape, &view.strides, view.offset);
            indices(shape, strides, offset).into_iter().map(|i| seen[i]).collect()
        };
        let Some((start, dims)) = compose(shape, strides, offset, view) else { return false };
        let (s, t): (Vec<usize>, Vec<usize>) = dims.into_iter().flatten().unzip();
        assert_eq!(indices(&s, &t, start), expected, "{shape:?} {strides:?} from {offset} through {view:?}");
        true
    }

    #[test]
    fn a_walk_through_a_view_reaches_the_same_elements() {
        let transposed = View { shape: smallvec![3, 4], strides: smallvec![1, 3], offset: 2 };
        assert!(check(&[4, 3], &[1, 4], 0, &transposed));
        assert!(check(&[12], &[1], 0, &transposed));
        assert!(check(&[2, 2], &[4, 2], 4, &transposed));
        assert!(check(&[2, 3, 2], &[0, 4, 2], 1, &transposed));
        assert!(
            !check(&[2, 2], &[5, 1], 3, &transposed),
            "a walk that carries from one dimension into the next has no strides"
        );
    }

    #[test]
    fn every_slice_and_permutation_of_a_small_tensor_composes_or_is_refused() {
        let base = View { shape: smallvec![4, 2, 6], strides: smallvec![1, 24, 4], offset: 1 };
        let mut accepted = 0;
        for shape in [[2, 3], [3, 2], [4, 6], [2, 12], [1, 6], [8, 3]] {
            for strides in [[1, 6], [6, 1], [12, 1], [12, 2], [2, 12], [0, 1], [24, 2], [3, 1]] {
                for offset in [0, 1, 6, 12] {
                    let last: usize = offset + (0..2).map(|d| (shape[d] - 1) * strides[d]).sum::<usize>();
                    if last < 48 {
                        accepted += usize::from(check(&shape, &strides, offset, &base));
                    }
                }
            }
        }
        assert!(accepted > 30, "only {accepted} walks composed");
    }

    #[test]
    fn dimensions_merge_only_where_every_walk_agrees() {
        let mut walks = [Dims::from_slice(&[12, 4, 1]), Dims::from_slice(&[0, 4, 1])];
        assert_eq!(collapse(&[2, 3, 4], &mut walks).as_slice(), &[2, 12]);
        assert_eq!(walks[1].as_slice(), &[0, 1]);
        assert_eq!(collapse(&[1, 1], &mut [Dims::from_slice(&[5, 5])]).as_slice(), &[1]);
    }

    #[test]
    fn contiguity_ignores_dimensions_of_one() {
        assert!(View { shape: smallvec![1, 3], strides: smallvec![7, 1], offset: 4 }.is_contiguous());
        assert!(!View { shape: smallvec![2, 3], strides: smallvec![1, 2], offset: 0 }.is_contiguous());
        assert_eq!(even_stride(&smallvec![(2, 12), (3, 4)]), Some(4));
        assert_eq!(even_stride(&smallvec![(2, 1), (3, 4)]), None);
    }
}
