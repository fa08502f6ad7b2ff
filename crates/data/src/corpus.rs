//! A text as tokens. It is read in slices, so that whoever waits for a long one can say how far it is, and kept, so that a data set of the same text with another
//! context begins at once.

use std::rc::Rc;

use downhill_tensor::UserError;

use crate::csv;
use crate::tokenizer::{Encoding, Learner, Tokenizer, Tokens};

/// What decides what the tokens of a text are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// The text itself, or nothing where a file holds it.
    pub text: String,
    /// Name of the file.
    pub file: String,
    /// What is learned from the text,
    pub tokenizer: Tokens,
    /// and how many tokens of it, at most;
    pub vocabulary: usize,
    /// or else the tokenizer itself,
    pub json: String,
    /// or the name of its file.
    pub json_file: String,
}

/// A text that was read.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// What it was made of.
    pub origin: Origin,
    /// How it is cut.
    pub tokenizer: Rc<Tokenizer>,
    /// All of its tokens.
    pub tokens: Rc<[u32]>,
    /// How many characters it has.
    pub characters: usize,
    /// What was done to it.
    pub notes: Vec<String>,
}

/// Reads a text.
pub struct CorpusReader {
    origin: Origin,
    /// The field that holds the text, and the one that holds its tokenizer.
    fields: [&'static str; 2],
    text: String,
    notes: Vec<String>,
    stage: Stage,
}

enum Stage {
    Bytes(Vec<u8>, Option<String>),
    Learning(Learner),
    Cutting(Rc<Tokenizer>, Encoding),
}

/// Share of the work that learning the tokenizer is.
const LEARNING: f64 = 0.6;

impl CorpusReader {
    /// Begins with the bytes of a text, and those of a tokenizer where none is to be learned.
    pub fn new(origin: Origin, text: Vec<u8>, tokenizer: Option<Vec<u8>>) -> Self {
        let field = |file: bool, names: [&'static str; 2]| names[usize::from(file)];
        let fields = [
            field(origin.text.is_empty() && !origin.file.is_empty(), ["text", "file"]),
            field(origin.json.is_empty(), ["tokenizer_json", "tokenizer_file"]),
        ];
        let tokenizer = tokenizer.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Self { origin, fields, text: String::new(), notes: Vec::new(), stage: Stage::Bytes(text, tokenizer) }
    }

    /// Goes on for about so many bytes of the text; gives it once it is read.
    ///
    /// # Errors
    /// When it is empty, too large, no text, or holds what the tokenizer has no token for.
    #[inline(never)]
    pub fn advance(&mut self, budget: usize) -> Result<Option<Corpus>, UserError> {
        let [of_text, of_tokenizer] = self.fields;
        match &mut self.stage {
            Stage::Bytes(bytes, tokenizer) => {
                let (text, notes) = decode(bytes, of_text)?;
                (self.text, self.notes) = (text, notes);
                self.stage = match tokenizer {
                    Some(json) => {
                        let tokenizer = Tokenizer::from_json(json).map_err(|error| error.under(of_tokenizer))?;
                        Stage::Cutting(Rc::new(tokenizer), Encoding::default())
                    }
                    None => Stage::Learning(Learner::new(self.origin.tokenizer, self.origin.vocabulary)),
                };
            }
            Stage::Learning(learner) => {
                if let Some(tokenizer) = learner.advance(&self.text, budget)? {
                    self.stage = Stage::Cutting(Rc::new(tokenizer), Encoding::default());
                }
            }
            Stage::Cutting(tokenizer, encoding) => {
                let unknown = |error: UserError| {
                    error.under(of_tokenizer).hint("Take another tokenizer, or have one learned from the text.")
                };
                encoding.advance(tokenizer, &self.text, budget).map_err(unknown)?;
                if encoding.done() >= self.text.len() {
                    return Ok(Some(Corpus {
                        origin: std::mem::take(&mut self.origin),
                        tokenizer: tokenizer.clone(),
                        tokens: std::mem::take(encoding).finish().into(),
                        characters: self.text.chars().count(),
                        notes: std::mem::take(&mut self.notes),
                    }));
                }
            }
        }
        Ok(None)
    }

    /// Share of the work that is done, 0 to 1.
    #[inline(never)]
    pub fn progress(&self) -> f64 {
        match &self.stage {
            Stage::Bytes(..) => 0.0,
            Stage::Learning(learner) => LEARNING * learner.progress(&self.text),
            Stage::Cutting(_, encoding) => LEARNING + (1.0 - LEARNING) * encoding.done() as f64 / self.text.len().max(1) as f64,
        }
    }

    /// Reads all that is left.
    ///
    /// # Errors
    /// As [`CorpusReader::advance`].
    pub fn finish(mut self) -> Result<Corpus, UserError> {
        loop {
            if let Some(corpus) = self.advance(usize::MAX)? {
                return Ok(corpus);
            }
        }
    }
}

/// The text of a file with line ends of one kind, and what was done to it.
fn decode(bytes: &[u8], field: &'static str) -> Result<(String, Vec<String>), UserError> {
    if bytes.len() > csv::MAX_BYTES {
        let message = format!("The text has {} MB; at most 20 MB are read.", bytes.len().div_ceil(1_000_000));
        return Err(UserError::at(field, message).hint("Keep a part of it."));
    }
    let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let foreign = !is_utf16 && std::str::from_utf8(bytes).is_err();
    let text = csv::decode(bytes)?;
    if text.trim().is_empty() {
        return Err(UserError::at(field, "There is no text here.").hint("Paste one, or drop a file."));
    }
    if text.contains('\0') {
        let message = "This is no text: it contains zero bytes.";
        return Err(UserError::at(field, message).hint("Save it as plain text."));
    }
    let note = "The text is not UTF-8, so every byte was read as a character of Windows-1252.";
    Ok((one_line_end(text), foreign.then(|| note.to_string()).into_iter().collect()))
}

/// A text whose lines end in one way.
pub fn one_line_end(text: String) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text }
}
