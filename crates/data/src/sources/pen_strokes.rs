//! Digits as they are written: the way of the pen along the strokes of `hand.rs`, step by step.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::hand::{HEIGHT, Hand, way};
use super::{Generate, sequences};
use crate::assets::Assets;
use crate::dataset::{Dataset, INPUT, Samples, Task};
use crate::field::{Column, Field};
use crate::fields;
use crate::pen::{self, Point, STEP, TALL};

fields! {
    /// Handwritten digits as the way of the pen: which digit is being written?
    #[schemars(title = "Pen strokes", extend("x-glyph" = "✎", "x-short" = "strokes"))]
    PenStrokes {
        /// Digits in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 20000))]
        samples: u32 = 3000,
        /// How much hands differ: 0 writes all digits alike, 1 as many people would.
        #[schemars(title = "Variation", range(min = 0.0, max = 2.0))]
        variation: f64 = 1.0,
        /// How far the pen goes in a step; a digit is about 10 high.
        #[schemars(title = "Spacing", range(min = 0.5, max = 4.0))]
        spacing: f64 = 1.25,
        /// Standard deviation of how far a hand that trembles puts each point beside its place.
        #[schemars(title = "Noise", range(min = 0.0, max = 1.0))]
        noise: f64 = 0.0,
        /// Share of the digits that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.3,
    }
}

/// The longest way for which there is room at the wanted spacing.
const LONGEST: f64 = 60.0;

impl PenStrokes {
    /// How many steps the longest sample may have.
    fn steps(&self) -> usize {
        (LONGEST / self.spacing).ceil() as usize
    }

    /// The strokes of a digit.
    fn write(&self, digit: u32, rng: &mut Rng) -> Vec<Vec<Point>> {
        let way = way(digit, self.variation, rng);
        let hand = Hand::new(self.variation, rng);
        let written = |stroke| {
            let mut points: Vec<Point> = Vec::new();
            hand.follow(stroke, rng, |from, to, _| {
                let begun = (!points.is_empty()).then_some(to);
                points.extend(begun.map_or(vec![from, to], |to| vec![to]));
            });
            points.iter_mut().flatten().for_each(|at| *at *= TALL / HEIGHT);
            points
        };
        way.iter().map(written).collect()
    }
}

impl Generate for PenStrokes {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        let steps = self.steps();
        let (mut x, mut lengths, mut classes) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..self.samples {
            let digit = i % 10;
            let strokes = self.write(digit, &mut Rng::new(seed, Stream::Data, 2 * i));
            let mut points = pen::points(&strokes, self.spacing, steps);
            // More noise moves points without dealing new ones.
            let mut rng = Rng::new(seed, Stream::Data, 2 * i + 1);
            points.iter_mut().for_each(|(at, _)| at.iter_mut().for_each(|at| *at += self.noise * rng.normal()));
            x.extend(pen::steps(&points));
            x.resize((i as usize + 1) * STEP.len() * steps, 0.0);
            lengths.push(points.len() as u32 - 1);
            classes.push(digit);
        }
        let task = Task::Classification { classes: (0..10).map(|digit| digit.to_string()).collect() };
        let fields = vec![
            Field::new(INPUT, [steps, STEP.len()], Column::F32(x)).lengths(sequences::LENGTH),
            Field::new(sequences::LENGTH, [], Column::U32(lengths)).vocabulary(steps + 1),
        ];
        let description = "A sample is a digit as it is written, from the first point of the pen to the last. A step says how far the pen goes to \
                           the right and down, and whether it is on the paper (1) or in the air (0); a digit is about 10 high. The class is \
                           the digit.";
        let mut samples = Samples::new(task, fields, Column::U32(classes), (description, sequences::LICENCE));
        samples.features = (1..=steps).flat_map(|step| STEP.map(|name| format!("{name} {step}"))).collect();
        let mut set = samples.finish(self.validation, seed)?;
        set.pen = Some(self.spacing);
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sources::Source;
    use crate::{Labels, NoAssets};

    fn build(fields: Value) -> Dataset {
        Source::from_json("pen_strokes", &fields).unwrap().build(3, &NoAssets).unwrap()
    }

