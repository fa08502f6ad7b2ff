//! The source `sounds`: a person's own recordings as frames of bands of pitch. How their file is read says the module `recordings`, what a frame is
//! the module `sound`.

use std::collections::HashMap;
use std::rc::Rc;

use downhill_tensor::UserError;

use super::Generate;
use crate::assets::Assets;
use crate::dataset::{Dataset, INPUT, Samples, Task};
use crate::field::{Column, Field};
use crate::fields;
use crate::recordings::{FULL, RATE, Recording, load};
use crate::sound::{Ear, Sound, Waves, frames};
use crate::spec::quote;
use crate::split::{Split, split};

fields! {
    /// Sounds of your own, each with a class, as bands of pitch over time.
    #[schemars(title = "Sounds")]
    Sounds {
        /// Name of the file that holds the sounds, each class in a folder of its own.
        #[schemars(title = "File", length(max = 1000))]
        file: String = String::new(),
        /// Seconds of a sample. A longer recording is cut into several; behind a shorter one it is silent.
        #[schemars(title = "Seconds", range(min = 0.2, max = 5.0))]
        seconds: f64 = 1.0,
        /// Bands of pitch that are told apart.
        #[schemars(title = "Bands", range(min = 8, max = 64))]
        bands: u32 = 32,
        /// Share of the recordings that is never learned from, where the set has no test part of its own. A class that is one recording keeps the
        /// end of it.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.3,
    }
}

/// Most numbers that all samples may have together: 80 MB.
const MAX_NUMBERS: usize = 20_000_000;

/// A sample: a part of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    recording: usize,
    start: usize,
}

/// Recordings, and how they are cut.
struct Pieces {
    recordings: Vec<Recording>,
    /// Samples of a piece.
    length: usize,
    all: Vec<Piece>,
}

impl Pieces {
    /// Cuts recordings one piece behind the other. What is left at an end is a piece where it is at least half of one, or all there is.
    fn cut(recordings: Vec<Recording>, length: usize) -> Self {
        let mut all = Vec::new();
        for (recording, Recording { wave, .. }) in recordings.iter().enumerate() {
            let pieces = ((wave.len() + length / 2) / length).max(1);
            all.extend((0..pieces).map(|i| Piece { recording, start: i * length }));
        }
        Self { recordings, length, all }
    }

    fn recording(&self, piece: Piece) -> &Recording {
        &self.recordings[piece.recording]
    }

    fn wave_of(&self, piece: Piece) -> Vec<f32> {
        let wave = &self.recording(piece).wave;
        let end = (piece.start + self.length).min(wave.len());
        let mut samples: Vec<f32> = wave[piece.start.min(end)..end].iter().map(|v| f32::from(*v) / FULL).collect();
        samples.resize(self.length, 0.0);
        samples
    }

    /// Which pieces are learned from. Those of a recording stay together, for they are alike: a network that knows one knows its neighbour. Only
    /// a class that is one recording is cut in time.
    fn parts(&self, fraction: f64, seed: u32) -> Split {
        let mut pieces = vec![0; self.recordings.len()];
        self.all.iter().for_each(|piece| pieces[piece.recording] += 1);
        // Of each recording the number of the first piece that is held out.
        let mut held_out = pieces.clone();
        let has = |held_out: bool| self.all.iter().any(|piece| self.recording(*piece).held_out == held_out);
        if has(true) && has(false) {
            for (first, recording) in held_out.iter_mut().zip(&self.recordings) {
                *first = if recording.held_out { 0 } else { *first };
            }
        } else {
            let heard: Vec<usize> = (0..pieces.len()).filter(|&at| pieces[at] > 0).collect();
            let classes: Vec<u32> = heard.iter().map(|&at| self.recordings[at].class).collect();
            for &i in &split(&classes, fraction, seed).validation {
                held_out[heard[i as usize]] = 0;
            }
            let mut of_class: HashMap<u32, usize> = HashMap::new();
            classes.iter().for_each(|&class| *of_class.entry(class).or_default() += 1);
            for (&at, _) in heard.iter().zip(&classes).filter(|(_, class)| of_class[*class] == 1) {
                let last = (pieces[at] as f64 * fraction).round() as usize;
                held_out[at] = pieces[at] - last.min(pieces[at] - 1);
            }
        }
        let mut parts = Split { train: Vec::new(), validation: Vec::new() };
        let mut passed = vec![0; pieces.len()];
        for (piece, i) in self.all.iter().zip(0u32..) {
            let number = &mut passed[piece.recording];
            let part = if *number < held_out[piece.recording] { &mut parts.train } else { &mut parts.validation };
            part.push(i);
            *number += 1;
        }
        parts
    }
}

impl Waves for Pieces {
    fn wave(&self, at: u32) -> Vec<f32> {
        self.all.get(at as usize).map_or_else(Vec::new, |piece| self.wave_of(*piece))
    }
}

