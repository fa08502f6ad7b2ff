//! Augmentation: training steps learn from pictures that are changed a little, each time in another way. What a step is given follows from the
//! seed and its number alone, so that a run goes on bit for bit from any step, and both backends are given the same; what is measured with stays
//! as it is.

use std::cell::RefCell;
use std::rc::Rc;

use downhill_tensor::UserError;
use downhill_tensor::rng::{self, Rng};

use crate::dataset::{Dataset, TARGET};
use crate::field::{Column, Field};
use crate::fields;
use crate::sampler::{Sampler, SamplerPosition};
use crate::stream::{Draw, Stream};

fields! {
    /// Changes of the pictures that are learned from, drawn anew in every step.
    #[schemars(title = "Augmentation")]
    Augment {
        /// Moved by up to this share of the picture, down and across.
        #[schemars(title = "Shift", range(min = 0.0, max = 0.5))]
        shift: f64 = 0.0,
        /// Turned by up to so many degrees, to either side.
        #[schemars(title = "Rotate", range(min = 0.0, max = 180.0))]
        rotate: f64 = 0.0,
        /// Made larger or smaller by up to this share.
        #[schemars(title = "Scale", range(min = 0.0, max = 0.9))]
        scale: f64 = 0.0,
        /// Every second picture is mirrored, left to right.
        #[schemars(title = "Flip")]
        flip: bool = false,
        /// Standard deviation of what is added to every pixel; white is 1.
        #[schemars(title = "Noise", range(min = 0.0, max = 1.0))]
        noise: f64 = 0.0,
        /// Side of a square that is blacked out somewhere, as a share of the picture.
        #[schemars(title = "Cutout", range(min = 0.0, max = 0.9))]
        cutout: f64 = 0.0,
        /// Both parameters of the beta distribution of how much of another picture of the batch is blended in; the class is that of either
        /// one, as often as its share, so that the loss is in the mean that of both.
        #[schemars(title = "Mixup", range(min = 0.0, max = 1.0))]
        mixup: f64 = 0.0,
    }
}

impl Augment {
    /// Whether anything is changed.
    pub fn is_on(&self) -> bool {
        *self != Self::default()
    }

    /// Has training steps on `data` learn from changed pictures.
    ///
    /// # Errors
    /// When the samples are no pictures with one answer each, or are new in every step already.
    pub fn apply(&self, data: &mut Dataset, seed: u32) -> Result<(), UserError> {
        if !self.is_on() {
            return Ok(());
        }
        let refuse = |what: &str, hint: &str| Err(UserError::at("augment", what).hint(hint));
        if data.stream.is_some() {
            return refuse("These pictures are new in every step already.", "Turn \"endless\" or the augmentation off.");
        }
        if data.image.is_some() && data.inputs.len() > 1 {
            return refuse("Only pictures that are all the network is given can be changed so.", "Turn the augmentation off.");
        }
        let (Some((height, width)), [name]) = (data.image, data.inputs.as_slice()) else {
            return refuse(
                "Only pictures can be changed so, and these samples are none.",
                "Turn the augmentation off, or choose pictures.",
            );
        };
        let (x, y) = (data.train.field(name), data.train.field(TARGET));
        let (Some(x), Some(y)) = (x.cloned(), y.filter(|y| y.width() == 1).cloned()) else {
            return refuse("The answers of these pictures would not move along with them.", "Turn the augmentation off.");
        };
        let channels = x.width() / (height * width).max(1);
        let state = Buffers { sampler: Sampler::new(seed, data.train.len()), indices: Vec::new(), last: Vec::new() };
        let augmented =
            Augmented { augment: self.clone(), x, y, shape: [channels, height, width], buffers: RefCell::new(state) };
        data.stream = Some(Stream::new(Rc::new(augmented), seed));
        Ok(())
    }
}

/// Samples to learn from, changed in every step.
struct Augmented {
    augment: Augment,
    x: Field,
    y: Field,
    /// Channels, height and width of a picture.
    shape: [usize; 3],
    buffers: RefCell<Buffers>,
}

/// What a batch is made with, so that no step allocates.
struct Buffers {
    sampler: Sampler,
    indices: Vec<u32>,
    last: Vec<u32>,
}

/// How a picture is changed: where each new pixel comes from, and what is blacked out.
struct Change {
    /// Offsets down and across.
    shift: (f64, f64),
    /// Sine and cosine of the angle, over the scale.
    turn: (f64, f64),
    mirrored: bool,
    /// The middle of what is blacked out.
    cut: (f64, f64),
}

