//! What all sources of labelled points in the plane share: the common fields, how samples are dealt to classes, and the noise.

use std::rc::Rc;

use downhill_tensor::UserError;
use downhill_tensor::rng::{self, Rng};

use crate::dataset::{Dataset, Plane, Samples, Task};
use crate::features::Feature;
use crate::field::Column;
use crate::stream::{Draw, Stream};

/// The fields every planar source has.
pub(crate) struct Common<'a> {
    pub samples: u32,
    pub noise: f64,
    pub imbalance: f64,
    pub validation: f64,
    pub features: &'a [Feature],
}

/// Access to the common fields; written by [`planar!`].
pub(crate) trait HasCommon {
    fn common(&self) -> Common<'_>;
}

/// What a planar source says for itself.
pub(crate) trait Planar: HasCommon {
    /// What a sample is and how its class is defined, for the data card.
    fn description(&self) -> &'static str;

    /// How many classes there are.
    fn classes(&self) -> u32 {
        2
    }

    /// A point of `class` before the noise, within about `[-1, 1]²`.
    fn point(&self, class: u32, rng: &mut Rng) -> [f64; 2];

    /// What the ranges of the single fields cannot say.
    ///
    /// # Errors
    /// Names the field.
    fn check(&self) -> Result<(), UserError> {
        Ok(())
    }
}

/// Declares the struct of a planar source: its own fields between the common ones, all with default, range, title and help.
macro_rules! planar {
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
                /// Standard deviation of what is added to both coordinates; the plane is about 2 wide.
                #[schemars(title = "Noise", range(min = 0.0, max = 0.5))]
                noise: f64 = $noise,
                $( $(#[$field_meta])* $field: $type = $default, )*
                /// How much rarer every class but the first is: 0 is equally many, 0.9 a tenth.
                #[schemars(title = "Imbalance", range(min = 0.0, max = 0.95))]
                imbalance: f64 = 0.0,
                /// Share of the points that is never learned from.
                #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
                validation: f64 = 0.3,
                /// What the network is told about a point.
                #[schemars(title = "Features", length(min = 1, max = 11))]
                features: Vec<$crate::features::Feature> = vec![$crate::features::Feature::X, $crate::features::Feature::Y],
                /// Whether every step learns from new points, so that none can be learned by heart.
                #[schemars(title = "Endless")]
                endless: bool = false,
            }
        }

        impl $crate::sources::planar::HasCommon for $name {
            fn common(&self) -> $crate::sources::planar::Common<'_> {
                $crate::sources::planar::Common {
                    samples: self.samples,
                    noise: self.noise,
                    imbalance: self.imbalance,
                    validation: self.validation,
                    features: &self.features,
                }
            }
        }

        impl $crate::sources::Generate for $name {
            const PLANAR: bool = true;
            const AT_ONCE: bool = true;

            fn generate(
                &self,
                seed: u32,
                _: &dyn $crate::Assets,
            ) -> Result<$crate::Dataset, downhill_tensor::UserError> {
                let set = $crate::sources::planar::generate(self, seed)?;
                Ok(if self.endless { $crate::sources::planar::stream(set, std::rc::Rc::new(self.clone()), seed) } else { set })
            }
        }
    };
}
pub(crate) use planar;

/// Deals the samples to the classes, draws and perturbs the points, and splits them.
pub(crate) fn generate(source: &dyn Planar, seed: u32) -> Result<Dataset, UserError> {
    source.check()?;
    let common = source.common();
    let classes = deal(common.samples, source.classes(), common.imbalance);
    let mut points = Vec::with_capacity(2 * classes.len());
    for (&class, i) in classes.iter().zip(0u32..) {
        // Position and noise of a sample have a sequence each, so that more noise moves points without dealing new ones.
        let [x, y] = source.point(class, &mut Rng::new(seed, rng::Stream::Data, 2 * i));
        let mut noise = Rng::new(seed, rng::Stream::Data, 2 * i + 1);
        points.push((x + common.noise * noise.normal()) as f32);
        points.push((y + common.noise * noise.normal()) as f32);
    }
    let names = (0..source.classes()).map(class_name).collect();
    let licence = "Generated from the seed; free to use.";
    finish(points, classes, names, common.features, (source.description(), licence), (common.validation, seed))
}