    /// Steps of each sample to learn from, without padding, and its class.
    fn samples(set: &Dataset) -> Vec<(Vec<[f32; 3]>, u32)> {
        let (x, lengths) = (set.train.field("x").unwrap(), set.train.field("length").unwrap());
        let Labels::Class(classes) = set.labels(&set.train) else { panic!("there are classes") };
        let sample = |(i, &class): (usize, &u32)| {
            let (row, length) = (x.numbers(i), lengths.row(i)[0] as usize);
            assert!(row[3 * length..].iter().all(|&v| v == 0.0), "padding is zeros");
            (row[..3 * length].chunks(3).map(|step| [step[0], step[1], step[2]]).collect(), class)
        };
        classes.iter().enumerate().map(sample).collect()
    }

    #[test]
    fn a_pen_goes_evenly_along_its_strokes_and_is_lifted_between_them() {
        let set = build(json!({ "samples": 100, "variation": 0 }));
        for (steps, class) in samples(&set) {
            for [dx, dy, pen] in &steps {
                let far = dx.hypot(*dy);
                assert!(if *pen == 1.0 { (0.3..1.9).contains(&far) } else { far > 0.3 }, "{class}: {far} {pen}");
            }
            // As they are first written: a 4 is begun anew once, a 0 never, and a 2 has a corner without the pen leaving the paper.
            let lifted = steps.iter().filter(|step| step[2] == 0.0).count();
            match class {
                4 => assert_eq!(lifted, 1),
                0..=2 => assert_eq!(lifted, 0),
                _ => {}
            }
            // A 1 goes straight down, and a 0 comes back to where it began.
            let end = steps.iter().fold([0.0, 0.0], |at, step| [at[0] + step[0], at[1] + step[1]]);
            match class {
                0 => assert!(end[0].abs() < 1.0 && end[1].abs() < 1.0, "{end:?}"),
                1 => assert!(end[0].abs() < 0.1 && (9.0..11.0).contains(&end[1]), "{end:?}"),
                _ => {}
            }
        }
    }

    #[test]
    fn lengths_differ_and_every_digit_is_written_to_its_end_at_every_spacing() {
        for spacing in [0.5, 1.25, 4.0] {
            for variation in [0.0, 2.0] {
                let set = build(json!({ "samples": 600, "variation": variation, "spacing": spacing }));
                let most = (LONGEST / spacing).ceil() as usize;
                let lengths: Vec<usize> = samples(&set).iter().map(|(steps, _)| steps.len()).collect();
                let (least, longest) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
                assert!(least * 2 < *longest && *longest <= most, "{spacing} {variation}: {least} to {longest} of {most}");
            }
        }
        // Nothing is cut off: where the pen ends does not depend on the spacing.
        let ends = |spacing: f64| -> Vec<[f32; 2]> {
            let end = |steps: &Vec<[f32; 3]>| steps.iter().fold([0.0, 0.0], |at, step| [at[0] + step[0], at[1] + step[1]]);
            let set = build(json!({ "samples": 600, "variation": 2, "spacing": spacing, "validation": 0 }));
            samples(&set).iter().map(|(steps, _)| end(steps)).collect()
        };
        for (a, b) in ends(0.5).iter().zip(ends(4.0)) {
            assert!((a[0] - b[0]).abs() < 1e-3 && (a[1] - b[1]).abs() < 1e-3, "{a:?} {b:?}");
        }
    }

    #[test]
    fn noise_moves_points_and_nothing_else() {
        let [still, moved] = [0.0, 0.5].map(|noise| samples(&build(json!({ "samples": 300, "noise": noise }))));
        let mut squares = (0.0, 0);
        for ((a, class), (b, other)) in still.iter().zip(&moved) {
            assert_eq!((a.len(), class), (b.len(), other));
            for (a, b) in a.iter().zip(b) {
                assert_eq!(a[2], b[2]);
                squares = (squares.0 + f64::from(b[0] - a[0]).powi(2), squares.1 + 1);
            }
        }
        // A step is the difference of two points, each of which is moved.
        let std = (squares.0 / f64::from(squares.1)).sqrt();
        assert!((std - 0.5 * 2.0f64.sqrt()).abs() < 0.03, "{std}");
    }
}
