//! A person's own recordings as waves of one rate: a WAV file, or a zip of them in which the folder says the class. What a sample of them is says the
//! source `sounds`; what is no WAV has been decoded by whoever brings it.

mod resample;

use std::io::Cursor;
use std::ops::RangeInclusive;

use downhill_tensor::{UserError, sort_short};
use hound::{SampleFormat, WavReader};

use crate::arrays::{Member, members};
use crate::folders::{class_of, is_hidden};
use crate::spec::quote;
use resample::resample;

/// Samples of a wave per second, whatever the file has.
pub const RATE: u32 = 16_000;
/// Most seconds that all recordings may have together: half an hour is 58 MB.
pub const MOST_SECONDS: f64 = 1800.0;
/// Most classes that an experiment may have.
const MOST_CLASSES: usize = 1000;
/// Rates that a file may have; nobody hears more, and of fewer nothing is left.
const RATES: RangeInclusive<u32> = 1000..=384_000;
/// The class of what lies in no folder.
const NO_FOLDER: &str = "other";
/// Full loudness.
pub const FULL: f32 = 32_768.0;

/// A recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Its path in the file.
    pub name: String,
    /// Its class, an index.
    pub class: u32,
    /// Whether its folder holds it out.
    pub held_out: bool,
    /// Its samples, [`RATE`] a second, of which [`FULL`] is full loudness.
    pub wave: Vec<i16>,
}

/// Recordings with their classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recordings {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// All of them, in the order of the file.
    pub all: Vec<Recording>,
    /// What was left out, one sentence each.
    pub notes: Vec<String>,
}

/// A file that begins as WAV does: its path, its own seconds, and a reader that stands at its first sample.
struct Opened {
    name: String,
    seconds: f64,
    reader: WavReader<Cursor<Vec<u8>>>,
}

/// Reads the recordings in a file.
///
/// # Errors
/// When it is damaged, holds no recording that can be read, recordings of one class only, or more than there is room for.
#[inline(never)]
pub fn load(name: &str, bytes: Vec<u8>) -> Result<Recordings, UserError> {
    let (mut opened, mut unread) = (Vec::new(), Vec::new());
    for Member { name, bytes } in members(name, bytes)?.into_iter().filter(|member| !is_hidden(&member.name)) {
        match open(bytes) {
            Some((seconds, reader)) => opened.push(Opened { name, seconds, reader }),
            None => unread.push(name),
        }
    }
    is_short_enough(&opened)?;
    let mut found = Vec::new();
    for Opened { name, reader, .. } in opened {
        let rate = reader.spec().sample_rate;
        match mono(reader) {
            Some(wave) => found.push((name, resample(&wave, rate, RATE))),
            None => unread.push(name),
        }
    }
    if found.is_empty() {
        let error = UserError::new(format!("The file \"{}\" holds no sound that can be read.", quote(name)));
        return Err(error.hint("Take WAV files, each class in a folder of its own, as a folder or a zip."));
    }
    let classes = classes(&found)?;
    let recording = |(name, wave): (String, Vec<f32>)| {
        let (class, held_out) = class_of(&name);
        let class = classes.iter().position(|known| known == class.unwrap_or(NO_FOLDER)).unwrap_or(0) as u32;
        let wave = wave.into_iter().map(|v| (v * FULL).round() as i16).collect();
        Recording { name, class, held_out, wave }
    };
    let all: Vec<Recording> = found.into_iter().map(recording).collect();
    let notes = unread.first().map(|first| {
        let (of, others) = (all.len() + unread.len(), unread.len() - 1);
        let first = quote(first);
        let are = match others {
            0 => format!("\"{first}\" is no WAV that can be read, and is left out"),
            n => format!("\"{first}\" and {n} more are no WAV that can be read, and are left out"),
        };
        format!("Of {of} files {are}.")
    });
    Ok(Recordings { classes, all, notes: notes.into_iter().collect() })
}

/// The seconds of a file, and a reader at its first sample; none where it is no WAV, or one that nobody could hear.
fn open(bytes: Vec<u8>) -> Option<(f64, WavReader<Cursor<Vec<u8>>>)> {
    let there = bytes.len() as f64;
    let reader = WavReader::new(Cursor::new(bytes)).ok()?;
    let spec = reader.spec();
    if !RATES.contains(&spec.sample_rate) || spec.bits_per_sample > 32 {
        return None;
    }
    // What writes to a pipe does not know the length, and says the largest there is.
    let most = there * 8.0 / (f64::from(spec.channels) * f64::from(spec.bits_per_sample));
    Some((f64::from(reader.duration()).min(most) / f64::from(spec.sample_rate), reader))
}

