//! Brackets that open and close (the Dyck languages): which one has to close next? One kind of bracket asks for a counter, several for a stack.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::{Generate, sequences};
use crate::assets::Assets;
use crate::dataset::Dataset;
use crate::fields;

fields! {
    /// Brackets open and close: which one has to close next?
    #[schemars(title = "Brackets", extend("x-glyph" = "( )", "x-short" = "brackets"))]
    Dyck {
        /// Sequences in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 20000))]
        samples: u32 = 3000,
        /// Brackets of the shortest sequence.
        #[schemars(title = "Shortest", range(min = 1, max = 512))]
        min_length: u32 = 10,
        /// Brackets of the longest sequence.
        #[schemars(title = "Longest", range(min = 1, max = 512))]
        max_length: u32 = 40,
        /// Kinds of brackets: ( ), [ ], { } and < >.
        #[schemars(title = "Kinds", range(min = 1, max = 4))]
        kinds: u32 = 1,
        /// Brackets that are open at the same time, at most.
        #[schemars(title = "Depth", range(min = 1, max = 64))]
        depth: u32 = 8,
        /// Share of the sequences that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.1,
    }
}

/// Each kind as it opens and closes.
const BRACKETS: [[&str; 2]; 4] = [["(", ")"], ["[", "]"], ["{", "}"], ["<", ">"]];

impl Dyck {
    /// Brackets, and what the innermost of those that are open then closes with: its kind plus one, 0 where none is open.
    fn sequence(&self, rng: &mut Rng) -> (Vec<u32>, Vec<u32>) {
        let length = sequences::length(rng, self.min_length, self.max_length);
        let mut open: Vec<u32> = Vec::new();
        let step = |_| {
            let closes = !open.is_empty() && (open.len() == self.depth as usize || rng.below(2) == 0);
            let kind = if closes { open.pop().unwrap_or_default() } else { rng.below(self.kinds as usize) as u32 };
            if !closes {
                open.push(kind);
            }
            (2 * kind + u32::from(closes), open.last().map_or(0, |kind| kind + 1))
        };
        (0..length).map(step).unzip()
    }
}

impl Generate for Dyck {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        sequences::check_lengths(self.min_length, self.max_length)?;
        let kinds = &BRACKETS[..self.kinds as usize];
        let closing = kinds.iter().map(|[_, close]| *close);
        let sequences = (0..self.samples).map(|i| self.sequence(&mut Rng::new(seed, Stream::Data, i))).collect();
        sequences::Asked {
            tokens: kinds.concat().iter().map(ToString::to_string).collect(),
            classes: std::iter::once("none").chain(closing).map(String::from).collect(),
            sequences,
            steps: self.max_length as usize,
            description: "A sample is a sequence of brackets that open and close. To be said after each is which bracket has to close next, or that \
                          none is open: a counter tells for one kind, a stack for several, and then there is nothing left to guess.",
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
    fn what_closes_next_is_what_a_stack_says() {
        let fields = json!({ "samples": 200, "min_length": 3, "max_length": 30, "kinds": 3, "depth": 4 });
        let set = Source::from_json("dyck", &fields).unwrap().build(3, &NoAssets).unwrap();
        let [tokens, lengths, targets] = ["tokens", "length", "y"].map(|name| set.train.field(name).unwrap());
        let mut deepest = 0;
        for i in 0..set.train.len() {
            let (row, asked, length) = (tokens.row(i), targets.row(i), lengths.row(i)[0] as usize);
            let mut stack = Vec::new();
            for (token, wanted) in row.iter().zip(&asked).take(length) {
                match token % 2 {
                    0 => stack.push(token / 2),
                    _ => assert_eq!(stack.pop(), Some(token / 2)),
                }
                deepest = deepest.max(stack.len());
                assert_eq!(*wanted, stack.last().map_or(0, |kind| kind + 1));
            }
            assert!(asked[length..].iter().all(|target| *target == IGNORED));
        }
        assert_eq!(deepest, 4);
    }
}
