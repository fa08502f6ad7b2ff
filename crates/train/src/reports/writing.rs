//! A text in the making: which tokens there are, what the network is to be asked next, and where it ends. Scores in, tokens out; nothing here
//! runs a network, and which token is picked says `picking.rs`.

use std::rc::Rc;

use downhill_data::{Dataset, Language, Tokenizer, one_line_end};
use downhill_protocol::{Generate, LIKELIEST};
use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::picking::{check, pick, softmax};

/// Tokens that are added at most.
const MOST: u32 = 10_000;

/// A text that is being continued.
#[derive(Debug)]
pub(crate) struct Writing {
    ask: Generate,
    tokenizer: Rc<Tokenizer>,
    /// Tokens that the network sees at a time.
    context: usize,
    /// Tokens at which the text ends.
    most: usize,
    end: Option<u32>,
    tokens: Vec<u32>,
    given: usize,
    /// How likely each token was held; NaN where it is not known.
    probabilities: Vec<f32>,
    /// The likeliest tokens at each place, [`LIKELIEST`] a place, and their probabilities; NaN where there are fewer.
    likeliest: Vec<(f32, f32)>,
    /// Where a text may end before a stop word, the bytes that were added.
    added: Vec<u8>,
    /// Whether a stop word has come.
    stopped: bool,
}

impl Writing {
    /// A text that begins as it is asked for.
    ///
    /// # Errors
    /// When the data is no text, or the prompt cannot be read or is too long.
    pub fn new(ask: Generate, data: &Dataset) -> Result<Self, UserError> {
        let field = data.written().and_then(|name| data.shown().field(name));
        let (Some(language), Some(field)) = (&data.language, field) else {
            return Err(UserError::new("This data is no text that could be continued.")
                .hint("Choose data whose answer is the token that comes next, such as your own text."));
        };
        check(&ask)?;
        if ask.tokens > MOST {
            let message = format!("A text grows by {MOST} tokens at a time, not by {}.", ask.tokens);
            return Err(UserError::at("tokens", message).hint("Ask for fewer, and go on from there."));
        }
        let context = field.width();
        // A text of one's own is learned with line ends of one kind.
        let prompt = one_line_end(ask.prompt.clone());
        let typed = language.tokenizer.encode(&prompt).map_err(|e| e.under("prompt"))?;
        // What stands beside something else begins with a token that says so, which nobody types.
        let begins = if ask.prompt.is_empty() || language.input > 0 { language.prompt } else { 0 };
        let tokens = field.row(0).into_iter().take(begins).chain(typed).collect();
        Self::of_tokens(ask, tokens, context, language)
    }

    fn of_tokens(ask: Generate, tokens: Vec<u32>, context: usize, language: &Language) -> Result<Self, UserError> {
        let given = tokens.len();
        if given == 0 {
            return Err(UserError::at("prompt", "The prompt holds no token.").hint("Write something, or leave it empty."));
        }
        if given > context && !language.goes_on {
            let message = format!("The prompt has {given} tokens; the network continues at most {context} here.");
            return Err(UserError::at("prompt", message).hint("Make it shorter."));
        }
        let wished = given + ask.tokens as usize;
        let most = if language.goes_on { wished } else { wished.min(context + 1) };
        let (probabilities, likeliest, end) =
            (vec![f32::NAN; given], vec![(f32::NAN, f32::NAN); given * LIKELIEST], language.end);
        let (tokenizer, added) = (language.tokenizer.clone(), Vec::new());
        Ok(Self { ask, tokenizer, context, most, end, tokens, given, probabilities, likeliest, added, stopped: false })
    }

    /// Whether nothing is to be added.
    pub fn is_done(&self) -> bool {
        self.stopped || self.tokens.len() >= self.most || self.tokens.last().copied() == self.end && self.end.is_some()
    }

    /// What the network is given, the last tokens that fit, filled up behind them, and the places of it whose answers are wanted: all of them
    /// as long as only the prompt is there, which so gets its probabilities, then the last.
    pub fn window(&self) -> (Vec<u32>, std::ops::Range<usize>) {
        let mut window = self.tokens[self.first()..].to_vec();
        let len = window.len();
        window.resize(self.context, 0);
        (window, if self.tokens.len() == self.given { 0 } else { len - 1 }..len)
    }

