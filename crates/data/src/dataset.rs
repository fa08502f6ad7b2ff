use downhill_tensor::{Shape, UserError};
use serde::{Deserialize, Serialize};

use crate::features::{Feature, LineFeature};
use crate::split::split;

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
}

/// The right answers of a [`Table`].
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// The class of every sample.
    Class(Vec<u32>),
    /// `[samples, targets]`, row-major.
    Real(Vec<f32>),
}

/// One part of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Inputs, `[samples, features]`, row-major, normalised.
    pub x: Vec<f32>,
    /// What they should give.
    pub y: Labels,
    /// `[samples, 2]`: where each sample is drawn, if the set has a [`Plane`]; otherwise empty.
    pub raw: Vec<f32>,
    samples: usize,
}

impl Table {
    /// A table of `samples` rows; `raw` is empty, or `[samples, 2]`.
    ///
    /// # Panics
    /// When the inputs do not divide into that many rows: a bug of the caller.
    pub fn new(samples: usize, x: Vec<f32>, y: Labels, raw: Vec<f32>) -> Self {
        assert!(x.len().is_multiple_of(samples.max(1)), "{} inputs are no {samples} rows", x.len());
        Self { x, y, raw, samples }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.samples
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.samples == 0
    }

    fn select(&self, rows: &[u32]) -> Table {
        let pick = |values: &[f32]| {
            let width = values.len() / self.samples.max(1);
            rows.iter().flat_map(|&i| values[i as usize * width..][..width].iter().copied()).collect::<Vec<f32>>()
        };
        let y = match &self.y {
            Labels::Class(classes) => Labels::Class(rows.iter().map(|&i| classes[i as usize]).collect()),
            Labels::Real(values) => Labels::Real(pick(values)),
        };
        Table { x: pick(&self.x), y, raw: pick(&self.raw), samples: rows.len() }
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
            Plane::Map(features) => features.iter().map(|f| f.at(f64::from(x), f64::from(y)) as f32).collect(),
            Plane::Line(features) => features.iter().map(|f| f.at(f64::from(x)) as f32).collect(),
            Plane::Columns => vec![SPREAD * x, SPREAD * y],
        }
    }
}

/// How raw columns became inputs and targets: `(value - mean) / std`, fitted on the training part alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    /// Per feature.
    pub mean: Vec<f32>,
    /// Per feature; 1 where the training part does not vary.
    pub std: Vec<f32>,
    /// Per target of a regression; empty for classes.
    pub target_mean: Vec<f32>,
    /// Per target of a regression; empty for classes.
    pub target_std: Vec<f32>,
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
        raw.iter().zip(&self.mean).zip(&self.std).map(|((v, m), s)| (v - m) / s).collect()
    }

    /// What the network predicts, `[targets]`, in the units of the raw column.
    pub fn target(&self, output: &[f32]) -> Vec<f32> {
        output.iter().zip(&self.target_mean).zip(&self.target_std).map(|((v, m), s)| v * s + m).collect()
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
}

/// A data set, ready to train on.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// What is to be predicted.
    pub task: Task,
    /// Name of every input, in order.
    pub features: Vec<String>,
    /// Shape of one input.
    pub input_shape: Shape,
    /// What is learned from; never empty.
    pub train: Table,
    /// What only measures; may be empty.
    pub validation: Table,
    /// For points of a plane or a line: how the picture is encoded.
    pub plane: Option<Plane>,
    /// For images: height and width.
    pub image: Option<(usize, usize)>,
    /// What was left out or changed, one sentence each.
    pub notes: Vec<String>,
    /// Description, licence, hash.
    pub card: DataCard,
    /// From raw columns to inputs.
    pub normalisation: Normalisation,
}

/// How raw columns become inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scaling {
    /// As they are.
    None,
    /// All inputs divided by a number known beforehand.
    By(f32),
    /// Inputs, save for indicators, and real targets to mean 0 and standard deviation 1 in the training part.
    Standardise,
}

/// All samples of a source, before the split.
pub(crate) struct Samples {
    pub task: Task,
    pub features: Vec<String>,
    pub x: Vec<f32>,
    pub y: Labels,
    pub raw: Vec<f32>,
    pub plane: Option<Plane>,
    pub image: Option<(usize, usize)>,
    pub notes: Vec<String>,
    pub description: String,
    pub licence: String,
    pub scaling: Scaling,
    /// Columns that hold 0 or 1 and are left alone by [`Scaling::Standardise`].
    pub indicators: Vec<bool>,
}

