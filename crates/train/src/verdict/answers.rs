//! What the answers for the samples held out show beside the loss: which classes are mistaken for each other, and how long a sequence may be
//! to be answered right. Counted with every evaluation; what it means is for the rules to say.

use downhill_data::{Dataset, Labels, Task};
use downhill_tensor::sort_short_by_key;

/// Classes up to which it is counted which is taken for which.
const CLASSES: usize = 128;

/// A sample that was given a wrong class.
#[derive(Clone, Copy)]
struct Mistake {
    /// Its place among the samples held out.
    sample: u32,
    truth: usize,
    said: usize,
    /// How much more the logit of the wrong class is than that of the right one.
    by: f32,
}

/// Two classes that are mistaken for each other more often than any others.
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion {
    /// Their names.
    pub names: [String; 2],
    /// How many samples of either were given the other class.
    pub mistaken: u32,
    /// How many samples of both there are.
    pub samples: u32,
    /// Wrong answers in all, whatever the class.
    pub mistakes: u32,
    /// How a person finds the surest of these mistakes: `row 17 of the table`.
    pub place: String,
    /// What it is.
    pub truth: String,
    /// What it was taken for.
    pub said: String,
}

/// The answers for sequences of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfLength {
    /// The length.
    pub length: u32,
    /// How many are as long.
    pub samples: u32,
    /// How many of them were answered right.
    pub right: u32,
}

/// What the answers for the samples held out show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// How many classes there are.
    pub classes: usize,
    /// The classes that are mistaken for each other most often.
    pub confusion: Option<Confusion>,
    /// From the shortest to the longest; empty where all sequences are as long, or samples are none.
    pub lengths: Vec<OfLength>,
}

/// Answers while they are counted.
#[derive(Default)]
pub(crate) struct Count {
    /// How many samples of each class there are, and how many of them were said right.
    hits: Vec<(u32, u32)>,
    /// Row by row the class, column by column what was said; empty where classes are too many.
    table: Vec<u32>,
    /// The surest mistake for each of them.
    surest: Vec<Option<Mistake>>,
    lengths: Vec<OfLength>,
}

impl Count {
    /// Adds held-out samples with the logits of `rows` rows, of which they are the first.
    pub fn add(&mut self, data: &Dataset, samples: &[u32], words: &[u32], rows: usize) {
        let Labels::Class(labels) = data.labels(&data.validation) else { return };
        let width = words.len() / rows.max(1);
        let classes = width.max(2);
        self.hits.resize(classes, (0, 0));
        if classes <= CLASSES {
            self.table.resize(classes * classes, 0);
            self.surest.resize(classes * classes, None);
        }
        let input = data.inputs.first().and_then(|name| data.validation.field(name));
        let lengths = input.and_then(|input| data.validation.field(input.lengths.as_deref()?));
        for (&sample, logits) in samples.iter().zip(words.chunks_exact(width.max(1))) {
            let Some(&truth) = labels.get(sample as usize).filter(|&&label| (label as usize) < classes) else { continue };
            // A single output is the second class's logit where the first one's is 0.
            let logit = |class: usize| match (width, class) {
                (1, 0) => 0.0,
                (1, _) => f32::from_bits(logits[0]),
                _ => f32::from_bits(logits[class]),
            };
            let said = (1..classes).fold(0, |best, at| if logit(at) > logit(best) { at } else { best });
            let truth = truth as usize;
            self.hits[truth].0 += 1;
            self.hits[truth].1 += u32::from(said == truth);
            let by = logit(said) - logit(truth);
            if let (Some(count), Some(surest)) =
                (self.table.get_mut(truth * classes + said), self.surest.get_mut(truth * classes + said))
            {
                *count += 1;
                if surest.is_none_or(|mistake| by > mistake.by) {
                    *surest = Some(Mistake { sample, truth, said, by });
                }
            }
            if let Some(length) = lengths.and_then(|field| field.row(sample as usize).first().copied()) {
                self.add_length(length, said == truth);
            }
        }
    }

    fn add_length(&mut self, length: u32, right: bool) {
        let at = self.lengths.iter().position(|l| l.length == length).unwrap_or(self.lengths.len());
        if at == self.lengths.len() {
            self.lengths.push(OfLength { length, samples: 0, right: 0 });
        }
        self.lengths[at].samples += 1;
        self.lengths[at].right += u32::from(right);
    }

    /// Share of each class that was said right; NaN for a class without samples.
    pub fn recall(&self) -> Vec<f32> {
        self.hits.iter().map(|(all, right)| if *all == 0 { f32::NAN } else { *right as f32 / *all as f32 }).collect()
    }

