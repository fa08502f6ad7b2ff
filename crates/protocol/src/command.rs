//! What the page asks of the worker.

use serde::{Deserialize, Serialize};

use crate::{Backend, BlobRef, Choice, Generate, Watch};

/// A command with the number that its answer ([`crate::Event::Done`] or [`crate::Event::Error`]) carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the page, counting up.
    pub id: u32,
    /// What is asked.
    pub command: Command,
}

/// What the page asks of the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Takes up an experiment (JSON text). The first one makes a run; later ones are edits: what need not restart goes on, weights of
    /// layers that did not change are kept, unless `fresh`. While a long text is read for it, told as [`crate::Event::Progress`], the run before goes on, and a
    /// newer load takes its place.
    Load {
        /// The experiment document.
        experiment: String,
        /// Start over: initial weights, step 0.
        fresh: bool,
    },
    /// Bytes of a file: one that [`crate::Event::NeedAsset`] asked for, or a person's own, which then takes the place of an earlier one of this
    /// name.
    Asset {
        /// File name in `static/data`, or that of a person's own file.
        name: String,
        /// Whether it is a person's own.
        own: bool,
        /// Its bytes.
        bytes: BlobRef,
    },
    /// Reads a table and answers with [`crate::Event::TableProfile`], after [`crate::Event::Progress`] now and then while it is a long
    /// one; a run goes on meanwhile. A newer one takes its place: the older is answered with [`crate::Event::Done`].
    ReadTable {
        /// Name under which the experiment knows the file. Its bytes are kept, so that a [`Command::Load`] finds them.
        file: String,
        /// The file's bytes; `None` where the worker has them from before.
        bytes: Option<BlobRef>,
        /// The fields of `data.csv` with what a person decided, JSON text.
        fields: String,
        /// The experiment's seed, which decides the split.
        seed: u32,
    },
    /// Stops reading a table.
    CancelTable,
    /// All that the table says in one row of it; answered with [`crate::Event::TableRow`]. What the network makes of the row is asked for with
    /// [`crate::Input::Row`].
    TableRow {
        /// The row's own number, from 1 below the header.
        row: u32,
    },
    /// Trains until paused, or until the experiment's steps are done; once they are done, goes on past them.
    Start,
    /// Stops after the step in flight.
    Pause,
    /// Takes `n` steps, then rests.
    Step {
        /// How many.
        n: u32,
    },
    /// Same initial weights, step 0.
    Reset,
    /// Visible pace in steps per second; `None` is flat out.
    Pace {
        /// Steps per second.
        steps_per_second: Option<f64>,
    },
    /// Answers from now on, until unwatched.
    Watch(Watch),
    /// Answers no more.
    Unwatch {
        /// Key of the watch.
        key: u32,
    },
    /// Continues a text, and answers with [`crate::Event::Generated`]; a run goes on meanwhile.
    Generate(Generate),
    /// Overwrites one element of a parameter.
    SetWeight {
        /// Name in the state dict.
        parameter: String,
        /// One number per axis of its shape.
        index: Vec<u32>,
        /// New value.
        value: f32,
    },
    /// Answers with [`crate::Event::Saved`].
    Save,
    /// Goes on from the bytes of an earlier save.
    Restore {
        /// Safetensors bytes.
        bytes: BlobRef,
    },
    /// Takes up the weights of a file as far as they fit and answers with [`crate::Event::Weights`]; the run goes on with them.
    Weights {
        /// Safetensors bytes with PyTorch's names, or those of [`Export::Small`].
        bytes: BlobRef,
    },
    /// Answers with [`crate::Event::Exported`].
    Export(Export),
    /// Ends the run and frees its memory.
    Stop,
    /// Runs a benchmark in the worker and answers with [`crate::Event::Benched`].
    Bench(BenchRequest),
    /// Who decides what trains, from the next step on; asking for the GPU after it was lost opens it anew.
    Choose(Choice),
    /// Takes some steps on both backends from the state of now and answers with [`crate::Event::Compared`]; the run itself stays as it is.
    Compare {
        /// How many.
        steps: u32,
    },
    /// Measures every kernel of the training program and answers with [`crate::Event::Profiled`]; the run itself stays as it is.
    Profile,
    /// Panics, so that a test can see the page recover.
    Crash,
    /// Gives the GPU's device up as a crashed driver would, so that a test can see the run go on.
    LoseDevice,
}

/// What leaves the page as files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Export {
    /// A PyTorch program with its initial weights, its data and their order.
    Pytorch,
    /// The weights of now.
    Weights,
    /// The weights of now in a few bits each, for a link, and how far predictions move by that.
    Small,
    /// The tokenizer of a text, as a tokenizer.json.
    Tokenizer,
}

/// A benchmark that runs inside the worker, through the session's own loop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BenchRequest {
    /// `mlp-s-10`, `mlp-s-128`, `mlp-l`, `gemm-512`, `gemm-1024`, …
    pub workload: String,
    /// How long to measure.
    pub seconds: f64,
    /// What computes.
    pub backend: Backend,
}
