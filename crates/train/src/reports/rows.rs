//! The rows that a watched program reads, and what is known of them without running it: inputs, right answers, places.

use std::ops::Range;

use downhill_data::csv::Table;
use downhill_data::{Dataset, Field, IGNORED, Labels, Normalisation, Part as Samples, Plane, Task};
use downhill_model::{Checked, KNOWN_AHEAD, MOST_FOUND};
use downhill_protocol::Part;
use downhill_tensor::{Dtype, UserError};

use super::explained::Explained;
use super::occluded::occluded;

/// What a watched program reads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rows {
    /// No program runs.
    None,
    /// The next training batch.
    Batch,
    /// Inputs that were made for the watch.
    Made {
        /// The words of each feed, all rows one after the other.
        feeds: Vec<(String, Vec<u32>)>,
        /// As a person gave them: the shape of a row and the numbers of all rows, one for each input of the data.
        raw: Vec<(Vec<usize>, Vec<f32>)>,
        /// How many.
        count: usize,
    },
    /// A row of a table, with and without each of its columns; see [`Explained`].
    Row(Explained),
    /// Samples of the data.
    Samples {
        /// The part that they are from.
        part: Part,
        /// Which; all where it is `None`.
        picks: Option<Vec<u32>>,
        /// Only the worst of them are sent, at most so many.
        worst: Option<usize>,
    },
}

/// The samples of a part; those that are learned from where none are held out.
pub(crate) fn samples(data: &Dataset, part: Part) -> &Samples {
    if part == Part::Train { &data.train } else { data.shown() }
}

/// The place among the inputs that a name means: `raw` and `raw:0` the first, `raw:1` the second.
fn input_of(name: &str, word: &str) -> Option<usize> {
    match name.strip_prefix(word)? {
        "" => Some(0),
        rest => rest.strip_prefix(':')?.parse().ok(),
    }
}

fn bits(values: Vec<f32>) -> Vec<u32> {
    values.into_iter().map(f32::to_bits).collect()
}

impl Rows {
    /// Points of a plane or a line.
    ///
    /// # Errors
    /// When the samples are no such points.
    pub fn points(data: &Dataset, points: &[[f32; 2]]) -> Result<Self, UserError> {
        let (Some(plane), Some(name)) = (&data.plane, data.inputs.first()) else {
            return Err(UserError::new("These samples are no points of a plane or a line, so there is no map of them."));
        };
        let width = coordinates(plane);
        let words = points.iter().flat_map(|p| plane.encode_point(p[0], p[1])).collect();
        let raw = points.iter().flat_map(|p| p[..width].iter().copied()).collect();
        Ok(Rows::Made { feeds: vec![(name.clone(), bits(words))], raw: vec![(vec![width], raw)], count: points.len() })
    }

    /// Samples of a part.
    ///
    /// # Errors
    /// When there is no such sample.
    pub fn samples(data: &Dataset, part: Part, picks: Option<Vec<u32>>) -> Result<Self, UserError> {
        let len = samples(data, part).len();
        if let Some(beyond) = picks.iter().flatten().find(|&&i| i as usize >= len) {
            return Err(UserError::new(format!(
                "There are {len} samples in this part of the data, so none with number {beyond}."
            )));
        }
        Ok(Rows::Samples { part, picks, worst: None })
    }

    /// The samples held out that are predicted worst.
    pub fn worst(limit: u32) -> Self {
        Rows::Samples { part: Part::Validation, picks: None, worst: Some(limit as usize) }
    }

