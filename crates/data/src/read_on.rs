//! A text that is read on: every row of a batch is a stream of its own, whose window begins where that of the batch before ended. Where windows begin
//! is said here, for training steps and for evaluations; what goes on from one window to the next is the model's.

use std::rc::Rc;

use downhill_tensor::rng::{self, Rng};

use crate::stream::Draw;

/// Windows that follow each other in an evaluation, at most: those of one stream are read one after the other, streams side by side.
const LONGEST: usize = 16;

/// How a text is cut where it is read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOn {
    /// Tokens that are learned from.
    pub learned: usize,
    /// Tokens of a window.
    pub context: usize,
    /// Of the windows that the two parts are measured with, how many follow each other: a power of two, of which the number of windows is a multiple.
    pub measured: [usize; 2],
}

impl ReadOn {
    /// Batches of so many rows in which a stream reads all of its share of the text; behind them all streams begin anew. With 1000 tokens, 4 rows
    /// and a context of 50 they are 4: the rows read 200 tokens each.
    pub fn batches(&self, rows: usize) -> usize {
        self.learned.saturating_sub(1) / (rows * self.context).max(1)
    }

    /// Whether a batch goes on from the one before it.
    pub fn goes_on(&self, batch: u64, rows: usize) -> bool {
        !batch.is_multiple_of(self.batches(rows).max(1) as u64)
    }

    /// Where the window of a row begins. The streams lie one behind the other, and what they leave of the text is, in every pass, another part before
    /// the first and behind the last.
    fn start(&self, seed: u32, batch: u64, (row, rows): (usize, usize)) -> usize {
        let batches = self.batches(rows).max(1);
        let (pass, at) = (batch / batches as u64, (batch % batches as u64) as usize);
        let share = batches * self.context;
        let spare = self.learned.saturating_sub(1 + rows * share);
        let shift = Rng::new(seed, rng::Stream::Batches, pass as u32).below(spare + 1);
        (shift + row * share + at * self.context).min(self.learned.saturating_sub(1 + self.context))
    }
}

/// Where the windows begin that a part of so many tokens is measured with, at most `most` of them, and how many follow each other: streams of the same
/// length, spread evenly over the part.
pub(crate) fn measured(from: usize, len: usize, context: usize, most: usize) -> (Vec<usize>, usize) {
    let windows = len.saturating_sub(1) / context;
    let Some(doublings) = windows.min(LONGEST).checked_ilog2() else { return (Vec::new(), 1) };
    let each = 1 << doublings;
    let streams = (most / each).min(windows / each);
    let last = len - 1 - each * context;
    let begin = |stream: usize| from + stream * last / (streams - 1).max(1);
    ((0..streams).flat_map(|stream| (0..each).map(move |at| begin(stream) + at * context)).collect(), each)
}

/// The windows of training steps that read on.
pub(crate) struct Streams {
    pub tokens: Rc<[u32]>,
    pub cut: ReadOn,
}

impl Draw for Streams {
    fn draw(&self, seed: u32, step: u64, x: &mut [u32], y: &mut [u32]) {
        let context = self.cut.context;
        let rows = x.len() / context;
        for (row, (x, y)) in x.chunks_exact_mut(context).zip(y.chunks_exact_mut(context)).enumerate() {
            let start = self.cut.start(seed, step, (row, rows));
            x.copy_from_slice(&self.tokens[start..start + context]);
            y.copy_from_slice(&self.tokens[start + 1..=start + context]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The windows of a batch of a text in which every token is its place.
    fn windows(cut: ReadOn, batch: u64, rows: usize) -> Vec<Vec<u32>> {
        let streams = Streams { tokens: (0..cut.learned as u32).collect(), cut };
        let (mut x, mut y) = (vec![0; rows * cut.context], vec![0; rows * cut.context]);
        streams.draw(7, batch, &mut x, &mut y);
        assert!(x.iter().zip(&y).all(|(x, y)| x + 1 == *y));
        x.chunks(cut.context).map(<[u32]>::to_vec).collect()
    }

    fn cut(learned: usize, context: usize) -> ReadOn {
        ReadOn { learned, context, measured: [1, 1] }
    }

    #[test]
    fn every_row_reads_on_until_all_streams_begin_anew() {
        let cut = cut(1013, 50);
        let rows = 4;
        assert_eq!(cut.batches(rows), 5);
        let begins: Vec<u64> = (0..16).filter(|batch| !cut.goes_on(*batch, rows)).collect();
        assert_eq!(begins, [0, 5, 10, 15]);
        for batch in 1..16 {
            let (before, now) = (windows(cut, batch - 1, rows), windows(cut, batch, rows));
            let follows =
                before.iter().zip(&now).all(|(before, now)| before.last().map(|token| token + 1) == now.first().copied());
            assert_eq!(follows, cut.goes_on(batch, rows), "{batch}");
        }
    }

    #[test]
    fn streams_do_not_overlap_and_their_borders_move_from_pass_to_pass() {
        let cut = cut(1013, 50);
        let pass = |pass: u64| -> Vec<u32> {
            let mut tokens: Vec<u32> = (pass * 5..pass * 5 + 5).flat_map(|batch| windows(cut, batch, 4).concat()).collect();
            tokens.sort_unstable();
            tokens
        };
        let first: Vec<u32> = (0..8).map(|n| pass(n)[0]).collect();
        assert!(first.iter().any(|token| *token != first[0]) && first.iter().all(|token| *token <= 12), "{first:?}");
        for n in 0..8 {
            assert!(pass(n).windows(2).all(|pair| pair[0] + 1 == pair[1]), "all that it reads is read once");
        }
    }

    #[test]
    fn a_text_of_a_single_window_is_read_without_harm() {
        for rows in [1, 3] {
            assert_eq!(windows(cut(8, 7), 5, rows), vec![(0..7).collect::<Vec<u32>>(); rows]);
        }
    }

    #[test]
    fn measured_windows_follow_each_other_in_streams() {
        for (len, context, windows, each) in
            [(7, 7, 0, 1), (8, 7, 1, 1), (30, 7, 4, 4), (120, 7, 16, 16), (700, 7, 96, 16), (99_999, 7, 256, 16)]
        {
            let (starts, found) = measured(10, len, context, 256);
            assert_eq!((starts.len(), found), (windows, each), "{len}");
            for stream in starts.chunks(each) {
                assert!(stream.windows(2).all(|pair| pair[0] + context == pair[1]));
            }
            assert!(starts.chunks(each).collect::<Vec<_>>().windows(2).all(|pair| pair[0][each - 1] + context <= pair[1][0]));
            assert!(starts.iter().all(|start| *start >= 10 && start + context < 10 + len));
        }
    }
}
