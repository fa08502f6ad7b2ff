//! Experiments as links: `c=1.<base64url(deflate(JSON without defaults))>`, understood for ever, and `p=<preset>`; behind either there may be
//! weights, `.w1.<base64url>`. What chat and mail programs do to a link on its way is undone.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use downhill_data::spec;
use downhill_tensor::{UserError, apart};
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};

use crate::{Experiment, Parsed, presets};

/// Longest payload that is read, in characters.
const MAX_PAYLOAD: usize = 2 << 20;
/// Longest text that is searched for a link, in bytes: an escaped link is up to five times as long.
const MAX_TEXT: usize = 5 * MAX_PAYLOAD;
/// Longest document that comes out of one, in bytes: a small link may unpack to gigabytes.
const MAX_DOCUMENT: usize = 4 << 20;
/// Most values in it: each takes a hundred bytes of memory and may be two bytes of text. Ten thousand drawn points are 40,000.
const MAX_VALUES: usize = 100_000;
/// Version of the codec, not of the document.
const CODEC: &str = "1";
/// Reads what may have letters of the sentence around the link behind its end: deflate knows where it ends.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The part of a link after `#`.
pub fn encode(experiment: &Experiment) -> String {
    let json = experiment.to_value().to_string();
    format!("c={CODEC}.{}", URL_SAFE_NO_PAD.encode(compress_to_vec(json.as_bytes(), 9)))
}

/// What stands before the weights in a link, behind the experiment.
const WEIGHTS: &str = ".w1.";

/// A link, or the part of one after `#`, with weights behind it.
pub fn with_weights(link: &str, weights: &[u8]) -> String {
    format!("{link}{WEIGHTS}{}", URL_SAFE_NO_PAD.encode(weights))
}

/// The weights in a link; nothing where it has none. Whoever takes them up finds out whether they are whole.
pub fn weights_of(link: &str) -> Option<Vec<u8>> {
    let fragment = fragment(link.get(..MAX_TEXT).unwrap_or(link));
    let (_, packed) = fragment.split_once(WEIGHTS)?;
    let packed = belonging(packed);
    // One character alone is no byte.
    let whole = packed.len() - usize::from(packed.len() % 4 == 1);
    Some(LENIENT.decode(&packed[..whole]).unwrap_or_default())
}

/// Whether a link names a preset: where the page's code comes in two parts, [`decode`] wants both for it.
pub fn names_preset(link: &str) -> bool {
    link.len() <= MAX_TEXT && fragment(link).starts_with("p=")
}

/// Reads a link, or the part of one after `#`.
///
/// # Errors
/// When it is no such link, is damaged or cut off, comes from a newer version, or holds an experiment that cannot be read.
pub fn decode(link: &str) -> Result<Parsed, UserError> {
    if link.len() > MAX_TEXT {
        return Err(too_long());
    }
    let fragment = fragment(link);
    if let Some(id) = fragment.strip_prefix("p=") {
        return apart(|| preset(belonging(id)));
    }
    let Some((codec, rest)) = fragment.strip_prefix("c=").and_then(|rest| rest.split_once('.')) else {
        return Err(UserError::at("link", "This link holds no experiment.")
            .hint("A link to an experiment has `#c=1.` in it; copy all of it."));
    };
    let payload = belonging(rest);
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
        return Err(too_long());
    }
    // One character alone is no byte.
    let whole = payload.len() - usize::from(payload.len() % 4 == 1);
    let packed = LENIENT.decode(&payload[..whole]).unwrap_or_default();
    let cut = payload.len() < rest.len();
    let json = decompress_to_vec_with_limit(&packed, MAX_DOCUMENT).map_err(|error| match error.status {
        TINFLStatus::HasMoreOutput => {
            UserError::at("link", format!("This link unpacks to more than {} MiB.", MAX_DOCUMENT >> 20))
                .hint("Do not trust where it came from.")
        }
        _ if cut => damaged("has characters in it that do not belong there, or its end is missing"),
        TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput => damaged("ends too early"),
        _ => damaged("was changed on the way"),
    })?;
    let text = String::from_utf8(json).map_err(|_| damaged("was changed on the way"))?;
    if has_more_values(&text, MAX_VALUES) {
        let message = format!("This link unpacks to more than {MAX_VALUES} values.");
        return Err(UserError::at("link", message).hint("Ask for the experiment as a file."));
    }
    Experiment::parse(&text)
}

/// Whether there are more values than `most` in a text of JSON: all but the first of a list stand behind a comma, and lists within lists behind
/// their brackets.
fn has_more_values(json: &str, most: usize) -> bool {
    let (mut inside, mut escaped) = (false, false);
    let opens = |&byte: &u8| {
        let counts = !inside && matches!(byte, b',' | b'[' | b'{');
        inside ^= byte == b'"' && !escaped;
        escaped = inside && byte == b'\\' && !escaped;
        counts
    };
    json.bytes().filter(opens).nth(most).is_some()
}

/// The preset that a link names.
fn preset(id: &str) -> Result<Parsed, UserError> {
    let id = id.to_ascii_lowercase();
    let preset = presets::find(&id).ok_or_else(|| {
        let near = spec::nearest(&id, presets::all().iter().map(|preset| preset.id)).unwrap_or_default();
        UserError::at("link", format!("There is no example `{}`.", spec::quote(&id))).hint(format!("Did you mean `{near}`?"))
    })?;
    Experiment::parse(preset.json)
}

