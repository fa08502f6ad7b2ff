//! The [`Plan`]: kernels in order with the place of every operand. It is all that a backend sees of a program.

use std::fmt;

use downhill_graph::kernel::Kernel;
use downhill_graph::{NodeId, Origin};
use downhill_tensor::Shape;
use smallvec::SmallVec;

/// Which buffer a region lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// Floats: state at its head (see [`crate::StateLayout`]), then scratch. Read and written by kernels.
    Arena,
    /// Words from the host: data sets, labels, indices. Kernels only read it. Floats lie here as their bits.
    Data,
}

/// A range of a buffer, in 32-bit elements. Offsets are multiples of 4, so that vectors load aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region {
    /// Which buffer.
    pub space: Space,
    /// First element.
    pub offset: u32,
    /// Number of elements.
    pub len: u32,
}

impl Region {
    /// First element behind the region.
    pub fn end(&self) -> u32 {
        self.offset + self.len
    }

    /// Whether the two share an element.
    pub fn overlaps(&self, other: &Region) -> bool {
        self.space == other.space && self.offset < other.end() && other.offset < self.end()
    }
}

/// An operand of a [`Step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arg {
    /// Where it lies; for a view, everything that the view can touch. Strides in the kernel count from `region.offset + start`.
    pub region: Region,
    /// Element of the region at which the kernel starts.
    pub start: u32,
    /// Elements added per [`downhill_graph::StepScalars::batch`]: the row of a per-step feed's ring. 0 for everything else.
    pub per_batch: u32,
}

/// One kernel with its operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What to run.
    pub kernel: Kernel,
    /// What it reads, in the kernel's order. A norm of all gradients reads the gradients region as one, padding included, which is zero.
    pub reads: SmallVec<[Arg; 4]>,
    /// What it writes, in the kernel's order; always in the arena. No write meets a read, but for a map that works in place: there
    /// a write is exactly the region of one read, walked row by row.
    pub writes: SmallVec<[Arg; 2]>,
    /// The graph nodes that went into it; the last one gives the name.
    pub nodes: SmallVec<[NodeId; 4]>,
    /// Scope of the model it belongs to (`0.linear`), empty for what belongs to no layer.
    pub scope: String,
    /// Forward, backward or update.
    pub origin: Origin,
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes read and written.
    pub bytes: u64,
}

/// A named result that stays readable after the program has run, until the next program runs.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanOutput {
    /// The graph's name for it.
    pub name: String,
    /// Where it lies.
    pub region: Region,
    /// Its shape.
    pub shape: Shape,
}

/// A program that a backend can load: steps in order, with every value at its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// `train`, `eval`, `map`, …
    pub name: String,
    /// What runs, in order.
    pub steps: Vec<Step>,
    /// What can be read afterwards.
    pub outputs: Vec<PlanOutput>,
    /// Elements of the arena that the program needs, state included.
    pub arena_len: u32,
    /// Elements of the arena's head that hold state; scratch starts here.
    pub state_len: u32,
    /// Elements of the data buffer that the program reads.
    pub data_len: u32,
    /// Where parameters, gradients, slots, flag and ring lie: a copy of the layout's numbers for [`Kernel::FlatUpdate`] and [`Kernel::Record`].
    pub state: crate::layout::StateOffsets,
}

impl Plan {
    /// The output of this name.
    pub fn output(&self, name: &str) -> Option<&PlanOutput> {
        self.outputs.iter().find(|o| o.name == name)
    }

    /// Floating-point operations of one run.
    pub fn flops(&self) -> u64 {
        self.steps.iter().map(|s| s.flops).sum()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = match self.space {
            Space::Arena => 'a',
            Space::Data => 'd',
        };
        write!(f, "{space}{}+{}", self.offset, self.len)
    }
}

impl fmt::Display for Plan {
    /// One line per step: scope, kernel, reads → writes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "plan {}: {} steps, arena {}, data {}", self.name, self.steps.len(), self.arena_len, self.data_len)?;
        for (i, step) in self.steps.iter().enumerate() {
            let list = |args: &[Arg]| args.iter().map(|a| a.region.to_string()).collect::<Vec<_>>().join(" ");
            writeln!(f, "{i:3} {:12} {}  {} → {}", step.scope, step.kernel, list(&step.reads), list(&step.writes))?;
        }
        for out in &self.outputs {
            writeln!(f, "out {} {} {}", out.name, out.shape, out.region)?;
        }
        Ok(())
    }
}
