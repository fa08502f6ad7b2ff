//! The source `text`: a text of one's own, of which every window asks at every place for the token that comes next. How a text is cut into
//! tokens stands in the module `tokenizer`.

use std::rc::Rc;

use downhill_tensor::UserError;
use downhill_tensor::rng::{self, Rng};

use super::Generate;
use crate::assets::Assets;
use crate::csv;
use crate::dataset::{Dataset, Samples, Task};
use crate::field::{Column, Field};
use crate::fields;
use crate::language::Language;
use crate::split::Split;
use crate::stream::{Draw, Stream};
use crate::tokenizer::{Tokenizer, Tokens};

/// What is read where there is no text yet.
const EXAMPLE: &str = include_str!("../../../../static/data/harbour.txt");

/// Windows of each part that a run is measured with.
const MEASURED: usize = 256;

/// Tokens of a window that a person is shown a continuation of.
const PROMPT: usize = 16;

fields! {
    /// A text of your own, in windows: what comes next?
    #[schemars(title = "Own text", extend("x-glyph" = "Aa"))]
    Text {
        /// The text itself, kept in the experiment; without one, and without a file, a short example.
        #[schemars(title = "Text", length(max = 20_000_000))]
        text: String = String::new(),
        /// Name of a file to read when there is no text.
        #[schemars(title = "File", length(max = 1000))]
        file: String = String::new(),
        /// What one token is.
        #[schemars(title = "Tokenizer")]
        tokenizer: Tokens = Tokens::Characters,
        /// Different tokens, at most, where they are words or merged bytes; 256 of them are the bytes.
        #[schemars(title = "Vocabulary", range(min = 257, max = 20_000))]
        vocabulary: u32 = 512,
        /// Tokens that the network sees at a time.
        #[schemars(title = "Context", range(min = 1, max = 1024))]
        context: u32 = 64,
        /// Share of the text, its end, that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.1,
    }
}

impl Text {
    /// The text with line ends of one kind, and what was done to it.
    fn read(&self, assets: &dyn Assets) -> Result<(String, Vec<String>), UserError> {
        let (field, bytes) = match (self.needs(), self.text.as_str()) {
            (Some(file), _) => ("file", assets.own(file).map_err(|e| e.under("file"))?),
            (None, "") => ("text", EXAMPLE.as_bytes().to_vec()),
            (None, text) => ("text", text.as_bytes().to_vec()),
        };
        if bytes.len() > csv::MAX_BYTES {
            let message = format!("The text has {} MB; at most 20 MB are read.", bytes.len().div_ceil(1_000_000));
            return Err(UserError::at(field, message).hint("Keep a part of it."));
        }
        let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        let foreign = !is_utf16 && std::str::from_utf8(&bytes).is_err();
        let text = csv::decode(&bytes)?;
        if text.trim().is_empty() {
            return Err(UserError::at(field, "There is no text here.").hint("Paste one, or drop a file."));
        }
        if text.contains('\0') {
            let message = "This is no text: it contains zero bytes.";
            return Err(UserError::at(field, message).hint("Save it as plain text."));
        }
        let text = if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text };
        let note = "The text is not UTF-8, so every byte was read as a character of Windows-1252.";
        Ok((text, foreign.then(|| note.to_string()).into_iter().collect()))
    }
}

impl Generate for Text {
    fn needs(&self) -> Option<&str> {
        (self.text.is_empty() && !self.file.is_empty()).then_some(self.file.as_str())
    }

