use downhill_compile::Region;
use downhill_tensor::UserError;

use crate::session::Session;
use crate::survive::Kept;
use crate::watches::AnswerJob;

/// What a read that is under way belongs to. Reads complete in the order in which they were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Rows of the metrics ring.
    Metrics,
    /// The job in front.
    Job,
}

/// Work beside the training steps, queued between them, whose answer comes later.
#[derive(Debug)]
pub(crate) struct Job {
    /// What the answer is for.
    pub kind: JobKind,
    /// The step whose state it shows.
    pub step: u64,
    /// Reads that are still under way.
    pub reads: usize,
    /// What was read so far.
    pub words: Vec<Vec<u32>>,
}

/// What a job's answer is for.
#[derive(Debug)]
pub(crate) enum JobKind {
    /// An evaluation; weights of each read's rows, by read.
    Evaluate,
    /// The answer to a watch.
    Answer(Box<AnswerJob>),
    /// A snapshot.
    Save {
        /// Number of the request; 0 for the automatic one.
        id: u32,
        /// What belongs to the state besides its words.
        kept: Kept,
    },
}

impl Session {
    /// Begins a job; its reads follow by [`Session::read_for_job`].
    pub(crate) fn begin_job(&mut self, kind: JobKind) {
        self.jobs.push_back(Job { kind, step: self.queued, reads: 0, words: Vec::new() });
    }

    /// Queues a read for the job begun last.
    pub(crate) fn read_for_job(&mut self, regions: &[Region]) -> Result<(), UserError> {
        self.engine.read(regions)?;
        self.readings.push_back(Reading::Job);
        if let Some(job) = self.jobs.back_mut() {
            job.reads += 1;
        }
        Ok(())
    }

    /// Hands words that were read to the job in front, and finishes it when they were its last.
    pub(crate) fn job_read(&mut self, words: Vec<u32>) {
        let Some(job) = self.jobs.front_mut() else { return };
        job.words.push(words);
        if job.words.len() < job.reads {
            return;
        }
        let Some(job) = self.jobs.pop_front() else { return };
        if self.jobs.is_empty() {
            self.programs.trim(&mut self.engine);
        }
        match job.kind {
            JobKind::Evaluate => self.finish_evaluation(job.step, &job.words),
            JobKind::Answer(answer) => self.finish_answer(*answer, job.step, job.words),
            JobKind::Save { id, kept } => self.finish_save(id, job.step, kept, &job.words),
        }
    }
}
