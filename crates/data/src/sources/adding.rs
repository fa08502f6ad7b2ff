//! The adding problem (Hochreiter and Schmidhuber, 1997): the sum of two marked numbers that stand far apart in a long sequence.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::{Generate, sequences};
use crate::assets::Assets;
use crate::dataset::{Dataset, INPUT, Samples, Task};
use crate::field::{Column, Field};
use crate::fields;

fields! {
    /// Two of many numbers are marked: what is their sum?
    #[schemars(title = "Adding problem")]
    Adding {
        /// Sequences in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 20000))]
        samples: u32 = 8500,
        /// Numbers of the shortest sequence.
        #[schemars(title = "Shortest", range(min = 2, max = 512))]
        min_length: u32 = 50,
        /// Numbers of the longest sequence.
        #[schemars(title = "Longest", range(min = 2, max = 512))]
        max_length: u32 = 50,
        /// Share of the sequences that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.06,
    }
}

impl Generate for Adding {
    const REGRESSION: bool = true;

    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        sequences::check_lengths(self.min_length, self.max_length)?;
        let steps = self.max_length as usize;
        let (mut x, mut lengths, mut sums) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..self.samples {
            let mut rng = Rng::new(seed, Stream::Data, i);
            let length = sequences::length(&mut rng, self.min_length, self.max_length);
            // One number of each half is marked.
            let half = length / 2;
            let marked = [rng.below(half), half + rng.below(length - half)];
            let mut sum = 0.0;
            for step in 0..length {
                let (value, marker) = (rng.range(0.0, 1.0) as f32, marked.contains(&step));
                sum += if marker { value } else { 0.0 };
                x.extend([value, f32::from(u8::from(marker))]);
            }
            x.resize((i as usize + 1) * 2 * steps, 0.0);
            lengths.push(length as u32);
            sums.push(sum);
        }
        let task = Task::Regression { targets: vec!["sum".to_string()] };
        let fields = vec![
            Field::new(INPUT, [steps, 2], Column::F32(x)).lengths(sequences::LENGTH),
            Field::new(sequences::LENGTH, [], Column::U32(lengths)).vocabulary(steps + 1),
        ];
        let description = "A sample is a sequence of numbers between 0 and 1, each with a marker that is 1 at two of them, one in each half, and else \
                           0. The target is the sum of the two marked numbers; always answering 1 has a mean squared error of 1/6.";
        let mut samples = Samples::new(task, fields, Column::F32(sums), (description, sequences::LICENCE));
        samples.features = (1..=steps).flat_map(|step| [format!("number {step}"), format!("marker {step}")]).collect();
        samples.finish(self.validation, seed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::sources::Source;
    use crate::{Labels, NoAssets};

    #[test]
    fn the_target_is_the_sum_of_the_two_marked_numbers() {
        let fields = json!({ "samples": 300, "min_length": 2, "max_length": 9 });
        let set = Source::from_json("adding", &fields).unwrap().build(3, &NoAssets).unwrap();
        let (x, lengths) = (set.train.field("x").unwrap(), set.train.field("length").unwrap());
        let Labels::Real(sums) = set.labels(&set.train) else { panic!("there are numbers") };
        for (i, &sum) in sums.iter().enumerate() {
            let (row, length) = (x.numbers(i), lengths.row(i)[0] as usize);
            let marked: Vec<f32> = row.chunks(2).filter(|pair| pair[1] == 1.0).map(|pair| pair[0]).collect();
            assert_eq!((marked.len(), marked.iter().sum::<f32>()), (2, sum));
            assert!(row[2 * length..].iter().all(|&v| v == 0.0));
        }
    }
}