    /// What they show.
    pub fn finish(mut self, data: &Dataset) -> Answers {
        sort_short_by_key(&mut self.lengths, |l| l.length);
        let confusion = self.confusion(data);
        let lengths = if self.lengths.len() > 1 { self.lengths } else { Vec::new() };
        Answers { classes: self.hits.len(), confusion, lengths }
    }

    fn confusion(&self, data: &Dataset) -> Option<Confusion> {
        let Task::Classification { classes: names } = &data.task else { return None };
        let classes = if self.table.is_empty() { 0 } else { self.hits.len() };
        let pairs = (0..classes).flat_map(|a| (a + 1..classes).map(move |b| (a, b)));
        let mistaken = |&(a, b): &(usize, usize)| self.table[a * classes + b] + self.table[b * classes + a];
        let (a, b) = pairs.reduce(|best, pair| if mistaken(&pair) > mistaken(&best) { pair } else { best })?;
        let of = |truth: usize, said: usize| self.surest[truth * classes + said];
        let surest = [of(a, b), of(b, a)].into_iter().flatten().reduce(|x, y| if y.by > x.by { y } else { x })?;
        let row = data.table.as_ref().and_then(|table| table.number_of(false, surest.sample as usize));
        Some(Confusion {
            names: [names.get(a)?.clone(), names.get(b)?.clone()],
            mistaken: mistaken(&(a, b)),
            samples: self.hits[a].0 + self.hits[b].0,
            mistakes: self.hits.iter().map(|(all, right)| all - right).sum(),
            place: row
                .map_or_else(|| format!("sample {} held out", surest.sample + 1), |row| format!("row {row} of the table")),
            truth: names.get(surest.truth)?.clone(),
            said: names.get(surest.said)?.clone(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]
mod tests {
    use downhill_data::{NoAssets, Source};
    use serde_json::json;

    use super::*;

    /// Counts answers: for each held-out sample whatever `said` makes of its number and its class.
    fn counted(set: &Dataset, said: impl Fn(usize, u32) -> u32) -> Count {
        let (Labels::Class(labels), Task::Classification { classes }) = (set.labels(&set.validation), &set.task) else {
            panic!()
        };
        let row = |(i, &label): (usize, &u32)| (0..classes.len() as u32).map(move |c| (i, label, c)).collect::<Vec<_>>();
        let logit =
            |(i, label, class)| if said(i, label) == class { 2.0 + i as f32 } else { f32::from(u8::from(class == label)) };
        let words: Vec<u32> = labels.iter().enumerate().flat_map(row).map(|at| logit(at).to_bits()).collect();
        let samples: Vec<u32> = (0..labels.len() as u32).collect();
        let mut count = Count::default();
        count.add(set, &samples, &words, samples.len());
        count
    }

    #[test]
    fn the_pair_that_is_confused_most_is_named_with_its_surest_mistake() {
        let set = Source::from_json("gaussians", &json!({ "classes": 6 })).unwrap().build(1, &NoAssets).unwrap();
        // The third class is taken for the fifth, but for a single mistake of the first.
        let (Labels::Class(labels), Task::Classification { classes }) = (set.labels(&set.validation), &set.task) else {
            panic!()
        };
        let count = counted(&set, |i, label| match label {
            2 => 4,
            0 if labels[..i].iter().all(|&l| l != 0) => 1,
            _ => label,
        });
        let recall = count.recall();
        assert_eq!((recall[2], recall[4]), (0.0, 1.0));
        let answers = count.finish(&set);
        let found = answers.confusion.unwrap();
        let of = |class: u32| labels.iter().filter(|&&l| l == class).count() as u32;
        assert_eq!((found.mistaken, found.mistakes, found.samples), (of(2), of(2) + 1, of(2) + of(4)));
        assert_eq!(
            (found.names, &found.truth, &found.said),
            ([classes[2].clone(), classes[4].clone()], &classes[2], &classes[4])
        );
        let surest = labels.iter().rposition(|&l| l == 2).unwrap();
        assert_eq!(found.place, format!("sample {} held out", surest + 1));
        assert!(answers.lengths.is_empty());
        assert_eq!(counted(&set, |_, label| label).finish(&set).confusion, None);
    }

    #[test]
    fn sequences_are_counted_by_their_length() {
        let source = json!({ "samples": 200, "min_length": 2, "max_length": 4 });
        let set = Source::from_json("parity", &source).unwrap().build(1, &NoAssets).unwrap();
        let lengths = |i: usize| set.validation.field("length").unwrap().row(i)[0];
        let answers = counted(&set, |i, label| if lengths(i) == 4 { 1 - label } else { label }).finish(&set);
        let found: Vec<(u32, bool, u32)> = answers.lengths.iter().map(|l| (l.length, l.right == l.samples, l.right)).collect();
        assert!(matches!(found[..], [(2, true, _), (3, true, _), (4, false, 0)]), "{found:?}");
    }
}