/// Takes pieces out that are silent from begin to end; gives the frames of the others, and says which went.
fn hear(pieces: &mut Pieces, ear: &Ear, classes: &[String]) -> Result<(Vec<f32>, Option<String>), UserError> {
    let (mut x, mut left, mut silent) = (Vec::new(), Vec::new(), Vec::new());
    for &piece in &pieces.all {
        let frames = ear.hear(&pieces.wave_of(piece));
        if frames.iter().any(|&v| v > -1.0) {
            x.extend(frames);
            left.push(piece);
        } else {
            silent.push(piece);
        }
    }
    let all = pieces.all.len();
    pieces.all = left;
    let is_left = |class: usize| pieces.all.iter().any(|piece| pieces.recording(*piece).class as usize == class);
    if let Some(class) = (0..classes.len()).find(|&class| !is_left(class)) {
        let message = format!("All sounds of the class \"{}\" are silent.", quote(&classes[class]));
        return Err(UserError::at("file", message).hint("Record them again, closer or louder, or take the class out."));
    }
    let note = silent.first().map(|&first| {
        let name = quote(&pieces.recording(first).name);
        let are = if silent.len() == 1 { "1 is" } else { &format!("{} are", silent.len()) };
        format!("Of {all} samples {are} silent and left out, the first of them in \"{name}\".")
    });
    Ok((x, note))
}

impl Generate for Sounds {
    const OWN: bool = true;

    fn needs(&self) -> Vec<&str> {
        (!self.file.is_empty()).then_some(self.file.as_str()).into_iter().collect()
    }