    /// Whether what the network knows of the tokens so far may be kept: as long as all of them lie in the window. Where the window has to slide, every
    /// token gets another position, and nothing of before holds; a network that reads on (`on`) knows no positions, and
    /// keeps its states in any case.
    pub fn may_keep(&self, on: bool) -> bool {
        on || self.ask.cache && self.tokens.len() <= self.context
    }

    /// The token that stands first in the window.
    fn first(&self) -> usize {
        self.tokens.len().saturating_sub(self.context)
    }

    /// Takes the scores of every token at the places of the window that were wanted, one place after the other, and adds a token.
    pub fn take(&mut self, scores: &[f32]) {
        let (window, places) = self.window();
        let width = scores.len() / places.len();
        let Some(last) = scores.chunks_exact(width.max(1)).last() else { return };
        let begun = self.first();
        for (place, scores) in places.zip(scores.chunks_exact(width.max(1))) {
            // What is said at a place is about the token behind it.
            if let Some(at) = Some(begun + place + 1).filter(|at| *at < self.tokens.len()) {
                let said = softmax(scores);
                self.probabilities[at] = said.get(window[place + 1] as usize).copied().unwrap_or(f32::NAN);
                self.likeliest[at * LIKELIEST..(at + 1) * LIKELIEST].copy_from_slice(&likeliest(&said));
            }
        }
        let draw = Rng::new(self.ask.seed, Stream::Text, self.tokens.len() as u32).uniform();
        let (token, said) = (pick(last, &self.tokens, &self.ask, draw), softmax(last));
        self.tokens.push(token as u32);
        self.probabilities.push(said.get(token).copied().unwrap_or(f32::NAN));
        self.likeliest.extend(likeliest(&said));
        self.look_for_stop();
    }

    /// Ends the text before a stop word that the newest token completes.
    fn look_for_stop(&mut self) {
        let Some(longest) = self.ask.stop.iter().map(String::len).max() else { return };
        // With the token before, for where tokens have names a gap stands between them.
        let newest = self.tokens.len() - 1;
        let [before, both] = [newest, newest + 1].map(|end| self.tokenizer.bytes(&self.tokens[newest - 1..end]));
        let from = self.added.len().saturating_sub(longest - 1);
        self.added.extend_from_slice(&both[before.len()..]);
        let tail = &self.added[from..];
        let begins = |word: &String| tail.windows(word.len()).position(|part| part == word.as_bytes());
        let Some(at) = self.ask.stop.iter().filter_map(begins).min() else { return };
        self.stopped = true;
        self.added.truncate(from + at);
        let given = self.tokenizer.bytes(&self.tokens[..self.given]).len();
        while self.tokens.len() > self.given && self.tokenizer.bytes(&self.tokens).len() > given + self.added.len() {
            self.tokens.pop();
        }
        self.probabilities.truncate(self.tokens.len());
        self.likeliest.truncate(self.tokens.len() * LIKELIEST);
    }

    /// The text so far, to the letter where a stop word ends it.
    pub fn text(&self) -> String {
        if !self.stopped {
            return self.tokenizer.decode(&self.tokens);
        }
        let given = self.tokenizer.bytes(&self.tokens[..self.given]);
        String::from_utf8_lossy(&[given, self.added.clone()].concat()).into_owned()
    }

    /// The tokens so far.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// How many of them were given.
    pub fn given(&self) -> usize {
        self.given
    }

    /// How likely each of them was held.
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// The likeliest tokens at each place with their probabilities, [`LIKELIEST`] a place.
    pub fn likeliest(&self) -> &[(f32, f32)] {
        &self.likeliest
    }
}

/// The likeliest tokens and their probabilities.
fn likeliest(said: &[f32]) -> [(f32, f32); LIKELIEST] {
    let mut best = [(f32::NAN, f32::NAN); LIKELIEST];
    for (token, &p) in said.iter().enumerate() {
        // The last is the smallest, so few get past it.
        if best[LIKELIEST - 1].1 >= p {
            continue;
        }
        let at = best.iter().position(|(_, q)| q.is_nan() || *q < p).unwrap_or(LIKELIEST - 1);
        best.copy_within(at..LIKELIEST - 1, at + 1);
        best[at] = (token as f32, p);
    }
    best
}

#[cfg(test)]
mod tests {
    use downhill_data::{NoAssets, Source};
    use serde_json::json;

    use super::*;

    const SAID: [f32; 5] = [0.05, 0.4, 0.3, 0.05, 0.2];

