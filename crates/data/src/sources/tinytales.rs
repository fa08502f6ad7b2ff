//! Small stories from a grammar of which every choice can be seen in the text at once, so that what a word costs whoever knows the grammar is known
//! exactly. Names, and how the story ends, follow from what was said before.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answers;
use super::{Generate, answer};
use crate::assets::Assets;
use crate::dataset::Dataset;
use crate::fields;

fields! {
    /// Small stories from a grammar, word by word or letter by letter.
    #[schemars(title = "TinyTales")]
    Tinytales {
        /// Stories in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 50000))]
        samples: u32 = 5000,
        /// Sentences between the first and the last, at most.
        #[schemars(title = "Sentences", range(min = 1, max = 12))]
        sentences: u32 = 4,
        /// What they are cut into.
        #[schemars(title = "Cut into")]
        unit: Unit = Unit::Word,
        /// Share of the stories that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.1,
    }
}

/// What a text is cut into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Words
    #[default]
    Word,
    /// Characters
    Character,
}

const ANIMALS: &[&str] = &["cat", "dog", "fox", "owl", "bear", "frog", "mouse", "duck"];
const NAMES: &[&str] = &["Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana"];
/// How an animal is, and what it is at the end because of that.
const TRAITS: &[&str] = &["brave", "shy", "hungry", "sleepy", "curious", "lonely"];
const ENDS: &[&str] = &["proud", "safe", "full", "rested", "wise", "loved"];
const THINGS: &[&str] = &["stone", "apple", "key", "feather", "lamp", "shell", "book", "coin"];
const COLOURS: &[&str] = &["red", "blue", "green", "golden"];
const PLACES: &[&str] = &["river", "forest", "hill", "village", "sea", "garden"];
/// What one can do, which decides how the sentence goes on.
const VERBS: &[&str] = &["saw", "found", "visited", "met"];
/// Words that are in no list.
const OTHERS: &[&str] = &["", "once", "there", "was", "a", "the", "named", ".", "then", "so", "end"];

/// All words, the empty one, which fills stories up, first.
pub(super) fn words() -> Vec<&'static str> {
    [OTHERS, ANIMALS, NAMES, TRAITS, ENDS, THINGS, COLOURS, PLACES, VERBS].concat()
}

/// All characters of stories, in order.
fn characters() -> Vec<char> {
    let mut all: Vec<char> = words().join(" ").chars().collect();
    downhill_tensor::sort_short_by_key(&mut all, |c| *c);
    all.dedup();
    all
}

/// A story in the making.
pub(super) struct Story {
    rng: Rng,
    pub words: Vec<&'static str>,
    /// What the words so far cost whoever knows the grammar, in nats.
    cost: f64,
}

