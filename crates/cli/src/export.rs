//! `downhill export`: an experiment as a PyTorch program with its data, or its weights alone. The program's text comes from
//! `downhill_model::export`.

use std::path::PathBuf;

use clap::ValueEnum;
use downhill_data::Sampler;
use downhill_model::{EncodedTargets, Signature, encode_targets, export};
use downhill_tensor::UserError;
use downhill_train::{Array, Session, Values, ready, write_arrays};

use crate::document::{Document, read, say, trouble, write};

/// What an export writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// train.py, init.safetensors and data.safetensors.
    Pytorch,
    /// The weights.
    Safetensors,
}

/// What to export, as what, and where to.
pub struct Order {
    pub experiment: PathBuf,
    pub format: Format,
    pub weights: Option<PathBuf>,
    pub steps: Option<u64>,
    pub output: PathBuf,
}

/// Steps whose order is written where neither the experiment nor the command says how many.
const STEPS: u64 = 1000;

/// Exports an experiment.
///
/// # Errors
/// When it cannot be trained, or a file cannot be read or written.
pub fn run(order: &Order) -> Result<(), UserError> {
    let document = Document::read(&order.experiment)?;
    let mut session = Session::new(document.experiment.clone(), &document)?;
    if let Some(path) = &order.weights {
        ready(session.load_weights(&read(path)?))?;
    }
    let parameters = ready(session.parameters())?;
    let weights: Vec<Array<'_>> = parameters
        .iter()
        .map(|(name, shape, values)| Array { name: name.clone(), shape: shape.clone(), values: Values::F32(values) })
        .collect();
    let weights = write_arrays(&weights, None)?;
    if order.format == Format::Safetensors {
        write(&order.output, &weights)?;
        say(&format!("wrote {}", order.output.display()));
        return Ok(());
    }
    std::fs::create_dir_all(&order.output).map_err(|e| trouble(&order.output, "made", &e))?;
    let steps = order.steps.or(document.experiment.training.steps).unwrap_or(STEPS);
    let files = [
        ("train.py", export::train_py(session.checked()).into_bytes()),
        ("init.safetensors", weights),
        ("data.safetensors", data(&session, steps)?),
    ];
    for (name, bytes) in files {
        let path = order.output.join(name);
        write(&path, &bytes)?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(())
}

/// The samples, and the order in which training steps take them.
fn data(session: &Session, steps: u64) -> Result<Vec<u8>, UserError> {
    let (experiment, signature, data) = (session.experiment(), session.signature(), session.data());
    let batch = experiment.training.batch_size;
    let count = usize::try_from(steps).ok().and_then(|steps| steps.checked_mul(batch)).filter(|n| *n <= 1 << 28);
    let count = count
        .ok_or_else(|| UserError::at("--steps", "The order of so many steps would fill the disk.").hint("Use fewer steps."))?;
    let mut indices = vec![0; count];
    Sampler::new(experiment.seed, data.train.len()).next_batch(&mut indices);
    let mut targets = Vec::new();
    for (split, table) in [("train", &data.train), ("validation", &data.validation)] {
        if !table.is_empty() {
            targets.push((split, table, encode_targets(session.checked(), &table.y)));
        }
    }
    let mut arrays =
        vec![Array { name: "indices".to_string(), shape: vec![count / batch, batch], values: Values::I32(&indices) }];
    for (split, table, y) in &targets {
        arrays.push(Array {
            name: format!("{split}.x"),
            shape: sample_shape(signature, table.len()),
            values: Values::F32(&table.x),
        });
        let (shape, values) = match y {
            EncodedTargets::Classes(classes) => (vec![classes.len()], Values::I32(classes)),
            EncodedTargets::Values(values) => (vec![table.len(), values.len() / table.len()], Values::F32(values)),
        };
        arrays.push(Array { name: format!("{split}.y"), shape, values });
    }
    write_arrays(&arrays, None)
}

fn sample_shape(signature: &Signature, samples: usize) -> Vec<usize> {
    std::iter::once(samples).chain(signature.input_shape.iter().copied()).collect()
}
