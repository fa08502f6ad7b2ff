//! `downhill generate`: continues a text with the weights of a run, or with those that it trains first.

use std::io::Write;
use std::path::PathBuf;

use downhill_protocol::{Event, Generate, Generated, Speed};
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
    /// Whether an object is printed, and not the text.
    pub json: bool,
}

/// Continues a text and prints it; how fast that was goes to standard error.
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
                let said = if order.json { object(&generated).to_string() } else { generated.text };
                // A closed pipe is no error.
                let _ = writeln!(std::io::stdout(), "{said}");
                if !order.json {
                    eprintln!("{}", told(&generated.speed));
                }
            }
            Event::Error { error, .. } => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// What `--json` prints; what is not known is null.
fn object(text: &Generated) -> serde_json::Value {
    serde_json::json!({
        "text": text.text,
        "tokens": text.tokens,
        "given": text.given,
        "probabilities": text.probabilities,
        "first_token_ms": text.speed.first_token_ms,
        "tokens_per_second": text.speed.tokens_per_second,
        "cache_bytes": text.speed.cache_bytes,
    })
}

/// How fast it was, for a person.
fn told(speed: &Speed) -> String {
    if speed.first_token_ms.is_nan() {
        return "Nothing was added.".to_string();
    }
    let mut told = format!("The first token took {:.1} ms", speed.first_token_ms);
    if !speed.tokens_per_second.is_nan() {
        told += &format!(", then {:.0} tokens/s", speed.tokens_per_second);
    }
    match speed.cache_bytes {
        0 => told + ", without a cache.",
        bytes => told + &format!(", with a cache of {bytes} bytes."),
    }
}
