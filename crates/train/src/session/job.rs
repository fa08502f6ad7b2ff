//! What a session queues beside the training steps.

use crate::machine::checkpoint::Kept;
use crate::reports::signs::ExamineJob;
use crate::reports::watches::AnswerJob;
use crate::reports::writers::Writer;

/// What a job's answer is for.
#[derive(Debug)]
pub(crate) enum JobKind {
    /// An evaluation.
    Evaluate,
    /// A look at the layers, for a verdict.
    Examine(ExamineJob),
    /// The answer to a watch.
    Answer(Box<AnswerJob>),
    /// The next token of a text.
    Token(Box<Writer>),
    /// A snapshot.
    Save {
        /// Number of the request; 0 for the automatic one.
        id: u32,
        /// What belongs to the state besides its words.
        kept: Kept,
    },
}
