//! What a network learns from: [`Source`]s (each a spec beside its generator), the bundled real sets, CSV import, the split
//! into training and validation, and the [`Sampler`] that orders the samples of an epoch.
//!
//! It knows nothing of layers or losses, touches no file and no network: bytes come through [`Assets`], and the same seed gives
//! the same bits natively and in the browser.

mod assets;
pub mod csv;
mod dataset;
mod features;
mod sampler;
pub mod sources;
pub mod spec;
mod split;

#[cfg(feature = "bundled")]
pub use assets::Bundled;
pub use assets::{Assets, NoAssets};
pub use dataset::{DataCard, Dataset, Labels, Normalisation, Plane, Table, Task};
pub use features::{Feature, LineFeature};
pub use sampler::{Sampler, SamplerPosition};
pub use sources::Source;
pub use split::{Split, split};