    /// One sample as a person drew or typed it: for each input a point of the plane, a sequence of tokens, or one number per feature.
    ///
    /// # Errors
    /// When there are more or fewer numbers than the data has, or one that it cannot hold.
    pub fn given(data: &Dataset, values: &[Vec<f32>]) -> Result<Self, UserError> {
        if values.len() != data.inputs.len() {
            let message = format!("{} inputs were given; the network takes {}.", values.len(), data.inputs.len());
            return Err(UserError::new(message));
        }
        if values.iter().flatten().any(|v| !v.is_finite()) {
            return Err(UserError::new("The input holds something that is not a number."));
        }
        if let (Some(plane), [point]) = (&data.plane, values) {
            count(point.len(), coordinates(plane))?;
            return Self::points(data, &[[point[0], point.get(1).copied().unwrap_or(0.0)]]);
        }
        let (mut feeds, mut raw) = (Vec::new(), Vec::new());
        let fields = data.inputs.iter().filter_map(|name| data.train.field(name));
        for ((at, field), values) in fields.enumerate().zip(values) {
            if field.column.dtype() == Dtype::U32 {
                let tokens = tokens(field, values)?;
                let length = [(values.len() as f32).to_bits()];
                feeds.extend(field.lengths.iter().map(|name| (name.clone(), length.to_vec())));
                feeds.push((field.name.clone(), tokens));
                raw.push((vec![values.len()], values.clone()));
            } else if let Some(length) = &field.lengths {
                let (steps, values) = filled_up(field, values)?;
                feeds.push((length.clone(), vec![(steps as f32).to_bits()]));
                raw.push((field.shape.to_vec(), ended(values.clone(), steps * step(field))));
                let seen = norm(data, at, field).map_or_else(|| values.clone(), |norm| norm.input(&values));
                feeds.push((field.name.clone(), bits(seen)));
            } else {
                count(values.len(), field.width())?;
                let seen = norm(data, at, field).map_or_else(|| values.clone(), |norm| norm.input(values));
                feeds.push((field.name.clone(), bits(seen)));
                raw.push((field.shape.to_vec(), values.clone()));
            }
        }
        Ok(Rows::Made { feeds, raw, count: 1 })
    }

    /// A query as a person types it, beside the other inputs of the first [`MOST_FOUND`] samples held out.
    ///
    /// # Errors
    /// When the data has no documents to find, or the query is no sequence of its tokens.
    pub fn search(data: &Dataset, query: &[f32]) -> Result<Self, UserError> {
        if data.task != Task::Retrieval {
            return Err(UserError::new("This data has no documents that a query could find."));
        }
        let part = data.shown();
        let count = part.len().min(MOST_FOUND);
        let (mut feeds, mut raw) = (Vec::new(), Vec::new());
        for (at, field) in data.inputs.iter().filter_map(|name| part.field(name)).enumerate() {
            let width = field.width();
            if at == 0 {
                let tokens = tokens(field, query)?;
                let length = (query.len() as f32).to_bits();
                feeds.extend(field.lengths.iter().map(|name| (name.clone(), vec![length; count])));
                feeds.push((field.name.clone(), tokens.repeat(count)));
                raw.push((vec![query.len()], query.repeat(count)));
                continue;
            }
            if let Some(lengths) = field.lengths.as_ref().and_then(|name| part.field(name)) {
                feeds.push((lengths.name.clone(), (0..count).flat_map(|i| bits(lengths.numbers(i))).collect()));
            }
            feeds.push((field.name.clone(), field.column.words(0, count * width)));
            raw.push((field.shape.to_vec(), (0..count).flat_map(|i| field.numbers(i)).collect()));
        }
        Ok(Rows::Made { feeds, raw, count })
    }

    /// A row of a table as a person types it, a text for each column that the network is given.
    ///
    /// # Errors
    /// When the data is no table, or a text cannot be read as its column is.
    pub fn typed(data: &Dataset, texts: &[String]) -> Result<Self, UserError> {
        let (table, name) = table_of(data)?;
        let x = table.encode_typed(texts)?;
        let norm = &data.normalisation;
        let unscaled = x.iter().zip(&norm.mean).zip(&norm.std).map(|((v, m), s)| (f64::from(*v) * s + m) as f32).collect();
        Ok(Rows::Made { raw: vec![(vec![x.len()], unscaled)], feeds: vec![(name.clone(), bits(x))], count: 1 })
    }

    /// A row of a table, and what each column of it is worth.
    ///
    /// # Errors
    /// When the data is no table, or has no such row.
    pub fn row(data: &Dataset, row: u32) -> Result<Self, UserError> {
        Explained::new(data, row).map(Rows::Row)
    }

