//! Batches that are made for each step: endless data, or samples that are changed (`augment`). Each is drawn from the seed and the number of its step alone, so that a run can go on from
//! any step bit for bit. A [`Dataset`](crate::Dataset) with a stream keeps samples to look at and to measure with.

use std::fmt;
use std::rc::Rc;

/// What draws the samples of an endless source.
pub(crate) trait Draw {
    /// Draws a batch: `x` is `[rows, numbers]`, of each row the words of all inputs one after the other, `y` the class of each of the rows, or of each
    /// of their positions. Allocates nothing.
    fn draw(&self, seed: u32, step: u64, x: &mut [u32], y: &mut [u32]);

    /// How many samples it draws all batches from, where it does not make new ones.
    fn samples(&self) -> Option<usize> {
        None
    }

    /// One of those samples as a step could be given it, for a preview.
    fn changed(&self, _seed: u32, _sample: usize) -> Option<Vec<f32>> {
        None
    }
}

/// Where the batches of an endless source come from.
#[derive(Clone)]
pub struct Stream {
    source: Rc<dyn Draw>,
    seed: u32,
}

impl Stream {
    /// The batches that a source draws from a seed.
    pub(crate) fn new(source: Rc<dyn Draw>, seed: u32) -> Self {
        Self { source, seed }
    }

    /// Draws the batch of a step: `x` is `[rows, numbers]`, of each row the words of all inputs one after the other in the order of the data's
    /// fields, `y` the class of each of the rows, or of each of their positions. Allocates nothing.
    pub fn fill(&self, step: u64, x: &mut [u32], y: &mut [u32]) {
        self.source.draw(self.seed, step, x, y);
    }

    /// One input of a drawn batch: of each row of `x`, which has `numbers` words, the `width` words from `start` on.
    pub fn input(x: &[u32], numbers: usize, start: usize, width: usize) -> impl Iterator<Item = &[u32]> {
        x.chunks_exact(numbers.max(1)).filter_map(move |row| row.get(start..start + width))
    }

    /// How many samples all batches are drawn from, where each step is given some of them, changed; `None` where every sample is new.
    pub fn samples(&self) -> Option<usize> {
        self.source.samples()
    }

    /// A sample to learn from as a step could be given it, where steps are given changed ones.
    pub fn changed(&self, sample: usize) -> Option<Vec<f32>> {
        self.source.changed(self.seed, sample)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({})", self.seed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{NoAssets, Source};

    fn stream(fields: serde_json::Value) -> Stream {
        let source = Source::from_json("spirals", &fields).unwrap();
        source.build(5, &NoAssets).unwrap().stream.unwrap()
    }

    fn batch(stream: &Stream, step: u64) -> (Vec<u32>, Vec<u32>) {
        let (mut x, mut y) = (vec![0; 2 * 300], vec![0; 300]);
        stream.fill(step, &mut x, &mut y);
        (x, y)
    }

    #[test]
    fn a_batch_depends_on_seed_and_step_alone() {
        let stream = stream(json!({ "endless": true }));
        assert_eq!(batch(&stream, 7), batch(&stream.clone(), 7));
        assert_ne!(batch(&stream, 7).0, batch(&stream, 8).0);
        assert_ne!(batch(&stream, 7).0, batch(&Stream { seed: 6, ..stream.clone() }, 7).0);
    }

    #[test]
    fn classes_come_as_often_as_in_the_set_that_is_kept() {
        let stream = stream(json!({ "endless": true, "classes": 4, "imbalance": 0.5 }));
        let labels: Vec<u32> = (0..20).flat_map(|step| batch(&stream, step).1).collect();
        let share = |class| labels.iter().filter(|&&c| c == class).count() as f64 / labels.len() as f64;
        for (class, wanted) in [(0, 0.4), (1, 0.2), (2, 0.2), (3, 0.2)] {
            assert!((share(class) - wanted).abs() < 0.03, "{class}: {}", share(class));
        }
    }

    #[test]
    fn inputs_of_a_row_stand_one_after_the_other() {
        let x = [1, 2, 3, /* */ 4, 5, 6];
        let input = |start, width| Stream::input(&x, 3, start, width).collect::<Vec<_>>();
        assert_eq!((input(0, 2), input(2, 1)), (vec![&[1, 2][..], &[4, 5]], vec![&[3][..], &[6]]));
    }

    #[test]
    fn a_set_that_ends_has_no_stream() {
        assert!(Source::from_json("spirals", &json!({})).unwrap().build(5, &NoAssets).unwrap().stream.is_none());
    }
}