/// Looks at how long the files are before any of them is decoded.
fn is_short_enough(opened: &[Opened]) -> Result<(), UserError> {
    let sum: f64 = opened.iter().map(|file| file.seconds).sum();
    let Some(longest) = opened.iter().max_by(|a, b| a.seconds.total_cmp(&b.seconds)).filter(|_| sum > MOST_SECONDS) else {
        return Ok(());
    };
    let minutes = |seconds: f64| (seconds / 60.0).ceil();
    let message = format!(
        "These sounds last {} minutes, of which \"{}\" is {}; there is room for {}.",
        minutes(sum),
        quote(&longest.name),
        minutes(longest.seconds),
        minutes(MOST_SECONDS)
    );
    Err(UserError::new(message).hint("Cut them, or take fewer of them."))
}

/// The mean of all channels, within −1…1; none where there are no samples, or some are no numbers. Of a file that is cut short there is as much as
/// there is.
fn mono(reader: WavReader<Cursor<Vec<u8>>>) -> Option<Vec<f32>> {
    let spec = reader.spec();
    let samples: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => reader.into_samples::<f32>().map_while(Result::ok).collect(),
        SampleFormat::Int => {
            let full = (1u64 << (spec.bits_per_sample - 1)) as f32;
            reader.into_samples::<i32>().map_while(Result::ok).map(|v| v as f32 / full).collect()
        }
    };
    let channels = usize::from(spec.channels).max(1);
    let mean = |frame: &[f32]| (frame.iter().sum::<f32>() / channels as f32).clamp(-1.0, 1.0);
    let is_sound = samples.len() >= channels && samples.iter().all(|v| v.is_finite());
    is_sound.then(|| samples.chunks_exact(channels).map(mean).collect())
}

/// The names of the classes, in order.
fn classes(found: &[(String, Vec<f32>)]) -> Result<Vec<String>, UserError> {
    let mut classes: Vec<String> = Vec::new();
    for (name, _) in found {
        let class = class_of(name).0.unwrap_or(NO_FOLDER);
        if !classes.iter().any(|known| known == class) {
            classes.push(class.to_string());
        }
        if classes.len() > MOST_CLASSES {
            let message = format!("These sounds are in more than {MOST_CLASSES} folders, and each would be a class.");
            return Err(UserError::new(message).hint("Put all sounds of a class into one folder."));
        }
    }
    sort_short(&mut classes);
    if let [only] = classes.as_slice() {
        let message = format!("All sounds are of the class \"{}\", so there is nothing to tell apart.", quote(only));
        return Err(UserError::new(message).hint("Add sounds of a second class: each class in a folder of its own."));
    }
    Ok(classes)
}

#[cfg(test)]
mod tests {
    use hound::{WavSpec, WavWriter};

    use super::*;
    use crate::arrays::pack;

