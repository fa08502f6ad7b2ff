//! Queries and the documents they ask for: sentences of the grammar of words and their company. A query says in other words, and in any order, what
//! its document tells, and just enough of it that no other document is meant.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::Generate;
use super::skip_gram::{ANIMALS, DEEDS, PEOPLE, PLACES, PRONOUNS};
use crate::assets::Assets;
use crate::dataset::{Dataset, Samples, Task};
use crate::field::{Column, Field};
use crate::fields;

fields! {
    /// Queries and the documents they ask for: royal girl neighing → she is the princess and …
    #[schemars(title = "Queries and documents", extend("x-glyph" = "?→"))]
    Search {
        /// Documents in all, each with a query of its own, training and validation together.
        #[schemars(title = "Samples", range(min = 50, max = 5000))]
        samples: u32 = 2000,
        /// Share of the documents that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.1,
    }
}

/// How a query tells the rank of a person, and the age of an animal.
const RANKS: [&str; 2] = ["common", "royal"];
const AGES: [&str; 2] = ["grown", "young"];
/// What people of either sex are called, grown and young.
const KINDS: [[&str; 2]; 2] = [["man", "boy"], ["woman", "girl"]];
/// How a query says what the grown do, and the young, and what can be heard and seen of each animal.
const DOING: [[&str; 3]; 2] = [["working", "resting", "waiting"], ["playing", "learning", "growing"]];
const SHOWING: [[&str; 2]; 5] =
    [["purring", "climbing"], ["barking", "fetching"], ["neighing", "galloping"], ["mooing", "chewing"], ["bleating", "following"]];
/// Other words of a document.
const OTHERS: [&str; 4] = ["is", "the", "and", "in"];
/// Words of a document, and of the longest query.
const DOCUMENT: usize = 17;
const QUERY: usize = 10;
/// Facts that a document tells: a person with a deed and a place, and two animals with a sign each.
const FACTS: usize = 7;

/// All words of documents.
fn document_words() -> Vec<&'static str> {
    let people = PEOPLE.iter().map(|person| person.0);
    let animals = ANIMALS.iter().flat_map(|(names, signs)| names.iter().chain(signs));
    let rest = PLACES.iter().flatten().chain(DEEDS.iter().flatten()).chain(PRONOUNS.iter().flatten()).chain(&OTHERS);
    people.chain(animals.chain(rest).copied()).collect()
}

/// All words of queries; what fills them up comes first.
fn query_words() -> Vec<&'static str> {
    let animals = ANIMALS.iter().map(|(names, _)| &names[0]);
    let told = KINDS.iter().flatten().chain(DOING.iter().flatten()).chain(PLACES.iter().flatten()).chain(SHOWING.iter().flatten());
    [""].iter().chain(&RANKS).chain(&AGES).chain(animals).chain(told).copied().collect()
}

/// A document, and what it tells.
struct Document {
    words: Vec<&'static str>,
    /// What a query says of each fact.
    facts: [Vec<&'static str>; FACTS],
    /// A bit for each fact that there can be.
    bits: [u64; FACTS],
}

impl Document {
    /// Every choice as likely: `she is the princess and learns in her castle and the foal neighs and the cat purrs`.
    fn write(rng: &mut Rng) -> Self {
        let person = rng.below(PEOPLE.len());
        let (name, sex, rank, age) = PEOPLE[person];
        let [who, whose] = PRONOUNS[sex];
        let [deed, place] = [rng.below(3), rng.below(3)];
        let mut words = vec![who, "is", "the", name, "and", DEEDS[age][deed], "in", whose, PLACES[rank][place]];
        let mut facts = vec![vec![RANKS[rank], KINDS[sex][age]], vec![DOING[age][deed]], vec![PLACES[rank][place]]];
        let mut places = vec![person, 8 + 3 * age + deed, 14 + 3 * rank + place];
        let first = rng.below(ANIMALS.len());
        // Another kind, so that it is clear what neighs.
        let second = (first + 1 + rng.below(ANIMALS.len() - 1)) % ANIMALS.len();
        for kind in [first, second] {
            let (names, signs) = ANIMALS[kind];
            let [age, sign] = [rng.below(2), rng.below(2)];
            words.extend(["and", "the", names[age], signs[sign]]);
            facts.extend([vec![AGES[age], names[0]], vec![SHOWING[kind][sign]]]);
            places.extend([20 + 2 * kind + age, 30 + 2 * kind + sign]);
        }
        let bit = |at: usize| 1 << places[at];
        Self { words, facts: std::array::from_fn(|at| facts[at].clone()), bits: std::array::from_fn(bit) }
    }

    /// Everything that it tells: two documents that tell the same are one.
    fn told(&self) -> u64 {
        self.bits.iter().sum()
    }

    /// Facts in any order, until no other document tells them all.
    fn query(&self, rng: &mut Rng, all: &[u64]) -> Vec<&'static str> {
        let mut order: Vec<u32> = (0..FACTS as u32).collect();
        rng.shuffle(&mut order);
        let (mut asked, mut words) = (0, Vec::new());
        for at in order {
            let at = at as usize;
            asked |= self.bits[at];
            words.extend(&self.facts[at]);
            if all.iter().filter(|told| **told & asked == asked).count() == 1 {
                break;
            }
        }
        words
    }
}

