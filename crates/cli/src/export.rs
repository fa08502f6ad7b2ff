//! `downhill export`: an experiment as a PyTorch program with its data, its weights alone, or its tokenizer. What the files hold comes from
//! `downhill_train::export`.

use std::path::PathBuf;

use clap::ValueEnum;
use downhill_tensor::UserError;
use downhill_train::{Session, export, ready};

use crate::document::{Document, read, say, write};
use crate::trouble::trouble;

/// What an export writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// train.py, init.safetensors and data.safetensors; of a text tokenizer.json too.
    Pytorch,
    /// The weights.
    Safetensors,
    /// The tokenizer of a text, as Hugging Face's tokenizers read it.
    Tokenizer,
}

/// What to export, as what, and where to.
pub struct Order {
    pub experiment: PathBuf,
    pub format: Format,
    pub weights: Option<PathBuf>,
    pub steps: Option<u64>,
    pub output: PathBuf,
}

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
    let alone = match order.format {
        Format::Pytorch => None,
        Format::Safetensors => Some(ready(session.weights(true))?),
        Format::Tokenizer => Some(export::tokenizer(&session)?),
    };
    if let Some(bytes) = alone {
        write(&order.output, &bytes)?;
        say(&format!("wrote {}", order.output.display()));
        return Ok(());
    }
    std::fs::create_dir_all(&order.output).map_err(|e| trouble(&order.output, "made", &e))?;
    let weights = ready(session.weights(false))?;
    for (name, bytes) in export::pytorch(&session, order.steps, weights)? {
        let path = order.output.join(name);
        write(&path, &bytes)?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(())
}
