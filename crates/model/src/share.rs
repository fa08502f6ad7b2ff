//! Experiments as links: `c=1.<base64url(deflate(JSON without defaults))>`, understood for ever.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use downhill_tensor::UserError;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};

use crate::{Experiment, Parsed};

/// Longest payload that is read, in characters.
const MAX_PAYLOAD: usize = 2 << 20;
/// Longest document that comes out of one, in bytes: a small link may unpack to gigabytes.
const MAX_DOCUMENT: usize = 8 << 20;
/// Version of the codec, not of the document.
const CODEC: &str = "1";

/// The part of a link after `#`.
pub fn encode(experiment: &Experiment) -> String {
    let json = experiment.to_value().to_string();
    format!("c={CODEC}.{}", URL_SAFE_NO_PAD.encode(compress_to_vec(json.as_bytes(), 9)))
}

/// Reads a link, or the part of one after `#`.
///
/// # Errors
/// When it is no such link, is damaged or cut off, comes from a newer version, or holds an experiment that cannot be read.
pub fn decode(link: &str) -> Result<Parsed, UserError> {
    let fragment = link.trim().rsplit_once('#').map_or(link.trim(), |(_, fragment)| fragment);
    let Some((codec, payload)) = fragment.strip_prefix("c=").and_then(|rest| rest.split_once('.')) else {
        return Err(UserError::at("link", "This link holds no experiment.")
            .hint("A link to an experiment has `#c=1.` in it; copy all of it."));
    };
    if codec != CODEC {
        let newer = codec.parse::<u32>().is_ok_and(|version| version > 1);
        let message = if newer {
            "This link was made by a newer version of Downhill."
        } else {
            "This link holds no experiment that Downhill can read."
        };
        return Err(UserError::at("link", message).hint(if newer {
            "Reload the page to get the newest version."
        } else {
            "Copy it again from where it came."
        }));
    }
    if payload.len() > MAX_PAYLOAD {
        return Err(UserError::at("link", "This link is longer than any that Downhill makes.")
            .hint("Ask for the experiment as a file."));
    }
    let packed = URL_SAFE_NO_PAD
        .decode(payload)
        .map_err(|_| damaged("has characters in it that do not belong there, or its end is missing"))?;
    let json = decompress_to_vec_with_limit(&packed, MAX_DOCUMENT).map_err(|error| match error.status {
        TINFLStatus::HasMoreOutput => {
            UserError::at("link", format!("This link unpacks to more than {} MiB.", MAX_DOCUMENT >> 20))
                .hint("Do not trust where it came from.")
        }
        TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput => damaged("ends too early"),
        _ => damaged("was changed on the way"),
    })?;
    let text = String::from_utf8(json).map_err(|_| damaged("was changed on the way"))?;
    Experiment::parse(&text)
}

fn damaged(how: &str) -> UserError {
    UserError::at("link", format!("This link {how}.")).hint("Copy it again, from # to the last character.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::presets;

    fn first() -> Experiment {
        Experiment::parse(presets::all()[0].json).unwrap().experiment
    }

    #[test]
    fn every_preset_survives_the_way_through_a_link() {
        for preset in presets::all() {
            let experiment = Experiment::parse(preset.json).unwrap().experiment;
            let link = encode(&experiment);
            assert!(link.len() < 600, "{} makes a link of {} characters", preset.id, link.len());
            for written in [link.clone(), format!("#{link}"), format!("https://example.org/lab/#{link} ")] {
                assert_eq!(decode(&written).unwrap().experiment, experiment);
            }
        }
    }

    #[test]
    fn a_link_that_cannot_be_read_is_met_with_a_sentence() {
        let message = |link: &str| decode(link).unwrap_err().message;
        assert!(message("https://example.org").starts_with("This link holds no experiment"));
        assert!(message("#c=2.abcd").starts_with("This link was made by a newer version"));
        assert!(message("#c=x.abcd").starts_with("This link holds no experiment that Downhill"));
        assert!(message("#c=1.äöü").contains("do not belong there"));
        let link = encode(&first());
        let cut = (link.len() / 2..link.len()).map(|at| message(&link[..at])).collect::<Vec<_>>();
        assert!(
            cut.iter().all(|m| m.contains("ends too early") || m.contains("its end is missing") || m.contains("was changed")),
            "{cut:?}"
        );
        let bomb = URL_SAFE_NO_PAD.encode(compress_to_vec(&vec![b' '; MAX_DOCUMENT + 1], 9));
        assert!(message(&format!("#c=1.{bomb}")).starts_with("This link unpacks to more than 8 MiB"));
        assert!(message(&format!("#c=1.{}", "A".repeat(MAX_PAYLOAD + 1))).starts_with("This link is longer than any"));
        let future = URL_SAFE_NO_PAD.encode(compress_to_vec(br#"{"version":9}"#, 9));
        assert!(message(&format!("#c=1.{future}")).contains("made by a newer Downhill"));
    }

    proptest! {
        #[test]
        fn no_text_and_no_changed_character_makes_the_reader_panic(text in ".{0,80}", at in 0usize..300, character in "[ -~]") {
            let _ = decode(&text);
            let _ = decode(&format!("#c=1.{text}"));
            let mut link = encode(&first());
            let at = at % link.len();
            link.replace_range(at..=at, &character);
            let _ = decode(&link);
        }
    }
}
