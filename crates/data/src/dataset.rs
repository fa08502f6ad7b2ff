//! A data set, ready to train on: two parts with the same fields, what is to be predicted, and what a person should know of it. Where
//! samples come from is the sources' business, in which order they are taken the sampler's.

use std::collections::HashSet;
use std::sync::Arc;

use downhill_tensor::UserError;
use downhill_tensor::rng::{self, Rng};
use serde::{Deserialize, Serialize};

use crate::csv::table::Table;
use crate::features::{Feature, LineFeature};
use crate::field::{Column, FNV, Field, fnv};
use crate::forecast::Forecast;
use crate::language::Language;
use crate::read_on::ReadOn;
use crate::sound::Sound;
use crate::split::{Split, split};
use crate::stream::Stream;

/// What is to be predicted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One of several classes.
    Classification {
        /// Their names; a label is an index into them.
        classes: Vec<String>,
    },
    /// Real numbers.
    Regression {
        /// Their names.
        targets: Vec<String>,
    },
    /// Which second input belongs to a first one: what stands in the same sample, or in one of the same number.
    Retrieval,
}

/// The right answers of a [`Part`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Labels<'a> {
    /// The class of every sample.
    Class(&'a [u32]),
    /// `[samples, targets]`, row-major.
    Real(&'a [f32]),
}

/// One part of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What is known of every sample: inputs and their lengths, then the target.
    pub fields: Vec<Field>,
    /// `[samples, 2]`: where each sample is drawn, if the set has a [`Plane`]; otherwise empty.
    pub raw: Vec<f32>,
    samples: usize,
}

impl Part {
    /// A part of `samples` samples; `raw` is empty, or `[samples, 2]`.
    ///
    /// # Panics
    /// When a field has not as many values as its shape says: a bug of the caller.
    pub fn new(samples: usize, fields: Vec<Field>, raw: Vec<f32>) -> Self {
        for field in &fields {
            let (len, width) = (field.column.len(), field.width());
            assert!(len == samples * width, "{}: {len} values are not {samples} samples of {width}", field.name);
        }
        Self { fields, raw, samples }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.samples
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.samples == 0
    }

    /// The field called `name`.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    fn select(&self, rows: &[u32]) -> Part {
        let pick = |values: &[f32]| {
            let width = values.len() / self.samples.max(1);
            rows.iter().flat_map(|&i| values[i as usize * width..][..width].iter().copied()).collect::<Vec<f32>>()
        };
        let fields = self.fields.iter().map(|field| field.select(rows)).collect();
        Part { fields, raw: pick(&self.raw), samples: rows.len() }
    }
}

/// A set whose samples are points on a picture, and how any such point becomes an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plane {
    /// Points `(x, y)` of about `[-1, 1]²` with a class as colour.
    Map(Vec<Feature>),
    /// Points `x` of `[-1, 1]` with the target as height.
    Line(Vec<LineFeature>),
    /// The two number columns of a table with a class as colour, three standard deviations to each side.
    Columns,
}

/// Standard deviations from the middle of the picture to its edge, for [`Plane::Columns`].
const SPREAD: f32 = 3.0;

impl Plane {
    /// The input `[features]` that stands for the point `(x, y)`; a line ignores `y`.
    pub fn encode_point(&self, x: f32, y: f32) -> Vec<f32> {
        match self {
            Plane::Map(features) => features.iter().map(|f| f.of_point(x, y)).collect(),
            Plane::Line(features) => features.iter().map(|f| f.at(f64::from(x)) as f32).collect(),
            Plane::Columns => vec![SPREAD * x, SPREAD * y],
        }
    }
}

/// How raw columns became inputs and targets: `(value - mean) / std`, fitted on the training part alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    /// Per feature.
    pub mean: Vec<f64>,
    /// Per feature; 1 where the training part does not vary.
    pub std: Vec<f64>,
    /// Per target of a regression; empty for classes.
    pub target_mean: Vec<f64>,
    /// Per target of a regression; empty for classes.
    pub target_std: Vec<f64>,
}

impl Normalisation {
    /// The one that changes nothing.
    pub fn identity(features: usize, targets: usize) -> Self {
        Self {
            mean: vec![0.0; features],
            std: vec![1.0; features],
            target_mean: vec![0.0; targets],
            target_std: vec![1.0; targets],
        }
    }