impl Samples {
    /// Splits, normalises, describes.
    ///
    /// # Errors
    /// When there is no sample.
    pub(crate) fn finish(self, fraction: f64, seed: u32) -> Result<Dataset, UserError> {
        let width = self.features.len();
        let samples = self.x.len().checked_div(width).unwrap_or(0);
        if samples == 0 {
            return Err(UserError::new("There is no sample to learn from.").hint("Add some, or choose another source."));
        }
        let strata = match &self.y {
            Labels::Class(classes) => classes.clone(),
            Labels::Real(_) => vec![0; samples],
        };
        let parts = split(&strata, fraction, seed);
        let all = Table { x: self.x, y: self.y, raw: self.raw, samples };
        let (mut train, mut validation) = (all.select(&parts.train), all.select(&parts.validation));
        let targets = match &self.task {
            Task::Classification { .. } => 0,
            Task::Regression { targets } => targets.len(),
        };
        let normalisation = match self.scaling {
            Scaling::None => Normalisation::identity(width, targets),
            Scaling::By(scale) => Normalisation { std: vec![scale; width], ..Normalisation::identity(width, targets) },
            Scaling::Standardise => fit(&train, width, targets, &self.indicators),
        };
        for part in [&mut train, &mut validation] {
            apply(&normalisation, part);
            if self.plane == Some(Plane::Columns) {
                part.raw = part.x.iter().map(|v| v / SPREAD).collect();
            }
        }
        let hash = hash(&[&train, &validation]);
        let card = DataCard { description: self.description, licence: self.licence, hash };
        Ok(Dataset {
            task: self.task,
            features: self.features,
            input_shape: Shape::from([width]),
            train,
            validation,
            plane: self.plane,
            image: self.image,
            notes: self.notes,
            card,
            normalisation,
        })
    }
}

/// Mean and population standard deviation of every column of the training part.
fn fit(train: &Table, width: usize, targets: usize, indicators: &[bool]) -> Normalisation {
    let (mut mean, mut std) = moments(&train.x, width);
    for column in (0..width).filter(|&c| indicators.get(c) == Some(&true)) {
        (mean[column], std[column]) = (0.0, 1.0);
    }
    let (target_mean, target_std) = match &train.y {
        Labels::Class(_) => (Vec::new(), Vec::new()),
        Labels::Real(values) => moments(values, targets),
    };
    Normalisation { mean, std, target_mean, target_std }
}

fn moments(values: &[f32], width: usize) -> (Vec<f32>, Vec<f32>) {
    let rows = (values.len() / width.max(1)).max(1) as f64;
    let mut mean = vec![0.0f64; width];
    for row in values.chunks_exact(width.max(1)) {
        mean.iter_mut().zip(row).for_each(|(m, &v)| *m += f64::from(v) / rows);
    }
    let mut variance = vec![0.0f64; width];
    for row in values.chunks_exact(width.max(1)) {
        for ((variance, mean), &v) in variance.iter_mut().zip(&mean).zip(row) {
            *variance += (f64::from(v) - mean) * (f64::from(v) - mean) / rows;
        }
    }
    // A column that does not vary (up to rounding) is centred and otherwise left alone.
    let varies = |std: f64, mean: f64| std > 1e-6 * mean.abs() && std > 1e-15;
    let std = variance.iter().zip(&mean).map(|(v, &m)| if varies(v.sqrt(), m) { v.sqrt() as f32 } else { 1.0 });
    (mean.iter().map(|&m| m as f32).collect(), std.collect())
}

fn apply(normalisation: &Normalisation, part: &mut Table) {
    let scale = |values: &mut [f32], mean: &[f32], std: &[f32]| {
        for row in values.chunks_exact_mut(mean.len().max(1)) {
            for ((v, m), s) in row.iter_mut().zip(mean).zip(std) {
                *v = (*v - m) / s;
            }
        }
    };
    scale(&mut part.x, &normalisation.mean, &normalisation.std);
    if let Labels::Real(values) = &mut part.y {
        scale(values, &normalisation.target_mean, &normalisation.target_std);
    }
}

/// FNV-1a over every word of every part, 64 bits.
fn hash(parts: &[&Table]) -> String {
    let mut state = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |word: u32| state = (state ^ u64::from(word)).wrapping_mul(0x0100_0000_01b3);
    for part in parts {
        add(part.samples as u32);
        part.x.iter().for_each(|v| add(v.to_bits()));
        match &part.y {
            Labels::Class(classes) => classes.iter().for_each(|&c| add(c)),
            Labels::Real(values) => values.iter().for_each(|v| add(v.to_bits())),
        }
    }
    format!("{state:016x}")
}
