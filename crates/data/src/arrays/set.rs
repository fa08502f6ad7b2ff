//! Arrays as a set of pictures with classes: which array holds pictures and which one labels, which part is held out, how the pixels lie.

use std::collections::HashSet;

use downhill_tensor::{UserError, sort_short_by_key};

use super::resize::Resize;
use super::{Array, Member, Values, members, read};

/// Pictures with their classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Channels of a picture: 1 or 3.
    pub channels: usize,
    /// All pictures, `[pictures, channels, size, size]`.
    pub pixels: Vec<u8>,
    /// The class of each.
    pub labels: Vec<u32>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// How many at the end the set itself holds out.
    pub held_out: usize,
    /// What was changed, one sentence each.
    pub notes: Vec<String>,
}

/// The names of the classes, a line each, beside the arrays.
const CLASSES: &str = "classes.txt";
/// Most classes that an experiment may have.
const MOST_CLASSES: usize = 1000;

/// An array that may be pictures, with its place.
struct Pictures {
    height: usize,
    width: usize,
    channels: usize,
    /// Whether the channels of a pixel lie beside each other.
    channels_last: bool,
    /// Whether rows and columns have changed places.
    transposed: bool,
    bytes: Vec<u8>,
}

/// What of a set one of its parts holds.
#[derive(Default)]
struct Part {
    pictures: Option<(String, Pictures)>,
    labels: Option<(String, Vec<String>)>,
}

/// Reads a set out of a file, its pictures as squares of `size` pixels, grey or in colour.
///
/// # Errors
/// When the file is damaged, holds no pictures or no labels for them, or labels of one class only.
#[inline(never)]
pub fn load(name: &str, bytes: Vec<u8>, size: usize, colour: bool) -> Result<Set, UserError> {
    let (mut parts, mut names, mut notes) = ([Part::default(), Part::default()], Vec::new(), Vec::new());
    for Member { name, bytes } in members(name, bytes)? {
        if name.rsplit('/').next() == Some(CLASSES) {
            names = String::from_utf8_lossy(&bytes).lines().map(str::to_string).collect();
        } else if super::is_array(&bytes) {
            let array = read(&name, &bytes)?;
            let part = &mut parts[usize::from(is_held_out(&name))];
            take(part, name, array, &mut notes)?;
        }
    }
    let [learned, held] = parts;
    let (first, second) =
        if learned.pictures.is_none() && learned.labels.is_none() { (held, None) } else { (learned, Some(held)) };
    let mut set = Set {
        channels: if colour { 3 } else { 1 },
        pixels: Vec::new(),
        labels: Vec::new(),
        classes: Vec::new(),
        held_out: 0,
        notes,
    };
    let mut labels = Vec::new();
    add(&mut set, &mut labels, name, first, size)?;
    let learned = labels.len();
    if let Some(part) = second.filter(|part| part.pictures.is_some() || part.labels.is_some()) {
        add(&mut set, &mut labels, name, part, size)?;
        set.held_out = labels.len() - learned;
        set.notes.push(format!("The set's own test part, {} pictures, is held out.", set.held_out));
    }
    classify(&mut set, labels, &names)?;
    Ok(set)
}

/// Whether a name is that of a part to test with: `t10k-images-idx3-ubyte`, `x_test.npy`, `val/…`.
fn is_held_out(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    ["t10k", "test", "val"].iter().any(|part| name.contains(part))
}

/// Puts an array where it belongs.
fn take(part: &mut Part, name: String, array: Array, notes: &mut Vec<String>) -> Result<(), UserError> {
    let is_column = matches!(*array.shape, [_] | [_, 1]);
    let twice = |what: &str, other: &str| {
        UserError::new(format!("Both \"{}\" and \"{}\" hold {what}.", crate::spec::quote(other), crate::spec::quote(&name)))
            .hint("Keep one of them, and the test part under a name with \"test\" in it.")
    };
    if is_column {
        if let Some((other, _)) = &part.labels {
            return Err(twice("labels", other));
        }
        part.labels = Some((name, label_words(array.values)));
        return Ok(());
    }
    if let Some((other, _)) = &part.pictures {
        return Err(twice("pictures", other));
    }
    part.pictures = Some((name.clone(), pictures(&name, array, notes)?));
    Ok(())
}

