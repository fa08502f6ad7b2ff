//! What the worker tells the page.

use downhill_model::data::csv::Profile;
use downhill_tensor::UserError;
use serde::{Deserialize, Serialize};

use crate::{ArrayRef, Backends, BlobRef, Comparison, Generated, ProfileReport, Tensor, Verdict, Watch};

/// What the worker tells the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The worker listens. Messages sent earlier are lost, so the page queues until this comes.
    Ready {
        /// [`crate::PROTOCOL`] of the worker.
        protocol: u32,
        /// Version of the build.
        build: String,
        /// `simd128` or `relaxed-simd`.
        simd: String,
    },
    /// A request was carried out.
    Done {
        /// Its number.
        id: u32,
    },
    /// A request, or (without a number) the run, failed.
    Error {
        /// The request's number.
        id: Option<u32>,
        /// What to tell the person.
        error: UserError,
    },
    /// The experiment needs this file; the page fetches it and sends [`crate::Command::Asset`].
    NeedAsset {
        /// File name in `static/data`, or that of a person's own file.
        name: String,
        /// Whether it is a person's own.
        own: bool,
    },
    /// An experiment was taken up. `run` counts up whenever step 0 or the shapes of layers change; answers of older runs are stale.
    Loaded(Box<RunInfo>),
    /// How the run is doing; about 30 times a second while it moves, and after every command.
    Status(Status),
    /// New points of the metrics' curves.
    Series(SeriesChunk),
    /// The tensors of a watch.
    Answer {
        /// Run they belong to.
        run: u32,
        /// Step they show.
        step: u64,
        /// Key of the watch.
        key: u32,
        /// One for every query, in their order.
        tensors: Vec<Tensor>,
    },
    /// A watch that this experiment has no answer to. It is not tried again before the model changes or it is asked anew.
    Unanswered {
        /// Run.
        run: u32,
        /// The watch as the worker knows it, so that what was asked differently meanwhile is not mistaken for it.
        watch: Watch,
        /// Why not.
        error: UserError,
    },
    /// Answer to [`crate::Command::Generate`].
    Generated(Generated),
    /// How far a table has been read, or the text of an experiment that is to be taken up.
    Progress {
        /// Number of the request.
        id: u32,
        /// Share of the work that is done, 0 to 1.
        done: f64,
    },
    /// Answer to [`crate::Command::ReadTable`].
    TableProfile {
        /// Number of the request.
        id: u32,
        /// What the table looks like.
        profile: Box<Profile>,
    },
    /// Answer to [`crate::Command::TableRow`].
    TableRow(TableRow),
    /// How the run is doing, when that changes, and with newer numbers every few seconds.
    Verdict(Verdict),
    /// Training stopped because a number was not finite; weights are as before that step.
    Diverged(Divergence),
    /// The experiment's steps are done; the run rests.
    Finished {
        /// Run.
        run: u32,
        /// Step it rests at.
        step: u64,
    },
    /// Answer to [`crate::Command::Save`].
    Saved {
        /// Number of the request; 0 for the automatic copy made every two seconds.
        id: u32,
        /// Step of the snapshot.
        step: u64,
        /// Safetensors bytes.
        bytes: BlobRef,
    },
    /// Answer to [`crate::Command::Weights`].
    Weights {
        /// Number of the request.
        id: u32,
        /// Tensors that were taken up.
        taken: u32,
        /// Of those that the network needs besides: why they were not.
        refused: Vec<UserError>,
    },
    /// Answer to [`crate::Command::Export`]: the files with their names.
    Exported {
        /// Number of the request.
        id: u32,
        /// Name and bytes of each.
        files: Vec<(String, BlobRef)>,
    },
    /// Answer to [`crate::Command::Bench`].
    Benched(BenchResult),
    /// What trains now, and what else could; after every change of it.
    Backends(Backends),
    /// Answer to [`crate::Command::Compare`].
    Compared(Comparison),
    /// Answer to [`crate::Command::Profile`].
    Profiled(ProfileReport),
    /// The worker panicked and will not answer again.
    Crashed {
        /// The panic's message.
        message: String,
    },
}

/// What is known about a run when it begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Number of the run.
    pub run: u32,
    /// Step it stands at (0 unless weights were carried over or restored).
    pub step: u64,
    /// What it goes on with; `None` for a new run, which stands at step 0 with initial weights.
    pub kept: Option<KeptWeights>,
    /// The experiment as taken up, JSON text without defaults.
    pub experiment: String,
    /// Layers with shapes and parameters.
    pub layers: Vec<LayerStats>,
    /// Number of parameters.
    pub parameters: u64,
    /// Floating-point operations of a training step.
    pub flops_per_step: u64,
    /// Bytes of the arena and the data buffer.
    pub bytes: u64,
    /// The data.
    pub data: DataInfo,
    /// Loss of always guessing the training set's class shares (or mean).
    pub baseline_loss: f64,
    /// Accuracy of always guessing the most frequent class, or recall at 1 of guessing the document; `None` for regression.
    pub baseline_accuracy: Option<f64>,
    /// Whether `baseline_loss` is that of a naive forecast, which says the last value again, because guessing the mean costs more.
    pub baseline_naive: bool,
    /// Kernels of the training program, one printed line each.
    pub program: Vec<String>,
    /// Things worth telling: rows left out, weights kept, a newer file version.
    pub notes: Vec<String>,
}

