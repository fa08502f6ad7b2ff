//! The source `text`: a text of one's own, of which every window asks at every place for the token that comes next. How it is read stands in the module `corpus`,
//! how it is cut into tokens in the module `tokenizer`.

use std::rc::Rc;

use downhill_tensor::UserError;
use downhill_tensor::rng::{self, Rng};

use super::Generate;
use crate::assets::Assets;
use crate::corpus::{Corpus, CorpusReader, Origin};
use crate::dataset::{Dataset, Samples, Task};
use crate::field::{Column, Field};
use crate::fields;
use crate::language::Language;
use crate::read_on::{ReadOn, Streams, measured};
use crate::split::Split;
use crate::stream::{Draw, Stream};
use crate::tokenizer::Tokens;

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
        /// What one token is, where the tokenizer is learned from the text.
        #[schemars(title = "Tokenizer", extend("x-where" = { "tokenizer_json": [""], "tokenizer_file": [""] }))]
        tokenizer: Tokens = Tokens::Characters,
        /// Different tokens, at most, where they are words or merged bytes; 256 of them are the bytes.
        #[schemars(title = "Vocabulary", range(min = 257, max = 20_000), extend("x-where" = { "tokenizer": ["words", "bpe"], "tokenizer_json": [""], "tokenizer_file": [""] }))]
        vocabulary: u32 = 512,
        /// A tokenizer.json of Hugging Face's tokenizers, kept in the experiment; without one, and without a file, a tokenizer is learned from the text.
        #[schemars(title = "tokenizer.json", length(max = 4_000_000))]
        tokenizer_json: String = String::new(),
        /// Name of a tokenizer.json to read when the experiment holds none.
        #[schemars(title = "File of a tokenizer", length(max = 1000))]
        tokenizer_file: String = String::new(),
        /// Tokens that the network sees at a time.
        #[schemars(title = "Context", range(min = 1, max = 1024))]
        context: u32 = 64,
        /// Whether every row of a batch reads on where it ended in the batch before, so that recurrent layers go on with the state they had
        /// there; otherwise windows begin anywhere, and states with zero.
        #[schemars(title = "Carry state")]
        carry: bool = false,
        /// Share of the text, its end, that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.1,
    }
}

impl Text {
    /// What decides which tokens the text has.
    fn origin(&self) -> Origin {
        Origin {
            text: self.text.clone(),
            file: self.file.clone(),
            tokenizer: self.tokenizer,
            vocabulary: self.vocabulary as usize,
            json: self.tokenizer_json.clone(),
            json_file: self.tokenizer_file.clone(),
        }
    }

    fn tokenizer_file(&self) -> Option<&str> {
        (self.tokenizer_json.is_empty() && !self.tokenizer_file.is_empty()).then_some(self.tokenizer_file.as_str())
    }

    /// Begins to read the text.
    fn reader(&self, assets: &dyn Assets) -> Result<CorpusReader, UserError> {
        let text = match (self.text.as_str(), self.file.as_str()) {
            ("", "") => EXAMPLE.as_bytes().to_vec(),
            ("", file) => assets.own(file).map_err(|e| e.under("file"))?,
            (text, _) => text.as_bytes().to_vec(),
        };
        let tokenizer = match self.tokenizer_file() {
            Some(file) => Some(assets.own(file).map_err(|e| e.under("tokenizer_file"))?),
            None => (!self.tokenizer_json.is_empty()).then(|| self.tokenizer_json.clone().into_bytes()),
        };
        Ok(CorpusReader::new(self.origin(), text, tokenizer))
    }
}

impl Generate for Text {
    fn needs(&self) -> Vec<&str> {
        let text = (self.text.is_empty() && !self.file.is_empty()).then_some(self.file.as_str());
        text.into_iter().chain(self.tokenizer_file()).collect()
    }

    fn reading(&self, assets: &dyn Assets) -> Result<Option<CorpusReader>, UserError> {
        if assets.corpus().is_some_and(|corpus| corpus.origin == self.origin()) {
            return Ok(None);
        }
        self.reader(assets).map(Some)
    }