    /// A raw row `[features]` as the input that the network was trained with.
    pub fn input(&self, raw: &[f32]) -> Vec<f32> {
        raw.iter().zip(&self.mean).zip(&self.std).map(|((v, m), s)| ((f64::from(*v) - m) / s) as f32).collect()
    }

    /// What the network predicts, `[targets]`, in the units of the raw column.
    pub fn target(&self, output: &[f32]) -> Vec<f32> {
        output.iter().zip(&self.target_mean).zip(&self.target_std).map(|((v, m), s)| (f64::from(*v) * s + m) as f32).collect()
    }

    /// The same, counted from the mean of the targets: values that are large and differ by little keep their differences.
    pub fn target_offset(&self, output: &[f32]) -> Vec<f32> {
        output.iter().zip(&self.target_std).map(|(v, s)| (f64::from(*v) * s) as f32).collect()
    }
}

/// What a reader should know before trusting a result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataCard {
    /// What a sample is and how its label is defined.
    pub description: String,
    /// Who made it and under which licence.
    pub licence: String,
    /// 16 hex digits that change when any sample, label or its part changes.
    pub hash: String,
    /// Held-out samples whose inputs are those of one to learn from, so that they measure nothing new.
    pub duplicates: usize,
}

/// Name of the input of a set that has one.
pub const INPUT: &str = "x";
/// Name of the target.
pub const TARGET: &str = "y";
/// The class of a position where no answer is asked for.
pub const IGNORED: u32 = u32::MAX;

/// A data set, ready to train on.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// What is to be predicted.
    pub task: Task,
    /// Names of the fields that a network is given.
    pub inputs: Vec<String>,
    /// Name of the field that it is to predict.
    pub target: Option<String>,
    /// Name of every number of the first input, in order.
    pub features: Vec<String>,
    /// What is learned from; never empty. Of a stream, samples to look at and to measure with.
    pub train: Part,
    /// What only measures; may be empty.
    pub validation: Part,
    /// Where training steps take new samples from, each only once, instead of those of `train`.
    pub stream: Option<Stream>,
    /// How the text is cut where every batch goes on from the one before it.
    pub read_on: Option<ReadOn>,
    /// For points of a plane or a line: how the picture is encoded.
    pub plane: Option<Plane>,
    /// For images: height and width.
    pub image: Option<(usize, usize)>,
    /// Where a sample is the way of a pen (to the right, down, and 1 on the paper, for each step): how far it goes in a step, of writing that
    /// is ten high.
    pub pen: Option<f64>,
    /// What samples sound like, where they are sounds.
    pub sound: Option<Sound>,
    /// What was left out or changed, one sentence each.
    pub notes: Vec<String>,
    /// Description, licence, hash.
    pub card: DataCard,
    /// From raw columns to inputs.
    pub normalisation: Normalisation,
    /// The table that the samples are rows of.
    pub table: Option<Arc<Table>>,
    /// How samples are written, where the answer at every position is the token that comes next.
    pub language: Option<Language>,
    /// Where samples are windows of series: what follows them.
    pub forecast: Option<Forecast>,
    /// The cross-entropy of whoever knows how the samples are made, in nats per answer; none where that is not known, or nothing is left to chance.
    /// Share of the samples to learn from that have a wrong class, where they were given one on purpose.
    pub label_noise: f64,
    /// What an answer costs whoever knows how the data are made, in nats, where that is known.
    pub floor: Option<f64>,
}

