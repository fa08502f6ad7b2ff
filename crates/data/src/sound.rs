//! Sound as a network is given it: the loudness of some bands of pitch (mel) in short frames, in decibels; and the waves of the samples, for
//! whoever wants to hear them. Which sounds there are is the sources' business.

use std::f64::consts::{LN_10, PI, TAU};
use std::fmt;
use std::rc::Rc;

use crate::split::Split;

/// Samples of a frame of 32 milliseconds, a power of two where the rate is 8000 times one. From one frame to the next it is half as many.
fn frame_length(rate: u32) -> usize {
    rate as usize / 125 * 4
}

/// What is so many decibels below full loudness, or more, is silence.
const DEPTH: f64 = 80.0;
/// The lowest pitch that is heard, in hertz.
const LOWEST: f64 = 100.0;

/// The frames of a wave of so many samples.
pub(crate) fn frames(samples: usize, rate: u32) -> usize {
    let frame = frame_length(rate);
    if samples < frame { 0 } else { (samples - frame) / (frame / 2) + 1 }
}

/// Turns waves into frames of bands: a window by Hann, the power of a Fourier transform, triangles that are as wide as their distance on the
/// mel scale (O'Shaughnessy, 1987: `m = 2595·log10(1 + f / 700)`), decibels. All of it in f64 and in one order, so that the bits are the same
/// everywhere.
pub(crate) struct Ear {
    rate: u32,
    bands: usize,
    window: Vec<f64>,
    /// Cosine and sine of each part of a turn, half as many as a frame has samples.
    turns: Vec<[f64; 2]>,
    /// Of each band the first line of the spectrum that it hears, and how much of it and of the following ones.
    filters: Vec<(usize, Vec<f64>)>,
}

impl Ear {
    /// An ear with so many bands up to half of the rate, which is 8000 times a power of two.
    pub(crate) fn new(rate: u32, bands: usize) -> Self {
        let frame = frame_length(rate);
        let mel = |hertz: f64| 2595.0 * libm::log10(1.0 + hertz / 700.0);
        let hertz = |mel: f64| 700.0 * (libm::exp(mel / 2595.0 * LN_10) - 1.0);
        let (low, high) = (mel(LOWEST), mel(f64::from(rate) / 2.0));
        // Corners of the triangles in lines of the spectrum.
        let corner = |i: usize| hertz(low + (high - low) * i as f64 / (bands + 1) as f64) * frame as f64 / f64::from(rate);
        let filter = |band: usize| {
            let [from, top, to] = [0, 1, 2].map(|i| corner(band + i));
            let share = |line: usize| {
                let at = line as f64;
                let rising = (at - from) / (top - from);
                let falling = (to - at) / (to - top);
                rising.min(falling).max(0.0)
            };
            // A band that lies between two lines hears the nearest one.
            let lines = (from.ceil() as usize)..=(to.floor() as usize).min(frame / 2);
            let heard: Vec<f64> = lines.clone().map(share).collect();
            if heard.iter().sum::<f64>() < 0.5 {
                return ((top.round() as usize).min(frame / 2), vec![1.0]);
            }
            (*lines.start(), heard)
        };
        let turn = |i: usize| TAU * i as f64 / frame as f64;
        Self {
            rate,
            bands,
            window: (0..frame).map(|i| libm::pow(libm::sin(PI * i as f64 / frame as f64), 2.0)).collect(),
            turns: (0..frame / 2).map(|i| [libm::cos(turn(i)), -libm::sin(turn(i))]).collect(),
            filters: (0..bands).map(filter).collect(),
        }
    }

    /// The bands of all frames of a wave within −1…1, `[frames, bands]`: 1 is a tone of full loudness, −1 silence.
    pub(crate) fn hear(&self, wave: &[f32]) -> Vec<f32> {
        let frame = frame_length(self.rate);
        let mut heard = Vec::with_capacity(frames(wave.len(), self.rate) * self.bands);
        let mut spectrum = vec![[0.0; 2]; frame];
        // A tone of full loudness has so much power in its line.
        let full = (frame as f64 / 4.0) * (frame as f64 / 4.0);
        for at in 0..frames(wave.len(), self.rate) {
            for (place, (v, share)) in spectrum.iter_mut().zip(wave[at * (frame / 2)..].iter().zip(&self.window)) {
                *place = [f64::from(*v) * share, 0.0];
            }
            self.transform(&mut spectrum);
            for (first, shares) in &self.filters {
                let power = |(line, share): (&[f64; 2], &f64)| share * (line[0] * line[0] + line[1] * line[1]);
                let sum: f64 = spectrum[*first..].iter().zip(shares).map(power).sum();
                let decibels = 10.0 * libm::log10((sum / full).max(1e-12));
                heard.push((1.0 + 2.0 * decibels / DEPTH).clamp(-1.0, 1.0) as f32);
            }
        }
        heard
    }

