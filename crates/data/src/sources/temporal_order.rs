//! Temporal order (Hochreiter and Schmidhuber, 1997, task 6a): in which order did two symbols come that stand far apart among others?

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::{Generate, sequences};
use crate::assets::Assets;
use crate::dataset::{Dataset, Samples, Task};
use crate::field::{Column, Field};
use crate::fields;

fields! {
    /// Two symbols stand far apart among others: in which order?
    #[schemars(title = "Temporal order", extend("x-glyph" = "XY", "x-short" = "order"))]
    TemporalOrder {
        /// Sequences in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 20000))]
        samples: u32 = 6000,
        /// Symbols of the shortest sequence.
        #[schemars(title = "Shortest", range(min = 10, max = 512))]
        min_length: u32 = 30,
        /// Symbols of the longest sequence.
        #[schemars(title = "Longest", range(min = 10, max = 512))]
        max_length: u32 = 50,
        /// Share of the sequences that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.1,
    }
}

/// What stands for nothing, and the two that count.
const TOKENS: [&str; 6] = ["a", "b", "c", "d", "X", "Y"];
const OTHERS: usize = 4;

impl Generate for TemporalOrder {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        sequences::check_lengths(self.min_length, self.max_length)?;
        let steps = self.max_length as usize;
        let (mut tokens, mut lengths, mut classes) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..self.samples {
            let mut rng = Rng::new(seed, Stream::Data, i);
            let length = sequences::length(&mut rng, self.min_length, self.max_length);
            let mut sequence: Vec<u32> = (0..length).map(|_| rng.below(OTHERS) as u32).collect();
            // One in the second tenth of the sequence, the other in the sixth, as in the paper.
            let [first, second] = [1, 5].map(|tenth| tenth * length / 10 + rng.below((length / 10).max(1)));
            let [early, late] = [0, 1].map(|_| rng.below(2));
            (sequence[first], sequence[second]) = ((OTHERS + early) as u32, (OTHERS + late) as u32);
            classes.push((2 * early + late) as u32);
            lengths.push(length as u32);
            sequence.resize(steps, 0);
            tokens.extend(sequence);
        }
        let task = Task::Classification { classes: ["X X", "X Y", "Y X", "Y Y"].map(String::from).to_vec() };
        let fields = vec![
            Field::new("tokens", [steps], Column::U32(tokens)).vocabulary(TOKENS.len()).lengths(sequences::LENGTH),
            Field::new(sequences::LENGTH, [], Column::U32(lengths)).vocabulary(steps + 1),
        ];
        let description = "A sample is a sequence of symbols: a, b, c and d (0 to 3) mean nothing, two are X or Y (4 and 5), one early and one in \
                           the middle. The class is which they are, in their order.";
        let mut samples = Samples::new(task, fields, Column::U32(classes), (description, sequences::LICENCE));
        samples.features = (1..=steps).map(|step| format!("token at {step}")).collect();
        samples.finish(self.validation, seed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::sources::Source;
    use crate::{Labels, NoAssets};

    #[test]
    fn the_class_is_what_the_two_symbols_say() {
        let fields = json!({ "samples": 300, "min_length": 10, "max_length": 33 });
        let set = Source::from_json("temporal_order", &fields).unwrap().build(3, &NoAssets).unwrap();
        let (tokens, lengths) = (set.train.field("tokens").unwrap(), set.train.field("length").unwrap());
        let Labels::Class(classes) = set.labels(&set.train) else { panic!("there are classes") };
        for (i, &class) in classes.iter().enumerate() {
            let telling: Vec<(usize, u32)> = tokens.row(i).into_iter().enumerate().filter(|(_, t)| *t >= 4).collect();
            let [(first, early), (second, late)] = telling[..] else { panic!("two count: {telling:?}") };
            let length = lengths.row(i)[0] as usize;
            assert_eq!(class, 2 * (early - 4) + late - 4);
            assert!((length / 10..2 * length / 10 + 1).contains(&first) && (length / 2 - 1..6 * length / 10 + 1).contains(&second));
        }
        assert!((0..4).all(|class| classes.contains(&class)));
    }
}