impl Augment {
    fn change(&self, height: usize, width: usize, rng: &mut Rng) -> Change {
        let (height, width) = (height as f64, width as f64);
        let mut either = |most: f64| most * rng.range(-1.0, 1.0);
        let shift = (either(self.shift * height), either(self.shift * width));
        let (angle, scale) = (either(self.rotate).to_radians(), 1.0 + either(self.scale));
        let mirrored = rng.uniform() < 0.5 && self.flip;
        let cut = (rng.uniform() * height, rng.uniform() * width);
        Change { shift, turn: (libm::sin(angle) / scale, libm::cos(angle) / scale), mirrored, cut }
    }
}

impl Augmented {
    /// Writes a sample's picture, changed.
    fn picture(&self, sample: usize, rng: &mut Rng, out: &mut [u32]) {
        let [channels, height, width] = self.shape;
        let change = self.augment.change(height, width, rng);
        let (down, across) = (height as f64 / 2.0, width as f64 / 2.0);
        let reach = (self.augment.cutout * down, self.augment.cutout * across);
        let start = sample * channels * height * width;
        for (channel, plane) in out.chunks_exact_mut((height * width).max(1)).enumerate() {
            for (i, pixel) in plane.iter_mut().enumerate() {
                let (y, x) = ((i / width) as f64 + 0.5, (i % width) as f64 + 0.5);
                let hidden = (y - change.cut.0).abs() < reach.0 && (x - change.cut.1).abs() < reach.1;
                // The way back: from the new picture's middle to where the pixel was.
                let (v, u) = (y - down - change.shift.0, x - across - change.shift.1);
                let (sin, cos) = change.turn;
                let (v, u) = (cos * v - sin * u, sin * v + cos * u);
                let u = if change.mirrored { -u } else { u };
                let value =
                    if hidden { 0.0 } else { self.between(start + channel * height * width, v + down - 0.5, u + across - 0.5) };
                *pixel = (value as f32).to_bits();
            }
        }
        if self.augment.noise > 0.0 {
            for pixel in out {
                let noisy = f64::from(f32::from_bits(*pixel)) + self.augment.noise * rng.normal();
                *pixel = (noisy.clamp(0.0, 1.0) as f32).to_bits();
            }
        }
    }

    /// The value between the four pixels around a place of a plane; black outside.
    fn between(&self, plane: usize, row: f64, column: f64) -> f64 {
        let [_, height, width] = self.shape;
        let (top, left) = (row.floor(), column.floor());
        let (below, right) = (row - top, column - left);
        let at = |down: f64, across: f64| {
            let (row, column) = (top + down, left + across);
            let inside = row >= 0.0 && column >= 0.0 && row < height as f64 && column < width as f64;
            if inside { self.pixel(plane + row as usize * width + column as usize) } else { 0.0 }
        };
        let upper = at(0.0, 0.0) * (1.0 - right) + at(0.0, 1.0) * right;
        let lower = at(1.0, 0.0) * (1.0 - right) + at(1.0, 1.0) * right;
        upper * (1.0 - below) + lower * below
    }

    fn pixel(&self, i: usize) -> f64 {
        f64::from(match &self.x.column {
            Column::U8 { bytes, scale, shift } => bytes.get(i).map_or(0.0, |&byte| f32::from(byte) * scale + shift),
            Column::F32(values) => values.get(i).copied().unwrap_or(0.0),
            Column::U32(_) => 0.0,
        })
    }

    /// The answer of a sample, as a word.
    fn answer(&self, sample: usize) -> u32 {
        match &self.y.column {
            Column::U32(classes) => classes.get(sample).copied().unwrap_or(0),
            Column::F32(values) => values.get(sample).map_or(0, |value| value.to_bits()),
            Column::U8 { .. } => 0,
        }
    }