/// The labels as words.
fn label_words(values: Values) -> Vec<String> {
    match values {
        Values::U8(values) => values.iter().map(u8::to_string).collect(),
        Values::I64(values) => values.iter().map(i64::to_string).collect(),
        Values::F32(values) => values.iter().map(f32::to_string).collect(),
        Values::Text(values) => values,
    }
}

fn pictures(name: &str, array: Array, notes: &mut Vec<String>) -> Result<Pictures, UserError> {
    let (height, width, channels, channels_last) = match *array.shape {
        [_, height, width] => (height, width, 1, false),
        [_, height, width, channels @ (1 | 3 | 4)] => (height, width, channels, true),
        [_, channels @ (1 | 3 | 4), height, width] => (height, width, channels, false),
        // Pictures as rows of a matrix.
        [_, pixels] if (pixels as f64).sqrt().fract() == 0.0 => {
            let side = (pixels as f64).sqrt() as usize;
            (side, side, 1, false)
        }
        _ => {
            let shape = array.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
            return Err(super::refuse(
                name,
                &format!("has the shape {shape}, which is none of pictures"),
                "Pictures have the shape samples × height × width, with 1 or 3 channels before or behind.",
            ));
        }
    };
    if height == 0 || width == 0 {
        return Err(super::refuse(name, "holds pictures without pixels", "Write it again."));
    }
    // The makers of EMNIST wrote columns as rows.
    let transposed = channels == 1 && name.to_ascii_lowercase().contains("emnist");
    let bytes = pixel_bytes(name, array.values, notes)?;
    if height != width {
        notes.push(format!("Pictures of {height} × {width} pixels are cut to the square in their middle."));
    }
    Ok(Pictures { height, width, channels, channels_last, transposed, bytes })
}

/// Values of pixels as bytes: from 0 to 1 or from 0 to 255 as they are, anything else from the smallest to the largest.
fn pixel_bytes(name: &str, values: Values, notes: &mut Vec<String>) -> Result<Vec<u8>, UserError> {
    let numbers: Vec<f32> = match values {
        Values::U8(bytes) => return Ok(bytes),
        Values::I64(values) => values.iter().map(|&v| v as f32).collect(),
        Values::F32(values) => values,
        Values::Text(_) => return Err(super::refuse(name, "holds words where pictures should be", "Save numbers.")),
    };
    if numbers.iter().any(|v| !v.is_finite()) {
        return Err(super::refuse(
            name,
            "holds values that are no numbers (NaN or infinite)",
            "Replace them before it is saved.",
        ));
    }
    let (low, high) = numbers.iter().fold((f32::MAX, f32::MIN), |(low, high), &v| (low.min(v), high.max(v)));
    let (low, high) = match () {
        () if low >= 0.0 && high <= 1.0 => (0.0, 1.0),
        () if low >= 0.0 && high <= 255.0 => (0.0, 255.0),
        () => {
            notes.push(format!(
                "The pixels of \"{}\" go from {low} to {high}, and are read as black to white.",
                crate::spec::quote(name)
            ));
            (low, high)
        }
    };
    let scale = 255.0 / (f64::from(high) - f64::from(low)).max(f64::MIN_POSITIVE);
    Ok(numbers.iter().map(|&v| ((f64::from(v) - f64::from(low)) * scale + 0.5) as u8).collect())
}

/// Adds a part's pictures and labels to the set.
fn add(set: &mut Set, labels: &mut Vec<String>, file: &str, part: Part, size: usize) -> Result<(), UserError> {
    let Some((name, pictures)) = part.pictures else {
        let hint = "Choose images, a folder or a zip of them, IDX files, or arrays of NumPy.";
        return Err(super::refuse(file, "holds no pictures", hint));
    };
    let Some((of_labels, words)) = part.labels else {
        let hint = "Take both files together: of MNIST, for example, the file of images and the file of labels.";
        return Err(super::refuse(&name, "holds pictures, but no labels came with it", hint));
    };
    let pixels = pictures.height * pictures.width * pictures.channels;
    let count = pictures.bytes.len() / pixels;
    if count != words.len() {
        let message = format!(
            "There are {count} pictures in \"{}\" and {} labels in \"{}\".",
            crate::spec::quote(&name),
            words.len(),
            crate::spec::quote(&of_labels)
        );
        return Err(UserError::new(message).hint("Take the two files that belong together."));
    }
    squares(set, &pictures, count, size)?;
    labels.extend(words);
    Ok(())
}