    fn ask() -> Generate {
        Generate { temperature: 1.0, top_p: 1.0, ..Generate::default() }
    }

    #[test]
    fn the_likeliest_come_first_and_of_equals_the_earlier() {
        let best = likeliest(&SAID);
        assert_eq!(best[..5].iter().map(|(token, _)| *token).collect::<Vec<_>>(), [1.0, 2.0, 4.0, 0.0, 3.0]);
        assert!(best[5].0.is_nan());
        let many: Vec<f32> = (0..100u8).map(|i| f32::from(i % 50)).collect();
        assert_eq!(likeliest(&many)[..3], [(49.0, 49.0), (99.0, 49.0), (48.0, 48.0)]);
    }

    fn text() -> Dataset {
        let source = Source::from_json("text", &json!({ "text": "abcdefgh".repeat(30), "context": 4 })).unwrap();
        source.build(1, &NoAssets).unwrap()
    }

    fn say(writing: &mut Writing, next: impl Fn(u32) -> u32) {
        while !writing.is_done() {
            let (window, places) = writing.window();
            // Scores of a probability of 0.9, and of the rest alike.
            let row = |token: &u32| (0..8).map(|i| if i == next(*token) { 63f32.ln() } else { 0.0 }).collect::<Vec<f32>>();
            let said: Vec<f32> = window[places].iter().flat_map(row).collect();
            writing.take(&said);
        }
    }

    #[test]
    fn a_text_goes_on_beyond_what_the_network_sees_at_a_time() {
        let data = text();
        let ask = Generate { prompt: "cdefgha".to_string(), tokens: 6, temperature: 0.0, ..ask() };
        let mut writing = Writing::new(ask, &data).unwrap();
        assert_eq!(writing.window(), (vec![5, 6, 7, 0], 0..4));
        say(&mut writing, |token| (token + 1) % 8);
        let language = data.language.unwrap();
        assert_eq!(language.tokenizer.decode(writing.tokens()), "cdefghabcdefg");
        assert_eq!((writing.given(), writing.probabilities().len(), writing.likeliest().len()), (7, 13, 130));
        // What lies before the window was never asked about.
        let known: Vec<bool> = writing.probabilities().iter().map(|p| (p - 0.9).abs() < 1e-6).collect();
        assert_eq!(known, [[false; 4].as_slice(), &[true; 9]].concat());
        assert_eq!(writing.likeliest()[12 * LIKELIEST].0, 6.0);
    }

    #[test]
    fn a_text_ends_before_a_stop_word_however_it_is_cut() {
        let data = text();
        let written = |stop: &[&str], tokens: u32| {
            let stop = stop.iter().map(ToString::to_string).collect();
            let ask = Generate { prompt: "fg".to_string(), tokens, temperature: 0.0, stop, ..ask() };
            let mut writing = Writing::new(ask, &data).unwrap();
            say(&mut writing, |token| (token + 1) % 8);
            assert_eq!(writing.probabilities().len(), writing.tokens().len());
            assert_eq!(writing.likeliest().len(), LIKELIEST * writing.tokens().len());
            (writing.text(), writing.tokens().len())
        };
        assert_eq!(written(&[], 6), ("fghabcde".to_string(), 8));
        assert_eq!(written(&["c"], 20), ("fghab".to_string(), 5));
        assert_eq!(written(&["xyz", "bcd"], 20), ("fgha".to_string(), 4), "it spans three tokens");
        assert_eq!(written(&["de", "cde"], 20), ("fghab".to_string(), 5), "the first that begins");
        assert_eq!(written(&["h"], 20), ("fg".to_string(), 2), "nothing is added");
        assert_eq!(written(&["gh", "fgh"], 11), ("fghabcde".to_string(), 8), "what was given stops nothing");
        assert_eq!(written(&["ha"], 1), ("fgh".to_string(), 3), "it is not complete");
    }