/// What goes on after an edit or out of a snapshot: the weights of some layers, or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeptWeights {
    /// Layers that keep their weights.
    pub layers: u32,
    /// Layers that have any.
    pub of: u32,
}

/// A layer as the network map and the tables show it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct LayerStats {
    /// Path in the experiment: `model[0]`, `model[2].body[1]`; `input` for the input.
    pub path: String,
    /// Scope of its nodes and prefix of its parameters: `0`.
    pub scope: String,
    /// The name under which a person meets it everywhere: `linear 8 #0`.
    pub label: String,
    /// Output shape without the batch.
    pub shape: Vec<u32>,
    /// Names of the units where they have one (input features, classes), else empty.
    pub units: Vec<String>,
    /// Its own parameters.
    pub parameters: Vec<ParameterInfo>,
    /// Paths of the layers, or `input`, that it reads.
    pub reads: Vec<String>,
    /// Smallest and largest value it can give; `None` where it has no such bounds.
    pub range: Option<(f32, f32)>,
    /// The place among [`DataInfo::inputs`] of the input that it is; `None` for a layer.
    pub input: Option<u32>,
    /// Whether what it gives are tokens, whole numbers that stand for themselves, and not quantities.
    pub tokens: bool,
    /// Names of tensors on its way that can be asked for behind its path and a dot: `attention`, `hidden_l0`.
    pub inner: Vec<String>,
}

/// A parameter of a layer.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct ParameterInfo {
    /// Name in the state dict: `0.weight`.
    pub name: String,
    /// Shape.
    pub shape: Vec<u32>,
    /// What its elements stand for.
    pub role: Role,
}

/// What the elements of a parameter stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Role {
    /// `[units, inputs]`: how strongly a unit hears each number that comes in.
    Wires,
    /// `[units]`: a number of each unit.
    PerUnit,
    /// Anything else.
    #[default]
    Other,
}

/// What is known about the data of a run.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct DataInfo {
    /// `classification`, `regression` or `retrieval`.
    pub task: String,
    /// Names of the classes, or of the targets; of a retrieval what is said of a query and a document.
    pub labels: Vec<String>,
    /// Names of the input features.
    pub features: Vec<String>,
    /// The inputs of a sample.
    pub inputs: Vec<InputInfo>,
    /// Numbers of samples.
    pub train: u32,
    /// Held out.
    pub validation: u32,
    /// Raw positions and labels of training samples on a plane or line: x, y, class triples (regression: x, 0, target); absent for other data.
    pub train_points: Option<ArrayRef>,
    /// The same for validation samples.
    pub validation_points: Option<ArrayRef>,
    /// Height and width where samples are images.
    pub image: Option<(u32, u32)>,
    /// Where a sample is the way of a pen (to the right, down, and 1 on the paper, for each step): how far it goes in a step, of writing that
    /// is ten high.
    pub pen: Option<f64>,
    /// Where samples are sounds, `[frames, bands]` of loudness from −1 to 1: samples of a wave per second.
    pub sound: Option<u32>,
    /// How many answers a sample asks for, one for each position of a sequence; 0 where it asks for one.
    pub positions: u32,
    /// Whether every pixel of an image has a class of its own.
    pub of_pixels: bool,
    /// The columns that the features come from, where the data is a table; else empty.
    pub columns: Vec<ColumnInfo>,
    /// Rows of that table, those left out included; 0 where there is none.
    pub table_rows: u32,
    /// How samples are written, where the answer at every position is the token that comes next.
    pub language: Option<LanguageInfo>,
    /// The loss of whoever knows how the samples are made, where that is known and the loss of the experiment is the cross-entropy.
    pub floor: Option<f64>,
    /// Where samples are windows of series: how they are cut.
    pub forecast: Option<ForecastInfo>,
    /// Mean of each target over the training part, from which `output:offset` and `target:offset` count; empty for classes.
    pub target_mean: Vec<f64>,
    /// Of each class, how many samples are learned from and how many held out; empty where a sample has none or many.
    pub class_counts: Vec<(u32, u32)>,
    /// Held-out samples that are among those learned from too.
    pub duplicates: u32,
    /// What a sample is, where it comes from, under which licence.
    pub description: String,
    /// Licence.
    pub licence: String,
    /// Hash of the samples.
    pub hash: String,
}

/// What is known of data whose answers are the tokens that come next; [`DataInfo::labels`] are their names.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct LanguageInfo {
    /// Characters per token, where tokens are pieces of a text.
    pub characters: Option<f64>,
    /// Whether names are written one after the other without a gap.
    pub joined: bool,
    /// Which of [`DataInfo::inputs`] is written; the ones before it are what a text is about.
    pub input: u32,
    /// Why nothing can be kept of the tokens so far while a text is written; none where it can be.
    pub no_cache: Option<String>,
}