impl Dataset {
    /// The right answers of one of its parts; no class where there is no target.
    pub fn labels<'a>(&self, part: &'a Part) -> Labels<'a> {
        match self.target.as_deref().and_then(|name| part.field(name)).map(|field| &field.column) {
            Some(Column::U32(classes)) => Labels::Class(classes),
            Some(Column::F32(values)) => Labels::Real(values),
            Some(Column::U8 { .. }) | None => Labels::Class(&[]),
        }
    }

    /// Name of the input whose tokens the answers follow: the one that is written, where the data has a language, else the first.
    pub fn written(&self) -> Option<&String> {
        self.inputs.get(self.language.as_ref().map_or(0, |language| language.input))
    }

    /// The naive forecast of every sample of a part: the last value of its window again. None where samples are no windows of series.
    pub fn naive(&self, part: &Part) -> Option<Vec<f32>> {
        self.forecast.as_ref().map(|forecast| forecast.naive(numbers(part, INPUT)))
    }

    /// The mean distance of the naive forecast from the answers of a part.
    pub fn naive_error(&self, part: &Part) -> Option<f64> {
        let (naive, answers) = (self.naive(part)?, numbers(part, TARGET));
        let distances = answers.iter().zip(&naive).map(|(a, b)| f64::from((a - b).abs()));
        Some(distances.sum::<f64>() / answers.len().max(1) as f64)
    }

    /// The same samples with their first input as what is to be predicted; nothing where it is no numbers.
    pub fn reconstructing(mut self) -> Option<Dataset> {
        let input = self.inputs.first().cloned()?;
        for part in [&mut self.train, &mut self.validation] {
            let field = part.fields.iter_mut().find(|field| field.name == input)?;
            match &field.column {
                Column::U32(_) => return None,
                Column::F32(_) => {}
                Column::U8 { .. } => {
                    let words = field.column.words(0, usize::MAX);
                    field.column = Column::F32(words.into_iter().map(f32::from_bits).collect());
                    // What bytes stand for is what is shown of them.
                    self.normalisation = Normalisation::identity(field.width(), field.width());
                }
            }
        }
        self.normalisation.target_mean = self.normalisation.mean.clone();
        self.normalisation.target_std = self.normalisation.std.clone();
        self.task = Task::Regression { targets: self.features.clone() };
        self.target = Some(input);
        Some(self)
    }

    /// The samples that a result is shown for: those held out, or, where there are none, those learned from.
    pub fn shown(&self) -> &Part {
        if self.validation.is_empty() { &self.train } else { &self.validation }
    }
}

/// How raw columns become inputs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scaling {
    /// As they are.
    None,
    /// The column holds them divided by a number known beforehand.
    By(f32),
    /// Inputs and real targets have been scaled so.
    Done(Normalisation),
}

/// All samples of a source, before the split.
pub(crate) struct Samples {
    pub task: Task,
    /// Inputs, each followed by its lengths where it has some.
    pub fields: Vec<Field>,
    /// Classes `[samples]`, or one for each of so many positions, or numbers `[samples, targets]`.
    pub target: Column,
    /// Positions of a sample that have a class each; empty where a sample has one.
    pub positions: Vec<usize>,
    pub features: Vec<String>,
    pub raw: Vec<f32>,
    pub plane: Option<Plane>,
    pub image: Option<(usize, usize)>,
    pub stream: Option<Stream>,
    pub notes: Vec<String>,
    pub description: String,
    pub licence: String,
    pub scaling: Scaling,
    /// Share of the samples to learn from that get a wrong class.
    pub label_noise: f64,
    /// The split, where it has been made already.
    pub parts: Option<Split>,
    pub table: Option<Arc<Table>>,
    pub forecast: Option<Forecast>,
}

impl Samples {
    /// Samples of fields with nothing special about them.
    pub(crate) fn new(task: Task, fields: Vec<Field>, target: Column, (description, licence): (&str, &str)) -> Self {
        Self {
            task,
            fields,
            target,
            positions: Vec::new(),
            features: Vec::new(),
            raw: Vec::new(),
            plane: None,
            image: None,
            stream: None,
            notes: Vec::new(),
            description: description.to_string(),
            licence: licence.to_string(),
            scaling: Scaling::None,
            label_noise: 0.0,
            parts: None,
            table: None,
            forecast: None,
        }
    }

    /// The same, as rows of a table.
    pub(crate) fn of_table(mut self, table: Arc<Table>) -> Self {
        self.table = Some(table);
        self
    }

    /// Samples with one input, `x`, whose numbers have these names.
    pub(crate) fn of_rows(task: Task, features: Vec<String>, x: Column, target: Column, card: (&str, &str)) -> Self {
        let x = Field::new(INPUT, [features.len()], x);
        Self { features, ..Self::new(task, vec![x], target, card) }
    }

