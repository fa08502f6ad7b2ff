//! `downhill check`: shapes, parameters, operations and memory of an experiment, without training it.

use std::path::Path;

use downhill_model::{Signature, check};
use downhill_tensor::UserError;
use indicatif::HumanBytes;

use crate::document::{Document, say};

/// Prints what an experiment is made of and what it costs.
///
/// # Errors
/// When it cannot be trained.
pub fn run(path: &Path) -> Result<(), UserError> {
    let document = Document::read(path)?;
    let source = &document.experiment.data;
    let data = document.experiment.dataset(&document)?;
    let signature = Signature::from_dataset(&data);
    let checked = check(document.experiment.clone(), signature)?;
    let (signature, summary) = (&checked.signature, &checked.summary);
    for note in &data.notes {
        eprintln!("note: {note}");
    }
    say(&format!("data        {}: {} to learn from, {} held out", source.name(), signature.train, signature.validation));
    let mut heading = "parameters";
    for input in &signature.inputs {
        let tokens = input.port.vocabulary.map(|n| format!("{n} tokens")).unwrap_or_default();
        let line = format!("{:24} {:20} {:12} {heading}", format!("input {}", input.name), tokens, sizes(&input.port.shape));
        say(line.trim_end());
        heading = "";
    }
    for layer in &summary.layers {
        let parameters: Vec<String> = layer.parameters.iter().map(|(name, shape)| format!("{name} {}", sizes(shape))).collect();
        say(format!("{:24} {:20} {:12} {}", layer.path, layer.label, sizes(&layer.shape), parameters.join(", ")).trim_end());
    }
    say(&format!("parameters  {}", summary.parameters));
    say(&format!("operations  {} per step", summary.flops_per_step));
    say(&format!("memory      {}", HumanBytes(summary.bytes)));
    Ok(())
}

fn sizes(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}