    fn generate(&self, seed: u32, assets: &dyn Assets) -> Result<Dataset, UserError> {
        let [file] = self.needs()[..] else {
            let error = UserError::at("file", "There are no sounds yet.");
            return Err(error.hint("Drop sounds, a folder or a zip of them on the page, record some, or name their file here."));
        };
        let bytes = assets.own(file).map_err(|e| e.under("file"))?;
        let set = load(file, bytes).map_err(|e| e.under("file"))?;
        let (length, bands) = ((self.seconds * f64::from(RATE)) as usize, self.bands as usize);
        let mut pieces = Pieces::cut(set.all, length);
        let steps = frames(length, RATE);
        if steps * bands * pieces.all.len() > MAX_NUMBERS {
            let message = format!("{} samples of {} seconds are too much to keep.", pieces.all.len(), self.seconds);
            return Err(UserError::at("bands", message).hint("Lower `bands`, or take fewer sounds."));
        }
        let (x, silent) = hear(&mut pieces, &Ear::new(RATE, bands), &set.classes)?;
        let labels: Vec<u32> = pieces.all.iter().map(|piece| pieces.recording(*piece).class).collect();
        let parts = pieces.parts(self.validation, seed);
        let card = (
            "Sounds of your own. A step is a frame of 32 ms, every 16 ms: how loud each band of pitch is (mel), in decibels, from −1 for silence (80 \
             decibels below the loudest) to 1. What is cut out of one recording is all learned from or all held out, unless a class has no other.",
            "Your own; they stay on this machine.",
        );
        let mut notes: Vec<String> = set.notes.into_iter().chain(silent).collect();
        for (class, name) in (0u32..).zip(&set.classes) {
            if !parts.validation.is_empty() && parts.validation.iter().all(|&i| labels[i as usize] != class) {
                notes.push(format!("Of the class \"{}\" nothing is left to measure with.", quote(name)));
            }
        }
        let field = Field::new(INPUT, [steps, bands], Column::F32(x));
        let task = Task::Classification { classes: set.classes };
        let mut samples = Samples::new(task, vec![field], Column::U32(labels), card);
        samples.features = (1..=steps).flat_map(|step| (1..=bands).map(move |band| format!("band {band} at {step}"))).collect();
        samples.parts = Some(parts.clone());
        samples.notes = notes;
        let mut set = samples.finish(self.validation, seed)?;
        set.sound = Some(Sound::new(RATE, Rc::new(pieces), parts));
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use serde_json::{Value, json};

    use super::*;
    use crate::arrays::{Member, pack};
    use crate::dataset::Labels;
    use crate::sources::Source;

    /// A file of one's own.
    struct Own(Vec<u8>);

    impl Assets for Own {
        fn get(&self, _: &str) -> Option<Vec<u8>> {
            None
        }

        fn own(&self, _: &str) -> Result<Vec<u8>, UserError> {
            Ok(self.0.clone())
        }
    }

    /// A zip of tones: their path, pitch in hertz and seconds; a pitch of 0 is silence.
    fn tones(files: &[(&str, f64, f64)]) -> Own {
        let member = |(name, hertz, seconds): &(&str, f64, f64)| {
            let mut file = std::io::Cursor::new(Vec::new());
            let spec =
                hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
            let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
            for i in 0..(seconds * f64::from(RATE)) as usize {
                let v = 0.3 * libm::sin(TAU * hertz * i as f64 / f64::from(RATE));
                writer.write_sample((v * 32_767.0) as i16).unwrap();
            }
            writer.finalize().unwrap();
            Member { name: (*name).to_string(), bytes: file.into_inner() }
        };
        Own(pack(&files.iter().map(member).collect::<Vec<_>>()).unwrap())
    }

    fn build(own: &Own, fields: Value) -> Result<Dataset, UserError> {
        let mut fields = fields;
        fields["file"] = json!("own.zip");
        Source::from_json("sounds", &fields)?.build(3, own)
    }

    /// How many samples of each class a part has.
    fn counts(set: &Dataset, train: bool) -> [usize; 2] {
        let part = if train { &set.train } else { &set.validation };
        let Labels::Class(classes) = set.labels(part) else { panic!("there are classes") };
        [0, 1].map(|class| classes.iter().filter(|&&other| other == class).count())
    }

    #[test]
    fn a_long_recording_is_cut_a_short_one_is_filled_and_both_can_be_heard() {
        let own = tones(&[("low/1.wav", 300.0, 2.7), ("low/2.wav", 300.0, 0.1), ("low/3.wav", 300.0, 1.4), ("high/1.wav", 3000.0, 1.0)]);
        let set = build(&own, json!({ "seconds": 1, "bands": 16, "validation": 0 })).unwrap();
        assert_eq!(set.task, Task::Classification { classes: vec!["high".into(), "low".into()] });
        assert_eq!((counts(&set, true), counts(&set, false)), ([1, 5], [0, 0]));
        let (x, sound, ear) = (set.train.field("x").unwrap(), set.sound.as_ref().unwrap(), Ear::new(RATE, 16));
        assert_eq!((sound.rate, x.shape.to_vec()), (16_000, vec![61, 16]));
        for i in 0..set.train.len() {
            let wave = sound.wave(true, i);
            assert_eq!((wave.len(), ear.hear(&wave)), (16_000, x.numbers(i)));
        }
        let short = sound.wave(true, 3);
        assert!(short[..1600].iter().any(|v| v.abs() > 0.2) && short[1600..].iter().all(|v| *v == 0.0));
    }

    #[test]
    fn pieces_of_a_recording_stay_together_and_one_alone_keeps_its_end() {
        let mut files = vec![("b/long.wav", 500.0, 10.0)];
        let names: Vec<String> = (0..10).map(|i| format!("a/{i}.wav")).collect();
        files.extend(names.iter().map(|name| (name.as_str(), 900.0, 2.0)));
        let set = build(&tones(&files), json!({ "seconds": 0.5, "validation": 0.3 })).unwrap();
        assert_eq!((counts(&set, true), counts(&set, false)), ([28, 14], [12, 6]));
        let cut = Pieces::cut(
            (0..4).map(|at| Recording { name: String::new(), class: at / 3, held_out: false, wave: vec![1; 40] }).collect(),
            10,
        );
        let parts = cut.parts(0.3, 1);
        let of = |recording: u32| parts.validation.iter().filter(|&&i| i / 4 == recording).count();
        assert!((0..3).all(|recording| [0, 4].contains(&of(recording))), "{parts:?}");
        assert_eq!((parts.validation.len(), parts.validation.last()), (5, Some(&15)));
    }

    #[test]
    fn a_test_folder_is_what_is_held_out() {
        let own = tones(&[("test/a/1.wav", 500.0, 1.0), ("train/a/1.wav", 500.0, 1.0), ("train/b/1.wav", 900.0, 2.0)]);
        let set = build(&own, json!({})).unwrap();
        assert_eq!((counts(&set, true), counts(&set, false)), ([1, 2], [1, 0]));
        assert_eq!(set.notes, ["Of the class \"b\" nothing is left to measure with."]);
        // Where all of it is called so, it is a set like any other.
        let set = build(&tones(&[("test/a/1.wav", 500.0, 1.0), ("test/b/1.wav", 900.0, 1.0)]), json!({})).unwrap();
        assert_eq!(set.train.len(), 2);
    }

    #[test]
    fn silence_is_left_out_and_a_class_of_nothing_else_is_refused() {
        let own = tones(&[("a/1.wav", 500.0, 1.0), ("a/2.wav", 0.0, 2.0), ("b/1.wav", 900.0, 1.0)]);
        let set = build(&own, json!({ "validation": 0 })).unwrap();
        assert_eq!((counts(&set, true), set.notes.as_slice()), (
            [1, 1],
            &["Of 4 samples 2 are silent and left out, the first of them in \"a/2.wav\".".to_string()][..]
        ));
        let error = build(&tones(&[("a/1.wav", 500.0, 1.0), ("b/1.wav", 0.0, 1.0)]), json!({})).unwrap_err();
        assert_eq!((error.path.as_deref(), error.message.as_str()), (Some("file"), "All sounds of the class \"b\" are silent."));
    }

    #[test]
    fn without_a_file_it_says_how_to_bring_one() {
        let error = Source::from_json("sounds", &Value::Null).unwrap().build(1, &crate::NoAssets).unwrap_err();
        assert!(error.path.as_deref() == Some("file") && error.to_string().contains("record some"), "{error}");
    }
}
