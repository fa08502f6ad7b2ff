//! What a model needs to know of its data before there is any: its inputs, what is to be predicted, and how many samples there are.

use downhill_data::{Column, Dataset, Field, NoAssets, ReadOn, Source};
use downhill_tensor::{Dtype, UserError};

use crate::port::Port;

/// Documents held out that a query is compared with, at most.
pub const MOST_FOUND: usize = 1000;
/// Outputs that an evaluation reads back, at most.
const MOST_READ: usize = 1 << 20;

/// What is to be predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// One of several classes.
    Classification,
    /// Real numbers.
    Regression,
    /// Which second input belongs to a first one.
    Retrieval,
}

impl Task {
    /// What an evaluation measures, in order; the loss is always first.
    pub fn metrics(self) -> &'static [&'static str] {
        match self {
            Task::Classification => &["loss", "accuracy"],
            Task::Regression => &["loss", "mae"],
            Task::Retrieval => &["loss"],
        }
    }
}

/// A field of the data that the network is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Name of the field.
    pub name: String,
    /// What one sample is there.
    pub port: Port,
    /// Factor and summand of the numbers, where they are kept as bytes.
    pub bytes: Option<(f32, f32)>,
}

/// How a network goes on from its own answers, where samples are windows of series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// Steps of an answer.
    pub horizon: usize,
    /// Numbers of a step that are predicted, the first ones.
    pub predicted: usize,
    /// How many answers make up a continuation.
    pub rounds: usize,
}

/// What a model needs to know of its data.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// What the network is given, the first where it begins; never empty.
    pub inputs: Vec<Input>,
    /// Which of them is written, where the answers follow its tokens: the first, or, beside what it is about, a later one.
    pub written: usize,
    /// What is to be predicted.
    pub task: Task,
    /// Classes, or numbers to predict.
    pub outputs: usize,
    /// How many answers a sample asks for, one for each position of a sequence; empty where it asks for one.
    pub positions: Vec<usize>,
    /// Samples to learn from.
    pub train: usize,
    /// Samples held out.
    pub validation: usize,
    /// Whether every training step is given a finished batch, instead of samples out of those to learn from.
    pub streamed: bool,
    /// How a text is cut where every batch goes on from the one before it, and with it the states of recurrent layers.
    pub read_on: Option<ReadOn>,
    /// How it goes on from its own answers; none where samples are no windows of series.
    pub ahead: Option<Ahead>,
}

impl Signature {
    /// The signature of a data set.
    pub fn from_dataset(data: &Dataset) -> Self {
        let (task, outputs) = match &data.task {
            downhill_data::Task::Classification { classes } => (Task::Classification, classes.len()),
            downhill_data::Task::Regression { targets } => (Task::Regression, targets.len()),
            downhill_data::Task::Retrieval => (Task::Retrieval, 1),
        };
        let inputs = data.inputs.iter().filter_map(|name| data.train.field(name)).map(input).collect();
        let (train, validation) = (data.train.len(), data.validation.len());
        let target = data.target.as_deref().and_then(|name| data.train.field(name));
        let positions = target.filter(|_| task == Task::Classification).map_or_else(Vec::new, |target| target.shape.to_vec());
        let ahead = data.forecast.as_ref().map(|forecast| Ahead {
            horizon: forecast.horizon,
            predicted: forecast.predicted,
            rounds: forecast.rounds(),
        });
        let written = data.language.as_ref().map_or(0, |language| language.input);
        Self {
            inputs,
            written,
            task,
            outputs,
            positions,
            train,
            validation,
            streamed: data.stream.is_some(),
            read_on: data.read_on,
            ahead,
        }
    }

    /// The signature of a source before its file is there. Numbers of samples of bundled sets are estimates (classes are
    /// split one by one).
    ///
    /// # Errors
    /// When the source cannot be built, or reads a file of the user's own.
    pub fn of(source: &Source) -> Result<Self, UserError> {
        let Some(outline) = source.outline() else {
            let data = source.build(0, &NoAssets).map_err(|e| e.under(source.name()).under("data"))?;
            return Ok(Self::from_dataset(&data));
        };
        let held_out = (outline.samples as f64 * outline.validation) as usize;
        Ok(Self {
            inputs: outline.inputs.iter().map(input).collect(),
            written: outline.inputs.len().saturating_sub(1),
            task: Task::Classification,
            outputs: outline.classes,
            positions: outline.positions,
            train: outline.samples.saturating_sub(held_out).max(1),
            validation: held_out,
            streamed: outline.streamed,
            read_on: None,
            ahead: None,
        })
    }

    /// Whether evaluations tell what is right of each class: where every sample has one, and few enough outputs to read them back every time.
    pub fn tells_recall(&self) -> bool {
        self.task == Task::Classification
            && self.positions.is_empty()
            && self.validation.saturating_mul(self.outputs) <= MOST_READ
    }

    /// Whether evaluations tell how many sequences are right as a whole: where each has several answers, and few enough outputs to read them back
    /// every time. A window of a text is no whole.
    pub fn tells_sequences(&self) -> bool {
        let outputs = self.validation.saturating_mul(self.answers()).saturating_mul(self.outputs);
        self.task == Task::Classification && !self.positions.is_empty() && !self.streamed && outputs <= MOST_READ
    }

    /// Whether evaluations read back what the network gives for what is held out, to tell more of it than sums.
    pub(crate) fn reads_back(&self) -> bool {
        self.tells_recall() || self.tells_sequences() || self.task == Task::Retrieval
    }

    /// The same data where its first input is what is to be predicted.
    pub(crate) fn reconstructing(self) -> Self {
        let outputs = self.first().port.shape.iter().product();
        Self { task: Task::Regression, outputs, positions: Vec::new(), ..self }
    }

    /// Whether every pixel of an image asks for an answer. The network then gives an image with a channel for each class.
    pub fn of_pixels(&self) -> bool {
        self.positions.len() == 2
    }

    /// Answers per sample.
    pub fn answers(&self) -> usize {
        self.positions.iter().product()
    }

    /// The input whose tokens the answers follow.
    pub fn written(&self) -> &Input {
        self.inputs.get(self.written).unwrap_or_else(|| self.first())
    }

    /// What the network begins with.
    pub fn first(&self) -> &Input {
        self.inputs.first().expect("a data set has an input")
    }

    /// Numbers per sample, of all inputs together.
    pub fn features(&self) -> usize {
        self.inputs.iter().map(|input| input.port.shape.iter().product::<usize>()).sum()
    }
}

fn input(field: &Field) -> Input {
    let port = Port {
        shape: field.shape.to_vec(),
        dtype: field.column.dtype(),
        vocabulary: field.vocabulary.filter(|_| field.column.dtype() == Dtype::U32),
        lengths: field.lengths.clone(),
    };
    let bytes = match field.column {
        Column::U8 { scale, shift, .. } => Some((scale, shift)),
        Column::F32(_) | Column::U32(_) => None,
    };
    Input { name: field.name.clone(), port, bytes }
}