    fn generate(&self, seed: u32, assets: &dyn Assets) -> Result<Dataset, UserError> {
        let (text, mut notes) = self.read(assets)?;
        let tokenizer = Tokenizer::learn(self.tokenizer, self.vocabulary as usize, &text)?;
        let tokens: Rc<[u32]> = tokenizer.encode(&text)?.into();
        let (all, context) = (tokens.len(), self.context as usize);
        if tokens.iter().all(|token| *token == tokens[0]) {
            let message = "The text is one token over and over, so there is nothing to predict.";
            return Err(UserError::at("text", message).hint("Paste a text with some variety, or choose another tokenizer."));
        }
        if all <= context {
            let message = format!("The text has {all} tokens; a context of {context} needs at least {}.", context + 1);
            return Err(UserError::at("context", message).hint("Make the context shorter, or the text longer."));
        }
        // What is learned from holds at least one window.
        let learned = all - ((all as f64 * self.validation) as usize).min(all - context - 1);
        let held_out = all - learned;
        let spread = [starts(0, learned, context), starts(learned, held_out, context)];
        if held_out > 0 && spread[1].is_empty() {
            notes.push(format!("The share held out, {held_out} tokens, is shorter than the context, so nothing is measured on it."));
        }
        notes.push(format!("{} tokens of {} kinds: {learned} to learn from, {held_out} held out.", all, tokenizer.len()));
        let at = |offset: usize| spread.iter().flatten().flat_map(|start| &tokens[start + offset..][..context]).copied().collect();
        let classes = tokenizer.names();
        let fields = vec![Field::new("tokens", [context], Column::U32(at(0))).vocabulary(classes.len())];
        let card = (
            "A sample is a window of the text, begun anywhere; at every place of it the next token is to be predicted.",
            "Your own; it stays on this machine unless you share the experiment.",
        );
        let mut samples = Samples::new(Task::Classification { classes }, fields, Column::U32(at(1)), card);
        samples.positions = vec![context];
        samples.features = (1..=context).map(|step| format!("token at {step}")).collect();
        samples.notes = notes;
        let [train, validation] = [0..spread[0].len() as u32, spread[0].len() as u32..(spread[0].len() + spread[1].len()) as u32];
        samples.parts = Some(Split { train: train.collect(), validation: validation.collect() });
        let windows = Windows { tokens: tokens.clone(), learned, context };
        samples.stream = Some(Stream::new(Rc::new(windows), seed));
        let prompt = PROMPT.min(context);
        let characters = Some(text.chars().count() as f64 / all as f64);
        let language = Language { tokenizer: Rc::new(tokenizer), input: 0, prompt, end: None, goes_on: true, characters };
        let mut set = samples.finish(self.validation, seed)?;
        // The windows that are kept are not the whole text.
        set.card.hash = hash(&set.card.hash, &tokens);
        Ok(Dataset { language: Some(language), ..set })
    }
}

/// Starts of the windows that a part is measured with, spread evenly over it; of a short part, windows that do not overlap.
fn starts(from: usize, len: usize, context: usize) -> Vec<usize> {
    let last = match len.checked_sub(context + 1) {
        Some(last) => last,
        None => return Vec::new(),
    };
    let count = (last / context + 1).min(MEASURED);
    (0..count).map(|i| from + i * last / (count - 1).max(1)).collect()
}

/// FNV-1a of what is known of the windows, and of every token.
fn hash(windows: &str, tokens: &[u32]) -> String {
    let add = |state: u64, word: u32| (state ^ u64::from(word)).wrapping_mul(0x0100_0000_01b3);
    let state = windows.bytes().map(u32::from).chain(tokens.iter().copied()).fold(0xcbf2_9ce4_8422_2325, add);
    format!("{state:016x}")
}

/// The windows of training steps: each begins anywhere in what is learned from.
struct Windows {
    tokens: Rc<[u32]>,
    learned: usize,
    context: usize,
}