impl Story {
    fn say(&mut self, words: &[&'static str]) {
        self.words.extend(words);
    }

    /// One of a list, each as likely; returns its place.
    fn choose(&mut self, list: &[&'static str]) -> usize {
        let place = self.rng.below(list.len());
        self.cost += libm::log(list.len() as f64);
        self.words.push(list[place]);
        place
    }

    /// A story with at most so many sentences between the first and the last.
    pub fn tell(rng: Rng, sentences: u32) -> Self {
        let mut story = Self { rng, words: Vec::new(), cost: 0.0 };
        story.say(&["once", "there", "was", "a"]);
        let nature = story.choose(TRAITS);
        story.choose(ANIMALS);
        story.say(&["named"]);
        let name = NAMES[story.choose(NAMES)];
        story.say(&[".", "then"]);
        for sentence in 1..=sentences {
            story.say(&[name]);
            match VERBS[story.choose(VERBS)] {
                "saw" => {
                    story.say(&["a"]);
                    story.choose(THINGS);
                }
                "found" => {
                    story.say(&["a"]);
                    story.choose(COLOURS);
                    story.choose(THINGS);
                }
                "visited" => {
                    story.say(&["the"]);
                    story.choose(PLACES);
                }
                _ => {
                    let others: Vec<&str> = NAMES.iter().copied().filter(|other| *other != name).collect();
                    story.choose(&others);
                }
            }
            story.say(&["."]);
            // The last sentence that there may be is followed by the end without a choice.
            if sentence == sentences {
                story.say(&["so"]);
            } else if story.choose(&["then", "so"]) == 1 {
                break;
            }
        }
        story.say(&[name, "was", ENDS[nature], ".", "the", "end"]);
        story
    }
}

impl Generate for Tinytales {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        let stories: Vec<Story> =
            (0..self.samples).map(|i| Story::tell(Rng::new(seed, Stream::Data, i), self.sentences)).collect();
        // What fills stories up comes first.
        let names: Vec<String> = match self.unit {
            Unit::Word => words().iter().map(ToString::to_string).collect(),
            Unit::Character => std::iter::once(String::new()).chain(characters().iter().map(char::to_string)).collect(),
        };
        let place = |piece: &str| names.iter().position(|name| name == piece).unwrap_or_default() as u32;
        let cut = |story: &Story| -> Vec<u32> {
            match self.unit {
                Unit::Word => story.words.iter().map(|word| place(word)).collect(),
                Unit::Character => story.words.join(" ").chars().map(|c| place(c.encode_utf8(&mut [0; 4]))).collect(),
            }
        };
        let mut sequences: Vec<Vec<u32>> = stories.iter().map(cut).collect();
        let longest = sequences.iter().map(Vec::len).max().unwrap_or_default();
        // The beginning is given, as all stories begin with it. A story is told by its letters as well as by its words, so both cost the same.
        let asked: usize = sequences.iter().map(|sequence| sequence.len() - 1).sum();
        let floor = stories.iter().map(|story| story.cost).sum::<f64>() / asked.max(1) as f64;
        sequences.iter_mut().for_each(|sequence| sequence.resize(longest, 0));
        let (unit, description) = match self.unit {
            Unit::Word => ("word", "A sample is a story of some sentences from a grammar, word by word; to be predicted is the next word."),
            Unit::Character => {
                ("character", "A sample is a story of some sentences from a grammar, letter by letter; to be predicted is the next one.")
            }
        };
        let notes = vec![answer::floor_note(floor, unit)];
        let end = names.iter().position(|name| name == "end");
        let mut data = Answers { tokens: names, sequences, prompt: 1, padding: Some(0), description, notes }.finish(self.validation, seed)?;
        if let Some(language) = &mut data.language {
            language.end = end.map(|end| end as u32);
        }
        Ok(Dataset { floor: Some(floor), ..data })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::sources::Source;
    use crate::{IGNORED, NoAssets};

    #[test]
    fn the_floor_is_what_the_stories_themselves_cost() {
        // With one sentence a story is a path through few choices: its cost is the logarithm of how rare it is.
        let mut counts: BTreeMap<Vec<&str>, (f64, f64)> = BTreeMap::new();
        let all = 200_000;
        for i in 0..all {
            let story = Story::tell(Rng::new(5, Stream::Data, i), 1);
            // All that follows from the choice of the name and of the trait stands still.
            let verb = VERBS.iter().copied().find(|verb| story.words.contains(verb)).unwrap();
            let entry = counts.entry(vec![story.words[4], verb]).or_insert((0.0, story.cost));
            entry.0 += 1.0;
        }
        let first = TRAITS.len() as f64;
        for (count, _) in counts.values() {
            assert!((count / f64::from(all) - 1.0 / (first * 4.0)).abs() < 0.005);
        }
        assert_eq!(counts.len(), TRAITS.len() * VERBS.len());
        let visited = Story::tell(Rng::new(5, Stream::Data, 0), 1);
        let options: f64 = visited.words.windows(2).map(|pair| if pair[0] == "the" && PLACES.contains(&pair[1]) { 6.0f64.ln() } else { 0.0 }).sum();
        let shared = (6.0f64 * 8.0 * 8.0 * 4.0).ln();
        if visited.words.contains(&"visited") {
            assert!((visited.cost - shared - options).abs() < 1e-12);
        } else {
            assert!(visited.cost > shared);
        }
    }

    #[test]
    fn the_end_follows_from_the_beginning_and_padding_is_not_asked_for() {
        let set = Source::from_json("tinytales", &json!({ "samples": 200 })).unwrap().build(3, &NoAssets).unwrap();
        let words = words();
        assert!(set.notes[0].starts_with("Whoever knows the grammar loses 0."), "{:?}", set.notes);
        for i in 0..set.train.len() {
            let (row, asked) = (set.train.field("tokens").unwrap().row(i), set.train.field("y").unwrap().row(i));
            let story: Vec<&str> = std::iter::once(&row[0]).chain(&asked).filter(|t| **t != IGNORED).map(|t| words[*t as usize]).collect();
            let nature = TRAITS.iter().position(|name| *name == story[4]).unwrap();
            let name = story[7];
            assert_eq!(story[story.len() - 6..], [name, "was", ENDS[nature], ".", "the", "end"]);
            assert!(story.len() <= row.len() + 1 && !story.contains(&""));
        }
    }

    #[test]
    fn the_letters_of_a_story_are_those_of_its_words() {
        let [words, letters] = ["word", "character"].map(|unit| {
            let fields = json!({ "samples": 50, "sentences": 2, "unit": unit, "validation": 0.0 });
            Source::from_json("tinytales", &fields).unwrap().build(3, &NoAssets).unwrap()
        });
        let text = |data: &Dataset, between: &str| {
            let crate::Task::Classification { classes } = &data.task else { panic!("there are classes") };
            let row = |i: usize| data.train.field("tokens").unwrap().row(i).into_iter().map(|t| classes[t as usize].as_str()).collect::<Vec<_>>();
            (0..data.train.len()).map(|i| row(i).join(between).trim().to_string()).collect::<Vec<_>>()
        };
        // Of the longest story the last word or letter is asked for, and not given.
        for (words, letters) in text(&words, " ").iter().zip(text(&letters, "")) {
            let same = letters.starts_with(words.as_str()) || words.starts_with(letters.as_str());
            assert!(same && letters.len().abs_diff(words.len()) <= 4, "{words} / {letters}");
        }
        let (a, b) = (words.floor.unwrap(), letters.floor.unwrap());
        assert!(b < 0.5 * a && b > 0.1 * a, "{a} {b}");
    }
}
