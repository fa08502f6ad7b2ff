//! The experiment document and what it turns into: graphs, step scalars, initial weights, links, forms.
//!
//! Everything that can be chosen is a registry with one file per member: [`layers`], [`losses`], [`optimizers`],
//! [`schedules`] (data sources are `downhill-data`'s). It is not an engine: nothing here runs a graph, and nothing here
//! draws.
//!
//! # What the programs agree on
//!
//! | name | type | what |
//! |---|---|---|
//! | `train.<field>`, `validation.<field>` | `[samples, …]`, resident | the fields of the data, see [`Checked::feeds`] |
//! | `train.indices` | u32 `[batch]`, per step | samples of a training step |
//! | `step.<field>` | `[batch, …]`, per step | samples of a training step on endless data, instead of indices |
//! | `eval.indices`, `eval.weights` | u32 and f32 `[rows]`, per step | samples of an evaluation; padding weighs 0 |
//! | `rows.<input>` | `[rows, …]`, resident | inputs that are predicted or looked into |
//! | `batch.<field>` | `[rows, …]`, resident | samples that are looked into with their gradients |
//! | `positions.<steps>` | f32 `[steps]`, resident | 0, 1, 2, …, where a layer looks at lengths |
//!
//! A set with one input calls it `x`; the target is `y`.
//!
//! Parameters and states are named as in PyTorch's `state_dict` (`0.weight`, `3.1.0.bias`, `1.running_mean`), linear weights are `[out, in]`.
//! Scopes are the same prefixes. Outputs of each program are listed at [`ProgramKind`], step scalars in [`scalars`]. A training step
//! records [`Experiment::metric_names`].
//!
//! Two classes with a loss of one output (`bce_with_logits`, `mse`, …): the first class is 0 for `bce_with_logits` and −1 for
//! losses of a difference, the second is 1.

mod build;
mod check;
mod differences;
mod edit;
mod experiment;
pub mod export;
mod feeds;
pub mod forms;
pub mod gpt2;
mod init;
pub mod layers;
mod lens;
pub mod losses;
pub mod optimizers;
mod port;
pub mod presets;
mod pretty;
mod reads;
mod registry;
mod repeated;
pub mod scalars;
pub mod schedules;
mod schema;
pub mod share;
mod signature;
mod training;
mod version;
mod view;

pub use downhill_data as data;

pub use build::{CLASS_WEIGHTS, KNOWN_AHEAD, NEXT, ProgramKind, Split, build, goes_back, known_ahead};
pub use check::{Checked, LayerSummary, MAX_BYTES, Summary, check};
pub use differences::{differences, in_a_line};
pub use edit::{Carried, Effect, carry, effect, keeps_slots};
pub use experiment::{Experiment, Parsed};
pub use feeds::{Encoding, FieldFeed};
pub use init::{InitialParameter, init_parameters};
pub use layers::{ATTENTION_WEIGHTS, Buffer, BufferKind, CACHE, CROSS_WEIGHTS, Layer, MEMORY, PLACE, POSITIONS, is_without};
pub use losses::Loss;
pub use optimizers::{AVERAGE, Optimizer};
pub use port::Port;
pub use schedules::Schedule;
pub use schema::generate_schema;
pub use signature::{Input, MOST_FOUND, Signature, Task};
pub use training::{PatienceMetric, Training};
pub use version::VERSION;
pub use view::{Max, Pace, View};