    /// Blends each picture with the one before it, the first with the last, as torchvision's `MixUp` does.
    fn mix(&self, rng: &mut Rng, last: &mut Vec<u32>, x: &mut [u32], y: &mut [u32]) {
        let share = beta(self.augment.mixup, rng) as f32;
        let width = self.x.width();
        let Some(&last_answer) = y.last() else { return };
        last.clear();
        last.extend_from_slice(x.get(x.len().saturating_sub(width)..).unwrap_or(&[]));
        for row in (0..y.len()).rev() {
            let (before, own) = x.split_at_mut(row * width);
            let other = if row == 0 { &last[..] } else { &before[(row - 1) * width..] };
            for (pixel, other) in own.iter_mut().take(width).zip(other) {
                *pixel = (f32::from_bits(*pixel) * share + f32::from_bits(*other) * (1.0 - share)).to_bits();
            }
            let other = if row == 0 { last_answer } else { y[row - 1] };
            if rng.uniform() >= f64::from(share) {
                y[row] = other;
            }
        }
    }
}

/// A number of the beta distribution whose parameters are both `alpha`, at most 1 (M. D. Jöhnk, 1964).
fn beta(alpha: f64, rng: &mut Rng) -> f64 {
    const TRIES: usize = 1000;
    for _ in 0..TRIES {
        let [a, b] = [rng.uniform(), rng.uniform()].map(|u| libm::pow(u, 1.0 / alpha));
        if a + b <= 1.0 && a + b > 0.0 {
            return a / (a + b);
        }
    }
    // So small a parameter that nothing is blended.
    1.0
}

impl Draw for Augmented {
    fn draw(&self, seed: u32, step: u64, x: &mut [u32], y: &mut [u32]) {
        let mut buffers = self.buffers.borrow_mut();
        let Buffers { sampler, indices, last } = &mut *buffers;
        let (samples, before) = (self.y.column.len().max(1) as u64, step * y.len() as u64);
        let position = SamplerPosition { epoch: (before / samples) as u32, index: (before % samples) as u32 };
        if sampler.restore(position).is_err() {
            return;
        }
        indices.resize(y.len(), 0);
        sampler.next_batch(indices);
        let mut rng = Rng::new(seed, rng::Stream::Augmentation, step as u32);
        for ((picture, answer), &sample) in x.chunks_exact_mut(self.x.width().max(1)).zip(y.iter_mut()).zip(indices.iter()) {
            *answer = self.answer(sample as usize);
            self.picture(sample as usize, &mut rng, picture);
        }
        if self.augment.mixup > 0.0 {
            self.mix(&mut rng, last, x, y);
        }
    }

    fn samples(&self) -> Option<usize> {
        Some(self.y.column.len())
    }

