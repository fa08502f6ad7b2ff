//! Sequences of bits: is the number of ones odd? One bit of memory is enough, and every step of it matters.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::{Generate, sequences};
use crate::assets::Assets;
use crate::dataset::{Dataset, INPUT, Samples, Task};
use crate::field::{Column, Field};
use crate::fields;

fields! {
    /// Sequences of bits: is the number of ones even or odd?
    #[schemars(title = "Parity")]
    Parity {
        /// Sequences in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 20000))]
        samples: u32 = 2000,
        /// Bits of the shortest sequence.
        #[schemars(title = "Shortest", range(min = 1, max = 512))]
        min_length: u32 = 4,
        /// Bits of the longest sequence.
        #[schemars(title = "Longest", range(min = 1, max = 512))]
        max_length: u32 = 12,
        /// Share of the sequences that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.3,
    }
}

impl Generate for Parity {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        sequences::check_lengths(self.min_length, self.max_length)?;
        let steps = self.max_length as usize;
        let (mut bits, mut lengths, mut classes) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..self.samples {
            let mut rng = Rng::new(seed, Stream::Data, i);
            let length = sequences::length(&mut rng, self.min_length, self.max_length);
            let sequence: Vec<u32> = (0..length).map(|_| rng.below(2) as u32).collect();
            classes.push(sequence.iter().sum::<u32>() % 2);
            lengths.push(length as u32);
            bits.extend(sequence.iter().map(|&bit| bit as f32));
            bits.resize((i as usize + 1) * steps, 0.0);
        }
        let task = Task::Classification { classes: vec!["even".to_string(), "odd".to_string()] };
        let fields = vec![
            Field::new(INPUT, [steps, 1], Column::F32(bits)).lengths(sequences::LENGTH),
            Field::new(sequences::LENGTH, [], Column::U32(lengths)).vocabulary(steps + 1),
        ];
        let description = "A sample is a sequence of bits, filled up with zeros. The class is whether it has an even or an odd number of ones.";
        let mut samples = Samples::new(task, fields, Column::U32(classes), (description, sequences::LICENCE));
        samples.features = (1..=steps).map(|step| format!("bit {step}")).collect();
        samples.finish(self.validation, seed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::sources::Source;
    use crate::{Labels, NoAssets};

    #[test]
    fn the_class_is_the_parity_of_the_bits_before_the_length() {
        let set = Source::from_json("parity", &json!({ "min_length": 1, "max_length": 9 })).unwrap().build(3, &NoAssets).unwrap();
        let (bits, lengths) = (set.train.field("x").unwrap(), set.train.field("length").unwrap());
        let Labels::Class(classes) = set.labels(&set.train) else { panic!("there are classes") };
        for (i, &class) in classes.iter().enumerate() {
            let (row, length) = (bits.numbers(i), lengths.row(i)[0] as usize);
            assert_eq!(row[..length].iter().sum::<f32>() as u32 % 2, class);
            assert!(row[length..].iter().all(|&bit| bit == 0.0));
        }
        assert!(classes.contains(&0) && classes.contains(&1));
    }

    #[test]
    fn a_shortest_sequence_that_is_longer_than_the_longest_is_refused() {
        let source = Source::from_json("parity", &json!({ "min_length": 9, "max_length": 8 })).unwrap();
        assert_eq!(source.build(1, &NoAssets).unwrap_err().path.as_deref(), Some("min_length"));
    }
}
