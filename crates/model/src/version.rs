//! Versions of the document. A major version is a form; a minor one (`1.2`) only adds to it.

use downhill_data::spec;
use downhill_tensor::UserError;
use serde_json::{Map, Value, json};

use crate::registry::Reader;

/// The major version that this build writes.
pub const VERSION: u32 = 1;
/// The minor version that this build knows all fields of.
pub const MINOR: u32 = 0;

/// Brings a document of one major version to the next.
type Migration = fn(&mut Map<String, Value>) -> Result<(), UserError>;

/// `MIGRATIONS[i]` brings version `i + 1` to version `i + 2`.
const MIGRATIONS: [Migration; VERSION as usize - 1] = [];

/// Brings a document to [`VERSION`] and takes note if it is of a newer minor version. No version is version 1.
///
/// # Errors
/// When the version is no version, or a newer major one.
pub(crate) fn migrate(document: &mut Map<String, Value>, reader: &mut Reader) -> Result<(), UserError> {
    let (major, minor) = match document.get("version") {
        None => (1, 0),
        Some(value) => split(value).ok_or_else(|| {
            let written = spec::quote(&value.to_string());
            UserError::at("version", format!("{written} is not a version.")).hint(format!("Write \"version\": {VERSION}."))
        })?,
    };
    if major > VERSION {
        let message = format!(
            "This experiment is of version {major}, made by a newer Downhill than this one, which knows version {VERSION}."
        );
        return Err(UserError::at("version", message).hint("Reload the page, or get the newer release."));
    }
    for migration in MIGRATIONS.iter().skip(major as usize - 1) {
        migration(document)?;
    }
    if major == VERSION && minor > MINOR {
        reader.newer = true;
        let written = format!("{major}.{minor}");
        reader
            .notes
            .push(format!("This experiment is of the newer version {written}; what this build does not know is left out."));
    }
    document.insert("version".to_string(), json!(VERSION));
    Ok(())
}

/// `1`, `1.2` or `"1.2"` as major and minor version.
fn split(value: &Value) -> Option<(u32, u32)> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let (major, minor) = text.split_once('.').unwrap_or((&text, "0"));
    let major: u32 = major.parse().ok().filter(|&major| major >= 1)?;
    Some((major, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use crate::Experiment;

    use super::*;

    fn with_version(version: Value) -> Value {
        json!({ "version": version, "data": { "xor": { "colour": 1 } }, "model": ["relu"], "mood": "good" })
    }

    #[test]
    fn a_newer_minor_version_is_read_with_notes_about_what_is_left_out() {
        for version in [json!(1.7), json!("1.7")] {
            let parsed = Experiment::from_value(&with_version(version)).unwrap();
            assert_eq!(parsed.notes.len(), 3);
            assert!(parsed.notes[0].contains("newer version 1.7"));
            assert!(parsed.notes[1].contains("`mood`") && parsed.notes[2].contains("`colour`"), "{:?}", parsed.notes);
            assert_eq!(parsed.experiment.version, VERSION);
        }
    }

    #[test]
    fn a_newer_major_version_is_refused_and_so_is_what_is_no_version() {
        let error = |version| Experiment::from_value(&with_version(version)).unwrap_err();
        assert!(error(json!(2)).message.contains("made by a newer Downhill"));
        for version in [json!(0), json!(-1), json!(null), json!("new"), json!(1e300), json!([1])] {
            assert_eq!(error(version).path.as_deref(), Some("version"));
        }
    }
}
