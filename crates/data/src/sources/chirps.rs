//! Short sounds as birds make them, as frames of bands of pitch: which kind of call is it?

use std::f64::consts::{PI, TAU};
use std::rc::Rc;

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::{Generate, Outline, sequences};
use crate::assets::Assets;
use crate::dataset::{Dataset, INPUT, Samples, Task};
use crate::field::{Column, Field};
use crate::fields;
use crate::sound::{Ear, Sound, Waves, frames};
use crate::split::split;

fields! {
    /// Short bird-like calls as bands of pitch over time: which kind of call?
    #[schemars(title = "Chirps", extend("x-glyph" = "♪"))]
    Chirps {
        /// Calls in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 10000))]
        samples: u32 = 1200,
        /// Seconds of a sample; a call lies anywhere in it.
        #[schemars(title = "Seconds", range(min = 0.3, max = 3.0))]
        seconds: f64 = 0.6,
        /// Bands of pitch that are told apart.
        #[schemars(title = "Bands", range(min = 8, max = 64))]
        bands: u32 = 24,
        /// How much calls of a kind differ in pitch, tempo and loudness.
        #[schemars(title = "Variation", range(min = 0.0, max = 1.0))]
        variation: f64 = 1.0,
        /// How loud the hiss behind a call is: at 1 it drowns those that are not loud.
        #[schemars(title = "Noise", range(min = 0.0, max = 1.0))]
        noise: f64 = 0.05,
        /// Share of the calls that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.3,
    }
}

/// Samples of a wave per second.
const RATE: u32 = 8000;
/// The kinds of calls.
const KINDS: [&str; 6] = ["rising", "falling", "arch", "warble", "trill", "two notes"];
/// Pitches stay between these, in hertz.
const PITCHES: (f64, f64) = (700.0, 3600.0);
/// Most numbers that all calls may have together: 80 MB.
const MAX_NUMBERS: usize = 20_000_000;

/// A call: how its pitch and its loudness go over its time.
struct Call {
    kind: usize,
    /// Pitch in the middle, in hertz, and how far it goes up or down, as a factor.
    pitch: f64,
    reach: f64,
    /// How often it swings, or a note comes again.
    swings: f64,
    /// Loudness of the tones with two and three times the pitch.
    overtones: [f64; 2],
}

impl Call {
    /// Pitch and loudness at a share of its time.
    fn at(&self, t: f64) -> (f64, f64) {
        // −1…1: how far the pitch is from the middle.
        let swing = |t: f64| libm::sin(TAU * self.swings * t);
        let (bend, loud) = match self.kind {
            0 => (2.0 * t - 1.0, 1.0),
            1 => (1.0 - 2.0 * t, 1.0),
            2 => (2.0 * libm::sin(PI * t) - 1.0, 1.0),
            3 => (swing(t), 1.0),
            4 => (0.0, swing(t).max(0.0)),
            // A short gap is between the notes.
            _ => (if t < 0.5 { 1.0 } else { -1.0 }, if (t - 0.5).abs() < 0.05 { 0.0 } else { 1.0 }),
        };
        let pitch = self.pitch * libm::pow(self.reach, bend);
        // It swells and fades within a tenth of its time.
        let edge = (t.min(1.0 - t) / 0.1).clamp(0.0, 1.0);
        (pitch.clamp(PITCHES.0, PITCHES.1), loud * libm::sin(PI / 2.0 * edge))
    }
}

/// The calls of a seed.
struct Calls {
    source: Chirps,
    seed: u32,
}

