//! The batches of training steps, whatever the data is: indices of samples that lie beside the program, or finished samples of endless data.
//! Everything that takes steps (training, comparing, timing, probing) gets its samples here; evaluations and maps read samples by themselves.

use downhill_compile::StateLayout;
use downhill_data::{Dataset, Field, Sampler, SamplerPosition, Stream};
use downhill_model::{Checked, Encoding, FieldFeed};
use downhill_tensor::UserError;

use crate::machine::engine::Engine;

/// Where the samples of training steps come from.
pub(crate) trait BatchSource {
    /// Writes a batch into a row of the feeds: the same for the same number, whatever was asked for before. Allocates nothing.
    fn fill(&mut self, number: u64, feeds: &mut Feeds, row: usize);

    /// Where in the order of samples a batch begins; the start where there is no order.
    fn position(&self, number: u64) -> SamplerPosition;

    /// Another source of the same batches, for whoever looks at steps beside the run.
    fn fork(&self) -> Box<dyn BatchSource>;
}

/// What the training program reads anew in every step: one or several feeds, each with rows for several steps.
#[derive(Debug)]
pub(crate) struct Feeds {
    feeds: Vec<StepFeed>,
    /// Whether the last one holds the answers of finished samples.
    asks: bool,
}

#[derive(Debug)]
struct StepFeed {
    name: String,
    encoding: Encoding,
    /// Words of one step, and from one step to the next.
    len: usize,
    stride: usize,
    words: Vec<u32>,
}

impl StepFeed {
    /// The words of a step.
    fn row(&mut self, row: usize) -> &mut [u32] {
        self.words.get_mut(row * self.stride..row * self.stride + self.len).unwrap_or(&mut [])
    }
}

impl Feeds {
    /// Room for so many runs of the training program.
    pub fn new(checked: &Checked, layout: &StateLayout, rows: usize) -> Self {
        let batch = checked.experiment.training.batch_size;
        let feed = |name: String, encoding: Encoding, len: usize| {
            let stride = layout.feed(&name).map_or(len, |(_, stride)| stride as usize);
            StepFeed { name, encoding, len, stride, words: vec![0; stride * rows] }
        };
        if !checked.signature.streamed {
            return Self { feeds: vec![feed("train.indices".to_string(), Encoding::Same, batch)], asks: false };
        }
        let fields = checked.feeds();
        let feeds = fields.iter().map(|f| feed(format!("step.{}", f.name), f.encoding, batch * f.width())).collect();
        Self { feeds, asks: fields.last().is_some_and(|field| field.target) }
    }

    /// The words of a step in feed `feed`.
    fn row(&mut self, feed: usize, row: usize) -> &mut [u32] {
        self.feeds.get_mut(feed).map_or(&mut [], |feed| feed.row(row))
    }

    /// Queues the first `rows` rows for the rows of the rings from `first_row` on.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn upload(&self, engine: &mut Engine, first_row: u32, rows: usize) -> Result<(), UserError> {
        for feed in &self.feeds {
            engine.feed(&feed.name, first_row, feed.words.get(..rows * feed.stride).unwrap_or(&feed.words))?;
        }
        Ok(())
    }
}

/// Indices into the samples to learn from, in the sampler's order.
#[derive(Clone)]
struct Resident {
    sampler: Sampler,
    len: u64,
    batch: u64,
    /// A batch, and how many samples were drawn before it.
    anchor: (u64, u64),
    /// The batch that the sampler gives next.
    next: u64,
}

impl BatchSource for Resident {
    fn fill(&mut self, number: u64, feeds: &mut Feeds, row: usize) {
        if number != self.next && self.sampler.restore(self.position(number)).is_err() {
            return;
        }
        self.sampler.next_batch(feeds.row(0, row));
        self.next = number + 1;
    }

    fn position(&self, number: u64) -> SamplerPosition {
        let (at, drawn) = self.anchor;
        let before =
            if number >= at { drawn + (number - at) * self.batch } else { drawn.saturating_sub((at - number) * self.batch) };
        SamplerPosition { epoch: (before / self.len) as u32, index: (before % self.len) as u32 }
    }

    fn fork(&self) -> Box<dyn BatchSource> {
        Box::new(self.clone())
    }
}

/// Finished samples: new ones, or some of those to learn from that were changed.
#[derive(Clone)]
struct Streamed {
    stream: Stream,
    /// Words of a sample: those of all inputs.
    numbers: usize,
    /// Room for the inputs of a batch, as they are drawn.
    drawn: Vec<u32>,
    /// Room for the answers of a batch, where the program asks for none.
    unasked: Vec<u32>,
    batch: u64,
}

impl BatchSource for Streamed {
    fn fill(&mut self, number: u64, feeds: &mut Feeds, row: usize) {
        let count = feeds.feeds.len() - usize::from(feeds.asks);
        let (inputs, answers) = feeds.feeds.split_at_mut(count);
        match answers.first_mut() {
            Some(y) => {
                let encoding = y.encoding;
                let labels = y.row(row);
                self.stream.fill(number, &mut self.drawn, labels);
                encoding.encode(labels);
            }
            None => self.stream.fill(number, &mut self.drawn, &mut self.unasked),
        }
        let mut start = 0;
        for input in inputs {
            let (width, encoding) = (input.len / self.batch.max(1) as usize, input.encoding);
            let words = input.row(row);
            let rows = Stream::input(&self.drawn, self.numbers, start, width);
            words.chunks_exact_mut(width.max(1)).zip(rows).for_each(|(to, from)| to.copy_from_slice(from));
            encoding.encode(words);
            start += width;
        }
    }

