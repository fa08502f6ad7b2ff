//! A word, and some others, of which one stood near it in a sentence: which? What vectors of words are learned from (skip-gram with negative sampling,
//! Mikolov et al. 2013). The sentences are of a grammar in which a word is known by its company.

use std::rc::Rc;

use downhill_tensor::UserError;
use downhill_tensor::rng::{self, Rng};

use super::Generate;
use crate::assets::Assets;
use crate::dataset::{Dataset, Samples, Task};
use crate::field::{Column, Field};
use crate::fields;
use crate::split::split;
use crate::stream::{Draw, Stream};

fields! {
    /// A word and some others: which of them stood near it?
    #[schemars(title = "Words and their company", extend("x-glyph" = "he?"))]
    SkipGram {
        /// Sentences in all, training and validation together.
        #[schemars(title = "Samples", range(min = 50, max = 50000))]
        samples: u32 = 5000,
        /// How far apart in a sentence two words are near each other.
        #[schemars(title = "Window", range(min = 1, max = 10))]
        window: u32 = 5,
        /// Words beside the right one, drawn by how often they come to the power of 0.75.
        #[schemars(title = "Negatives", range(min = 1, max = 50))]
        negatives: u32 = 5,
        /// Share of the sentences that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.1,
    }
}

/// A person: what one is called, whether female, of royal blood, young.
pub(super) type Person = (&'static str, usize, usize, usize);

pub(super) const PEOPLE: [Person; 8] = [
    ("man", 0, 0, 0),
    ("woman", 1, 0, 0),
    ("boy", 0, 0, 1),
    ("girl", 1, 0, 1),
    ("king", 0, 1, 0),
    ("queen", 1, 1, 0),
    ("prince", 0, 1, 1),
    ("princess", 1, 1, 1),
];
pub(super) const PRONOUNS: [[&str; 2]; 2] = [["he", "his"], ["she", "her"]];
pub(super) const PLACES: [[&str; 3]; 2] = [["village", "field", "market"], ["palace", "castle", "court"]];
/// What the grown do, and the young.
pub(super) const DEEDS: [[&str; 3]; 2] = [["works", "rests", "waits"], ["plays", "learns", "grows"]];
/// An animal grown and young, and what can be heard and seen of it.
pub(super) const ANIMALS: [([&str; 2], [&str; 2]); 5] = [
    (["cat", "kitten"], ["purrs", "climbs"]),
    (["dog", "puppy"], ["barks", "fetches"]),
    (["horse", "foal"], ["neighs", "gallops"]),
    (["cow", "calf"], ["moos", "chews"]),
    (["sheep", "lamb"], ["bleats", "follows"]),
];
const OTHERS: [&str; 5] = ["it", "is", "the", "and", "in"];

/// All words of the grammar, those with a meaning first.
fn words() -> Vec<&'static str> {
    let people = PEOPLE.iter().map(|person| person.0);
    let animals = ANIMALS.iter().flat_map(|(names, _)| names);
    let signs = ANIMALS.iter().flat_map(|(_, signs)| signs);
    let rest = PLACES.iter().flatten().chain(DEEDS.iter().flatten()).chain(signs).chain(PRONOUNS.iter().flatten()).chain(&OTHERS);
    people.chain(animals.chain(rest).copied()).collect()
}

/// A sentence, every choice as likely: `she is the queen and works in her palace`, `it is the foal and neighs and plays`.
fn sentence(rng: &mut Rng) -> Vec<&'static str> {
    if rng.uniform() < 0.5 {
        let (name, sex, rank, age) = PEOPLE[rng.below(PEOPLE.len())];
        let [who, whose] = PRONOUNS[sex];
        vec![who, "is", "the", name, "and", DEEDS[age][rng.below(3)], "in", whose, PLACES[rank][rng.below(3)]]
    } else {
        let (names, signs) = ANIMALS[rng.below(ANIMALS.len())];
        let age = rng.below(2);
        vec!["it", "is", "the", names[age], "and", signs[rng.below(2)], "and", DEEDS[age][rng.below(3)]]
    }
}

/// What pairs of words are drawn from.
struct Sentences {
    sentences: Vec<Vec<u32>>,
    window: usize,
    negatives: usize,
    /// Of each word the sum of all weights up to its own, by which words beside the right one are drawn.
    weights: Rc<[f64]>,
}

impl Sentences {
    /// A word of a sentence in `x[0]`, behind it one that stood near it, at `place` among others that did not come from there.
    fn pair(&self, rng: &mut Rng, sentence: usize, place: u32, x: &mut [u32]) {
        let sentence = &self.sentences[sentence];
        let centre = rng.below(sentence.len());
        let first = centre.saturating_sub(self.window);
        let near = (centre + self.window).min(sentence.len() - 1) - first;
        // All places from the first to the last but that of the word itself.
        let at = first + rng.below(near);
        let context = sentence[if at >= centre { at + 1 } else { at }];
        x[0] = sentence[centre];
        for (i, word) in x[1..].iter_mut().enumerate() {
            *word = if i == place as usize { context } else { self.other(rng, context) };
        }
    }

    /// Any word but this one.
    fn other(&self, rng: &mut Rng, than: u32) -> u32 {
        let all = self.weights.last().copied().unwrap_or_default();
        loop {
            let at = rng.range(0.0, all);
            let word = self.weights.partition_point(|sum| *sum <= at) as u32;
            if word != than {
                return word;
            }
        }
    }
}