    /// The first of these rows, an image, and that image with a square of it hidden, at every place.
    ///
    /// # Errors
    /// When samples are no images, or they have too many pixels to hide them one by one.
    pub fn occluded(&self, data: &Dataset, side: u32, stride: u32) -> Result<Self, UserError> {
        let (Some((height, width)), [name]) = (data.image, data.inputs.as_slice()) else {
            return Err(UserError::new("These samples are no images, so no part of them can be hidden."));
        };
        if self.count(data) == 0 {
            return Err(UserError::new("There is no image to hide parts of."));
        }
        let (_, seen) = self.tensor(data, "input", &[0]);
        let (_, raw) = self.tensor(data, "raw", &[0]);
        let channels = seen.len() / (height * width).max(1);
        let shape = [channels, height, width];
        let [seen, raw] = [seen, raw].map(|image| occluded(&image, &shape, side, stride));
        let (seen, raw) = (seen?, raw?);
        let width = shape.iter().product::<usize>().max(1);
        Ok(Rows::Made { count: seen.len() / width, feeds: vec![(name.clone(), bits(seen))], raw: vec![(shape.to_vec(), raw)] })
    }

    /// How many rows the program runs on.
    pub fn count(&self, data: &Dataset) -> usize {
        match self {
            Rows::None | Rows::Batch => 0,
            Rows::Made { count, .. } => *count,
            Rows::Row(explained) => explained.count(),
            Rows::Samples { part, picks, .. } => picks.as_ref().map_or_else(|| samples(data, *part).len(), Vec::len),
        }
    }

    /// Whether only the rows that are predicted worst are sent.
    pub fn ranks(&self) -> bool {
        matches!(self, Rows::Samples { worst: Some(_), .. })
    }

    /// What some of the rows are for the feeds of a program: a field's name and its words; with the right `answers` where it reads those.
    pub fn feeds(&self, checked: &Checked, data: &Dataset, range: Range<usize>, answers: bool) -> Vec<(String, Vec<u32>)> {
        let fields = checked.feeds().into_iter().filter(|feed| answers || !feed.target);
        let words = fields.filter_map(|feed| {
            let width = feed.width();
            let words = match self {
                Rows::None | Rows::Batch => return None,
                Rows::Made { feeds, .. } => {
                    let (_, words) = feeds.iter().find(|(name, _)| *name == feed.name)?;
                    words.get(range.start * width..range.end * width)?.to_vec()
                }
                Rows::Row(explained) => explained.words.get(range.start * width..range.end * width)?.to_vec(),
                Rows::Samples { part, picks, .. } => {
                    let field = samples(data, *part).field(&feed.name)?;
                    let mut words = match picks {
                        None => field.column.words(range.start * width, range.len() * width),
                        Some(picks) => picks.get(range.clone())?.iter().flat_map(|&i| field.row(i as usize)).collect(),
                    };
                    feed.encoding.encode(&mut words);
                    words
                }
            };
            Some((feed.name, words))
        });
        words.chain(self.known_ahead(data, &range)).collect()
    }

    /// What is known of the steps behind the window of a single sample without predicting it: nothing of a window that a person made.
    fn known_ahead(&self, data: &Dataset, range: &Range<usize>) -> Option<(String, Vec<u32>)> {
        let forecast =
            data.forecast.as_ref().filter(|forecast| forecast.names.len() > forecast.predicted && range.len() == 1)?;
        let (width, steps) = (forecast.names.len(), forecast.rounds() * forecast.horizon);
        let values = match self {
            Rows::Samples { part, picks, .. } => {
                let sample = picks.as_ref().map_or(Some(range.start), |picks| picks.get(range.start).map(|&i| i as usize))?;
                forecast.ahead(is_train(data, *part), sample, steps)
            }
            _ => vec![f32::NAN; steps * width],
        };
        // What is not known stands at its mean.
        let known = values.chunks_exact(width).flat_map(|step| &step[forecast.predicted..]);
        Some((KNOWN_AHEAD.to_string(), known.map(|v| if v.is_nan() { 0 } else { v.to_bits() }).collect()))
    }