    fn changed(&self, seed: u32, sample: usize) -> Option<Vec<f32>> {
        let mut picture = vec![0; self.x.width()];
        // Of a step that is never reached, so that no step is shown before its time.
        self.picture(sample, &mut Rng::new(seed ^ sample as u32, rng::Stream::Augmentation, u32::MAX), &mut picture);
        Some(picture.into_iter().map(f32::from_bits).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{NoAssets, Source};

    /// Shapes of one brightness on black, and the batch of a step.
    fn batch(augment: &Augment, step: u64, rows: usize) -> (Vec<f32>, Vec<u32>) {
        let mut data = plain();
        augment.apply(&mut data, 5).unwrap();
        let width = data.train.fields[0].width();
        let (mut x, mut y) = (vec![0; rows * width], vec![0; rows]);
        data.stream.unwrap().fill(step, &mut x, &mut y);
        (x.into_iter().map(f32::from_bits).collect(), y)
    }

    fn plain() -> Dataset {
        Source::from_json("drawn_digits", &json!({ "samples": 60 })).unwrap().build(5, &NoAssets).unwrap()
    }

    fn with(change: impl FnOnce(&mut Augment)) -> Augment {
        let mut augment = Augment::default();
        change(&mut augment);
        augment
    }

    /// The pictures of a step without augmentation, in the order of the sampler.
    fn original(step: u64, rows: usize) -> Vec<Vec<f32>> {
        let data = plain();
        let mut indices = vec![0; (step as usize + 1) * rows];
        Sampler::new(5, data.train.len()).next_batch(&mut indices);
        indices[step as usize * rows..].iter().map(|&i| data.train.fields[0].numbers(i as usize)).collect()
    }

    #[test]
    fn a_batch_follows_from_seed_and_step_and_takes_the_samples_in_their_order() {
        let all = Augment { shift: 0.1, rotate: 20.0, scale: 0.1, flip: true, noise: 0.1, cutout: 0.3, mixup: 0.4 };
        let (first, again) = (batch(&all, 7, 8), batch(&all, 7, 8));
        assert_eq!(first, again);
        assert_ne!(first.0, batch(&all, 8, 8).0);
        // So little that no pixel moves: what is left is the order.
        let nothing = with(|a| a.mixup = 1e-9);
        for step in [0, 3, 11] {
            assert_eq!(batch(&nothing, step, 8).0, original(step, 8).concat(), "step {step}");
        }
    }

    #[test]
    fn a_picture_is_mirrored_or_left_as_it_is() {
        let (flipped, mut mirrored) = (batch(&with(|a| a.flip = true), 2, 32).0, 0);
        for (new, old) in flipped.chunks_exact(28 * 28).zip(original(2, 32)) {
            let turned: Vec<f32> = (0..28 * 28).map(|i| old[i / 28 * 28 + 27 - i % 28]).collect();
            assert!(new == turned || new == old);
            mirrored += usize::from(new == turned);
        }
        assert!((8..=24).contains(&mirrored), "{mirrored} of 32");
    }

    #[test]
    fn a_turned_picture_keeps_its_middle_and_its_light() {
        // Half a turn of every other pixel would be seen at once: the sum of a disc in the middle stays under any angle.
        let light = |picture: &[f32]| -> f32 {
            let inside = |i: usize| (i as f32 / 28.0 - 14.0).hypot(i as f32 % 28.0 - 13.5) < 9.0;
            (0..28 * 28).filter(|&i| inside(i)).map(|i| picture[i]).sum()
        };
        let turned = batch(&with(|a| a.rotate = 30.0), 1, 16).0;
        for (new, old) in turned.chunks_exact(28 * 28).zip(original(1, 16)) {
            assert!((light(new) - light(&old)).abs() < 0.2 * light(&old) + 2.0, "{} {}", light(new), light(&old));
            assert_ne!(new, old);
        }
    }

    #[test]
    fn a_square_of_the_wanted_side_is_black_and_all_else_stays() {
        let cut = batch(&with(|a| a.cutout = 0.5), 4, 32).0;
        for (new, old) in cut.chunks_exact(28 * 28).zip(original(4, 32)) {
            let changed: Vec<usize> = (0..28 * 28).filter(|&i| new[i] != old[i]).collect();
            assert!(changed.iter().all(|&i| new[i] == 0.0));
            let span = |of: fn(usize) -> usize| {
                let places = changed.iter().map(|&i| of(i));
                places.clone().max().unwrap_or(0) - places.min().unwrap_or(0)
            };
            assert!(span(|i| i / 28) < 14 && span(|i| i % 28) < 14);
        }
    }

    #[test]
    fn a_mixture_is_of_two_neighbours_and_has_the_class_of_one_of_them() {
        let (x, y) = batch(&with(|a| a.mixup = 1.0), 3, 16);
        let (old, answers) = (original(3, 16), batch(&with(|a| a.mixup = 1e-9), 3, 16).1);
        for (i, picture) in x.chunks_exact(28 * 28).enumerate() {
            let before = (i + 15) % 16;
            let place = (0..28 * 28).find(|&p| old[i][p] != old[before][p]).unwrap();
            let share = (picture[place] - old[before][place]) / (old[i][place] - old[before][place]);
            assert!((0.0..=1.0).contains(&share));
            for p in 0..28 * 28 {
                assert!((picture[p] - share * old[i][p] - (1.0 - share) * old[before][p]).abs() < 1e-4);
            }
            assert!(y[i] == answers[i] || y[i] == answers[before]);
        }
    }

    #[test]
    fn shares_of_mixtures_have_the_variance_of_their_distribution() {
        let mut rng = Rng::new(3, rng::Stream::Augmentation, 0);
        for alpha in [0.2, 1.0] {
            let drawn: Vec<f32> = (0..4000).map(|_| beta(alpha, &mut rng) as f32).collect();
            let found = downhill_tensor::stats::summarize(&drawn).std.powi(2);
            let wanted = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((found - wanted).abs() < 0.05 * wanted, "{alpha}: {found} {wanted}");
        }
    }

    #[test]
    fn what_is_no_picture_and_what_is_new_anyway_is_refused() {
        let refused = |source: &str, fields| {
            let mut data = Source::from_json(source, &fields).unwrap().build(1, &NoAssets).unwrap();
            with(|a| a.shift = 0.1).apply(&mut data, 1).unwrap_err().to_string()
        };
        assert!(refused("spirals", json!({})).contains("Only pictures can be changed so"));
        assert!(refused("shapes", json!({ "endless": true })).contains("new in every step already"));
    }
}
