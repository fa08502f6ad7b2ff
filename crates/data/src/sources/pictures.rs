//! What all sources share that paint their pictures: how many, of which class, with how much noise; finite or endless.

use std::rc::Rc;

use downhill_tensor::UserError;
use downhill_tensor::rng::{self, Rng};

use crate::dataset::{Dataset, INPUT, Samples, Scaling, Task, mislabelled};
use crate::field::{Column, Field};
use crate::stream::{Draw, Stream};

/// What a byte of a picture is at most.
pub(crate) const WHITE: u32 = 255;

/// The fields every such source has.
pub(crate) struct Common {
    pub samples: u32,
    pub noise: f64,
    pub label_noise: f64,
    pub validation: f64,
    pub endless: bool,
}

/// What a source of painted pictures says for itself.
pub(crate) trait Pictures {
    /// What a sample is and how its class is defined, for the data card.
    fn description(&self) -> &'static str;

    /// The fields that all have.
    fn common(&self) -> Common;

    /// Names of the classes.
    fn classes(&self) -> Vec<String>;

    /// How many kinds of pictures there are.
    fn class_count(&self) -> u32;

    /// Whether every pixel asks for its class: that of the picture, one more, or 0 where there is nothing.
    fn masks(&self) -> bool {
        false
    }

    /// Writes the class of every pixel of the picture that [`Pictures::paint`] would paint from these random numbers into
    /// `[size, size]` zeros. Allocates nothing.
    fn mask(&self, _class: u32, _rng: Rng, _mask: &mut [u32]) {}

    /// Height and width.
    fn size(&self) -> usize;

    /// Paints a picture of `class` into `[size, size]` zeros: brightness from 0 to [`WHITE`]. Allocates nothing.
    fn paint(&self, class: u32, rng: &mut Rng, picture: &mut [u32]);
}

