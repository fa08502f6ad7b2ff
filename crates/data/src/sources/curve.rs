//! What all sources of a curve `y = f(x)` share: the common fields, where x is drawn, and the noise.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::planar::check_repeats;
use crate::dataset::{Dataset, Plane, Samples, Task};
use crate::features::LineFeature;
use crate::field::Column;

/// The fields every curve has.
pub(crate) struct Common<'a> {
    pub samples: u32,
    pub noise: f64,
    pub validation: f64,
    pub features: &'a [LineFeature],
}

/// What a curve says for itself.
pub(crate) trait Curve {
    /// What a sample is and how its target is defined, for the data card.
    fn description(&self) -> &'static str;

    /// The height at `x` of `[-1, 1]`, without noise, within about `[-1, 1]`.
    fn height(&self, x: f64) -> f64;
}

/// Declares the struct of a curve: its own fields between the common ones, all with default, range, title and help.
macro_rules! curve {
    (
        $(#[$meta:meta])*
        $name:ident { samples: $samples:literal, noise: $noise:literal }
        $( $(#[$field_meta:meta])* $field:ident: $type:ty = $default:expr; )*
    ) => {
        $crate::fields! {
            $(#[$meta])*
            $name {
                /// Points in all, training and validation together.
                #[schemars(title = "Samples", range(min = 10, max = 20000))]
                samples: u32 = $samples,
                /// Standard deviation of what is added to the height.
                #[schemars(title = "Noise", range(min = 0.0, max = 0.5))]
                noise: f64 = $noise,
                $( $(#[$field_meta])* $field: $type = $default, )*
                /// Share of the points that is never learned from.
                #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
                validation: f64 = 0.3,
                /// What the network is told about x.
                #[schemars(title = "Features", length(min = 1, max = 5))]
                features: Vec<$crate::features::LineFeature> = vec![$crate::features::LineFeature::X],
            }
        }

        impl $crate::sources::Generate for $name {
            const REGRESSION: bool = true;
            const AT_ONCE: bool = true;

            fn generate(
                &self,
                seed: u32,
                _: &dyn $crate::Assets,
            ) -> Result<$crate::Dataset, downhill_tensor::UserError> {
                let common = $crate::sources::curve::Common {
                    samples: self.samples,
                    noise: self.noise,
                    validation: self.validation,
                    features: &self.features,
                };
                $crate::sources::curve::generate(self, &common, seed)
            }
        }
    };
}
pub(crate) use curve;

/// Draws x evenly, perturbs the heights, and splits the points.
pub(crate) fn generate(source: &dyn Curve, common: &Common<'_>, seed: u32) -> Result<Dataset, UserError> {
    check_repeats(common.features)?;
    let plane = Plane::Line(common.features.to_vec());
    let mut raw = Vec::with_capacity(2 * common.samples as usize);
    for i in 0..common.samples {
        // As in the plane: more noise moves points without dealing new ones.
        let x = Rng::new(seed, Stream::Data, 2 * i).range(-1.0, 1.0);
        let noise = Rng::new(seed, Stream::Data, 2 * i + 1).normal();
        raw.push(x as f32);
        raw.push((source.height(x) + common.noise * noise) as f32);
    }
    let x = raw.chunks_exact(2).flat_map(|p| plane.encode_point(p[0], p[1])).collect();
    let y = raw.chunks_exact(2).map(|p| p[1]).collect();
    let task = Task::Regression { targets: vec!["y".to_string()] };
    let features = common.features.iter().map(|f| f.label().to_string()).collect();
    let card = (source.description(), "Generated from the seed; free to use.");
    let samples = Samples::of_rows(task, features, Column::F32(x), Column::F32(y), card);
    Samples { raw, plane: Some(plane), ..samples }.finish(common.validation, seed)
}
