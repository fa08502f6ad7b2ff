//! The memory task of copying (Hochreiter and Schmidhuber, 1997; Arjovsky, Shah and Bengio, 2016): symbols are shown, then nothing for a long time,
//! then they are to be said again without being seen.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::{Generate, answer, sequences};
use crate::assets::Assets;
use crate::dataset::{Dataset, IGNORED};
use crate::fields;

fields! {
    /// Symbols are shown, then nothing for long: which were they?
    #[schemars(title = "Copying from memory", extend("x-glyph" = "a…a", "x-short" = "memory"))]
    CopyMemory {
        /// Sequences in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 20000))]
        samples: u32 = 6000,
        /// Symbols to remember.
        #[schemars(title = "Symbols", range(min = 1, max = 20))]
        symbols: u32 = 3,
        /// Different symbols.
        #[schemars(title = "Alphabet", range(min = 2, max = 20))]
        alphabet: u32 = 4,
        /// Shortest time in which nothing is shown.
        #[schemars(title = "Shortest wait", range(min = 0, max = 450))]
        min_length: u32 = 10,
        /// Longest time in which nothing is shown.
        #[schemars(title = "Longest wait", range(min = 0, max = 450))]
        max_length: u32 = 20,
        /// Share of the sequences that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.1,
    }
}

impl CopyMemory {
    /// What is shown, and what is to be said then: symbols, waiting, the sign to begin, and nothing while they are said.
    fn sequence(&self, rng: &mut Rng) -> (Vec<u32>, Vec<u32>) {
        let (blank, go) = (self.alphabet, self.alphabet + 1);
        let symbols: Vec<u32> = (0..self.symbols).map(|_| rng.below(self.alphabet as usize) as u32).collect();
        let wait = sequences::length(rng, self.min_length, self.max_length);
        let begin = symbols.len() + wait;
        let mut shown = symbols.clone();
        shown.resize(begin, blank);
        shown.push(go);
        shown.resize(begin + symbols.len(), blank);
        let mut said = vec![IGNORED; begin];
        said.extend(symbols);
        (shown, said)
    }
}

impl Generate for CopyMemory {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        sequences::check_lengths(self.min_length, self.max_length)?;
        let letters = answer::letters(self.alphabet);
        let sequences = (0..self.samples).map(|i| self.sequence(&mut Rng::new(seed, Stream::Data, i))).collect();
        sequences::Asked {
            tokens: letters.iter().cloned().chain(["nothing", "say it"].map(String::from)).collect(),
            classes: letters,
            sequences,
            steps: (2 * self.symbols + self.max_length) as usize,
            description: "A sample is some symbols, then nothing for a while, then a sign after which the symbols are to be said again in their order, \
                          without being seen. Whoever has forgotten them is right as often as guessing.",
        }
        .finish(self.validation, seed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::sources::Source;
    use crate::{IGNORED, NoAssets};

    #[test]
    fn what_is_asked_for_was_shown_at_the_beginning_and_is_seen_nowhere_else() {
        let fields = json!({ "samples": 100, "symbols": 3, "alphabet": 5, "min_length": 2, "max_length": 9 });
        let set = Source::from_json("copy_memory", &fields).unwrap().build(3, &NoAssets).unwrap();
        let [tokens, lengths, targets] = ["tokens", "length", "y"].map(|name| set.train.field(name).unwrap());
        for i in 0..set.train.len() {
            let (row, asked, length) = (tokens.row(i), targets.row(i), lengths.row(i)[0] as usize);
            let said: Vec<u32> = asked.iter().copied().filter(|target| *target != IGNORED).collect();
            assert_eq!(row[..3], said[..]);
            assert!(row[3..].iter().all(|token| *token >= 5 || *token == 0));
            // The sign stands where the first answer is asked for.
            assert_eq!((row[length - 3], asked[length - 3]), (6, said[0]));
            assert!(asked[..length - 3].iter().chain(&asked[length..]).all(|target| *target == IGNORED));
        }
    }
}
