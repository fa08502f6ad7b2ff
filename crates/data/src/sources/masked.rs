//! Two sentences of TinyTales with some of their words hidden, which are to be guessed from all others (masked language model, Devlin et al. 2019), and
//! whether both are of one story. Each step hides other words.

use std::rc::Rc;

use downhill_tensor::UserError;
use downhill_tensor::rng::{self, Rng};

use super::Generate;
use super::tinytales::{Story, words};
use crate::assets::Assets;
use crate::dataset::{Dataset, IGNORED, Samples, Task};
use crate::field::{Column, Field};
use crate::fields;
use crate::split::split;
use crate::stream::{Draw, Stream};

fields! {
    /// Two sentences with hidden words: what are they, and are both of one story?
    #[schemars(title = "Masked words", extend("x-glyph" = "a_c"))]
    Masked {
        /// Stories that sentences are taken from, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 50000))]
        samples: u32 = 5000,
        /// Sentences of a story between the first and the last, at most.
        #[schemars(title = "Sentences", range(min = 1, max = 12))]
        sentences: u32 = 2,
        /// Share of the words that are to be guessed: of ten of them eight are hidden, one is another word, and one stays as it is.
        #[schemars(title = "Masked", range(min = 0.01, max = 0.9))]
        mask: f64 = 0.15,
        /// Share of the stories that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.1,
    }
}

/// Tokens that are no words, in their order: what fills samples up, where a sample begins, where a sentence ends, what hides a word, and the two
/// answers at the beginning.
const SPECIAL: [&str; 6] = ["", "[CLS]", "[SEP]", "[MASK]", "[same]", "[other]"];
const CLS: u32 = 1;
const SEP: u32 = 2;
const MASK: u32 = 3;
const SAME: u32 = 4;
const OTHER: u32 = 5;

/// The names of all tokens. The story's last word stands in no sentence.
fn tokens() -> Vec<String> {
    let words = words().into_iter().filter(|word| !["", "end"].contains(word));
    SPECIAL.into_iter().chain(words).map(ToString::to_string).collect()
}

/// The sentences of a story as tokens. `once there was a shy fox named Ben . then Ben saw a key . so Ben was safe . the end` has three.
fn sentences(story: &Story, tokens: &[String]) -> Vec<Vec<u32>> {
    let place = |word: &&str| tokens.iter().position(|token| token == word).unwrap_or_default() as u32;
    let ended = story.words.split_inclusive(|word| *word == ".").filter(|sentence| sentence.ends_with(&["."]));
    ended.map(|sentence| sentence.iter().map(place).collect()).collect()
}

/// What pairs of sentences are drawn from.
struct Pairs {
    /// Sentences of each story, at least two.
    stories: Vec<Vec<Vec<u32>>>,
    /// Tokens of a pair.
    steps: usize,
    /// Share of the words that are to be guessed.
    mask: f64,
    /// How many tokens there are.
    vocabulary: usize,
}

impl Pairs {
    /// Tokens of the longest pair there can be.
    fn steps(stories: &[Vec<Vec<u32>>]) -> usize {
        let longest = |later: bool| {
            let sentences = stories.iter().flat_map(|story| &story[usize::from(later)..][..story.len() - 1]);
            sentences.map(Vec::len).max().unwrap_or_default()
        };
        longest(false) + longest(true) + 3
    }

    /// A sentence of story `first`, behind it a later one of the same story or, as often, one of another story that is no beginning. Some words of
    /// both are hidden. `x` is tokens `[steps]`, then which sentence each belongs to `[steps]`; `y` what is to be guessed `[steps]`.
    fn pair(&self, rng: &mut Rng, first: usize, x: &mut [u32], y: &mut [u32]) {
        let story = &self.stories[first];
        let earlier = rng.below(story.len() - 1);
        let same = rng.uniform() < 0.5 || self.stories.len() == 1;
        let second = if same {
            &story[earlier + 1 + rng.below(story.len() - 1 - earlier)]
        } else {
            let other = &self.stories[(first + 1 + rng.below(self.stories.len() - 1)) % self.stories.len()];
            &other[1 + rng.below(other.len() - 1)]
        };
        let (tokens, segments) = x.split_at_mut(self.steps);
        tokens.fill(0);
        segments.fill(0);
        y.fill(IGNORED);
        (tokens[0], y[0]) = (CLS, if same { SAME } else { OTHER });
        let mut at = 1;
        for (sentence, segment) in [&story[earlier], second].into_iter().zip(0..) {
            for &word in sentence {
                tokens[at] = word;
                if rng.uniform() < self.mask {
                    y[at] = word;
                    tokens[at] = self.hidden(rng, word);
                }
                segments[at] = segment;
                at += 1;
            }
            (tokens[at], segments[at]) = (SEP, segment);
            at += 1;
        }
    }