/// Appends the pictures as squares.
fn squares(set: &mut Set, from: &Pictures, count: usize, size: usize) -> Result<(), UserError> {
    let all = count.saturating_mul(set.channels * size * size);
    if set.pixels.len().saturating_add(all) > super::MOST_BYTES {
        let message = format!("{count} pictures of {size} × {size} pixels take more than {} MB.", super::MOST_BYTES >> 20);
        return Err(UserError::at("size", message).hint("Make the pictures smaller, or take fewer of them."));
    }
    let plane = from.height * from.width;
    let resize = Resize::new(from.height, from.width, size);
    for picture in from.bytes.chunks_exact(plane * from.channels) {
        let at = |channel: usize, i: usize| {
            let i = if from.transposed { i % from.width * from.width + i / from.width } else { i };
            picture
                .get(if from.channels_last { i * from.channels + channel } else { channel * plane + i })
                .copied()
                .unwrap_or(0)
        };
        // A fourth channel is how opaque a pixel is, on white.
        let flat = |channel: usize, i: usize| match from.channels {
            4 => {
                let opaque = u32::from(at(3, i));
                ((u32::from(at(channel, i)) * opaque + 255 * (255 - opaque) + 127) / 255) as u8
            }
            1 => at(0, i),
            _ => at(channel, i),
        };
        if set.channels == 1 && from.channels > 1 {
            // How bright an eye finds red, green and blue (ITU-R BT.601).
            let grey = |i: usize| {
                ((299 * u32::from(flat(0, i)) + 587 * u32::from(flat(1, i)) + 114 * u32::from(flat(2, i)) + 500) / 1000) as u8
            };
            resize.plane(grey, &mut set.pixels);
        } else {
            (0..set.channels).for_each(|channel| resize.plane(|i| flat(channel, i), &mut set.pixels));
        }
    }
    Ok(())
}

/// Numbers the classes: those with names in the order of the names, else in the order of their numbers or letters.
fn classify(set: &mut Set, words: Vec<String>, names: &[String]) -> Result<(), UserError> {
    let mut found: Vec<&String> = words.iter().collect::<HashSet<_>>().into_iter().collect();
    // "9" comes before "10".
    sort_short_by_key(&mut found, |word| key(word));
    if found.len() > MOST_CLASSES {
        let message =
            format!("The labels have {} different values; at most {MOST_CLASSES} classes can be told apart.", found.len());
        return Err(UserError::new(message).hint("Look whether these are labels and no numbers to predict."));
    }
    let named =
        |word: &str| word.parse::<usize>().ok().and_then(|i| names.get(i)).map_or(word, |name| name.as_str()).to_string();
    match found.as_slice() {
        [] => return Err(UserError::new("There is no picture to learn from.").hint("Add some.")),
        [only] => {
            let message = format!(
                "All pictures are of the class \"{}\", so there is nothing to tell apart.",
                crate::spec::quote(&named(only))
            );
            return Err(UserError::new(message).hint("Add pictures of a second class: each class in a folder of its own."));
        }
        _ => {}
    }
    let place = |word: &String| found.binary_search_by_key(&key(word), |other| key(other)).unwrap_or(0) as u32;
    set.labels = words.iter().map(place).collect();
    set.classes = found.iter().map(|word| named(word)).collect();
    for (i, class) in set.classes.iter().enumerate() {
        if set.labels.iter().filter(|&&label| label as usize == i).count() == 1 {
            let name = crate::spec::quote(class);
            set.notes.push(format!(
                "There is one picture of the class \"{name}\": it is learned from, and none is left to measure with."
            ));
        }
    }
    Ok(())
}

/// By what classes are in order.
fn key(word: &str) -> (i64, &str) {
    (word.parse::<i64>().unwrap_or(i64::MAX), word)
}
