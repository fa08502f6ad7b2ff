//! `downhill link`: writes an experiment as a link, and a link as an experiment; weights go into it and come out of it.

use std::path::{Path, PathBuf};

use downhill_model::data::Source;
use downhill_model::{Experiment, share};
use downhill_tensor::UserError;
use downhill_train::{Session, ready};

use crate::document::{self, Document, say, text};

/// Longer links are cut off on their way by many programs.
const LONG: usize = 8000;

/// What to write as what.
pub struct Order {
    /// A file, a link, or `-` for either on standard input.
    pub what: String,
    /// The address of the page that a link is to open.
    pub lab: String,
    /// The weights that go into a link, or the file for those that come out of one.
    pub weights: Option<PathBuf>,
}

/// Prints the link to an experiment, or the experiment that a link holds.
///
/// # Errors
/// When there is no such file, neither an experiment nor a link in it, or the weights do not fit.
pub fn run(order: &Order) -> Result<(), UserError> {
    // A name of a file may have a `=`, a link has one always.
    let path = Path::new(&order.what);
    if order.what.contains('=') && !path.exists() {
        return read(&order.what, order);
    }
    let text = text(path)?;
    // An experiment is an object; a link never has a brace in it.
    if text.contains('{') { write(&Document::of(Experiment::parse(&text)?, path), order) } else { read(&text, order) }
}

fn read(link: &str, order: &Order) -> Result<(), UserError> {
    let document = Document::of(share::decode(link)?, Path::new(""));
    let weights = share::weights_of(link);
    match (&weights, &order.weights) {
        (Some(packed), Some(path)) => {
            let mut session = Session::new(document.experiment.clone(), &document)?;
            ready(session.take_small(packed))?;
            document::write(path, &ready(session.weights(false))?)?;
        }
        (Some(_), None) => eprintln!("note: The link holds weights, too: `--weights FILE` writes them."),
        (None, Some(_)) => return Err(UserError::at("link", "This link holds no weights.").hint("Leave `--weights` out.")),
        (None, None) => {}
    }
    say(document.experiment.to_json().trim_end());
    Ok(())
}

fn write(document: &Document, order: &Order) -> Result<(), UserError> {
    let mut link = format!("{}#{}", order.lab.split('#').next().unwrap_or_default(), share::encode(&document.experiment));
    if let Some(path) = &order.weights {
        let mut session = Session::new(document.experiment.clone(), document)?;
        ready(session.load_weights(&document::read(path)?))?;
        let small = ready(session.small_weights())?;
        link = share::with_weights(&link, &small.bytes);
        eprintln!(
            "note: In {} bits a weight, no prediction for {} samples moves by more than {:.4}.",
            small.bits, small.samples, small.farthest
        );
    }
    if link.len() > LONG {
        let length = link.len();
        eprintln!("note: The link has {length} characters; many programs cut links of this length off. A file arrives whole.");
    }
    if let Source::Csv(csv) = &document.experiment.data
        && csv.text.is_empty()
        && !csv.file.is_empty()
    {
        eprintln!("note: The link does not hold the table \"{}\": whoever opens it has to have that file.", csv.file);
    }
    say(&link);
    Ok(())
}
