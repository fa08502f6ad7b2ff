use downhill_data::{Dataset, NoAssets, Source};
use downhill_tensor::UserError;

/// What is to be predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// One of several classes.
    Classification,
    /// Real numbers.
    Regression,
}

/// What a model needs to know of its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Numbers per sample.
    pub features: usize,
    /// Shape of one sample.
    pub input_shape: Vec<usize>,
    /// What is to be predicted.
    pub task: Task,
    /// Classes, or numbers to predict.
    pub outputs: usize,
    /// Samples to learn from.
    pub train: usize,
    /// Samples held out.
    pub validation: usize,
}

impl Signature {
    /// The signature of a data set.
    pub fn from_dataset(data: &Dataset) -> Self {
        let (task, outputs) = match &data.task {
            downhill_data::Task::Classification { classes } => (Task::Classification, classes.len()),
            downhill_data::Task::Regression { targets } => (Task::Regression, targets.len()),
        };
        Self {
            features: data.features.len(),
            input_shape: data.input_shape.to_vec(),
            task,
            outputs,
            train: data.train.len(),
            validation: data.validation.len(),
        }
    }

    /// The signature of a source before its file is there. Numbers of samples of bundled sets are estimates (classes are
    /// split one by one).
    ///
    /// # Errors
    /// When the source cannot be built, or reads a file of the user's own.
    pub fn of(source: &Source) -> Result<Self, UserError> {
        let (samples, features, classes, validation) = match source {
            Source::Digits(digits) => (1797, 64, 10, digits.validation),
            Source::Iris(iris) => (150, 4, 3, iris.validation),
            Source::Wine(wine) => (178, 13, 3, wine.validation),
            Source::BreastCancer(cancer) => (569, 30, 2, cancer.validation),
            generated => {
                let data = generated.build(0, &NoAssets).map_err(|e| e.under(source.name()).under("data"))?;
                return Ok(Self::from_dataset(&data));
            }
        };
        let held_out = (f64::from(samples) * validation) as usize;
        Ok(Self {
            features,
            input_shape: vec![features],
            task: Task::Classification,
            outputs: classes,
            train: (samples as usize).saturating_sub(held_out).max(1),
            validation: held_out,
        })
    }
}