    /// The Fourier transform in place, in the order of Cooley and Tukey.
    fn transform(&self, values: &mut [[f64; 2]]) {
        let frame = values.len();
        let bits = frame.trailing_zeros();
        for i in 0..frame {
            let j = i.reverse_bits() >> (usize::BITS - bits);
            if i < j {
                values.swap(i, j);
            }
        }
        let mut half = 1;
        while half < frame {
            for start in (0..frame).step_by(2 * half) {
                for i in 0..half {
                    let [c, s] = self.turns[i * (frame / 2 / half)];
                    let ([ar, ai], [br, bi]) = (values[start + i], values[start + i + half]);
                    let (re, im) = (br * c - bi * s, br * s + bi * c);
                    values[start + i] = [ar + re, ai + im];
                    values[start + i + half] = [ar - re, ai - im];
                }
            }
            half *= 2;
        }
    }
}

/// What makes or keeps the waves of a source's samples.
pub(crate) trait Waves {
    /// The wave of the sample that the source made as number `at`, within −1…1.
    fn wave(&self, at: u32) -> Vec<f32>;
}

/// What samples sound like.
#[derive(Clone)]
pub struct Sound {
    /// Samples of a wave per second.
    pub rate: u32,
    source: Rc<dyn Waves>,
    parts: Split,
}

impl Sound {
    /// The sound of samples that were split like this.
    pub(crate) fn new(rate: u32, source: Rc<dyn Waves>, parts: Split) -> Self {
        Self { rate, source, parts }
    }

    /// The wave of a sample, of those learned from or held out; nothing where there is no such sample.
    pub fn wave(&self, train: bool, sample: usize) -> Vec<f32> {
        let part = if train { &self.parts.train } else { &self.parts.validation };
        part.get(sample).map_or_else(Vec::new, |&at| self.source.wave(at))
    }
}

impl fmt::Debug for Sound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sound({} Hz)", self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 8000;

    fn tone(hertz: f64, samples: usize) -> Vec<f32> {
        (0..samples).map(|i| libm::sin(TAU * hertz * i as f64 / f64::from(RATE)) as f32).collect()
    }

    #[test]
    fn the_transform_is_that_of_fourier() {
        let ear = Ear::new(RATE, 24);
        let values: Vec<[f64; 2]> = (0..256).map(|i| [libm::sin((i * i) as f64), libm::cos(3.0 * i as f64)]).collect();
        let mut fast = values.clone();
        ear.transform(&mut fast);
        for (line, [re, im]) in fast.iter().enumerate() {
            let term = |(i, [a, b]): (usize, &[f64; 2])| {
                let angle = -TAU * (line * i % 256) as f64 / 256.0;
                let (c, s) = (libm::cos(angle), libm::sin(angle));
                [a * c - b * s, a * s + b * c]
            };
            let sum = values.iter().enumerate().map(term).fold([0.0; 2], |a, b| [a[0] + b[0], a[1] + b[1]]);
            assert!((sum[0] - re).abs() < 1e-9 && (sum[1] - im).abs() < 1e-9, "line {line}");
        }
    }

    #[test]
    fn a_tone_is_loud_in_its_band_and_silence_nowhere() {
        let ear = Ear::new(RATE, 24);
        assert!(ear.hear(&[0.0; 600]).iter().all(|v| *v == -1.0));
        assert_eq!(ear.hear(&[0.0; 512]).len(), 3 * 24);
        assert_eq!(ear.hear(&[0.0; 100]).len(), 0);
        let mut last = 0;
        for hertz in [300.0, 600.0, 1000.0, 2000.0, 3500.0] {
            let heard = ear.hear(&tone(hertz, 256));
            let (band, loudest) = heard.iter().enumerate().fold((0, -2.0), |b, (i, &v)| if v > b.1 { (i, v) } else { b });
            // A triangle that is narrower than a line of the window hears a little less than all, one that is wider a little more.
            assert!((0.8..=1.0).contains(&loudest) && band > last, "{hertz}: {band} {loudest}");
            let mel = |f: f64| 2595.0 * libm::log10(1.0 + f / 700.0);
            let expected = (mel(hertz) - mel(LOWEST)) / (mel(4000.0) - mel(LOWEST)) * 25.0 - 1.0;
            assert!((band as f64 - expected).abs() < 1.01, "{hertz}: {band}, expected {expected}");
            last = band;
        }
        // Half as high a wave is 6 decibels lower, of the 80 from the loudest to silence.
        let [loud, low] = [0.5, 0.25].map(|by| ear.hear(&tone(1000.0, 256).iter().map(|v| v * by).collect::<Vec<_>>()));
        let most = |heard: &[f32]| heard.iter().copied().fold(-1.0, f32::max);
        assert!((most(&loud) - most(&low) - 2.0 * 6.02 / 80.0).abs() < 0.01);
    }

    #[test]
    fn every_band_hears_something_however_narrow_it_is() {
        for bands in [8, 24, 40, 64] {
            let ear = Ear::new(RATE, bands);
            assert!(
                ear.filters
                    .iter()
                    .all(|(first, shares)| { shares.iter().sum::<f64>() >= 0.5 && first + shares.len() <= 256 / 2 + 1 })
            );
        }
    }
}