    #[test]
    fn a_stop_word_may_end_in_the_middle_of_a_token_and_between_names() {
        let pieces =
            json!({ "text": "the end. the end. the end. ".repeat(20), "tokenizer": "bpe", "vocabulary": 262, "context": 8 });
        let data = Source::from_json("text", &pieces).unwrap().build(1, &NoAssets).unwrap();
        let tokenizer = data.language.as_ref().unwrap().tokenizer.clone();
        let whole = tokenizer.encode("the end. the end. ").unwrap();
        let cut = |stop: &str| {
            let ask =
                Generate { prompt: "the".to_string(), stop: vec![stop.to_string()], tokens: 20, temperature: 0.0, ..ask() };
            let mut writing = Writing::new(ask, &data).unwrap();
            while !writing.is_done() {
                let places = writing.window().1.len();
                let next = whole[writing.tokens().len()];
                let row: Vec<f32> = (0..tokenizer.len() as u32).map(|token| if token == next { 9.0 } else { 0.0 }).collect();
                writing.take(&row.repeat(places));
            }
            (writing.text(), tokenizer.decode(writing.tokens()))
        };
        assert!(whole.len() < 12, "pieces of several letters: {whole:?}");
        assert_eq!(cut("nd.").0, "the e");
        assert!("the e".starts_with(&cut("nd.").1), "{}", cut("nd.").1);
        assert_eq!(cut("d. t").0, "the en");
        let names = Source::from_json("tinytales", &json!({ "samples": 50 })).unwrap().build(1, &NoAssets).unwrap();
        let tokenizer = names.language.as_ref().unwrap().tokenizer.clone();
        let story = tokenizer.decode(&names.shown().field("tokens").unwrap().row(0)[..5]);
        let words: Vec<&str> = story.split(' ').collect();
        let ask = Generate {
            prompt: words[0].to_string(),
            stop: vec![format!(" {} ", words[3])],
            tokens: 9,
            temperature: 0.0,
            ..ask()
        };
        let mut writing = Writing::new(ask, &names).unwrap();
        while !writing.is_done() {
            let next = tokenizer.encode(words[writing.tokens().len()]).unwrap()[0];
            let row: Vec<f32> = (0..tokenizer.len() as u32).map(|token| if token == next { 9.0 } else { 0.0 }).collect();
            let places = writing.window().1.len();
            writing.take(&row.repeat(places));
        }
        assert_eq!((writing.text(), writing.tokens().len()), (words[..3].join(" "), 3));
    }

    #[test]
    fn a_story_ends_with_its_end_and_an_answer_with_its_last_token() {
        let build = |name: &str| Source::from_json(name, &json!({ "samples": 50 })).unwrap().build(1, &NoAssets).unwrap();
        let stories = build("tinytales");
        let ask = Generate { prompt: "once there".to_string(), tokens: 500, ..ask() };
        let mut writing = Writing::new(ask.clone(), &stories).unwrap();
        let end = stories.language.as_ref().unwrap().end.unwrap();
        while !writing.is_done() {
            let (_, places) = writing.window();
            let classes = stories.language.as_ref().unwrap().tokenizer.len();
            let said: Vec<f32> = places.flat_map(|_| (0..classes as u32).map(|t| if t == end { 50.0 } else { 0.0 })).collect();
            writing.take(&said);
        }
        assert_eq!((writing.tokens().len(), writing.tokens().last()), (3, Some(&end)));
        let sums = build("addition");
        let sum = Generate { prompt: "12+45=".to_string(), ..ask.clone() };
        let mut writing = Writing::new(sum, &sums).unwrap();
        let classes = sums.language.as_ref().unwrap().tokenizer.len();
        while !writing.is_done() {
            let places = writing.window().1;
            writing.take(&vec![1.0 / classes as f32; classes * places.len()]);
        }
        assert_eq!(writing.tokens().len(), 2 + 1 + 2 + 1 + 3);
        let refused = |prompt: &str| Writing::new(Generate { prompt: prompt.to_string(), ..ask.clone() }, &sums).unwrap_err();
        assert!(refused(&"1".repeat(60)).message.contains("60 tokens"));
        assert_eq!(refused("one").path.as_deref(), Some("prompt"));
        assert!(refused("  ").message.contains("no token"));
    }

    #[test]
    fn what_cannot_be_asked_for_is_refused_by_its_name() {
        let data = text();
        let refused = |ask: Generate, data: &Dataset| Writing::new(ask, data).unwrap_err();
        assert_eq!(refused(Generate { min_p: 2.0, ..ask() }, &data).path.as_deref(), Some("min_p"));
        let endless = refused(Generate { tokens: 10_001, ..ask() }, &data);
        assert_eq!((endless.path.as_deref(), endless.message.contains("not by 10001")), (Some("tokens"), true));
        let spirals = Source::from_json("spirals", &json!({})).unwrap().build(1, &NoAssets).unwrap();
        assert!(refused(ask(), &spirals).message.contains("no text"));
    }
}