    /// A file of these samples, for each channel the same.
    fn wav(rate: u32, bits: u16, format: SampleFormat, channels: u16, samples: &[f64]) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format: format };
        let mut writer = WavWriter::new(&mut file, spec).unwrap();
        for v in samples {
            for _ in 0..channels {
                match format {
                    SampleFormat::Float => writer.write_sample(*v as f32).unwrap(),
                    SampleFormat::Int => {
                        writer.write_sample((v * (2f64.powi(i32::from(bits) - 1) - 1.0)).round() as i32).unwrap()
                    }
                }
            }
        }
        writer.finalize().unwrap();
        file.into_inner()
    }

    fn tone(rate: u32, seconds: f64) -> Vec<f64> {
        let samples = (seconds * f64::from(rate)) as usize;
        (0..samples).map(|i| 0.5 * libm::sin(std::f64::consts::TAU * 400.0 * i as f64 / f64::from(rate))).collect()
    }

    fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let members = files.iter().map(|(name, bytes)| Member { name: (*name).to_string(), bytes: bytes.clone() });
        pack(&members.collect::<Vec<_>>()).unwrap()
    }

    fn plain(rate: u32, seconds: f64) -> Vec<u8> {
        wav(rate, 16, SampleFormat::Int, 1, &tone(rate, seconds))
    }

    #[test]
    fn every_kind_of_wav_is_the_same_wave_and_the_folder_is_the_class() {
        use SampleFormat::{Float, Int};
        let long = |rate: u32, bits, format, channels| wav(rate, bits, format, channels, &tone(rate, 0.2));
        let kinds = [
            ("a/8.wav", long(16_000, 8, Int, 1)),
            ("a/16.wav", long(16_000, 16, Int, 2)),
            ("set/test/b/24.wav", long(48_000, 24, Int, 1)),
            ("b/32.wav", long(44_100, 32, Int, 3)),
            ("b/float.wav", long(22_050, 32, Float, 1)),
            ("__MACOSX/b/._float.wav", vec![1]),
        ];
        let set = load("own.zip", zip(&kinds)).unwrap();
        assert_eq!((set.classes, set.notes), (vec!["a".to_string(), "b".to_string()], vec![]));
        assert_eq!(
            set.all.iter().map(|r| (r.class, r.held_out)).collect::<Vec<_>>(),
            [(0, false), (0, false), (1, true), (1, false), (1, false)]
        );
        let wanted: Vec<f64> = tone(16_000, 0.2).iter().map(|v| v * 32_768.0).collect();
        for recording in &set.all {
            assert!(recording.wave.len().abs_diff(3200) <= 1, "{}", recording.name);
            // A step of eight bits is 256 of these, and the largest value is one less than full loudness.
            let near = if recording.name.contains("/8") { 300.0 } else { 12.0 };
            let far = (600..2600).map(|i| (f64::from(recording.wave[i]) - wanted[i]).abs()).fold(0.0, f64::max);
            assert!(far < near, "{}: {far}", recording.name);
        }
    }

    #[test]
    fn what_is_no_sound_is_left_out_by_name_and_what_is_cut_short_is_as_long_as_it_is() {
        let mut cut = plain(16_000, 0.5);
        cut.truncate(44 + 2 * 4000);
        let set = load(
            "own.zip",
            zip(&[
                ("a/1.wav", cut),
                ("b/1.wav", plain(8000, 0.5)),
                ("b/notes.txt", b"la".to_vec()),
                ("b/2.wav", b"RIFF".to_vec()),
            ]),
        );
        let set = set.unwrap();
        assert_eq!(set.all.iter().map(|r| r.wave.len()).collect::<Vec<_>>(), [4000, 8000]);
        assert_eq!(set.notes, ["Of 4 files \"b/notes.txt\" and 1 more are no WAV that can be read, and are left out."]);
        let not_a_number = wav(16_000, 32, SampleFormat::Float, 1, &[0.5, f64::NAN]);
        let error = load("own.zip", zip(&[("a/1.wav", not_a_number), ("b/1.wav", plain(16_000, 0.0))])).unwrap_err();
        assert!(error.message.contains("\"own.zip\" holds no sound"), "{error}");
        // A header may say anything.
        for (place, value) in [(22, 0u16), (22, 9), (34, 0), (34, 40), (34, 65_528), (32, 1), (20, 85)] {
            let mut odd = plain(16_000, 0.1);
            odd[place..place + 2].copy_from_slice(&value.to_le_bytes());
            let _ = load("odd.wav", odd).unwrap_err();
        }
    }

    #[test]
    fn one_class_and_three_hours_are_refused_in_words() {
        let one = load("own.zip", zip(&[("claps/1.wav", plain(8000, 0.1)), ("claps/2.wav", plain(8000, 0.1))])).unwrap_err();
        assert!(one.message.contains("of the class \"claps\""), "{one}");
        assert!(load("clap.wav", plain(8000, 0.1)).unwrap_err().message.contains("of the class \"other\""));
        let long = wav(1000, 8, SampleFormat::Int, 1, &vec![0.1; 3 * 3600 * 1000]);
        let error = load("own.zip", zip(&[("a/talk.wav", long), ("b/1.wav", plain(8000, 0.1))])).unwrap_err();
        let wanted = "These sounds last 181 minutes, of which \"a/talk.wav\" is 180; there is room for 30.";
        assert_eq!(error.message, wanted);
    }
}
