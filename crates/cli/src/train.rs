//! `downhill train`: trains an experiment with a progress bar, and writes metrics and the finished run.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use downhill_protocol::Event;
use downhill_tensor::UserError;
use downhill_train::{Next, Session, ready};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, json};

use crate::backend::Backend;
use crate::document::{Document, read, say, write};
use crate::trouble::trouble;

/// What to train, how long, from where and to where.
pub struct Order {
    pub experiment: PathBuf,
    pub steps: Option<u64>,
    pub backend: Backend,
    pub init: Option<PathBuf>,
    pub partial: bool,
    pub save: Option<PathBuf>,
    pub metrics: Option<PathBuf>,
}

/// Trains an experiment.
///
/// # Errors
/// When it cannot be trained, a file cannot be read or written, or the loss stops being finite.
pub fn run(order: &Order) -> Result<(), UserError> {
    let document = Document::read(&order.experiment)?;
    let steps = order.steps.or(document.experiment.training.steps).ok_or_else(|| {
        UserError::at("training.steps", "This experiment trains until stopped.").hint("Say how long with --steps.")
    })?;
    let mut session = Session::new(document.experiment.clone(), &document)?;
    for note in &session.data().notes {
        eprintln!("note: {note}");
    }
    if let Some(path) = &order.init {
        if order.partial {
            let (taken, refused) = ready(session.take_weights(&read(path)?))?;
            refused.iter().for_each(|error| eprintln!("note: {error}"));
            eprintln!("note: {taken} tensors are loaded, {} are not.", refused.len());
        } else {
            ready(session.load_weights(&read(path)?))?;
        }
    }
    order.backend.settle(&mut session, steps)?;
    let mut lines = match &order.metrics {
        Some(path) => Some(BufWriter::new(File::create(path).map_err(|e| trouble(path, "written", &e))?)),
        None => None,
    };
    if lines.is_some() {
        session.keep_losses();
    }
    let bar = progress(steps);
    session.step(steps);
    loop {
        let next = ready(session.advance(Instant::now() + Duration::from_millis(50)))?;
        let status = session.status();
        bar.set_position(status.step);
        bar.set_message(format!("loss {:.5}", status.loss));
        if let (Some(lines), Some(path)) = (&mut lines, &order.metrics) {
            for (step, loss) in session.take_losses() {
                // JSON has no NaN; a run that diverged ends with an error that says so.
                writeln!(lines, "{}", json!({ "step": step, "loss": loss })).map_err(|e| trouble(path, "written", &e))?;
            }
        }
        if let Some(why) = session.take_loss() {
            bar.println(format!("note: {why} The processor goes on from step {}.", session.step_count()));
        }
        if next == Next::Rest {
            break;
        }
    }
    bar.finish_and_clear();
    if let (Some(lines), Some(path)) = (&mut lines, &order.metrics) {
        lines.flush().map_err(|e| trouble(path, "written", &e))?;
    }
    if let Some(path) = &order.save {
        write(path, &ready(session.snapshot())?)?;
    }
    report(&mut session)
}

fn progress(steps: u64) -> ProgressBar {
    let bar = ProgressBar::new(steps);
    let style = ProgressStyle::with_template("{bar:30} step {pos}/{len} · {per_sec} · {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Prints the last metrics with the verdict, and says what it means; fails where the loss stopped being finite.
fn report(session: &mut Session) -> Result<(), UserError> {
    let status = session.status();
    let verdict = session.verdict();
    let mut line = Map::new();
    line.insert("step".to_string(), json!(status.step));
    line.insert("loss".to_string(), json!(status.loss));
    line.extend(status.metrics.into_iter().map(|(name, value)| (name, json!(value))));
    line.insert("verdict".to_string(), json!(verdict.name));
    say(&serde_json::Value::Object(line).to_string());
    for message in session.take_events() {
        if let Event::Diverged(divergence) = message.header {
            return Err(UserError::at(divergence.layer, divergence.why));
        }
    }
    let fix = verdict.fix.map(|fix| format!(" Worth a try: {}.", lower_first(&fix.label))).unwrap_or_default();
    eprintln!("{}: {}{fix}", verdict.title, verdict.sentence);
    Ok(())
}

/// A sentence as it goes on after a colon.
fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