impl Draw for Windows {
    fn draw(&self, seed: u32, step: u64, x: &mut [u32], y: &mut [u32]) {
        let mut rng = Rng::new(seed, rng::Stream::Batches, step as u32);
        for (x, y) in x.chunks_exact_mut(self.context).zip(y.chunks_exact_mut(self.context)) {
            let start = rng.below(self.learned - self.context);
            x.copy_from_slice(&self.tokens[start..start + self.context]);
            y.copy_from_slice(&self.tokens[start + 1..=start + self.context]);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::Source;
    use crate::{IGNORED, NoAssets};

    fn build(fields: serde_json::Value) -> Result<Dataset, UserError> {
        Source::from_json("text", &fields).and_then(|source| source.build(3, &NoAssets))
    }

    struct File(Vec<u8>);

    impl Assets for File {
        fn get(&self, _: &str) -> Option<Vec<u8>> {
            None
        }

        fn own(&self, _: &str) -> Result<Vec<u8>, UserError> {
            Ok(self.0.clone())
        }
    }

    fn of_file(bytes: &[u8], fields: &serde_json::Value) -> Result<Dataset, UserError> {
        let mut fields = fields.clone();
        fields["file"] = json!("mine.txt");
        Source::from_json("text", &fields).and_then(|source| source.build(3, &File(bytes.to_vec())))
    }

    #[test]
    fn every_window_asks_for_the_token_behind_each_of_its_own() {
        let text = "0123456789".repeat(20);
        let set = build(json!({ "text": text, "context": 7, "validation": 0.25 })).unwrap();
        let next = |row: &[u32], asked: &[u32]| row.iter().zip(asked).all(|(a, b)| (a + 1) % 10 == *b && *b != IGNORED);
        for part in [&set.train, &set.validation] {
            assert!(part.len() > 5);
            for i in 0..part.len() {
                assert!(next(&part.field("tokens").unwrap().row(i), &part.field("y").unwrap().row(i)));
            }
        }
        let (mut x, mut y) = (vec![0; 7 * 40], vec![0; 7 * 40]);
        set.stream.unwrap().fill(11, &mut x, &mut y);
        assert!(x.chunks(7).zip(y.chunks(7)).all(|(x, y)| next(x, y)));
        let starts: std::collections::BTreeSet<u32> = x.chunks(7).map(|row| row[0]).collect();
        assert_eq!(starts.len(), 10, "windows begin anywhere");
    }

    #[test]
    fn the_end_of_the_text_is_held_out_and_no_step_sees_it() {
        let text = "ab".repeat(300) + &"cd".repeat(100);
        let set = build(json!({ "text": text, "context": 16, "validation": 0.25 })).unwrap();
        let tokens = |part: &crate::Part| part.field("tokens").unwrap().column.words(0, usize::MAX);
        assert!(tokens(&set.train).iter().all(|token| *token < 2) && tokens(&set.validation).iter().all(|token| *token >= 2));
        let stream = set.stream.unwrap();
        for step in 0..50 {
            let (mut x, mut y) = (vec![0; 16 * 8], vec![0; 16 * 8]);
            stream.fill(step, &mut x, &mut y);
            assert!(x.iter().chain(&y).all(|token| *token < 2));
        }
    }

    #[test]
    fn line_ends_and_marks_of_other_systems_change_nothing() {
        let plain = of_file(b"one\ntwo\nthree\n", &json!({ "context": 4 })).unwrap();
        for bytes in [&b"one\r\ntwo\r\nthree\r\n"[..], b"\xef\xbb\xbfone\ntwo\nthree\n", b"one\rtwo\rthree\r"] {
            assert_eq!(of_file(bytes, &json!({ "context": 4 })).unwrap().card.hash, plain.card.hash);
        }
        let latin = of_file(b"gr\xf6\xdfer und kleiner", &json!({ "context": 4 })).unwrap();
        assert!(latin.notes[0].contains("Windows-1252"), "{:?}", latin.notes);
        assert_eq!(latin.language.unwrap().tokenizer.encode("größer").unwrap().len(), 6);
    }

    #[test]
    fn what_cannot_be_learned_is_refused_with_the_field_and_a_way_out() {
        let refused = |fields| build(fields).unwrap_err();
        let short = refused(json!({ "text": "too short", "context": 9 }));
        assert_eq!(short.path.as_deref(), Some("context"));
        assert_eq!(short.message, "The text has 9 tokens; a context of 9 needs at least 10.");
        assert!(build(json!({ "text": "just right", "context": 9 })).is_ok());
        for fields in [json!({ "text": "a".repeat(500) }), json!({ "text": "a".repeat(500), "tokenizer": "bytes" })] {
            assert!(refused(fields).message.contains("one token over and over"));
        }
        assert!(refused(json!({ "text": " \n\t " })).message.contains("no text here"));
        for empty in [&b""[..], b"\xef\xbb\xbf", b"\r\n"] {
            assert_eq!(of_file(empty, &json!({})).unwrap_err().path.as_deref(), Some("file"));
        }
        assert!(of_file(b"PK\0\0\x01", &json!({})).unwrap_err().message.contains("zero bytes"));
        assert!(of_file(&vec![b'a'; 20_000_001], &json!({})).unwrap_err().message.contains("21 MB"));
    }

    #[test]
    fn without_a_text_there_is_an_example_and_every_tokenizer_reads_it() {
        for tokenizer in ["characters", "bytes", "words", "bpe"] {
            let set = build(json!({ "tokenizer": tokenizer })).unwrap();
            let language = set.language.as_ref().unwrap();
            assert_eq!(language.tokenizer.len(), set.train.field("tokens").unwrap().vocabulary.unwrap());
            let row = set.validation.field("tokens").unwrap().row(0);
            assert!(EXAMPLE.contains(&language.tokenizer.decode(&row)), "{tokenizer}");
        }
    }

    #[test]
    fn another_word_anywhere_in_the_text_is_another_set() {
        let text = "the quick brown fox jumps over the lazy dog. ".repeat(2000);
        let hash = |text: &str| build(json!({ "text": text })).unwrap().card.hash;
        let middle = text.len() / 2 + 3;
        let changed = format!("{}x{}", &text[..middle], &text[middle + 1..]);
        assert_ne!(hash(&text), hash(&changed));
    }
}
