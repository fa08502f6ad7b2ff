//! `downhill generate`: continues a text with the weights of a run, or with those that it trains first.

use std::io::Write;
use std::path::PathBuf;

use downhill_protocol::{Event, Generate};
use downhill_tensor::UserError;
use downhill_train::{Session, ready};

use crate::backend::Backend;
use crate::document::{Document, read};

/// What to continue, with which weights, and how tokens are picked.
pub struct Order {
    pub experiment: PathBuf,
    pub weights: Option<PathBuf>,
    pub backend: Backend,
    pub ask: Generate,
}

/// Continues a text and prints it.
///
/// # Errors
/// When the experiment cannot be trained, the weights cannot be read, or its data is no text.
pub fn run(order: &Order) -> Result<(), UserError> {
    let document = Document::read(&order.experiment)?;
    let mut session = Session::new(document.experiment.clone(), &document)?;
    match (&order.weights, document.experiment.training.steps) {
        (Some(path), _) => ready(session.load_weights(&read(path)?))?,
        (None, Some(steps)) => {
            eprintln!("note: no weights are given, so it is trained for {steps} steps first.");
            order.backend.settle(&mut session, steps)?;
            session.step(steps);
            ready(session.run_until_rest())?;
        }
        (None, None) => {
            let message = "This experiment trains until stopped, so there are no weights to write with.";
            return Err(UserError::at("training.steps", message).hint("Give weights with --weights."));
        }
    }
    session.generate(1, order.ask.clone())?;
    ready(session.run_until_rest())?;
    for message in session.take_events() {
        match message.header {
            Event::Generated(generated) => {
                // A closed pipe is no error.
                let _ = writeln!(std::io::stdout(), "{}", generated.text);
            }
            Event::Error { error, .. } => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