impl Generate for Search {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        let mut rng = Rng::new(seed, Stream::Data, 0);
        let (mut documents, mut told): (Vec<Document>, Vec<u64>) = (Vec::new(), Vec::new());
        // There are 11520, far more than are asked for.
        while documents.len() < self.samples as usize {
            let document = Document::write(&mut rng);
            if !told.contains(&document.told()) {
                told.push(document.told());
                documents.push(document);
            }
        }
        let (of_queries, of_documents) = (query_words(), document_words());
        let place = |words: &[&str], word: &str| words.iter().position(|known| *known == word).unwrap_or_default() as u32;
        let (mut queries, mut lengths, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for (document, i) in documents.iter().zip(0..) {
            let query = document.query(&mut Rng::new(seed, Stream::Augmentation, i), &told);
            lengths.push(query.len() as u32);
            queries.extend(query.iter().map(|word| place(&of_queries, word)));
            queries.resize((i as usize + 1) * QUERY, 0);
            texts.extend(document.words.iter().map(|word| place(&of_documents, word)));
        }
        let named = |words: Vec<&str>| words.into_iter().map(ToString::to_string).collect::<Vec<_>>();
        let fields = vec![
            Field::new("query", [QUERY], Column::U32(queries)).words(named(of_queries)).lengths("length"),
            Field::new("length", [], Column::U32(lengths)),
            Field::new("document", [DOCUMENT], Column::U32(texts)).words(named(of_documents)),
        ];
        let card = (
            "A sample is a query and the document it asks for, a sentence of a person and two animals. The query says in other words, and in any order, \
             just enough that no other document is meant.",
            "Generated from the seed; free to use.",
        );
        let numbers = Column::U32((0..self.samples).collect());
        let mut samples = Samples::new(Task::Retrieval, fields, numbers, card);
        samples.features = (1..=QUERY).map(|step| format!("word {step}")).collect();
        samples.finish(self.validation, seed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::sources::Source;
    use crate::{NoAssets, Part};

    fn built(fields: serde_json::Value) -> Dataset {
        Source::from_json("search", &fields).unwrap().build(3, &NoAssets).unwrap()
    }

    /// Query and document of every sample of a part.
    fn texts(part: &Part) -> Vec<(Vec<String>, Vec<String>)> {
        let words = |name: &str, i: usize| {
            let field = part.field(name).unwrap();
            field.row(i).iter().map(|&at| field.words[at as usize].clone()).filter(|word| !word.is_empty()).collect()
        };
        (0..part.len()).map(|i| (words("query", i), words("document", i))).collect()
    }

    /// Whether a document tells what a query says, found out by the words alone.
    fn fits(query: &[String], document: &[String]) -> bool {
        let has = |word: &str| document.iter().any(|told| told == word);
        let (_, sex, rank, age) = *PEOPLE.iter().find(|person| person.0 == document[3]).unwrap();
        let mut animal_age = None;
        query.iter().all(|word| {
            let word = word.as_str();
            if let Some(age) = AGES.iter().position(|known| *known == word) {
                animal_age = Some(age);
                return true;
            }
            let animal = ANIMALS.iter().find(|(names, _)| names[0] == word);
            let deed = (0..2).find_map(|age| DOING[age].iter().position(|d| *d == word).map(|at| DEEDS[age][at]));
            let sign = (0..5).find_map(|kind| SHOWING[kind].iter().position(|s| *s == word).map(|at| ANIMALS[kind].1[at]));
            match (animal, deed.or(sign)) {
                (Some((names, _)), _) => has(names[animal_age.take().unwrap()]),
                (_, Some(told)) => has(told),
                _ if RANKS.contains(&word) => RANKS[rank] == word,
                _ if KINDS.iter().flatten().any(|kind| *kind == word) => KINDS[sex][age] == word,
                _ => has(word),
            }
        })
    }

    #[test]
    fn a_query_fits_its_own_document_and_no_other_one() {
        let set = built(json!({ "samples": 300 }));
        let all: Vec<_> = [&set.train, &set.validation].into_iter().flat_map(texts).collect();
        for (i, (query, _)) in all.iter().enumerate() {
            let found: Vec<usize> = (0..all.len()).filter(|&j| fits(query, &all[j].1)).collect();
            assert_eq!(found, [i], "{query:?}");
        }
        let lengths: BTreeSet<usize> = all.iter().map(|(query, _)| query.len()).collect();
        assert!(lengths.len() > 3 && lengths.iter().all(|length| (2..=QUERY).contains(length)), "{lengths:?}");
    }

    #[test]
    fn what_is_held_out_is_never_learned_from_and_words_are_known_by_one_name() {
        let set = built(json!({ "samples": 5000, "validation": 0.3 }));
        let documents = |part: &Part| texts(part).into_iter().map(|(_, mut document)| {
            // The order of the animals does not make it another one.
            document[9..].sort();
            document
        });
        let learned: BTreeSet<_> = documents(&set.train).collect();
        assert_eq!((learned.len(), set.validation.len(), set.card.duplicates), (3500, 1500, 0));
        assert!(documents(&set.validation).all(|document| !learned.contains(&document)));
        for words in [query_words(), document_words()] {
            assert_eq!(words.len(), words.iter().collect::<BTreeSet<_>>().len());
        }
    }

    #[test]
    fn lengths_say_where_a_query_ends() {
        let set = built(json!({ "samples": 60 }));
        for i in 0..set.train.len() {
            let (query, length) = (set.train.field("query").unwrap().row(i), set.train.field("length").unwrap().row(i)[0]);
            assert!(query.iter().enumerate().all(|(at, &word)| (word != 0) == (at < length as usize)));
        }
    }
}