impl Waves for Calls {
    fn wave(&self, at: u32) -> Vec<f32> {
        let mut rng = Rng::new(self.seed, Stream::Data, 2 * at);
        let mut vary = |low: f64, high: f64| {
            let share = 0.5 + self.source.variation * (rng.uniform() - 0.5);
            low + share * (high - low)
        };
        let samples = self.source.wave_length();
        let seconds = self.source.seconds.min(vary(0.2, 0.5));
        let call = Call {
            kind: at as usize % KINDS.len(),
            pitch: vary(1300.0, 2300.0),
            reach: vary(1.15, 1.5),
            swings: vary(4.0, 8.0),
            overtones: [vary(0.0, 0.4), vary(0.0, 0.2)],
        };
        let loudness = vary(0.3, 0.9) / (1.0 + call.overtones.iter().sum::<f64>());
        let length = (seconds * f64::from(RATE)) as usize;
        let start = (vary(0.0, 1.0) * (samples.saturating_sub(length)) as f64) as usize;
        // More noise hisses louder without another call.
        let mut hiss = Rng::new(self.seed, Stream::Data, 2 * at + 1);
        let mut phase = 0.0;
        let mut wave = Vec::with_capacity(samples);
        for i in 0..samples {
            let mut value = self.source.noise * 0.3 * hiss.normal();
            if (start..start + length).contains(&i) {
                let (pitch, loud) = call.at((i - start) as f64 / length as f64);
                phase += TAU * pitch / f64::from(RATE);
                let mut tone = libm::sin(phase);
                for (times, share) in [2.0, 3.0].into_iter().zip(call.overtones) {
                    // What is higher than half of the rate cannot be heard.
                    if times * pitch < f64::from(RATE) / 2.0 {
                        tone += share * libm::sin(times * phase);
                    }
                }
                value += loudness * loud * tone;
            }
            wave.push(value.clamp(-1.0, 1.0) as f32);
        }
        wave
    }
}

impl Chirps {
    /// Samples of a wave.
    fn wave_length(&self) -> usize {
        (self.seconds * f64::from(RATE)) as usize
    }

    /// The input with these numbers, sample after sample.
    fn input(&self, x: Vec<f32>) -> Field {
        Field::new(INPUT, [frames(self.wave_length(), RATE), self.bands as usize], Column::F32(x))
    }
}