    fn position(&self, number: u64) -> SamplerPosition {
        let Some(len) = self.stream.samples().map(|len| len.max(1) as u64) else { return SamplerPosition::default() };
        let before = number.saturating_mul(self.batch);
        SamplerPosition { epoch: (before / len) as u32, index: (before % len) as u32 }
    }

    fn fork(&self) -> Box<dyn BatchSource> {
        Box::new(self.clone())
    }
}

/// The batches of a run, with room for those that are queued at a time. They are numbered through; a step takes one, or several micro batches.
pub(crate) struct Batches {
    source: Box<dyn BatchSource>,
    /// Batches of a step.
    micros: usize,
    /// Room for a ring of steps.
    feeds: Feeds,
}

impl Batches {
    /// The batches of an experiment on its data. `step` begins at `position` in the order of samples.
    ///
    /// # Errors
    /// When the position lies beyond the samples.
    pub fn new(
        (checked, data): (&Checked, &Dataset),
        layout: &StateLayout,
        (step, position): (u64, SamplerPosition),
    ) -> Result<Self, UserError> {
        let feeds = Feeds::new(checked, layout, layout.ring as usize);
        let micros = checked.experiment.training.accumulate;
        Ok(Self { source: source(checked, data, (step * micros as u64, position))?, micros, feeds })
    }

    /// Where in the order of samples a step begins.
    pub fn position(&self, step: u64) -> SamplerPosition {
        self.source.position(step * self.micros as u64)
    }

    /// Makes micro batch `micro` of a step ready, in a row of those to be uploaded next.
    pub fn fill(&mut self, step: u64, micro: usize, row: usize) {
        self.source.fill(step * self.micros as u64 + micro as u64, &mut self.feeds, row);
    }

    /// Queues what is ready in the first `rows` rows for the rings from `first_row` on.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn upload(&self, engine: &mut Engine, first_row: u32, rows: usize) -> Result<(), UserError> {
        self.feeds.upload(engine, first_row, rows)
    }

    /// The batches of `steps` steps from `step` on, beside those of the run.
    pub fn ahead(&self, checked: &Checked, layout: &StateLayout, step: u64, steps: usize) -> Feeds {
        self.numbered(checked, layout, step * self.micros as u64, steps * self.micros)
    }

    /// So many batches, beside those of the run.
    fn numbered(&self, checked: &Checked, layout: &StateLayout, first: u64, count: usize) -> Feeds {
        let (mut source, mut feeds) = (self.source.fork(), Feeds::new(checked, layout, count));
        for (row, number) in (0..count).zip(first..) {
            source.fill(number, &mut feeds, row);
        }
        feeds
    }

    /// The samples of a micro batch of a step as words, a field each: what an inspection of that step is fed with.
    pub fn samples(
        &self,
        (checked, data): (&Checked, &Dataset),
        layout: &StateLayout,
        (step, micro): (u64, usize),
    ) -> Vec<(String, Vec<u32>)> {
        let mut feeds = self.numbered(checked, layout, step * self.micros as u64 + micro as u64, 1);
        let fields = checked.feeds();
        if data.stream.is_some() {
            return fields.into_iter().enumerate().map(|(i, field)| (field.name, feeds.row(i, 0).to_vec())).collect();
        }
        let indices = feeds.row(0, 0).to_vec();
        let of_field = |field: &FieldFeed| {
            let column = data.train.field(&field.name)?;
            let mut words: Vec<u32> = indices.iter().flat_map(|&i| column.row(i as usize)).collect();
            field.encoding.encode(&mut words);
            Some((field.name.clone(), words))
        };
        fields.iter().filter_map(of_field).collect()
    }
}

fn source(
    checked: &Checked,
    data: &Dataset,
    (number, position): (u64, SamplerPosition),
) -> Result<Box<dyn BatchSource>, UserError> {
    if let Some(stream) = &data.stream {
        let answers = data.train.field(downhill_data::TARGET).map_or(1, Field::width);
        let batch = checked.experiment.training.batch_size;
        let numbers = checked.feeds().iter().filter(|field| !field.target).map(FieldFeed::width).sum::<usize>();
        let (drawn, unasked) = (vec![0; batch * numbers], vec![0; batch * answers]);
        return Ok(Box::new(Streamed { stream: stream.clone(), numbers, drawn, unasked, batch: batch as u64 }));
    }
    let mut sampler = Sampler::new(checked.experiment.seed, data.train.len());
    sampler.restore(position)?;
    let (len, batch) = (data.train.len().max(1) as u64, checked.experiment.training.batch_size as u64);
    let drawn = u64::from(position.epoch) * len + u64::from(position.index);
    Ok(Box::new(Resident { sampler, len, batch, anchor: (number, drawn), next: number }))
}