    /// What stands in the place of a word that is to be guessed.
    fn hidden(&self, rng: &mut Rng, word: u32) -> u32 {
        match rng.below(10) {
            0 => word,
            1 => (SPECIAL.len() + rng.below(self.vocabulary - SPECIAL.len())) as u32,
            _ => MASK,
        }
    }
}

impl Draw for Pairs {
    fn draw(&self, seed: u32, step: u64, x: &mut [u32], y: &mut [u32]) {
        let mut rng = Rng::new(seed, rng::Stream::Batches, step as u32);
        for (x, y) in x.chunks_exact_mut(2 * self.steps).zip(y.chunks_exact_mut(self.steps)) {
            let first = rng.below(self.stories.len());
            self.pair(&mut rng, first, x, y);
        }
    }
}

impl Generate for Masked {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        let names = tokens();
        let story = |i| sentences(&Story::tell(Rng::new(seed, rng::Stream::Data, i), self.sentences), &names);
        let stories: Vec<Vec<Vec<u32>>> = (0..self.samples).map(story).collect();
        let (steps, vocabulary) = (Pairs::steps(&stories), names.len());
        let parts = split(&vec![0; stories.len()], self.validation, seed);
        let of = |rows: &[u32]| {
            let stories = rows.iter().map(|&i| stories[i as usize].clone()).collect();
            Pairs { stories, steps, mask: self.mask, vocabulary }
        };
        // What is measured with is hidden once: a pair of each story, the second sentence from a story of the same part.
        let [mut tokens, mut segments, mut answers] = [(); 3].map(|()| vec![0; steps * stories.len()]);
        let [train, validation] = [of(&parts.train), of(&parts.validation)];
        for (part, rows) in [(&train, &parts.train), (&validation, &parts.validation)] {
            let mut x = vec![0; 2 * steps];
            for (place, &row) in rows.iter().enumerate() {
                let at = row as usize * steps;
                part.pair(&mut Rng::new(seed, rng::Stream::Augmentation, row), place, &mut x, &mut answers[at..at + steps]);
                tokens[at..at + steps].copy_from_slice(&x[..steps]);
                segments[at..at + steps].copy_from_slice(&x[steps..]);
            }
        }
        let fields = vec![
            Field::new("tokens", [steps], Column::U32(tokens)).vocabulary(vocabulary),
            Field::new("segments", [steps], Column::U32(segments)).vocabulary(2),
        ];
        let card = (
            "A sample is two sentences of small stories, with a mask or another word in the place of some words. These are to be guessed, and at the \
             beginning whether both sentences are of the same story.",
            "Generated from the seed; free to use.",
        );
        let mut samples = Samples::new(Task::Classification { classes: names }, fields, Column::U32(answers), card);
        samples.positions = vec![steps];
        samples.features = (1..=steps).map(|step| format!("token at {step}")).collect();
        samples.parts = Some(parts);
        samples.stream = Some(Stream::new(Rc::new(train), seed));
        samples.finish(self.validation, seed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::NoAssets;
    use crate::sources::Source;

    fn set(fields: serde_json::Value) -> Dataset {
        Source::from_json("masked", &fields).unwrap().build(3, &NoAssets).unwrap()
    }

    /// Batches of a run: tokens, segments and answers of each pair.
    fn drawn(set: &Dataset, steps: u64) -> Vec<[Vec<u32>; 3]> {
        let width = set.train.field("tokens").unwrap().width();
        let (mut x, mut y) = (vec![0; 2 * width * 64], vec![0; width * 64]);
        let mut pairs = Vec::new();
        for step in 0..steps {
            set.stream.as_ref().unwrap().fill(step, &mut x, &mut y);
            let rows = x.chunks(2 * width).zip(y.chunks(width));
            pairs.extend(rows.map(|(x, y)| [x[..width].to_vec(), x[width..].to_vec(), y.to_vec()]));
        }
        pairs
    }

    #[test]
    fn a_pair_is_two_sentences_each_with_its_segment() {
        let pairs = drawn(&set(json!({ "mask": 0.3 })), 10);
        for [tokens, segments, asked] in &pairs {
            let ends: Vec<usize> = (0..tokens.len()).filter(|i| tokens[*i] == SEP).collect();
            let [first, second] = ends[..] else { panic!("two sentences end: {tokens:?}") };
            assert_eq!((tokens[0], segments[..=first].iter().max(), asked[first], asked[second]), (CLS, Some(&0), IGNORED, IGNORED));
            assert!(segments[first + 1..=second].iter().all(|segment| *segment == 1));
            assert!(tokens[second + 1..].iter().chain(&segments[second + 1..]).all(|padding| *padding == 0));
            assert!([SAME, OTHER].contains(&asked[0]) && asked[second..].iter().all(|answer| *answer == IGNORED));
        }
        let same = pairs.iter().filter(|[_, _, asked]| asked[0] == SAME).count() as f64 / pairs.len() as f64;
        assert!((same - 0.5).abs() < 0.06, "{same}");
    }

    #[test]
    fn of_the_words_that_are_asked_for_eight_of_ten_are_hidden_and_no_other_is() {
        let pairs = drawn(&set(json!({})), 40);
        let (mut words, mut asked, mut hidden, mut kept) = (0.0, 0.0, 0.0, 0.0);
        for [tokens, _, answers] in &pairs {
            for (token, answer) in tokens.iter().zip(answers).skip(1).filter(|(token, _)| ![0, SEP].contains(*token)) {
                words += 1.0;
                if *answer == IGNORED {
                    assert!(*token >= SPECIAL.len() as u32);
                    continue;
                }
                asked += 1.0;
                hidden += f64::from(u8::from(*token == MASK));
                kept += f64::from(u8::from(token == answer));
            }
        }
        for (share, wanted) in [(asked / words, 0.15), (hidden / asked, 0.8), (kept / asked, 0.1 + 0.1 / 53.0)] {
            assert!((share - wanted).abs() < 0.02, "{share} {wanted}");
        }
    }

    #[test]
    fn the_end_of_a_story_is_that_of_its_own_beginning_only_where_both_are_of_one() {
        let names = tokens();
        let place = |word: &str| names.iter().position(|name| name == word).unwrap() as u32;
        let nature = [("brave", "proud"), ("shy", "safe"), ("hungry", "full")].map(|(a, b)| (place(a), place(b)));
        let (mut together, mut apart) = (0, 0);
        for [tokens, _, asked] in drawn(&set(json!({ "mask": 0.01 })), 60) {
            let Some((_, end)) = nature.iter().find(|(nature, _)| tokens.contains(nature)) else { continue };
            if !tokens.contains(&place("so")) {
                continue;
            }
            let fits = tokens.contains(end);
            if asked[0] == OTHER {
                apart += u32::from(!fits);
            } else if !tokens.contains(&MASK) && asked.iter().skip(1).all(|answer| *answer == IGNORED) {
                let ended = ["proud", "safe", "full", "rested", "wise", "loved"].iter().any(|end| tokens.contains(&place(end)));
                assert!(fits || !ended, "{tokens:?}");
                together += u32::from(fits);
            }
        }
        assert!(together > 50 && apart > 50, "{together} {apart}");
    }

    #[test]
    fn one_story_alone_is_always_its_own() {
        let few = set(json!({ "samples": 10, "validation": 0.9 }));
        assert_eq!(few.train.len(), 1);
        assert!(drawn(&few, 3).iter().all(|[_, _, asked]| asked[0] == SAME));
    }
}
