//! Work beside the training steps: queued between them, answered when its reads have come.

/// What a read that is under way belongs to. Reads complete in the order in which they were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Rows of the metrics ring.
    Metrics,
    /// The job in front.
    Job,
}

/// Work beside the training steps, queued between them, whose answer comes later. `K` says what the answer is for.
#[derive(Debug)]
pub(crate) struct Job<K> {
    /// What the answer is for.
    pub kind: K,
    /// The step whose state it shows.
    pub step: u64,
    /// Reads that were asked for.
    pub reads: usize,
    /// What was read so far.
    pub words: Vec<Vec<u32>>,
}
