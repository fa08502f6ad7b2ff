//! The rows of the metrics ring: which step is recorded in which, and what to read for those that were.

use std::collections::VecDeque;

use downhill_compile::{Region, Space, StateLayout, StateOffsets};
use downhill_graph::StepScalars;

/// Rows per second that are worth reading back; beyond it only every n-th step is recorded.
const ROWS_PER_SECOND: f64 = 4000.0;

/// A row of the metrics ring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row<'a> {
    /// The step it is about.
    pub step: u64,
    /// 0, or the number of the step that was not finite plus one (low 32 bits).
    pub flag: u32,
    /// The recorded metrics, in the order of the model's names.
    pub values: &'a [f32],
}

/// Hands out rows of the metrics ring and reads them back in order.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    offsets: StateOffsets,
    metrics: usize,
    every: u64,
    /// Steps of the rows handed out since the last read; the first lies in row `start`.
    steps: Vec<u64>,
    start: u32,
}

impl Recorder {
    /// A recorder for `metrics` values per row.
    pub fn new(layout: &StateLayout, metrics: usize) -> Self {
        let steps = Vec::with_capacity(layout.ring as usize);
        Self { offsets: layout.offsets, metrics, every: 1, steps, start: 0 }
    }

    /// Chooses how many steps share a recorded one at this speed: a power of two, so that a faster run records a subset.
    pub fn adapt(&mut self, steps_per_second: f64) {
        let wanted = (steps_per_second / ROWS_PER_SECOND).max(1.0);
        self.every = (wanted.ceil() as u64).next_power_of_two();
    }

    /// Whether `step` is recorded.
    pub fn wants(&self, step: u64) -> bool {
        step.is_multiple_of(self.every.max(1))
    }

    /// Rows that can be handed out before they must be read.
    pub fn free(&self) -> u32 {
        self.offsets.ring_rows - self.steps.len() as u32
    }

    /// Number of rows to be read.
    pub fn waiting(&self) -> usize {
        self.steps.len()
    }

    /// The row for `step`, or [`StepScalars::NO_RECORD`] when the ring is full.
    pub fn hand_out(&mut self, step: u64) -> u32 {
        if self.free() == 0 {
            return StepScalars::NO_RECORD;
        }
        let row = (self.start + self.steps.len() as u32) % self.offsets.ring_rows;
        self.steps.push(step);
        row
    }

    /// What to read for all rows handed out; they count as read from now on. Their steps follow those in `steps`.
    pub fn take(&mut self, steps: &mut VecDeque<u64>) -> [Region; 2] {
        let StateOffsets { ring, ring_rows, ring_stride, .. } = self.offsets;
        let count = self.steps.len() as u32;
        let first = count.min(ring_rows - self.start);
        let region =
            |row: u32, rows: u32| Region { space: Space::Arena, offset: ring + row * ring_stride, len: rows * ring_stride };
        let regions = [region(self.start, first), region(0, count - first)];
        self.start = (self.start + count) % ring_rows.max(1);
        steps.extend(self.steps.drain(..));
        regions
    }

    /// Forgets the rows handed out: their steps are to run again.
    pub fn discard(&mut self) {
        self.steps.clear();
    }

    /// The rows in the words that were read, of the steps in front of `steps`, which are taken from there.
    pub fn rows<'a>(&self, steps: &'a mut VecDeque<u64>, words: &'a [u32]) -> impl Iterator<Item = Row<'a>> {
        let metrics = self.metrics;
        let rows = words.chunks_exact((self.offsets.ring_stride as usize).max(2));
        let count = rows.len().min(steps.len());
        steps.drain(..count).zip(rows).map(move |(step, row)| Row {
            step,
            flag: row[1],
            values: bytemuck::cast_slice(&row[2..(2 + metrics).min(row.len())]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder() -> Recorder {
        let offsets = StateOffsets { ring: 100, ring_rows: 8, ring_stride: 4, ..StateOffsets::default() };
        Recorder::new(&StateLayout { offsets, ring: 8, ..StateLayout::default() }, 2)
    }

    #[test]
    fn rows_are_read_in_order_across_the_end_of_the_ring() {
        let mut recorder = recorder();
        let mut steps = VecDeque::new();
        (0..6).for_each(|s| assert_eq!(recorder.hand_out(s), s as u32));
        assert_eq!(recorder.take(&mut steps)[0].len, 24);
        assert_eq!((6..11).map(|s| recorder.hand_out(s)).collect::<Vec<_>>(), [6, 7, 0, 1, 2]);
        let [a, b] = recorder.take(&mut steps);
        assert_eq!((a.offset, a.len, b.offset, b.len), (124, 8, 100, 12));
        assert_eq!(steps, (0..11).collect::<VecDeque<u64>>());
    }

    #[test]
    fn a_full_ring_records_nothing_more() {
        let mut recorder = recorder();
        (0..8).for_each(|s| assert_ne!(recorder.hand_out(s), StepScalars::NO_RECORD));
        assert_eq!(recorder.hand_out(8), StepScalars::NO_RECORD);
    }

    #[test]
    fn a_row_holds_flag_and_metrics() {
        let words = [7, 0, 1.5f32.to_bits(), 2.5f32.to_bits(), 8, 9, f32::NAN.to_bits(), 0];
        let recorder = recorder();
        let mut steps = VecDeque::from([7, 8, 9]);
        let rows: Vec<Row<'_>> = recorder.rows(&mut steps, &words).collect();
        assert_eq!(rows[0], Row { step: 7, flag: 0, values: &[1.5, 2.5] });
        assert_eq!((rows[1].step, rows[1].flag), (8, 9));
        assert!(rows[1].values[0].is_nan());
        drop(rows);
        assert_eq!(steps, [9]);
    }

    #[test]
    fn a_fast_run_records_a_power_of_two_of_steps() {
        let mut recorder = recorder();
        recorder.adapt(300.0);
        assert!(recorder.wants(1));
        recorder.adapt(100_000.0);
        assert!(recorder.wants(32) && !recorder.wants(33) && !recorder.wants(16));
    }
}
