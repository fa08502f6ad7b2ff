//! What is to be done, between graph and plan: kernels over buffers that have no address yet.

use std::fmt;

use downhill_graph::kernel::Kernel;
use downhill_graph::{FeedId, NodeId, Origin, ParamId, StateId};
use downhill_tensor::{Shape, sort_short};
use smallvec::SmallVec;

use crate::CompileError;

/// A piece of memory that holds one value for as long as it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BufferId(pub u32);

impl BufferId {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a buffer lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Home {
    /// Anywhere in the arena behind the state.
    Scratch,
    /// The parameter's place in the gradients region, where the update reads it.
    Gradient(ParamId),
    /// The parameter itself.
    Parameter(ParamId),
    /// What this optimizer slot holds of the parameter.
    Slot(u8, ParamId),
    /// The same place, where the program fills it before the update reads it.
    Given(u8, ParamId),
    /// The state itself.
    State(StateId),
    /// The place of the state's next value, where the assignment reads it.
    Next(StateId),
    /// The data buffer.
    Feed(FeedId),
}

/// A [`BufferId`]'s size and place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Buffer {
    pub len: usize,
    pub home: Home,
}

impl Buffer {
    /// Whether tasks produce it.
    pub fn is_computed(&self) -> bool {
        matches!(self.home, Home::Scratch | Home::Gradient(_) | Home::Given(..) | Home::Next(_))
    }

    /// Whether an effect at the end of a step changes it: a parameter, a slot, a state.
    pub fn is_changed_by_effects(&self) -> bool {
        matches!(self.home, Home::Parameter(_) | Home::Slot(..) | Home::State(_))
    }
}

/// An operand: the kernel's strides count from element `start` of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub buffer: BufferId,
    pub start: usize,
}

/// A kernel with its operands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Task {
    pub kernel: Kernel,
    pub reads: SmallVec<[Read; 4]>,
    pub writes: SmallVec<[BufferId; 2]>,
    /// Buffers read at the place the state layout gives, not through an operand: gradients of the update, next values of states.
    pub uses: Vec<BufferId>,
    pub nodes: SmallVec<[NodeId; 4]>,
    pub scope: String,
    pub origin: Origin,
}

impl Task {
    /// All buffers it reads, with repetitions.
    pub fn inputs(&self) -> impl Iterator<Item = BufferId> + '_ {
        self.reads.iter().map(|r| r.buffer).chain(self.uses.iter().copied())
    }

    /// Whether it changes the state; such tasks keep their order.
    pub fn is_effect(&self) -> bool {
        self.kernel.is_effect()
    }

    /// Whether it changes what other tasks read: parameters, slots or states.
    pub fn is_change(&self) -> bool {
        matches!(self.kernel, Kernel::FlatUpdate(_) | Kernel::Assign(_))
    }
}

/// A named result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Output {
    pub name: String,
    pub buffer: BufferId,
    pub start: usize,
    pub shape: Shape,
}

/// Tasks in an order in which everything is written before it is read.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Work {
    pub buffers: Vec<Buffer>,
    pub tasks: Vec<Task>,
    pub outputs: Vec<Output>,
}

impl Work {
    pub fn buffer(&self, id: BufferId) -> &Buffer {
        &self.buffers[id.index()]
    }

    pub fn add_buffer(&mut self, len: usize, home: Home) -> BufferId {
        self.buffers.push(Buffer { len, home });
        BufferId(self.buffers.len() as u32 - 1)
    }

    /// By buffer, whether it must exist in the end even if no task reads it.
    pub fn outputs(&self) -> Vec<bool> {
        let mut outputs = vec![false; self.buffers.len()];
        self.outputs.iter().for_each(|o| outputs[o.buffer.index()] = true);
        outputs
    }

    /// Tasks that write each buffer.
    pub fn writers(&self) -> Vec<SmallVec<[usize; 2]>> {
        let mut writers = vec![SmallVec::new(); self.buffers.len()];
        for (i, task) in self.tasks.iter().enumerate() {
            for w in &task.writes {
                writers[w.index()].push(i);
            }
        }
        writers
    }