impl Generate for Chirps {
    fn outline(&self) -> Option<Outline> {
        Some(Outline {
            samples: self.samples as usize,
            inputs: vec![self.input(Vec::new())],
            classes: KINDS.len(),
            positions: Vec::new(),
            validation: self.validation,
            streamed: false,
        })
    }

    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        let (steps, bands) = (frames(self.wave_length(), RATE), self.bands as usize);
        if steps * bands * self.samples as usize > MAX_NUMBERS {
            let message = format!("{} calls of {} seconds are too much to keep.", self.samples, self.seconds);
            return Err(UserError::at("samples", message).hint("Lower `samples`, `seconds` or `bands`."));
        }
        let calls = Calls { source: self.clone(), seed };
        let ear = Ear::new(RATE, bands);
        let x: Vec<f32> = (0..self.samples).flat_map(|at| ear.hear(&calls.wave(at))).collect();
        let classes: Vec<u32> = (0..self.samples).map(|at| at % KINDS.len() as u32).collect();
        let parts = split(&classes, self.validation, seed);
        let task = Task::Classification { classes: KINDS.map(String::from).to_vec() };
        let description = "A sample is a short call as a bird might make it, with hiss behind it. A step is a frame of 32 ms, every 16 ms: how loud \
                           each band of pitch is (mel), in decibels, from −1 for silence (80 decibels below the loudest) to 1. The class is the \
                           kind of call: a pitch that rises, falls, or does both (arch), one that swings (warble), a short note again and again \
                           (trill), or a high note and a low one.";
        let mut samples = Samples::new(task, vec![self.input(x)], Column::U32(classes), (description, sequences::LICENCE));
        samples.features = (1..=steps).flat_map(|step| (1..=bands).map(move |band| format!("band {band} at {step}"))).collect();
        samples.parts = Some(parts.clone());
        let mut set = samples.finish(self.validation, seed)?;
        set.sound = Some(Sound::new(RATE, Rc::new(calls), parts));
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
        Source::from_json("chirps", &fields).unwrap().build(3, &NoAssets).unwrap()
    }

    /// The loudest band of each frame that is not silent.
    fn tune(frames: &[f32], bands: usize) -> Vec<usize> {
        let loudest = |frame: &[f32]| {
            let best = frame.iter().enumerate().fold((0, -0.4), |best, (i, &v)| if v > best.1 { (i, v) } else { best });
            (best.1 > -0.4).then_some(best.0)
        };
        frames.chunks(bands).filter_map(loudest).collect()
    }

    #[test]
    fn pitch_and_loudness_go_as_the_kind_of_call_says() {
        let set = build(json!({ "samples": 120, "noise": 0, "validation": 0 }));
        let Labels::Class(classes) = set.labels(&set.train) else { panic!("there are classes") };
        let x = set.train.field("x").unwrap();
        for (i, &class) in classes.iter().enumerate() {
            let frames = x.numbers(i);
            let tune = tune(&frames, 24);
            let (first, last, highest) = (tune[1], tune[tune.len() - 2], *tune.iter().max().unwrap());
            match KINDS[class as usize] {
                "rising" => assert!(last > first, "{tune:?}"),
                "falling" | "two notes" => assert!(last < first, "{tune:?}"),
                "arch" => assert!(highest > first && highest > last, "{tune:?}"),
                "warble" => assert!(highest > *tune.iter().min().unwrap(), "{tune:?}"),
                _ => {
                    let low = tune.iter().min().unwrap();
                    assert!(highest - low <= 1, "the notes of a trill are alike: {tune:?}");
                }
            }
        }
    }

    #[test]
    fn what_the_calls_will_be_is_known_before_they_are_made() {
        let fields = json!({ "samples": 50, "seconds": 0.31, "bands": 13, "validation": 0.2 });
        let outline = Source::from_json("chirps", &fields).unwrap().outline().unwrap();
        let set = build(fields);
        let [given] = outline.inputs.as_slice() else { panic!("a call is one input") };
        let input = set.train.field(&given.name).unwrap();
        assert_eq!((outline.samples, outline.validation), (set.train.len() + set.validation.len(), 0.2));
        assert_eq!((&given.shape, given.column.dtype()), (&input.shape, input.column.dtype()));
        assert_eq!(set.task, Task::Classification { classes: KINDS.map(String::from).to_vec() });
        assert!(outline.classes == KINDS.len() && outline.positions.is_empty() && !outline.streamed);
    }

    #[test]
    fn the_wave_of_a_sample_is_what_its_frames_were_made_of() {
        let set = build(json!({ "samples": 40, "seconds": 0.4 }));
        let (ear, sound) = (Ear::new(RATE, 24), set.sound.as_ref().unwrap());
        for (part, train) in [(&set.train, true), (&set.validation, false)] {
            for i in 0..part.len() {
                let wave = sound.wave(train, i);
                assert_eq!((wave.len(), ear.hear(&wave)), (3200, part.field("x").unwrap().numbers(i)));
            }
            assert!(sound.wave(train, part.len()).is_empty());
        }
    }

    #[test]
    fn more_noise_hisses_between_the_calls_and_leaves_them_as_they_are() {
        let loudness = |noise: f64| {
            let set = build(json!({ "samples": 60, "noise": noise, "validation": 0 }));
            let wave = set.sound.unwrap().wave(true, 0);
            wave.iter().map(|v| f64::from(v * v)).sum::<f64>() / wave.len() as f64
        };
        let [still, some, much] = [0.0, 0.5, 1.0].map(loudness);
        assert!(still < some && some < much && (much - still - 0.09).abs() < 0.02, "{still} {some} {much}");
    }

    #[test]
    fn more_than_there_is_room_for_is_refused_by_name() {
        let source = Source::from_json("chirps", &json!({ "samples": 10000, "seconds": 3, "bands": 64 })).unwrap();
        assert_eq!(source.build(1, &NoAssets).unwrap_err().path.as_deref(), Some("samples"));
    }
}
