//! The [`Executor`] trait: what a backend that runs plans can be asked for, and what it answers. Backends are crates of their own.

use downhill_graph::StepScalars;
use web_time::Instant;

use crate::{Plan, Region, Space};

/// A loaded program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProgramId(pub u32);

/// Some submitted steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A requested read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReadId(pub u64);

/// Something that was asked for and is now done, in the order it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Completed {
    /// All steps of a submit have run.
    Steps(Ticket),
    /// The words of the requested regions, one after the other.
    Read(ReadId, Vec<u32>),
    /// The device is gone; nothing else completes.
    DeviceLost(String),
}

/// Whether work is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Everything submitted has run.
    Idle,
    /// The deadline came first.
    Busy,
}

/// Why a backend cannot do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    /// The device went away.
    #[error("the device was lost: {0}")]
    DeviceLost(String),
    /// The buffers do not fit.
    #[error("{needed} bytes are needed and cannot be had; lower the batch size or the layers' widths")]
    OutOfMemory {
        /// Bytes asked for.
        needed: u64,
    },
    /// A kernel or size that this backend cannot run.
    #[error("not supported here: {0}")]
    Unsupported(String),
    /// A shader did not compile.
    #[error("shader {name} failed: {message}")]
    Shader {
        /// The kernel.
        name: String,
        /// What the compiler said.
        message: String,
    },
}

/// A backend that runs plans. Nothing here waits: work is submitted, pumped, and collected.
///
/// All programs share one arena and one data buffer. Uploads, submits and reads take effect in the order they are made.
pub trait Executor {
    /// Makes a plan ready to run, growing the buffers where it needs more; state already there stays.
    ///
    /// # Errors
    /// When the buffers cannot grow or a kernel is not supported.
    fn load(&mut self, plan: &Plan) -> Result<ProgramId, ExecError>;

    /// Forgets a program that nothing queued refers to; its number is given to a later one.
    fn unload(&mut self, program: ProgramId);

    /// Writes words into a buffer, after what was submitted before and before what is submitted later.
    ///
    /// # Errors
    /// When the range does not lie in the buffer.
    fn upload(&mut self, space: Space, at: u32, words: &[u32]) -> Result<(), ExecError>;

    /// Queues one run of the program per entry of `steps`.
    ///
    /// # Errors
    /// When the device is lost.
    fn submit(&mut self, program: ProgramId, steps: &[StepScalars]) -> Result<Ticket, ExecError>;

    /// Lets work proceed until `deadline` at the latest.
    fn pump(&mut self, deadline: Instant) -> Progress;

    /// Asks for the contents of regions as they are once everything submitted before has run.
    ///
    /// # Errors
    /// When a region does not lie in its buffer.
    fn request_read(&mut self, regions: &[Region]) -> Result<ReadId, ExecError>;

    /// Appends what is done since the last call to `out`.
    fn take_completed(&mut self, out: &mut Vec<Completed>);
}
