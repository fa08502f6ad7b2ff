//! The texts in the making, who they are for, and when the next token of one is due. What a text is stands in `writing.rs`.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use downhill_protocol::{Speed, Watch};
use web_time::Instant;

use super::writing::Writing;
use crate::machine::Cached;

/// A run that trains goes on for so many times what tokens took before the next ones.
const PAUSE: u32 = 2;
/// So long it waits for tokens, one after the other: what is kept of a text is of use only as long as the weights stay the same.
const TURN: Duration = Duration::from_millis(6);

/// Who a text is written for.
#[derive(Debug)]
pub(crate) enum Whom {
    /// A watch, of a run and the step at which the text was begun.
    Watch(Rc<Watch>, u32, u64),
    /// A request by its number.
    Request(u32),
}

/// What the network said of some tokens of a text that is worth keeping for the next one.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Tokens of which something was kept before, and the state of the run then.
    pub before: Cached,
    /// Tokens of which something is kept with this.
    pub tokens: usize,
    /// Feeds, the element from which on each is written, and how many elements that are.
    pub places: Vec<(String, u32, usize)>,
    /// All of these elements, one feed after the other.
    pub words: Vec<u32>,
}

/// A text in the making.
#[derive(Debug)]
pub(crate) struct Writer {
    /// Who it is for.
    pub whom: Whom,
    /// Its number.
    pub number: u32,
    /// The text.
    pub writing: Writing,
    /// What it is about: feeds and their words.
    pub about: Vec<(String, Vec<u32>)>,
    /// What is to be put into the cache before the next token.
    pub kept: Option<Kept>,
    /// Bytes of the cache, where one is used.
    pub cache_bytes: u32,
    /// When it was begun.
    pub started: Instant,
    /// When its last token was asked for.
    pub asked: Instant,
    /// What it took until the first token was there.
    first: Option<Duration>,
    /// Tokens after that, and what they took from when they were asked for.
    others: (u32, Duration),
}

impl Writer {
    /// A text that is begun now.
    pub fn new(whom: Whom, writing: Writing, about: Vec<(String, Vec<u32>)>) -> Self {
        let now = Instant::now();
        let others = (0, Duration::ZERO);
        Self { whom, number: 0, writing, about, kept: None, cache_bytes: 0, started: now, asked: now, first: None, others }
    }

    /// The token that was asked for is there; gives what it took.
    pub fn note_token(&mut self) -> Duration {
        let took = self.asked.elapsed();
        if self.first.is_none() {
            self.first = Some(self.started.elapsed());
        } else {
            self.others = (self.others.0 + 1, self.others.1 + took);
        }
        took
    }

    /// How fast it was written so far.
    pub fn speed(&self) -> Speed {
        let (tokens, time) = self.others;
        Speed {
            first_token_ms: self.first.map_or(f32::NAN, |first| 1e3 * first.as_secs_f32()),
            tokens_per_second: if tokens > 0 { tokens as f32 / time.as_secs_f32().max(1e-6) } else { f32::NAN },
            cache_bytes: self.cache_bytes,
        }
    }

    /// The number of the request that it is for.
    pub fn request(&self) -> Option<u32> {
        match self.whom {
            Whom::Request(id) => Some(id),
            Whom::Watch(..) => None,
        }
    }
}

/// The texts that wait for their next token.
#[derive(Debug, Default)]
pub(crate) struct Writers {
    waiting: VecDeque<Writer>,
    due: Option<Instant>,
    /// What the tokens of this turn took.
    turn: Duration,
    /// Texts so far.
    count: u32,
}

impl Writers {
    /// Adds a text behind the others.
    pub fn begin(&mut self, writer: Writer) {
        self.count += 1;
        self.waiting.push_back(Writer { number: self.count, ..writer });
    }

    /// Goes on with a text before the others.
    pub fn go_on(&mut self, writer: Writer) {
        self.waiting.push_front(writer);
    }

    /// The text that is written next.
    pub fn next(&mut self) -> Option<Writer> {
        self.waiting.pop_front()
    }

    /// A token took so long: after some, a run that trains has its turn.
    pub fn note_token(&mut self, took: Duration) {
        self.turn += took;
        let pause = if self.turn < TURN { Duration::ZERO } else { std::mem::take(&mut self.turn) * PAUSE };
        self.due = Some(Instant::now() + pause);
    }

    /// When the next token is due beside a run that trains, if one is wanted.
    pub fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|writer| self.due.unwrap_or(writer.started))
    }

    /// Gives up all texts; gives the numbers of those that were requested.
    pub fn forget(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.waiting).iter().filter_map(Writer::request).collect()
    }
}