/// The part of a link after `#`, without what was put into it on the way: escapes (`%3D`, `\_`, a mail's `=3D`), spaces, line ends and
/// characters that cannot be seen.
fn fragment(link: &str) -> String {
    // Escapes may be escaped once more.
    let plain = unescaped(&unescaped(link));
    let start = plain.find("#c=").or_else(|| plain.find("#p=")).or_else(|| plain.find('#')).map_or(0, |at| at + 1);
    let soft_ends = plain[start..].replace("=\r\n", "").replace("=\n", "");
    let unseen = |c: char| matches!(c, '\\' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}');
    let text: String = soft_ends.chars().filter(|&c| !c.is_whitespace() && !unseen(c)).collect();
    match text.strip_prefix("c=3D") {
        Some(rest) => format!("c={rest}"),
        None => text,
    }
}

/// `%3D` as the `=` it stands for.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digit = |at: usize| tail.get(at).and_then(|&b| char::from(b).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The beginning that can be a part of a link: behind it stands what a sentence or a tracker added.
fn belonging(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').unwrap_or(text.len());
    &text[..end]
}

fn too_long() -> UserError {
    UserError::at("link", "This link is longer than any that Downhill makes.").hint("Ask for the experiment as a file.")
}

fn damaged(how: &str) -> UserError {
    UserError::at("link", format!("This link {how}.")).hint("Copy it again, from # to the last character.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first() -> Experiment {
        Experiment::parse(presets::all()[0].json).unwrap().experiment
    }

    #[test]
    fn every_preset_survives_the_way_through_a_link() {
        for preset in presets::all() {
            let experiment = Experiment::parse(preset.json).unwrap().experiment;
            let link = encode(&experiment);
            assert!(link.len() <= 2000, "{} makes a link of {} characters", preset.id, link.len());
            for written in [link.clone(), format!("#{link}"), format!("https://example.org/lab/#{link} ")] {
                assert_eq!(decode(&written).unwrap().experiment, experiment);
            }
        }
    }

    #[test]
    fn what_chats_and_mails_do_to_a_link_is_undone() {
        for preset in presets::all() {
            let experiment = Experiment::parse(preset.json).unwrap().experiment;
            let link = format!("https://example.org/lab/#{}", encode(&experiment));
            let inside = |what: &str| format!("{}{what}{}", &link[..link.len() - 9], &link[link.len() - 9..]);
            let mut written: Vec<String> = [
                ".",
                ")",
                ",",
                ">",
                "\"",
                "'",
                "\u{200b}",
                "==",
                "&utm_source=x",
                "?fbclid=x",
                "%3E",
                "%E2%80%8B",
                "/",
                "**",
                "!",
                "_",
                "…",
            ]
            .iter()
            .map(|tail| format!("{link}{tail}"))
            .collect();
            written.extend([" ", "\n", "\r\n", "%20", "%0A", "\u{200b}", "\u{ad}", "=\r\n"].map(inside));
            written.push(link.replace('=', "%3D"));
            written.push(link.replace('=', "%253D"));
            written.push(link.replace('#', "%23"));
            written.push(link.replace('_', "\\_"));
            written.push(link.replace('=', "=3D"));
            written.push(format!("Look at this (#1): <{link}> for example."));
            for written in written {
                let read = decode(&written).map(|parsed| parsed.experiment);
                assert_eq!(read.as_ref(), Ok(&experiment), "{}: {written}", preset.id);
            }
        }
    }

    #[test]
    fn weights_travel_behind_an_experiment_and_what_reads_none_leaves_them() {
        let weights: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let plain = encode(&first());
        for begins in [plain.as_str(), "p=spirals"] {
            let link = with_weights(begins, &weights);
            for written in
                [link.clone(), format!("See https://example.org/#{link}."), format!("<#{link}> "), link.replace('.', "%2E")]
            {
                assert_eq!(weights_of(&written).as_deref(), Some(&weights[..]), "{written}");
                assert_eq!(decode(&written), decode(begins), "{written}");
            }
            assert_eq!(weights_of(begins), None);
            // A link that is cut off gives fewer bytes, never a panic.
            for at in 0..link.len() {
                assert!(weights_of(&link[..at]).is_none_or(|found| weights.starts_with(&found)), "{at}");
            }
        }
    }

    #[test]
    fn a_preset_is_found_however_its_name_is_written_and_a_wrong_name_is_told() {
        let digits = Experiment::parse(presets::find("digits").unwrap().json).unwrap();
        for written in
            ["#p=digits", "#p=Digits", "p=DIGITS", "#p%3Ddigits", "https://example.org/#p=digits).", "#p=digits&utm_source=x"]
        {
            assert_eq!(decode(written).as_ref(), Ok(&digits), "{written}");
        }
        let error = decode("#p=digit").unwrap_err();
        assert!(
            error.message.contains("no example `digit`") && error.hint.as_deref() == Some("Did you mean `digits`?"),
            "{error}"
        );
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
        assert!(message(&format!("#c=1.{bomb}")).starts_with("This link unpacks to more than 4 MiB"));
        let list = URL_SAFE_NO_PAD.encode(compress_to_vec(format!("[0{}]", ",0".repeat(MAX_VALUES)).as_bytes(), 9));
        assert!(message(&format!("#c=1.{list}")).starts_with("This link unpacks to more than 100000 values"));
        let commas = format!(r#"{{ "name": "{}\"[,", "data": "xor", "model": ["relu"] }}"#, ",[{".repeat(60));
        assert!(!has_more_values(&commas, 4) && has_more_values(&commas, 3));
        assert!(message(&format!("#c=1.{}", "A".repeat(MAX_PAYLOAD + 1))).starts_with("This link is longer than any"));
        assert!(message(&"%".repeat(MAX_TEXT + 1)).starts_with("This link is longer than any"));
        let future = URL_SAFE_NO_PAD.encode(compress_to_vec(br#"{"version":9}"#, 9));
        assert!(message(&format!("#c=1.{future}")).contains("made by a newer Downhill"));
    }
}