    /// Whether a tensor of this name is known without running the network.
    pub fn holds(&self, data: &Dataset, name: &str) -> bool {
        let of_input = ["input", "raw"].iter().find_map(|word| input_of(name, word)).is_some_and(|i| i < data.inputs.len());
        match self {
            Rows::None | Rows::Batch => false,
            Rows::Made { .. } => of_input,
            Rows::Samples { .. } if name == AHEAD => data.forecast.is_some(),
            Rows::Samples { .. } if name == SOUND => data.sound.is_some(),
            Rows::Row(_) | Rows::Samples { .. } => of_input || OF_SAMPLES.contains(&name),
        }
    }

    /// A tensor that [`Rows::holds`], of the rows in `picks`: shape and elements. Where a sequence is shorter than the longest, raw tokens
    /// end in NaN.
    pub fn tensor(&self, data: &Dataset, name: &str, picks: &[usize]) -> (Vec<u32>, Vec<f32>) {
        let raw = input_of(name, "raw");
        let input = raw.or_else(|| input_of(name, "input"));
        match (self, input) {
            (Rows::Made { raw: rows, .. }, Some(at)) if raw.is_some() => {
                let Some((shape, values)) = rows.get(at) else { return (vec![0], Vec::new()) };
                let width = shape.iter().product::<usize>();
                shaped(picks, shape, picks.iter().flat_map(|&i| values.iter().skip(i * width).take(width).copied()).collect())
            }
            (Rows::Made { feeds, .. }, Some(at)) => {
                let field = data.inputs.get(at).and_then(|name| data.train.field(name));
                let words = feeds.iter().find(|(name, _)| field.is_some_and(|f| f.name == *name));
                let (Some(field), Some((_, words))) = (field, words) else { return (vec![0], Vec::new()) };
                let width = field.width();
                let of = |&i: &usize| numbers(field, words.iter().skip(i * width).take(width));
                shaped(picks, &field.shape, picks.iter().flat_map(of).collect())
            }
            (Rows::Row(explained), _) => match explained.sample {
                Some((part, place)) => {
                    let picks = Some(vec![place as u32]);
                    Rows::Samples { part, picks, worst: None }.tensor(data, name, &[0])
                }
                // A row that is left out has no place and no answer.
                None if name == "table_row" => (vec![1], vec![explained.row as f32]),
                None => (vec![0], Vec::new()),
            },
            (Rows::Samples { part, picks: places, .. }, input) => {
                let train = is_train(data, *part);
                let part = samples(data, *part);
                let place = |&i: &usize| places.as_ref().and_then(|p| p.get(i)).map_or(i, |&i| i as usize);
                let at: Vec<usize> = picks.iter().map(place).collect();
                let row =
                    |&i: &usize| data.table.as_ref().and_then(|table| table.number_of(train, i)).map_or(f32::NAN, |n| n as f32);
                match input {
                    Some(input) => of_field(data, part, input, raw.is_some(), &at),
                    None if name == AHEAD => ahead(data, train, &at),
                    None if name == SOUND => sound(data, train, &at),
                    None if name == "row" => (vec![at.len() as u32], at.iter().map(|&i| i as f32).collect()),
                    None if name == "augmented" => augmented(data, part, &at),
                    None if name == "table_row" => (vec![at.len() as u32], at.iter().map(row).collect()),
                    None => targets(data, part, &at, name != "target"),
                }
            }
            _ => (vec![0], Vec::new()),
        }
    }
}

/// The table that the samples are rows of, and the name of its input.
fn table_of(data: &Dataset) -> Result<(&Table, &String), UserError> {
    let table = data.table.as_deref().zip(data.inputs.first());
    table.ok_or_else(|| UserError::new("These samples are no rows of a table."))
}

/// Numbers of a point.
fn coordinates(plane: &Plane) -> usize {
    if matches!(plane, Plane::Line(_)) { 1 } else { 2 }
}

