//! Sentences of a small grammar (after Elman, 1991): verbs agree with nouns that may stand far before them, some have an object and some may not.
//! Every choice can be seen in the next word, so that what a word costs whoever knows the grammar is known exactly.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::answer::Answers;
use super::{Generate, answer};
use crate::assets::Assets;
use crate::dataset::Dataset;
use crate::fields;

fields! {
    /// Sentences of a small grammar, word by word: verbs agree with nouns far before them.
    #[schemars(title = "Elman's grammar", extend("x-glyph" = "who", "x-short" = "grammar"))]
    Elman {
        /// Texts in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 20000))]
        samples: u32 = 4000,
        /// Sentences of a text.
        #[schemars(title = "Sentences", range(min = 1, max = 8))]
        sentences: u32 = 3,
        /// How deep clauses may stand inside each other.
        #[schemars(title = "Depth", range(min = 0, max = 4))]
        depth: u32 = 2,
        /// Share of the texts that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.1,
    }
}

/// Nouns as one and as many; names have no clause.
const NOUNS: [&[&str]; 2] = [&["boy", "girl", "cat", "dog"], &["boys", "girls", "cats", "dogs"]];
const NAMES: &[&str] = &["John", "Mary"];
/// Verbs with an object, with one or none, and with none; of one and of many.
const VERBS: [[&[&str]; 2]; 3] =
    [[&["chases", "feeds"], &["chase", "feed"]], [&["sees", "hears"], &["see", "hear"]], [&["walks", "lives"], &["walk", "live"]]];
/// What fills texts up, the end of a sentence, and the beginning of a clause.
const OTHERS: &[&str] = &["", ".", "who"];

/// A noun is followed by a clause so often, where one may be.
const CLAUSE: f64 = 0.3;

/// A text in the making.
struct Text {
    rng: Rng,
    words: Vec<&'static str>,
    /// What the words so far cost whoever knows the grammar, in nats.
    cost: f64,
}

