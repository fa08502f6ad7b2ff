//! Files of arrays, as sets of pictures are given away in: IDX (MNIST and its kin), `.npy`, and both in `.npz`, zip or gzip. What the arrays mean is
//! for whoever reads them; here they are only taken out of their files, within the memory that a file may fill.

mod archive;
mod array;
mod idx;
mod npy;
mod resize;
mod set;

use downhill_tensor::UserError;

pub use archive::{Member, members, pack};
use array::refuse;
pub use array::{Array, MOST_BYTES, Values};
pub use npy::write as write_npy;
pub use set::{Set, load};

/// Whether a file begins as one of arrays does.
pub fn is_array(bytes: &[u8]) -> bool {
    idx::is_idx(bytes) || npy::is_npy(bytes)
}

/// Reads an array.
///
/// # Errors
/// When the file is none, is cut short, is longer than it says, or holds what is no number.
#[inline(never)]
pub fn read(name: &str, bytes: &[u8]) -> Result<Array, UserError> {
    match () {
        () if npy::is_npy(bytes) => npy::read(name, bytes),
        () if idx::is_idx(bytes) => idx::read(name, bytes),
        () => Err(refuse(name, "holds no array", "IDX files and .npy files can be read.")),
    }
}

#[cfg(test)]
mod tests;