fn count(given: usize, wanted: usize) -> Result<(), UserError> {
    if given == wanted {
        return Ok(());
    }
    Err(UserError::new(format!("The input has {given} numbers; the network takes {wanted}.")))
}

/// A sequence of tokens as a field holds it, filled up with the token 0.
fn tokens(field: &Field, values: &[f32]) -> Result<Vec<u32>, UserError> {
    let steps = field.width();
    if values.is_empty() || values.len() > steps || (field.lengths.is_none() && values.len() < steps) {
        let upto = if field.lengths.is_some() { "up to " } else { "" };
        return Err(UserError::new(format!("The sequence has {} tokens; the network takes {upto}{steps}.", values.len())));
    }
    let vocabulary = field.vocabulary.unwrap_or(usize::MAX);
    if let Some(unknown) = values.iter().find(|v| v.fract() != 0.0 || **v < 0.0 || **v >= vocabulary as f32) {
        let message = format!("{unknown} is no token; they are whole numbers from 0 to {}.", vocabulary.saturating_sub(1));
        return Err(UserError::new(message));
    }
    Ok(values.iter().map(|&v| v as u32).chain(std::iter::repeat(0)).take(steps).collect())
}

/// Numbers of a step of a sequence.
fn step(field: &Field) -> usize {
    field.shape.iter().skip(1).product()
}

/// The number of steps of a sequence of numbers, and its numbers as a field holds them, zeros behind its end.
fn filled_up(field: &Field, values: &[f32]) -> Result<(usize, Vec<f32>), UserError> {
    let (width, step) = (field.width(), step(field).max(1));
    if values.is_empty() || values.len() > width || !values.len().is_multiple_of(step) {
        let each = if step > 1 { format!(" of {step} numbers each") } else { String::new() };
        let message =
            format!("The sequence has {} numbers; the network takes from 1 to {} steps{each}.", values.len(), width / step);
        return Err(UserError::new(message));
    }
    let mut filled = values.to_vec();
    filled.resize(width, 0.0);
    Ok((values.len() / step, filled))
}

/// The numbers of a sequence, NaN behind its end.
fn ended(mut values: Vec<f32>, len: usize) -> Vec<f32> {
    values.iter_mut().skip(len).for_each(|v| *v = f32::NAN);
    values
}

/// How the numbers of an input were scaled; only the first one's were.
fn norm<'a>(data: &'a Dataset, at: usize, field: &Field) -> Option<&'a Normalisation> {
    Some(&data.normalisation).filter(|norm| at == 0 && norm.mean.len() == field.width() && field.column.dtype() == Dtype::F32)
}

/// Words of a field as numbers.
fn numbers<'a>(field: &Field, words: impl Iterator<Item = &'a u32>) -> Vec<f32> {
    let whole = field.column.dtype() == Dtype::U32;
    words.map(|&word| if whole { word as f32 } else { f32::from_bits(word) }).collect()
}

fn shaped(picks: &[usize], shape: &[usize], values: Vec<f32>) -> (Vec<u32>, Vec<f32>) {
    (std::iter::once(picks.len()).chain(shape.iter().copied()).map(|n| n as u32).collect(), values)
}

/// Tensors that are known of samples, besides their inputs.
const OF_SAMPLES: [&str; 5] = ["target", "target:offset", "row", "table_row", "augmented"];

/// What follows the windows of samples.
const AHEAD: &str = "ahead";

/// What samples sound like.
const SOUND: &str = "sound";

/// The waves of samples, all of one length.
fn sound(data: &Dataset, train: bool, at: &[usize]) -> (Vec<u32>, Vec<f32>) {
    let Some(sound) = &data.sound else { return (vec![0], Vec::new()) };
    let waves: Vec<f32> = at.iter().flat_map(|&i| sound.wave(train, i)).collect();
    shaped(at, &[waves.len() / at.len().max(1)], waves)
}