impl Text {
    /// Says one of some words, each as likely; returns its place.
    fn say(&mut self, words: &[&'static str]) -> usize {
        let place = self.rng.below(words.len());
        self.cost += libm::log(words.len() as f64);
        self.words.push(words[place]);
        place
    }

    /// A decision that the next word shows.
    fn decide(&mut self, likely: f64) -> bool {
        let yes = self.rng.uniform() < likely;
        self.cost -= libm::log(if yes { likely } else { 1.0 - likely });
        yes
    }

    /// A noun with what belongs to it; returns whether it is many.
    fn noun(&mut self, depth: u32) -> bool {
        let place = self.say(&[NAMES, NOUNS[0], NOUNS[1]].concat());
        let many = place >= NAMES.len() + NOUNS[0].len();
        if place >= NAMES.len() && depth > 0 && self.decide(CLAUSE) {
            self.words.push("who");
            if self.decide(0.5) {
                self.verb(many, depth - 1);
            } else {
                // The noun before is the object.
                let others = self.noun(depth - 1);
                self.say(&[VERBS[0], VERBS[1]].map(|verbs| verbs[usize::from(others)]).concat());
            }
        }
        many
    }

    /// A verb that agrees, with its object where there is one.
    fn verb(&mut self, many: bool, depth: u32) {
        let verbs = VERBS.map(|verbs| verbs[usize::from(many)]);
        let kind = self.say(&verbs.concat()) / verbs[0].len();
        if kind == 0 || (kind == 1 && self.decide(0.5)) {
            self.noun(depth);
        }
    }

    fn write(rng: Rng, source: &Elman) -> Self {
        // A text begins where the sentence before has ended.
        let mut text = Self { rng, words: vec!["."], cost: 0.0 };
        for _ in 0..source.sentences {
            let many = text.noun(source.depth);
            text.verb(many, source.depth);
            text.words.push(".");
        }
        text
    }
}

impl Generate for Elman {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        let all: Vec<&str> = OTHERS.iter().chain(NAMES).chain(NOUNS.concat().iter()).chain(VERBS.concat().concat().iter()).copied().collect();
        let texts: Vec<Text> = (0..self.samples).map(|i| Text::write(Rng::new(seed, Stream::Data, i), self)).collect();
        let longest = texts.iter().map(|text| text.words.len()).max().unwrap_or_default();
        let asked: usize = texts.iter().map(|text| text.words.len() - 1).sum();
        let floor = texts.iter().map(|text| text.cost).sum::<f64>() / asked.max(1) as f64;
        let token = |word: &&str| all.iter().position(|known| known == word).unwrap_or_default() as u32;
        let sequence = |text: &Text| {
            let mut sequence: Vec<u32> = text.words.iter().map(token).collect();
            sequence.resize(longest, 0);
            sequence
        };
        let sequences = texts.iter().map(sequence).collect();
        let tokens = all.iter().map(ToString::to_string).collect();
        let description = "A sample is some sentences of a small grammar, word by word; to be predicted is the next word. Verbs agree with their nouns \
                           across clauses.";
        let notes = vec![answer::floor_note(floor, "word")];
        let data = Answers { tokens, sequences, prompt: 1, padding: Some(0), description, notes }.finish(self.validation, seed)?;
        Ok(Dataset { floor: Some(floor), ..data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seed: u32, source: &Elman) -> Text {
        Text::write(Rng::new(seed, Stream::Data, 0), source)
    }

    fn number(word: &str) -> Option<bool> {
        let many = |lists: &[&[&str]; 2]| lists.iter().position(|list| list.contains(&word)).map(|i| i == 1);
        many(&NOUNS).or_else(|| NAMES.contains(&word).then_some(false)).or_else(|| VERBS.iter().find_map(many))
    }

    fn is_verb(word: &str) -> bool {
        VERBS.iter().flatten().any(|list| list.contains(&word))
    }

    #[test]
    fn verbs_agree_with_their_nouns_across_clauses() {
        let mut clauses = 0;
        for seed in 0..300 {
            let words = text(seed, &Elman::default()).words;
            for sentence in words.split(|word| *word == ".").filter(|sentence| !sentence.is_empty()) {
                // Nouns wait for their verbs: a noun that begins a sentence or a clause is the subject of a verb, one behind a verb is an object.
                let mut waiting = Vec::new();
                let (mut noun, mut before) = (".", ".");
                for word in sentence.iter().copied() {
                    match number(word) {
                        // The noun before the clause is the subject of its verb, too.
                        Some(many) if is_verb(word) && before == "who" => {
                            assert_eq!(number(noun), Some(many), "{sentence:?}");
                            clauses += 1;
                        }
                        Some(many) if is_verb(word) => assert_eq!(waiting.pop(), Some(many), "{sentence:?}"),
                        Some(many) if !is_verb(before) => waiting.push(many),
                        _ => {}
                    }
                    (noun, before) = (before, word);
                }
                assert!(waiting.is_empty(), "{sentence:?}");
            }
        }
        assert!(clauses > 50);
    }

    #[test]
    fn the_floor_is_what_each_text_is_worth() {
        // Without clauses a sentence is a noun of ten, a verb of six and, for some, an object: their chances add up to one.
        let source = Elman { sentences: 1, depth: 0, ..Elman::default() };
        let mut chances = std::collections::BTreeMap::new();
        for seed in 0..20_000 {
            let text = text(seed, &source);
            chances.insert(text.words, (-text.cost).exp());
        }
        assert_eq!(chances.len(), 10 * (2 * 10 + 2 * 11 + 2));
        assert!((chances.values().sum::<f64>() - 1.0).abs() < 1e-9, "{}", chances.values().sum::<f64>());
        // And a text with clauses comes as often as it costs.
        let source = Elman { sentences: 1, depth: 1, ..Elman::default() };
        let clause = |text: &Text| text.words[2] == "who";
        let share = (0..20_000).filter(|seed| clause(&text(*seed, &source))).count() as f64 / 20_000.0;
        assert!((share - 0.8 * CLAUSE).abs() < 0.01, "{share}");
    }
}