    /// Tasks that read each buffer, each once.
    pub fn readers(&self) -> Vec<Vec<usize>> {
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); self.buffers.len()];
        for (i, task) in self.tasks.iter().enumerate() {
            for b in task.inputs() {
                if readers[b.index()].last() != Some(&i) {
                    readers[b.index()].push(i);
                }
            }
        }
        readers
    }

    /// For every task the tasks that must run before it: writers of what it reads, earlier writers of the same buffer, earlier
    /// effects, and, before an update or an assignment, everything that reads a parameter, a slot or a state.
    pub fn dependencies(&self) -> Vec<Vec<usize>> {
        let writers = self.writers();
        let mut effect = None;
        let mut deps = Vec::with_capacity(self.tasks.len());
        for (i, task) in self.tasks.iter().enumerate() {
            let mut before: Vec<usize> = task.inputs().flat_map(|b| writers[b.index()].iter().copied()).collect();
            before.extend(task.writes.iter().flat_map(|w| writers[w.index()].iter().copied()).filter(|&w| w < i));
            if task.is_effect() {
                before.extend(effect.replace(i));
                if task.is_change() {
                    let reads_changed = |t: &Task| t.inputs().any(|b| self.buffer(b).is_changed_by_effects());
                    before.extend((0..i).filter(|&t| reads_changed(&self.tasks[t])));
                }
            }
            sort_short(&mut before);
            before.dedup();
            deps.push(before);
        }
        deps
    }

    /// Removes tasks none of whose results anyone needs.
    pub fn remove_unread(&mut self) {
        let mut needed = self.outputs();
        let mut keep = vec![false; self.tasks.len()];
        for (i, task) in self.tasks.iter().enumerate().rev() {
            keep[i] = task.is_effect() || task.writes.iter().any(|w| needed[w.index()]);
            if keep[i] {
                task.inputs().for_each(|b| needed[b.index()] = true);
            }
        }
        let mut keep = keep.into_iter();
        self.tasks.retain(|_| keep.next().unwrap_or(true));
    }

    /// Checks that everything is written before it is read, by one task or by several partial ones, and that operands are inside
    /// their buffers.
    pub fn verify(&self, pass: &'static str) -> Result<(), CompileError> {
        let broken = |message: String| Err(CompileError::Broken { pass, message });
        let mut written = vec![false; self.buffers.len()];
        let mut read = vec![false; self.buffers.len()];
        for (i, task) in self.tasks.iter().enumerate() {
            for b in task.inputs() {
                if self.buffer(b).is_computed() && !written[b.index()] {
                    return broken(format!("task {i} reads b{} before it is written", b.0));
                }
                read[b.index()] = true;
            }
            for w in &task.writes {
                let partial = task.kernel.is_partial();
                if !self.buffer(*w).is_computed() || read[w.index()] || (written[w.index()] && !partial) {
                    return broken(format!("task {i} writes b{}, which is not its to write", w.0));
                }
            }
            task.writes.iter().for_each(|w| written[w.index()] = true);
            let len = |b: BufferId| self.buffer(b).len;
            let reads: Vec<(usize, usize)> = task.reads.iter().map(|r| (r.start, len(r.buffer))).collect();
            let writes: Vec<usize> = task.writes.iter().map(|w| len(*w)).collect();
            if let Err(message) = task.kernel.check().and_then(|()| task.kernel.operands().check(&reads, &writes)) {
                return broken(format!("task {i} ({}): {message}", task.kernel));
            }
        }
        for out in &self.outputs {
            let buffer = self.buffer(out.buffer);
            if (buffer.is_computed() && !written[out.buffer.index()]) || out.start + out.shape.numel() > buffer.len {
                return broken(format!("output {} is not there", out.name));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Work {
    /// One line per task: scope, kernel, reads → writes; buffers are `b3`, parameters `p0`, slots `p0.1`, states `state0`, feeds `feed1`, pinned gradients `b3=∇p0`,
    /// given slots `b3=p0.1` and next values `b3=state0'`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |b: BufferId| match self.buffer(b).home {
            Home::Scratch => format!("b{}", b.0),
            Home::Gradient(p) => format!("b{}=∇{p}", b.0),
            Home::Parameter(p) => p.to_string(),
            Home::Slot(slot, p) => format!("{p}.{slot}"),
            Home::Given(slot, p) => format!("b{}={p}.{slot}", b.0),
            Home::State(s) => s.to_string(),
            Home::Next(s) => format!("b{}={s}'", b.0),
            Home::Feed(feed) => feed.to_string(),
        };
        for task in &self.tasks {
            let reads: Vec<String> = task
                .reads
                .iter()
                .map(|r| if r.start == 0 { name(r.buffer) } else { format!("{}[{}..]", name(r.buffer), r.start) })
                .collect();
            let writes: Vec<String> = task.writes.iter().map(|w| name(*w)).collect();
            writeln!(f, "{:10} {}  {} → {}", task.scope, task.kernel, reads.join(" "), writes.join(" "))?;
        }
        for out in &self.outputs {
            writeln!(f, "out {} {} {}", out.name, out.shape, name(out.buffer))?;
        }
        Ok(())
    }
}