/// What the numbers are that follow the windows of samples.
fn ahead(data: &Dataset, train: bool, at: &[usize]) -> (Vec<u32>, Vec<f32>) {
    let Some(forecast) = &data.forecast else { return (vec![0], Vec::new()) };
    let steps = forecast.rounds() * forecast.horizon;
    let of = |&sample: &usize| {
        let all = forecast.ahead(train, sample, steps);
        let predicted: Vec<f32> =
            all.chunks_exact(forecast.names.len()).flat_map(|step| step[..forecast.predicted].iter().copied()).collect();
        unscaled(&data.normalisation, &predicted)
    };
    shaped(at, &[steps, forecast.predicted], at.iter().flat_map(of).collect())
}

/// Answers one after the other in the units of the data.
pub(crate) fn unscaled(norm: &Normalisation, answers: &[f32]) -> Vec<f32> {
    answers.chunks(norm.target_mean.len().max(1)).flat_map(|answer| norm.target(answer)).collect()
}

/// Whether the samples of a part are those that are learned from.
fn is_train(data: &Dataset, part: Part) -> bool {
    part == Part::Train || data.validation.is_empty()
}

/// The right answers of samples; of numbers, counted from the mean of the targets where that is asked for.
fn targets(data: &Dataset, part: &Samples, at: &[usize], offset: bool) -> (Vec<u32>, Vec<f32>) {
    match data.labels(part) {
        Labels::Class(labels) if labels.len() > part.len() => {
            let width = labels.len() / part.len().max(1);
            // Where no answer is asked for there is none.
            let label = |&label: &u32| if label == IGNORED { f32::NAN } else { label as f32 };
            shaped(at, &[width], at.iter().flat_map(|&i| labels[i * width..(i + 1) * width].iter().map(label)).collect())
        }
        Labels::Class(labels) => shaped(at, &[1], at.iter().map(|&i| labels.get(i).map_or(f32::NAN, |&c| c as f32)).collect()),
        Labels::Real(values) => {
            let width = values.len() / part.len().max(1);
            let norm = &data.normalisation;
            let target = |&i: &usize| {
                let scaled = values.get(i * width..(i + 1) * width).unwrap_or(&[]);
                if offset { norm.target_offset(scaled) } else { norm.target(scaled) }
            };
            shaped(at, &[width], at.iter().flat_map(target).collect())
        }
    }
}

/// Samples to learn from as a step could be given them; nothing where steps are given them as they are.
fn augmented(data: &Dataset, part: &Samples, at: &[usize]) -> (Vec<u32>, Vec<f32>) {
    let field = data.inputs.first().and_then(|name| part.field(name));
    let (Some(stream), Some(field)) = (&data.stream, field) else { return (vec![0], Vec::new()) };
    let pictures: Option<Vec<Vec<f32>>> = at.iter().map(|&i| stream.changed(i)).collect();
    pictures.map_or((vec![0], Vec::new()), |pictures| shaped(at, &field.shape, pictures.concat()))
}

fn of_field(data: &Dataset, part: &Samples, input: usize, raw: bool, at: &[usize]) -> (Vec<u32>, Vec<f32>) {
    if let (true, Some(plane)) = (raw && input == 0, &data.plane) {
        let width = coordinates(plane);
        return shaped(at, &[width], at.iter().flat_map(|&i| part.raw.iter().skip(i * 2).take(width).copied()).collect());
    }
    let Some(field) = data.inputs.get(input).and_then(|name| part.field(name)) else { return (vec![0], Vec::new()) };
    let length = field.lengths.as_ref().filter(|_| raw).and_then(|name| part.field(name));
    let norm = norm(data, input, field).filter(|_| raw);
    let row = |&i: &usize| {
        let mut values = field.numbers(i);
        if let Some(norm) = norm {
            values.iter_mut().zip(&norm.mean).zip(&norm.std).for_each(|((v, m), s)| *v = (f64::from(*v) * s + m) as f32);
        }
        match length.and_then(|field| field.row(i).first().copied()) {
            Some(length) => ended(values, length as usize * step(field)),
            None => values,
        }
    };
    shaped(at, &field.shape, at.iter().flat_map(row).collect())
}
