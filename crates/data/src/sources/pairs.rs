//! Two points, each of a plane of its own: are they of the same class? The smallest task with two inputs.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::planar::Planar;
use super::{Circles, Generate, Xor};
use crate::assets::Assets;
use crate::dataset::{Dataset, Samples, Task};
use crate::field::{Column, Field};
use crate::fields;

fields! {
    /// A point of two circles and a point of four quadrants: are they of the same class?
    #[schemars(title = "Pairs")]
    Pairs {
        /// Pairs in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 20000))]
        samples: u32 = 1500,
        /// Standard deviation of what is added to all coordinates; each plane is about 2 wide.
        #[schemars(title = "Noise", range(min = 0.0, max = 0.5))]
        noise: f64 = 0.02,
        /// Share of the pairs that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.3,
    }
}

impl Generate for Pairs {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        let planes: [&dyn Planar; 2] = [&Circles::default(), &Xor::default()];
        let mut points = [Vec::new(), Vec::new()];
        let mut equal = Vec::new();
        for i in 0..self.samples {
            // All four combinations of classes take turns.
            let classes = [i & 1, i >> 1 & 1];
            for ((plane, class), (points, k)) in planes.iter().zip(classes).zip(points.iter_mut().zip(0..)) {
                let mut rng = Rng::new(seed, Stream::Data, 2 * i + k);
                let point = plane.point(class, &mut rng);
                points.extend(point.map(|at| (at + self.noise * rng.normal()) as f32));
            }
            equal.push(u32::from(classes[0] == classes[1]));
        }
        let [first, second] = points;
        let fields =
            vec![Field::new("first", [2], Column::F32(first)), Field::new("second", [2], Column::F32(second))];
        let task = Task::Classification { classes: vec!["different".to_string(), "equal".to_string()] };
        let description = "A sample is a point of a disc or the ring around it, and a point of four quadrants of which opposite ones share a \
                           class. The label says whether both are of the same class.";
        let mut samples =
            Samples::new(task, fields, Column::U32(equal), (description, "Generated from the seed; free to use."));
        samples.features = vec!["x".to_string(), "y".to_string()];
        samples.finish(self.validation, seed)
    }
}