    fn generate(&self, seed: u32, assets: &dyn Assets) -> Result<Dataset, UserError> {
        let kept = assets.corpus().filter(|corpus| corpus.origin == self.origin());
        let corpus = kept.map_or_else(|| Ok(Rc::new(self.reader(assets)?.finish()?)), Ok::<Rc<Corpus>, UserError>)?;
        let (tokens, tokenizer, mut notes) = (&corpus.tokens, corpus.tokenizer.clone(), corpus.notes.clone());
        let (all, context) = (tokens.len(), self.context as usize);
        if tokens.iter().all(|token| *token == tokens[0]) {
            let message = "The text is one token over and over, so there is nothing to predict.";
            let field = if self.text.is_empty() && !self.file.is_empty() { "file" } else { "text" };
            return Err(UserError::at(field, message).hint("Paste a text with some variety, or choose another tokenizer."));
        }
        if all <= context {
            let message = format!("The text has {all} tokens; a context of {context} needs at least {}.", context + 1);
            return Err(UserError::at("context", message).hint("Make the context shorter, or the text longer."));
        }
        // What is learned from holds at least one window.
        let learned = all - ((all as f64 * self.validation) as usize).min(all - context - 1);
        let held_out = all - learned;
        let parts = [(0, learned), (learned, held_out)].map(|(from, len)| {
            if self.carry { measured(from, len, context, MEASURED) } else { (starts(from, len, context), 1) }
        });
        let cut = ReadOn { learned, context, measured: [parts[0].1, parts[1].1] };
        let spread = parts.map(|(starts, _)| starts);
        if held_out > 0 && spread[1].is_empty() {
            notes.push(format!(
                "The share held out, {held_out} tokens, is shorter than the context, so nothing is measured on it."
            ));
        }
        notes.push(format!("{} tokens of {} kinds: {learned} to learn from, {held_out} held out.", all, tokenizer.len()));
        let at =
            |offset: usize| spread.iter().flatten().flat_map(|start| &tokens[start + offset..][..context]).copied().collect();
        let classes = tokenizer.names();
        let fields = vec![Field::new("tokens", [context], Column::U32(at(0))).vocabulary(classes.len())];
        let description = if self.carry {
            "A sample is a window of the text, which goes on where that of the batch before ended; at every place of it the next token is to be predicted."
        } else {
            "A sample is a window of the text, begun anywhere; at every place of it the next token is to be predicted."
        };
        let card = (description, "Your own; it stays on this machine unless you share the experiment.");
        let mut samples = Samples::new(Task::Classification { classes }, fields, Column::U32(at(1)), card);
        samples.positions = vec![context];
        samples.features = (1..=context).map(|step| format!("token at {step}")).collect();
        samples.notes = notes;
        let [train, validation] =
            [0..spread[0].len() as u32, spread[0].len() as u32..(spread[0].len() + spread[1].len()) as u32];
        samples.parts = Some(Split { train: train.collect(), validation: validation.collect() });
        let of_text = tokens.clone();
        let windows: Rc<dyn Draw> = if self.carry {
            Rc::new(Streams { tokens: of_text, cut })
        } else {
            Rc::new(Windows { tokens: of_text, learned, context })
        };
        samples.stream = Some(Stream::new(windows, seed));
        let prompt = PROMPT.min(context);
        let characters = Some(corpus.characters as f64 / all as f64);
        let language = Language { tokenizer, input: 0, prompt, end: None, goes_on: true, characters };
        let mut set = samples.finish(self.validation, seed)?;
        // The windows that are kept are not the whole text.
        set.card.hash = hash(&set.card.hash, tokens);
        Ok(Dataset { language: Some(language), read_on: self.carry.then_some(cut), ..set })
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
    fn where_the_state_is_carried_a_batch_goes_on_from_the_one_before() {
        let set = build(json!({ "text": "0123456789".repeat(50), "context": 7, "validation": 0.25, "carry": true })).unwrap();
        let cut = set.read_on.unwrap();
        assert_eq!((cut.learned, cut.measured, set.train.len(), set.validation.len()), (375, [16, 16], 48, 16));
        let batch = |step| {
            let (mut x, mut y) = (vec![0; 7 * 4], vec![0; 7 * 4]);
            set.stream.as_ref().unwrap().fill(step, &mut x, &mut y);
            (x, y)
        };
        assert_eq!(cut.batches(4), 13);
        for step in 1..40 {
            let ((_, before), (now, _)) = (batch(step - 1), batch(step));
            let follows = before.chunks(7).zip(now.chunks(7)).all(|(before, now)| before[6] == now[0]);
            assert!(follows || !cut.goes_on(step, 4), "{step}");
        }
        for part in [&set.train, &set.validation] {
            let (x, y) = (part.field("tokens").unwrap(), part.field("y").unwrap());
            assert!((0..part.len()).all(|i| i % 16 == 15 || y.row(i)[6] == x.row(i + 1)[0]));
        }
        assert!(build(json!({})).unwrap().read_on.is_none());
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
    fn a_tokenizer_of_ones_own_cuts_the_text_and_one_that_cannot_is_a_sentence() {
        let text = "the sea and the shore. ".repeat(20);
        let learned = build(json!({ "text": text, "context": 4, "tokenizer": "bpe", "vocabulary": 280 })).unwrap();
        let language = learned.language.unwrap();
        let file = language.tokenizer.to_json().unwrap();
        // Whatever else the fields say.
        let fields = json!({ "text": text, "context": 4, "tokenizer": "words", "tokenizer_json": file });
        let read = build(fields).unwrap();
        assert_eq!(read.card.hash, learned.card.hash);
        assert_eq!(read.language.unwrap().tokenizer, language.tokenizer);
        let fields = json!({ "text": text, "context": 4, "tokenizer_file": "mine.json" });
        let source = Source::from_json("text", &fields).unwrap();
        assert_eq!(source.needs(), ["mine.json"]);
        assert_eq!(source.build(3, &File(file.into_bytes())).unwrap().card.hash, learned.card.hash);
        assert_eq!(source.build(3, &File(b"{}".to_vec())).unwrap_err().path.as_deref(), Some("tokenizer_file"));
        let letters = build(json!({ "text": "abc abc abc", "context": 4 })).unwrap().language.unwrap().tokenizer.to_json();
        let error = build(json!({ "text": text, "tokenizer_json": letters })).unwrap_err();
        assert_eq!((error.path.as_deref(), error.message.as_str()), (Some("tokenizer_json"), "The network knows no character \"t\"."));
        assert!(error.hint.unwrap().contains("another tokenizer"));
    }

    #[test]
    fn a_text_read_in_slices_is_the_one_read_at_once() {
        struct Kept(Rc<Corpus>);
        impl Assets for Kept {
            fn get(&self, _: &str) -> Option<Vec<u8>> {
                None
            }

            fn corpus(&self) -> Option<Rc<Corpus>> {
                Some(self.0.clone())
            }
        }
        let text = "große Häfen 🚢 and small ones;\n\n שלום it's 12 o'clock ".repeat(30);
        for tokenizer in ["characters", "bytes", "words", "bpe"] {
            let fields = json!({ "text": text, "context": 8, "tokenizer": tokenizer, "vocabulary": 300 });
            let source = Source::from_json("text", &fields).unwrap();
            let mut reader = source.reading(&NoAssets).unwrap().unwrap();
            let mut slices = 0;
            let corpus = loop {
                let before = reader.progress();
                if let Some(corpus) = reader.advance(100).unwrap() {
                    break corpus;
                }
                assert!((before..=1.0).contains(&reader.progress()), "{tokenizer}");
                slices += 1;
            };
            assert!(slices > 10, "{tokenizer}: {slices}");
            let kept = Kept(Rc::new(corpus));
            let (slowly, at_once) = (source.build(3, &kept).unwrap(), source.build(3, &NoAssets).unwrap());
            assert_eq!(slowly.card.hash, at_once.card.hash, "{tokenizer}");
            assert!(source.reading(&kept).unwrap().is_none(), "{tokenizer}: it is there");
            let other = Source::from_json("text", &json!({ "text": "another text, another tokenizer", "context": 8 })).unwrap();
            assert!(other.reading(&kept).unwrap().is_some());
        }
    }

    #[test]
    fn sixty_thousand_different_characters_are_refused_or_spelled() {
        let characters = ('\u{4e00}'..='\u{9fff}').chain('\u{ac00}'..='\u{d7a3}').chain('\u{20000}'..'\u{27000}').take(59_999);
        let word = |(at, c): (usize, char)| if at % 7 == 0 { format!(" {c}") } else { c.to_string() };
        let text: String = characters.enumerate().map(word).collect();
        let error = build(json!({ "text": text })).unwrap_err();
        assert_eq!(error.path.as_deref(), Some("tokenizer"));
        assert!(error.message.contains("60000 different characters"), "{error}");
        for tokenizer in ["bytes", "words", "bpe"] {
            assert!(build(json!({ "text": text, "tokenizer": tokenizer })).is_ok(), "{tokenizer}");
        }
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