/// The same set, of which every training step takes new samples.
pub(crate) fn stream(set: Dataset, source: Rc<dyn Planar>, seed: u32) -> Dataset {
    Dataset { stream: Some(Stream::new(Rc::new(Endless(source)), seed)), ..set }
}

/// Points drawn batch by batch.
struct Endless(Rc<dyn Planar>);

impl Draw for Endless {
    fn draw(&self, seed: u32, step: u64, x: &mut [u32], y: &mut [u32]) {
        let (common, classes) = (self.0.common(), self.0.classes());
        let rarer = (1.0 - common.imbalance) * f64::from(classes.saturating_sub(1));
        let mut rng = Rng::new(seed, rng::Stream::Batches, step as u32);
        for (row, label) in x.chunks_exact_mut(common.features.len().max(1)).zip(y) {
            // The first class has a weight of 1, all others together one of `rarer`.
            let at = rng.uniform() * (1.0 + rarer);
            let class = if at < 1.0 { 0 } else { 1 + ((at - 1.0) / (1.0 - common.imbalance)) as u32 };
            *label = class.min(classes.saturating_sub(1));
            let [px, py] = self.0.point(*label, &mut rng);
            let (px, py) = ((px + common.noise * rng.normal()) as f32, (py + common.noise * rng.normal()) as f32);
            for (word, feature) in row.iter_mut().zip(common.features) {
                *word = feature.of_point(px, py).to_bits();
            }
        }
    }
}

/// The data set of points `[samples, 2]` with their classes.
pub(crate) fn finish(
    raw: Vec<f32>,
    classes: Vec<u32>,
    names: Vec<String>,
    features: &[Feature],
    card: (&str, &str),
    (validation, seed): (f64, u32),
) -> Result<Dataset, UserError> {
    check_repeats(features)?;
    let plane = Plane::Map(features.to_vec());
    let x = raw.chunks_exact(2).flat_map(|p| plane.encode_point(p[0], p[1])).collect();
    let task = Task::Classification { classes: names };
    let features = features.iter().map(|f| f.label().to_string()).collect();
    let samples = Samples::of_rows(task, features, Column::F32(x), Column::U32(classes), card);
    Samples { raw, plane: Some(plane), ..samples }.finish(validation, seed)
}

/// Refuses a feature that is listed twice.
pub(crate) fn check_repeats<F: PartialEq>(features: &[F]) -> Result<(), UserError> {
    match (1..features.len()).find(|&i| features[..i].contains(&features[i])) {
        Some(i) => Err(UserError::at(format!("features[{i}]"), "This feature is listed twice.").hint("Remove one of the two.")),
        None => Ok(()),
    }
}

/// What a class without a name of its own is called.
pub(crate) fn class_name(class: u32) -> String {
    format!("class {class}")
}

/// The class of each of `samples` samples: every class but the first has `1 - imbalance` times as many as the first. A longer
/// deal begins like a shorter one.
fn deal(samples: u32, classes: u32, imbalance: f64) -> Vec<u32> {
    let weight = |class: usize| if class == 0 { 1.0 } else { 1.0 - imbalance };
    let total: f64 = (0..classes as usize).map(weight).sum();
    let mut counts = vec![0u32; classes as usize];
    let mut dealt = Vec::with_capacity(samples as usize);
    for i in 0..samples {
        let owed = |class: usize| weight(class) / total * f64::from(i + 1) - f64::from(counts[class]);
        let next = (0..counts.len()).reduce(|best, c| if owed(c) > owed(best) + 1e-9 { c } else { best }).unwrap_or(0);
        counts[next] += 1;
        dealt.push(next as u32);
    }
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imbalance_makes_every_class_but_the_first_rarer() {
        let count = |dealt: &[u32], class| dealt.iter().filter(|&&c| c == class).count();
        let even = deal(300, 3, 0.0);
        assert_eq!([0, 1, 2].map(|c| count(&even, c)), [100, 100, 100]);
        let uneven = deal(120, 3, 0.9);
        assert_eq!([0, 1, 2].map(|c| count(&uneven, c)), [100, 10, 10]);
        assert_eq!(deal(40, 3, 0.5), deal(400, 3, 0.5)[..40]);
    }
}
