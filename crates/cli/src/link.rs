//! `downhill link`: writes an experiment as a link, and a link as an experiment.

use std::path::Path;

use downhill_model::data::Source;
use downhill_model::{Experiment, Parsed, share};
use downhill_tensor::UserError;

use crate::document::{say, text};

/// Longer links are cut off on their way by many programs.
const LONG: usize = 8000;

/// Prints the link to an experiment, or the experiment that a link holds. `what` is a file, a link, or `-` for either on standard input; `lab` is
/// the address of the page that a link is to open.
///
/// # Errors
/// When there is no such file, or neither an experiment nor a link in it.
pub fn run(what: &str, lab: &str) -> Result<(), UserError> {
    // A name of a file may have a `=`, a link has one always.
    if what.contains('=') && !Path::new(what).exists() {
        return read(what);
    }
    let text = text(Path::new(what))?;
    // An experiment is an object; a link never has a brace in it.
    if text.contains('{') { write(Experiment::parse(&text)?, lab) } else { read(&text) }
}

fn read(link: &str) -> Result<(), UserError> {
    let parsed = share::decode(link)?;
    parsed.notes.iter().for_each(|note| eprintln!("note: {note}"));
    say(parsed.experiment.to_json().trim_end());
    Ok(())
}

fn write(parsed: Parsed, lab: &str) -> Result<(), UserError> {
    let mut notes = parsed.notes;
    let link = format!("{}#{}", lab.split('#').next().unwrap_or_default(), share::encode(&parsed.experiment));
    if link.len() > LONG {
        notes.push(format!(
            "The link has {} characters; many programs cut links of this length off. A file arrives whole.",
            link.len()
        ));
    }
    if let Source::Csv(csv) = &parsed.experiment.data
        && csv.text.is_empty()
        && !csv.file.is_empty()
    {
        notes.push(format!("The link does not hold the table \"{}\": whoever opens it has to have that file.", csv.file));
    }
    notes.iter().for_each(|note| eprintln!("note: {note}"));
    say(&link);
    Ok(())
}