/// Declares the struct of such a source: its own fields between the common ones, all with default, range, title and help.
macro_rules! pictures {
    (
        $(#[$meta:meta])*
        $name:ident { samples: $samples:literal, noise: $noise:literal }
        $( $(#[$field_meta:meta])* $field:ident: $type:ty = $default:expr; )*
    ) => {
        $crate::fields! {
            $(#[$meta])*
            $name {
                /// Pictures in all, training and validation together.
                #[schemars(title = "Samples", range(min = 10, max = 20000))]
                samples: u32 = $samples,
                $( $(#[$field_meta])* $field: $type = $default, )*
                /// Standard deviation of what is added to every pixel; white is 1.
                #[schemars(title = "Noise", range(min = 0.0, max = 1.0))]
                noise: f64 = $noise,
                /// Share of the samples to learn from that get a wrong class; validation keeps the right ones.
                #[schemars(title = "Wrong labels", range(min = 0.0, max = 1.0))]
                label_noise: f64 = 0.0,
                /// Share of the pictures that is never learned from.
                #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
                validation: f64 = 0.3,
                /// Whether every step learns from new pictures, so that none can be learned by heart.
                #[schemars(title = "Endless")]
                endless: bool = false,
            }
        }

        impl $name {
            fn shared(&self) -> $crate::sources::pictures::Common {
                $crate::sources::pictures::Common {
                    samples: self.samples,
                    noise: self.noise,
                    label_noise: self.label_noise,
                    validation: self.validation,
                    endless: self.endless,
                }
            }
        }

        impl $crate::sources::Generate for $name {
            const IMAGES: bool = true;

            fn outline(&self) -> Option<$crate::sources::Outline> {
                Some($crate::sources::pictures::outline(self))
            }

            fn generate(
                &self,
                seed: u32,
                _: &dyn $crate::Assets,
            ) -> Result<$crate::Dataset, downhill_tensor::UserError> {
                $crate::sources::pictures::generate(std::rc::Rc::new(self.clone()), seed)
            }
        }
    };
}
pub(crate) use pictures;

/// The names of the pixels of a picture `[channels, height, width]`.
pub(crate) fn pixel_names(channels: usize, height: usize, width: usize) -> Vec<String> {
    let colours = ["", " red", " green", " blue"];
    let name = |i: usize| {
        let (channel, row, column) = (i / (height * width), i / width % height, i % width);
        let colour = if channels > 1 { colours.get(channel + 1).copied().unwrap_or_default() } else { "" };
        format!("row {} column {}{colour}", row + 1, column + 1)
    };
    (0..channels * height * width).map(name).collect()
}

/// Pictures as an input `[channels, height, width]`: a byte is a brightness, read as 0 to 1.
pub(crate) fn field([channels, height, width]: [usize; 3], bytes: Vec<u8>) -> Field {
    Field::new(INPUT, [channels, height, width], Column::U8 { bytes, scale: 1.0 / WHITE as f32, shift: 0.0 })
}

/// Samples whose input is pictures.
pub(crate) fn samples(
    [channels, height, width]: [usize; 3],
    bytes: Vec<u8>,
    (classes, labels): (Vec<String>, Vec<u32>),
    card: (&str, &str),
) -> Samples {
    let task = Task::Classification { classes };
    let fields = vec![field([channels, height, width], bytes)];
    Samples {
        features: pixel_names(channels, height, width),
        image: Some((height, width)),
        scaling: Scaling::By(WHITE as f32),
        ..Samples::new(task, fields, Column::U32(labels), card)
    }
}

/// How many labels there are to tell apart.
fn labels_of(source: &dyn Pictures) -> u32 {
    source.class_count().max(1) + u32::from(source.masks())
}

/// Where a picture asks for answers: at every pixel, or once.
fn positions(source: &dyn Pictures) -> Vec<usize> {
    if source.masks() { vec![source.size(); 2] } else { Vec::new() }
}

/// What the data will be: nothing has to be painted to know.
pub(crate) fn outline(source: &dyn Pictures) -> super::Outline {
    let common = source.common();
    super::Outline {
        samples: common.samples as usize,
        inputs: vec![field([1, source.size(), source.size()], Vec::new())],
        classes: labels_of(source) as usize,
        positions: positions(source),
        validation: common.validation,
        streamed: common.endless,
    }
}

/// Paints the pictures, class after class in turn, and splits them.
pub(crate) fn generate(source: Rc<dyn Pictures>, seed: u32) -> Result<Dataset, UserError> {
    let (common, size, classes) = (source.common(), source.size(), source.class_count().max(1));
    let mut bytes = Vec::with_capacity(common.samples as usize * size * size);
    let mut picture = vec![0; size * size];
    let mut labels = Vec::new();
    for i in 0..common.samples {
        // Picture and noise of a sample have a sequence each, so that more noise does not paint other pictures.
        picture.fill(0);
        let (class, mut rng) = (i % classes, Rng::new(seed, rng::Stream::Data, 2 * i));
        if source.masks() {
            source.mask(class, rng.clone(), &mut picture);
            labels.extend_from_slice(&picture);
            picture.fill(0);
        } else {
            labels.push(class);
        }
        source.paint(class, &mut rng, &mut picture);
        disturb(common.noise, &mut Rng::new(seed, rng::Stream::Data, 2 * i + 1), &mut picture);
        bytes.extend(picture.iter().map(|&brightness| brightness as u8));
    }
    let card = (source.description(), "Generated from the seed; free to use.");
    let samples = samples([1, size, size], bytes, (source.classes(), labels), card);
    let positions = positions(&*source);
    let mut set = Samples { label_noise: common.label_noise, positions, ..samples }.finish(common.validation, seed)?;
    set.stream = common.endless.then(|| Stream::new(Rc::new(Endless(source)), seed));
    Ok(set)
}

/// Adds normal noise to every pixel, within what a pixel can be.
fn disturb(noise: f64, rng: &mut Rng, picture: &mut [u32]) {
    if noise > 0.0 {
        for brightness in picture {
            let noisy = f64::from(*brightness) + noise * f64::from(WHITE) * rng.normal();
            *brightness = noisy.clamp(0.0, f64::from(WHITE)) as u32;
        }
    }
}

/// Pictures painted batch by batch.
struct Endless(Rc<dyn Pictures>);

impl Draw for Endless {
    fn draw(&self, seed: u32, step: u64, x: &mut [u32], y: &mut [u32]) {
        let (common, classes, labels) = (self.0.common(), self.0.class_count().max(1), labels_of(&*self.0));
        let pixels = (self.0.size() * self.0.size()).max(1);
        let mut rng = Rng::new(seed, rng::Stream::Batches, step as u32);
        let answers = if self.0.masks() { pixels } else { 1 };
        for (picture, answer) in x.chunks_exact_mut(pixels).zip(y.chunks_exact_mut(answers)) {
            let class = rng.below(classes as usize) as u32;
            answer.fill(if self.0.masks() { 0 } else { class });
            self.0.mask(class, rng.clone(), answer);
            picture.fill(0);
            self.0.paint(class, &mut rng, picture);
            disturb(common.noise, &mut rng, picture);
            for label in answer {
                *label = mislabelled(*label, common.label_noise, labels, &mut rng);
            }
            for word in picture {
                *word = (*word as f32 * (1.0 / WHITE as f32)).to_bits();
            }
        }
    }
}
