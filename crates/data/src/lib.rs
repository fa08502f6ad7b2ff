//! What a network learns from: [`Source`]s (each a spec beside its generator), the bundled real sets, CSV import, the split
//! into training and validation, and the order of the samples: the [`Sampler`] of a set that ends, the [`Stream`] of one that does not.
//! A sample is a set of named [`Field`]s.
//!
//! It knows nothing of layers or losses, touches no file and no network: bytes come through [`Assets`], and the same seed gives
//! the same bits natively and in the browser.

pub mod arrays;
mod assets;
mod augment;
mod corpus;
pub mod csv;
mod dataset;
mod features;
mod field;
pub mod folders;
mod forecast;
mod language;
pub mod pen;
mod read_on;
pub mod recordings;
mod sampler;
mod series;
mod sound;
pub mod sources;
pub mod spec;
mod split;
mod stream;
mod tokenizer;
mod windows;

pub use assets::{Assets, NoAssets};
pub use augment::Augment;
pub use corpus::{Corpus, CorpusReader, one_line_end};
pub use dataset::{DataCard, Dataset, IGNORED, INPUT, Labels, Normalisation, Part, Plane, TARGET, Task};
pub use features::{Feature, LineFeature};
pub use field::{Column, Field};
pub use forecast::Forecast;
pub use language::Language;
pub use read_on::ReadOn;
pub use sampler::{Sampler, SamplerPosition};
pub use sound::Sound;
#[cfg(feature = "bundled")]
pub use sources::Bundled;
pub use sources::Source;
pub use split::{Split, split};
pub use stream::Stream;
pub use tokenizer::{ByteLevel, Rule, Tokenizer, Tokens};
pub use windows::Cut;