    /// Splits, normalises, describes.
    ///
    /// # Errors
    /// When there is no sample.
    pub(crate) fn finish(self, fraction: f64, seed: u32) -> Result<Dataset, UserError> {
        let targets = match &self.task {
            Task::Classification { .. } | Task::Retrieval => 0,
            Task::Regression { targets } => targets.len(),
        };
        let answers: usize = self.positions.iter().product();
        let samples = self.target.len() / (targets.max(1) * answers.max(1));
        if samples == 0 {
            return Err(UserError::new("There is no sample to learn from.").hint("Add some, or choose another source."));
        }
        let strata = match &self.target {
            Column::U32(classes) if self.positions.is_empty() && self.task != Task::Retrieval => classes.clone(),
            _ => vec![0; samples],
        };
        let parts = self.parts.unwrap_or_else(|| split(&strata, fraction, seed));
        let names = |fields: &[Field]| fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>();
        let lengths: Vec<String> = self.fields.iter().filter_map(|field| field.lengths.clone()).collect();
        let inputs = names(&self.fields).into_iter().filter(|name| !lengths.contains(name)).collect();
        let target = match &self.task {
            Task::Classification { classes } => {
                Field::new(TARGET, self.positions.as_slice(), self.target).vocabulary(classes.len())
            }
            Task::Regression { .. } => Field::new(TARGET, [targets], self.target),
            Task::Retrieval => Field::new(TARGET, [], self.target),
        };
        let mut fields = self.fields;
        fields.push(target);
        let all = Part::new(samples, fields, self.raw);
        let (mut train, mut validation) = (all.select(&parts.train), all.select(&parts.validation));
        if let Task::Classification { classes } = &self.task {
            mislabel(&mut train, self.label_noise, classes.len() as u32, seed);
        }
        let width = self.features.len();
        let normalisation = match self.scaling {
            Scaling::None => Normalisation::identity(width, targets),
            Scaling::By(scale) => {
                Normalisation { std: vec![f64::from(scale); width], ..Normalisation::identity(width, targets) }
            }
            Scaling::Done(normalisation) => normalisation,
        };
        if self.plane == Some(Plane::Columns) {
            for part in [&mut train, &mut validation] {
                part.raw = numbers(part, INPUT).iter().map(|v| v / SPREAD).collect();
            }
        }
        let hash = hash(&[&train, &validation]);
        let duplicates = duplicates(&train, &validation);
        let card = DataCard { description: self.description, licence: self.licence, hash, duplicates };
        Ok(Dataset {
            task: self.task,
            inputs,
            target: Some(TARGET.to_string()),
            features: self.features,
            train,
            validation,
            stream: self.stream,
            read_on: None,
            plane: self.plane,
            image: self.image,
            pen: None,
            sound: None,
            notes: self.notes,
            card,
            normalisation,
            table: self.table,
            language: None,
            forecast: self.forecast,
            label_noise: self.label_noise,
            floor: None,
        })
    }
}

/// The values of a field of numbers.
fn numbers<'a>(part: &'a Part, name: &str) -> &'a [f32] {
    match part.field(name).map(|field| &field.column) {
        Some(Column::F32(values)) => values,
        _ => &[],
    }
}

/// Gives a share of the samples a class that is not theirs.
fn mislabel(part: &mut Part, share: f64, classes: u32, seed: u32) {
    let target = part.fields.iter_mut().find(|field| field.name == TARGET);
    if let (true, Some(Column::U32(labels))) = (share > 0.0, target.map(|field| &mut field.column)) {
        for (label, i) in labels.iter_mut().zip(0u32..) {
            *label = mislabelled(*label, share, classes, &mut Rng::new(seed, rng::Stream::Labels, i));
        }
    }
}

/// A class, or, so often, another one.
pub(crate) fn mislabelled(class: u32, share: f64, classes: u32, rng: &mut Rng) -> u32 {
    let wrong = rng.uniform() < share && classes > 1;
    if wrong { (class + 1 + rng.below(classes as usize - 1) as u32) % classes } else { class }
}

/// How many held-out samples have the same inputs as one to learn from.
fn duplicates(train: &Part, validation: &Part) -> usize {
    let hashes = |part: &Part| -> Vec<u64> {
        let inputs: Vec<&Field> = part.fields.iter().filter(|field| field.name != TARGET).collect();
        (0..part.samples)
            .map(|i| inputs.iter().fold(FNV, |state, field| field.column.hash(i * field.width(), field.width(), state)))
            .collect()
    };
    let known: HashSet<u64> = hashes(train).into_iter().collect();
    hashes(validation).iter().filter(|hash| known.contains(hash)).count()
}

/// FNV-1a over every word of every part, 64 bits.
fn hash(parts: &[&Part]) -> String {
    let mut state = FNV;
    let mut add = |word: u32| state = fnv(state, word);
    for part in parts {
        add(part.samples as u32);
        for field in &part.fields {
            field.column.words(0, usize::MAX).into_iter().for_each(&mut add);
        }
    }
    format!("{state:016x}")
}
