//! Shapes: sizes of a tensor, their strides, and how two of them broadcast.

use std::fmt;
use std::ops::Deref;

use smallvec::SmallVec;

/// Sizes of a tensor, outermost first; `[]` is a scalar. Layout is row-major.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(SmallVec<[usize; 4]>);

/// Two shapes that do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// The left shape.
    pub left: Shape,
    /// The right shape.
    pub right: Shape,
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shapes {} and {} do not broadcast", self.left, self.right)
    }
}

impl std::error::Error for ShapeError {}

impl Shape {
    /// The shape of a scalar.
    pub fn scalar() -> Self {
        Self::default()
    }

    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Number of elements; saturates, so that an absurd size is caught by a limit and not by an overflow.
    pub fn numel(&self) -> usize {
        self.0.iter().fold(1usize, |n, &d| n.saturating_mul(d))
    }

    /// Row-major strides in elements.
    pub fn strides(&self) -> SmallVec<[usize; 4]> {
        let mut strides = SmallVec::from_elem(1, self.rank());
        for d in (0..self.rank().saturating_sub(1)).rev() {
            strides[d] = strides[d + 1] * self.0[d + 1];
        }
        strides
    }

    /// The common shape under NumPy's broadcasting rules.
    ///
    /// # Errors
    /// When a pair of sizes differs and neither is 1.
    pub fn broadcast(&self, other: &Shape) -> Result<Shape, ShapeError> {
        let rank = self.rank().max(other.rank());
        let at = |s: &Shape, d: usize| (d + s.rank()).checked_sub(rank).map_or(1, |i| s.0[i]);
        let mut out = SmallVec::with_capacity(rank);
        for d in 0..rank {
            out.push(match (at(self, d), at(other, d)) {
                (a, b) if a == b => a,
                (1, b) => b,
                (a, 1) => a,
                _ => return Err(ShapeError { left: self.clone(), right: other.clone() }),
            });
        }
        Ok(Shape(out))
    }

    /// Strides with which a row-major tensor of this shape is read as if it had shape `to`; 0 where it is repeated.
    ///
    /// # Errors
    /// When this shape does not broadcast to `to`.
    pub fn broadcast_strides(&self, to: &Shape) -> Result<SmallVec<[usize; 4]>, ShapeError> {
        if self.broadcast(to).as_ref() != Ok(to) {
            return Err(ShapeError { left: self.clone(), right: to.clone() });
        }
        let own = self.strides();
        let lead = to.rank() - self.rank();
        Ok((0..to.rank()).map(|d| if d < lead || self.0[d - lead] == 1 { 0 } else { own[d - lead] }).collect())
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        Self(SmallVec::from_slice(&dims))
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        Self(SmallVec::from_slice(dims))
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        Self(SmallVec::from_vec(dims))
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(dims: I) -> Self {
        Self(dims.into_iter().collect())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, d) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{d}")?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        let shape = |d: &[usize]| Shape::from(d);
        assert_eq!(shape(&[3, 1]).broadcast(&shape(&[4])), Ok(shape(&[3, 4])));
        assert_eq!(shape(&[]).broadcast(&shape(&[2, 2])), Ok(shape(&[2, 2])));
        assert!(shape(&[3]).broadcast(&shape(&[4])).is_err());
        assert_eq!(shape(&[3, 1]).broadcast_strides(&shape(&[2, 3, 4])).unwrap().as_slice(), &[0, 1, 0]);
        assert!(shape(&[2, 3]).broadcast_strides(&shape(&[3])).is_err());
    }

    #[test]
    fn strides_are_row_major() {
        assert_eq!(Shape::from([2, 3, 4]).strides().as_slice(), &[12, 4, 1]);
        assert!(Shape::scalar().strides().is_empty());
        assert_eq!(Shape::from([usize::MAX, 2]).numel(), usize::MAX);
    }
}
