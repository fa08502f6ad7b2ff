//! Who watches what: the watches there are, when each is due, and what an answer in the making has to remember. How much of each tensor is
//! sent is decided in `cut.rs`.

use std::rc::Rc;
use std::time::Duration;

use downhill_compile::Entry;
use downhill_protocol::Watch;
use downhill_tensor::seconds;
use web_time::Instant;

use super::rows::Rows;

/// A watch takes at most this share of the time: an answer that took long is followed by a longer pause.
const SHARE: u32 = 4;
/// Longest pause that a watch can ask for.
const LONGEST: Duration = Duration::from_secs(60);

/// Everything that is watched.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    watched: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    watch: Rc<Watch>,
    due: Instant,
    /// The state that its last answer shows.
    shown: Option<(u64, u64)>,
    /// Whether an answer is under way, or there is none to give before the model changes.
    pending: bool,
    /// What its program reads; made once.
    rows: Option<Rc<Rows>>,
    /// Step and parameters of the answer before, for the size of updates.
    before: Option<(u64, Vec<Vec<f32>>)>,
}

impl Watches {
    /// Answers from now on; an earlier watch of the same key is replaced.
    pub fn watch(&mut self, watch: Watch, now: Instant) {
        self.unwatch(watch.key);
        self.watched.push(Watched { watch: Rc::new(watch), due: now, shown: None, pending: false, rows: None, before: None });
    }

    /// Answers no more.
    pub fn unwatch(&mut self, key: u32) {
        self.watched.retain(|w| w.watch.key != key);
    }

    /// Forgets what was made for the model of before; nothing of it may be under way.
    pub fn forget(&mut self) {
        for watched in &mut self.watched {
            (watched.shown, watched.rows, watched.before, watched.pending) = (None, None, None, false);
        }
    }

    /// When the next watch that was not answered for `state` is due.
    pub fn next_due(&self, state: (u64, u64)) -> Option<Instant> {
        self.watched.iter().filter(|w| w.shown != Some(state) && !w.pending).map(|w| w.due).min()
    }

    /// An answer was given; the next comes after the time that was asked for, later where it took long.
    pub fn answered(&mut self, watch: &Rc<Watch>, started: Instant) {
        if let Some(w) = self.watched.iter_mut().find(|w| Rc::ptr_eq(&w.watch, watch)) {
            w.pending = false;
            w.due = started + (started.elapsed() * SHARE).max(seconds(w.watch.every_ms / 1000.0).min(LONGEST));
        }
    }

    /// Whether it is watched still.
    pub fn holds(&self, watch: &Rc<Watch>) -> bool {
        self.watched.iter().any(|w| Rc::ptr_eq(&w.watch, watch))
    }

    /// Remembers the parameters of an answer and returns those of the one before with their step.
    pub fn exchange_parameters(
        &mut self,
        watch: &Rc<Watch>,
        step: u64,
        parameters: Vec<Vec<f32>>,
    ) -> Option<(u64, Vec<Vec<f32>>)> {
        let watched = self.watched.iter_mut().find(|w| Rc::ptr_eq(&w.watch, watch))?;
        watched.before.replace((step, parameters))
    }

    /// Takes a watch that is due, as being answered for `state`.
    pub fn take_due(&mut self, now: Instant, state: (u64, u64)) -> Option<(Rc<Watch>, Option<Rc<Rows>>)> {
        let due = |w: &&mut Watched| w.due <= now && w.shown != Some(state) && !w.pending;
        let watched = self.watched.iter_mut().find(due)?;
        (watched.shown, watched.pending) = (Some(state), true);
        Some((watched.watch.clone(), watched.rows.clone()))
    }

    /// Keeps what the program of a watch reads.
    pub fn keep_rows(&mut self, watch: &Rc<Watch>, rows: &Rc<Rows>) {
        if let Some(watched) = self.watched.iter_mut().find(|w| Rc::ptr_eq(&w.watch, watch)) {
            watched.rows = Some(rows.clone());
        }
    }
}

/// An answer in the making.
#[derive(Debug)]
pub(crate) struct AnswerJob {
    /// What was asked.
    pub watch: Rc<Watch>,
    /// What its program reads.
    pub rows: Rc<Rows>,
    /// Parameters that are asked for; the first read holds them one after the other.
    pub parameters: Vec<Entry>,
    /// How the words of the other reads are to be put together.
    pub layout: ReadLayout,
    /// When it was queued.
    pub started: Instant,
    /// The run it belongs to.
    pub run: u32,
}

/// Outputs of several runs of a program over chunks of rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadLayout {
    /// Name and shape of each output; the first axis is that of the rows, unless the program ran on a training batch.
    pub outputs: Vec<(String, Vec<u32>)>,
    /// Rows in all.
    pub rows: usize,
    /// Rows per run.
    pub chunk: usize,
}

impl ReadLayout {
    /// Puts the chunks together: the elements of every output, all rows one after the other.
    pub fn gather(&self, reads: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let widths: Vec<usize> = self.outputs.iter().map(|(_, shape)| elements(shape) / self.chunk.max(1)).collect();
        let mut outputs: Vec<Vec<f32>> = widths.iter().map(|width| Vec::with_capacity(width * self.rows)).collect();
        for (i, words) in reads.iter().enumerate() {
            let rows = self.rows.saturating_sub(i * self.chunk).min(self.chunk);
            let mut at = 0;
            for (output, width) in outputs.iter_mut().zip(&widths) {
                output.extend(words.iter().skip(at).take(rows * width).map(|w| f32::from_bits(*w)));
                at += self.chunk * width;
            }
        }
        outputs
    }
}

fn elements(shape: &[u32]) -> usize {
    shape.iter().map(|&n| n as usize).product()
}