/// How series are cut into samples.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct ForecastInfo {
    /// Steps that the network is given.
    pub window: u32,
    /// Steps that it is to predict.
    pub horizon: u32,
    /// Names of the numbers of a step.
    pub names: Vec<String>,
    /// How many of them are predicted, the first ones.
    pub predicted: u32,
    /// The mean distance of the naive forecast, the last value again, from what is held out; told as `mae` is among the metrics.
    pub naive_error: f64,
}

/// An input of a sample.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct InputInfo {
    /// Name of the field.
    pub name: String,
    /// Shape of one sample of it; of points of a plane, the number of coordinates.
    pub shape: Vec<u32>,
    /// Whether its numbers are tokens, whole numbers that stand for themselves, and not quantities.
    pub tokens: bool,
    /// What each token is called, where they have names.
    pub words: Vec<String>,
}

/// How the run is doing.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Status {
    /// Run.
    pub run: u32,
    /// Steps taken.
    pub step: u64,
    /// Samples seen, in epochs.
    pub epoch: f64,
    /// Loss of the last recorded step; NaN before the first.
    pub loss: f64,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Steps per second over the last second.
    pub steps_per_second: f64,
    /// Whether it trains: until the last step that was begun has run.
    pub running: bool,
    /// Last evaluation: name and value (`train_loss`, `train_accuracy`, `validation_loss`, `validation_accuracy`,
    /// `validation_balanced_accuracy`, `validation_sequence_accuracy`).
    pub metrics: Vec<(String, f64)>,
    /// Of the last evaluation, the share of the validation samples of each class that is predicted right; NaN for a class without samples. Empty
    /// for regression.
    pub recall: Vec<f32>,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct TableRow {
    /// Number of the request.
    pub id: u32,
    /// Its number, from 1 below the header.
    pub row: u32,
    /// Line of the file on which it begins, from 1.
    pub line: u32,
    /// Whether it is learned from, held out, or (`None`) left out of the samples.
    pub part: Option<crate::Part>,
    /// Its place in that part.
    pub place: u32,
    /// Its value in every column of the table, in order.
    pub cells: Vec<Cell>,
}

/// A value of a [`TableRow`].
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Cell {
    /// Name of the column.
    pub column: String,
    /// The value as the table writes it.
    pub text: String,
    /// What stands in for it where it is missing or cannot be read; empty where it is read as it is, or not used.
    pub filled: String,
    /// The place of the column among [`DataInfo::columns`]; `None` where the network is not given it.
    pub place: Option<u32>,
    /// Whether it is the right answer.
    pub target: bool,
}

/// A column of a table, as the network is given it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// Name.
    pub name: String,
    /// The first of its numbers among [`DataInfo::features`].
    pub first: u32,
    /// How many it has: one for a number, one per word for a category, several for a date.
    pub len: u32,
}

/// New points of some curves. Buckets: where many steps fall into one point, mean, min, max and last of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesChunk {
    /// Run.
    pub run: u32,
    /// Whether the curves start over (the worker decimated them); else the points follow those sent.
    pub replace: bool,
    /// For each curve: name (`loss`, `lr`, `grad_norm`, `validation_loss`, …), the steps and the values. Four values per point: mean, min,
    /// max, last, and the steps' own array holds one number per point.
    pub curves: Vec<(String, ArrayRef, ArrayRef)>,
}

/// Where and why the numbers ran away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Divergence {
    /// Run.
    pub run: u32,
    /// The step that was not applied.
    pub step: u64,
    /// The layer whose values went first, as the experiment names it.
    pub layer: String,
    /// `activations`, `gradients`, `loss` or `weights`.
    pub what: String,
    /// A sentence: why that usually happens and what to change.
    pub why: String,
}

/// What a benchmark measured.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct BenchResult {
    /// Number of the request.
    pub id: u32,
    /// The workload.
    pub workload: String,
    /// Training steps (or products) per second: median window.
    pub steps_per_second: f64,
    /// Slowest window.
    pub min: f64,
    /// Fastest window.
    pub max: f64,
    /// Billions of floating-point operations per second.
    pub gflops: f64,
    /// Loss of the first step.
    pub first_loss: f64,
    /// Loss at the end.
    pub last_loss: f64,
    /// What is worth knowing: backend, build, kernels per step.
    pub notes: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_arrives_whichever_of_its_parts_it_has() {
        let (bare, placed) = (UserError::new("No."), UserError::at("loss", "No."));
        for error in [bare.clone(), bare.hint("Do."), placed.clone(), placed.hint("Do.")] {
            let event = Event::Error { id: Some(3), error };
            let bytes = postcard::to_allocvec(&event).expect("every event can be written");
            assert_eq!(postcard::from_bytes(&bytes), Ok(event));
        }
    }
}
