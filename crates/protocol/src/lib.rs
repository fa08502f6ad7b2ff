//! Messages between the page, the training worker and JavaScript.
//!
//! A message is a small header (an enum, through serde) and a side lists of bulk arrays and bytes that the header refers to by
//! [`ArrayRef`] and [`BlobRef`]; on the wire they are typed arrays that are transferred, never copied into lists of numbers. Nothing here knows how
//! training works.

mod backend;
mod command;
mod event;
mod generate;
pub mod later;
mod readings;
pub mod typescript;
mod verdict;
mod watch;
#[cfg(target_arch = "wasm32")]
pub mod wire;

pub use backend::{Backend, Backends, Choice, Comparison, Difference, GpuInfo, GpuState, KernelTime, ProfileReport};
pub use command::{BenchRequest, Command, Export, Request};
pub use event::{
    BenchResult, Cell, ColumnInfo, DataInfo, Divergence, Event, ForecastInfo, InputInfo, KeptWeights, LanguageInfo, LayerStats,
    ParameterInfo, Role, RunInfo, SeriesChunk, Status, TableRow,
};
pub use generate::{About, Generate, Generated, LIKELIEST, Speed};
pub use readings::Readings;
pub use verdict::{Fix, Level, Verdict};
pub use watch::{Elements, Input, Part, Query, STATS, Tensor, View, Watch, flat_index, stat};

use serde::{Deserialize, Serialize};

/// Version of these messages. The page and the worker must agree; where they do not, the page reloads.
pub const PROTOCOL: u32 = 9;

/// Index into the side list of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayRef(pub u32);

/// Index into the side list of bytes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRef(pub u32);

/// A header with the arrays it refers to.
#[derive(Clone, Debug, PartialEq)]
pub struct Message<T> {
    /// The header.
    pub header: T,
    /// Bulk numbers.
    pub arrays: Vec<Vec<f32>>,
    /// Bulk bytes: files and snapshots.
    pub blobs: Vec<Vec<u8>>,
}

impl<T> Message<T> {
    /// A message without bulk data.
    pub fn new(header: T) -> Self {
        Self { header, arrays: Vec::new(), blobs: Vec::new() }
    }

    /// The array behind a reference; empty where the message does not hold it.
    pub fn array(&self, at: ArrayRef) -> &[f32] {
        self.arrays.get(at.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// The bytes behind a reference; empty where the message does not hold them.
    pub fn blob(&self, at: BlobRef) -> &[u8] {
        self.blobs.get(at.0 as usize).map_or(&[], Vec::as_slice)
    }
}

/// Collects bulk data while a header is put together.
#[derive(Debug, Default)]
pub struct Arrays {
    arrays: Vec<Vec<f32>>,
    blobs: Vec<Vec<u8>>,
}

impl Arrays {
    /// Adds an array and returns its reference.
    pub fn push(&mut self, array: Vec<f32>) -> ArrayRef {
        self.arrays.push(array);
        ArrayRef(self.arrays.len() as u32 - 1)
    }

    /// Adds bytes and returns their reference.
    pub fn blob(&mut self, bytes: Vec<u8>) -> BlobRef {
        self.blobs.push(bytes);
        BlobRef(self.blobs.len() as u32 - 1)
    }

    /// The finished message.
    pub fn with<T>(self, header: T) -> Message<T> {
        Message { header, arrays: self.arrays, blobs: self.blobs }
    }
}
