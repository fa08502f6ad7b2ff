//! `downhill presets`: lists the presets, or prints one.

use downhill_model::presets;
use downhill_tensor::UserError;

use crate::document::say;

/// Lists the presets, or prints the one of this name.
///
/// # Errors
/// When there is no such preset.
pub fn run(name: Option<&str>) -> Result<(), UserError> {
    match name {
        None => presets::all().iter().for_each(|p| say(&format!("{:14} {}: {}", p.id, p.title, p.description))),
        Some(name) => {
            let found = presets::find(name).ok_or_else(|| {
                let known: Vec<&str> = presets::all().iter().map(|p| p.id).collect();
                UserError::new(format!("There is no preset `{name}`.")).hint(format!("There are {}.", known.join(", ")))
            })?;
            say(found.json.trim_end());
        }
    }
    Ok(())
}
