//! What a kernel reads and writes, told once: verification, cost, loading on the CPU and binding on the GPU all ask here.

use std::fmt;

use downhill_tensor::Dtype;
use smallvec::SmallVec;

/// The operands of a kernel, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Operands {
    /// What it reads.
    pub reads: SmallVec<[Access; 4]>,
    /// What it writes; always floats or words of the arena.
    pub writes: SmallVec<[Access; 2]>,
}

/// One operand and how much of it is touched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Access {
    /// How the kernel's shaders and errors call it.
    pub name: Name,
    /// What its elements are; gathers and copies move words of either type and say u32.
    pub dtype: Dtype,
    /// Elements from its start to the last one that is touched. A walk over `[3, 4]` with strides `[10, 1]` ends at 2·10 + 3·1, so its extent is 24.
    pub extent: u64,
    /// Whether a write covers its buffer as a whole, as all but a copy into a part of one do.
    pub whole: bool,
}

/// The name of an operand: a word, and a number where there may be several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name(pub &'static str, pub Option<u8>);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(number) => write!(f, "{}{number}", self.0),
            None => f.write_str(self.0),
        }
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        other.strip_prefix(self.0).is_some_and(|rest| match self.1 {
            Some(number) => rest.parse() == Ok(number),
            None => rest.is_empty(),
        })
    }
}

/// Checks that there is something to compute.
///
/// # Errors
/// When a size is zero.
pub(super) fn not_empty(sizes: &[u32]) -> Result<(), String> {
    if sizes.contains(&0) { Err("a size is zero".into()) } else { Ok(()) }
}

/// Product of sizes.
pub(super) fn numel(shape: &[u32]) -> u64 {
    shape.iter().map(|&n| u64::from(n)).product()
}

/// Elements from the first to the last one of a walk.
fn extent(shape: &[u32], strides: &[u32]) -> u64 {
    1 + shape.iter().zip(strides).map(|(&n, &s)| u64::from(n.saturating_sub(1)) * u64::from(s)).sum::<u64>()
}

impl Access {
    /// Floats, one behind the other.
    pub fn floats(name: &'static str, extent: u64) -> Self {
        Self { name: Name(name, None), dtype: Dtype::F32, extent, whole: true }
    }

    /// Words, one behind the other.
    pub fn words(name: &'static str, extent: u64) -> Self {
        Self { dtype: Dtype::U32, ..Self::floats(name, extent) }
    }

    /// Floats at the places of a walk.
    pub fn walk(name: &'static str, shape: &[u32], strides: &[u32]) -> Self {
        Self::floats(name, extent(shape, strides))
    }

    /// The same places, of words.
    #[must_use]
    pub fn of_words(self) -> Self {
        Self { dtype: Dtype::U32, ..self }
    }

    /// The same, one of several.
    #[must_use]
    pub fn numbered(mut self, number: usize) -> Self {
        self.name.1 = u8::try_from(number).ok();
        self
    }
}

impl Operands {
    /// These reads and writes.
    pub fn new(reads: impl IntoIterator<Item = Access>, writes: impl IntoIterator<Item = Access>) -> Self {
        Self { reads: reads.into_iter().collect(), writes: writes.into_iter().collect() }
    }

    /// Checks that operands, given as (start, length) of the reads and lengths of the writes, are as many and as large as the kernel needs.
    ///
    /// # Errors
    /// The operand that is missing or too small.
    pub fn check(&self, reads: &[(usize, usize)], writes: &[usize]) -> Result<(), String> {
        if (reads.len(), writes.len()) != (self.reads.len(), self.writes.len()) {
            let (want, wanted) = (self.reads.len(), self.writes.len());
            return Err(format!("{} read(s) and {} write(s), not {want} and {wanted}", reads.len(), writes.len()));
        }
        for (access, &(start, len)) in self.reads.iter().zip(reads) {
            if start as u64 + access.extent > len as u64 {
                return Err(format!("{} elements of {} from {start} on, of {len}", access.extent, access.name));
            }
        }
        for (access, &len) in self.writes.iter().zip(writes) {
            if access.extent > len as u64 || (access.whole && access.extent != len as u64) {
                return Err(format!("{} elements of {}, which has {len}", access.extent, access.name));
            }
        }
        Ok(())
    }

    /// Bytes of everything that is touched, each element once.
    pub fn bytes(&self) -> u64 {
        4 * self.reads.iter().chain(&self.writes).map(|a| a.extent).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_beyond_an_operand_is_refused() {
        let operands = Operands::new([Access::walk("x", &[3, 4], &[10, 1])], [Access::floats("out", 12)]);
        assert_eq!(operands.reads[0].extent, 24);
        assert_eq!(operands.check(&[(0, 24)], &[12]), Ok(()));
        assert_eq!(operands.check(&[(1, 24)], &[12]).unwrap_err(), "24 elements of x from 1 on, of 24");
        assert_eq!(operands.check(&[(0, 24)], &[13]).unwrap_err(), "12 elements of out, which has 13");
        assert!(operands.check(&[], &[12]).is_err());
    }
}