impl Draw for Sentences {
    fn draw(&self, seed: u32, step: u64, x: &mut [u32], y: &mut [u32]) {
        let mut rng = Rng::new(seed, rng::Stream::Batches, step as u32);
        for (x, y) in x.chunks_exact_mut(self.negatives + 2).zip(y) {
            *y = rng.below(self.negatives + 1) as u32;
            let sentence = rng.below(self.sentences.len());
            self.pair(&mut rng, sentence, *y, x);
        }
    }
}

impl Generate for SkipGram {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        let names = words();
        let place = |word: &str| names.iter().position(|name| *name == word).unwrap_or_default() as u32;
        let tokens = |i| sentence(&mut Rng::new(seed, rng::Stream::Data, i)).into_iter().map(place).collect::<Vec<u32>>();
        let all: Vec<Vec<u32>> = (0..self.samples).map(tokens).collect();
        let candidates = self.negatives + 1;
        let mut counts = vec![0.0; names.len()];
        all.iter().flatten().for_each(|word| counts[*word as usize] += 1.0);
        let sums = counts.iter().scan(0.0, |sum, count| {
            *sum += libm::pow(*count, 0.75);
            Some(*sum)
        });
        let weights: Rc<[f64]> = sums.collect();
        let (window, negatives) = (self.window as usize, self.negatives as usize);
        let of = |sentences| Sentences { sentences, window, negatives, weights: weights.clone() };
        // What is measured with is a pair of each sentence; the right word is at every place as often.
        let answers: Vec<u32> = (0..self.samples).map(|i| i % candidates).collect();
        let parts = split(&answers, self.validation, seed);
        let learned = of(parts.train.iter().map(|&i| all[i as usize].clone()).collect());
        let measured = of(all);
        let (mut centres, mut others) = (Vec::new(), Vec::new());
        let mut x = vec![0; negatives + 2];
        for (i, &answer) in answers.iter().enumerate() {
            measured.pair(&mut Rng::new(seed, rng::Stream::Augmentation, i as u32), i, answer, &mut x);
            centres.push(x[0]);
            others.extend(&x[1..]);
        }
        let called = || names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let fields = vec![
            Field::new("centre", [1], Column::U32(centres)).words(called()),
            Field::new("words", [candidates as usize], Column::U32(others)).words(called()),
        ];
        let classes = (1..=candidates).map(|place| place.to_string()).collect();
        let card = (
            "A sample is a word of a sentence and some others, one of which stood near it there; to be found is which. The sentences are of a small \
             grammar, of people at home and at court and of animals, grown and young.",
            "Generated from the seed; free to use.",
        );
        let mut samples = Samples::new(Task::Classification { classes }, fields, Column::U32(answers), card);
        samples.features = vec!["centre".to_string()];
        samples.parts = Some(parts);
        samples.stream = Some(Stream::new(Rc::new(learned), seed));
        samples.finish(self.validation, seed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::NoAssets;
    use crate::sources::Source;

    #[test]
    fn the_right_word_stood_within_the_window_and_no_other_is_it_again() {
        let set = Source::from_json("skip_gram", &json!({ "window": 2, "negatives": 4 })).unwrap().build(3, &NoAssets).unwrap();
        let names = words();
        let mut near = std::collections::BTreeSet::new();
        for i in 0..20_000 {
            let sentence = sentence(&mut Rng::new(9, rng::Stream::Data, i));
            for (at, word) in sentence.iter().enumerate() {
                near.extend((1..=2).filter_map(|apart| Some((*word, *sentence.get(at + apart)?))));
            }
        }
        let (mut x, mut y) = (vec![0; 6 * 500], vec![0; 500]);
        set.stream.as_ref().unwrap().fill(2, &mut x, &mut y);
        for (x, y) in x.chunks(6).zip(&y) {
            let (centre, right) = (names[x[0] as usize], x[1 + *y as usize]);
            assert!(near.contains(&(centre, names[right as usize])) || near.contains(&(names[right as usize], centre)));
            assert_eq!(x[1..].iter().filter(|word| **word == right).count(), 1);
        }
        let places: Vec<usize> = (0..5).map(|place| y.iter().filter(|y| **y == place).count()).collect();
        assert!(places.iter().all(|count| (60..140).contains(count)), "{places:?}");
    }

    #[test]
    fn other_words_come_as_often_as_the_power_of_their_count_says() {
        let weights: Rc<[f64]> = [1.0, 1.0, 4.0, 9.0].into();
        let from = Sentences { sentences: Vec::new(), window: 1, negatives: 1, weights };
        let mut rng = Rng::new(1, rng::Stream::Data, 0);
        let mut counts = [0; 4];
        (0..8000).for_each(|_| counts[from.other(&mut rng, 3) as usize] += 1);
        assert_eq!((counts[1], counts[3]), (0, 0), "a word that never comes is never drawn");
        assert!((counts[2] as f64 / 8000.0 - 0.75).abs() < 0.02, "{counts:?}");
    }

    #[test]
    fn people_differ_in_three_things_and_animals_in_two() {
        let signs = |name: &str| {
            let sentences = (0..4000).map(|i| sentence(&mut Rng::new(2, rng::Stream::Data, i)));
            let of: std::collections::BTreeSet<&str> = sentences.filter(|words| words[3] == name).flatten().collect();
            of
        };
        assert!(signs("queen").is_superset(&["she", "her", "palace", "works"].into()));
        assert!(signs("queen").is_disjoint(&["he", "market", "plays"].into()));
        assert!(signs("puppy").is_superset(&["it", "barks", "plays"].into()) && !signs("puppy").contains("works"));
        assert_eq!(words().len(), words().into_iter().collect::<std::collections::BTreeSet<_>>().len());
    }
}
