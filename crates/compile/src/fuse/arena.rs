//! The tasks while they are fused: who reads and who writes every buffer, an order of the tasks that stays valid from merge to merge, and
//! which tasks have to be looked at again after each. The rules themselves are in the files beside this one.
//!
//! Every change costs what it touches, so that fusing takes time in proportion to the tasks, not to their square.

use downhill_graph::kernel::Kernel;
use downhill_tensor::sort_short_by_key;
use smallvec::SmallVec;

use super::slots::Slots;
use crate::work::{Buffer, BufferId, Home, Task, Work};

/// A place in the arena: the number that the task had before anything was fused. A merged task has the number of the later of the two.
pub(super) type TaskId = usize;

/// Tasks that a search looks at before it gives up and says that two tasks cannot be merged. Networks of several hundred layers stay far
/// below it; it keeps the worst case linear.
const MAX_SEARCHED: usize = 2048;

/// Tasks to look at again, first to last.
#[derive(Default)]
struct Queues {
    inline: Slots,
    append: Slots,
    row_sum: Slots,
}

/// Which rule looks at a task next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Inline,
    Append,
    RowSum,
}

pub(super) struct Arena {
    buffers: Vec<Buffer>,
    is_output: Vec<bool>,
    /// By number; none where a task went into another or was dropped.
    tasks: Vec<Option<Task>>,
    /// Tasks that read each buffer, each once.
    readers: Vec<Vec<TaskId>>,
    writers: Vec<SmallVec<[TaskId; 2]>>,
    /// An order in which everything is written before it is read, with holes.
    slots: Vec<Option<TaskId>>,
    slot_of: Vec<usize>,
    /// By slot.
    queues: Queues,
    /// Tasks that have lost a reader since [`Arena::drop_unread`] looked.
    left: Vec<TaskId>,
    /// Tasks of whose results some, not all, may be unread.
    partly_unread: Vec<TaskId>,
    /// A read was dropped, so that two tasks may be independent now that were not.
    loosened: bool,
    /// Number of the search that saw each task last.
    seen: Vec<u32>,
    search: u32,
}

impl Arena {
    /// Takes the tasks out of `work`; [`Arena::give_back`] returns them.
    pub fn new(work: &mut Work) -> Self {
        let tasks: Vec<Option<Task>> = std::mem::take(&mut work.tasks).into_iter().map(Some).collect();
        let mut is_output = vec![false; work.buffers.len()];
        work.outputs.iter().for_each(|o| is_output[o.buffer.index()] = true);
        let count = tasks.len();
        let mut arena = Self {
            readers: vec![Vec::new(); work.buffers.len()],
            writers: vec![SmallVec::new(); work.buffers.len()],
            buffers: std::mem::take(&mut work.buffers),
            is_output,
            tasks,
            slots: (0..count).map(Some).collect(),
            slot_of: (0..count).collect(),
            queues: Queues::default(),
            left: (0..count).collect(),
            partly_unread: Vec::new(),
            loosened: false,
            seen: vec![0; count],
            search: 0,
        };
        (0..count).for_each(|id| arena.link(id));
        arena.touch_all();
        arena
    }

    /// Puts what is left into `work`, in an order in which everything is written before it is read: as it was, but for what had to move.
    pub fn give_back(mut self, work: &mut Work) {
        let mut placed = vec![false; self.tasks.len()];
        let mut order = Vec::with_capacity(self.tasks.len());
        for id in 0..self.tasks.len() {
            let mut waiting: Vec<(TaskId, SmallVec<[TaskId; 8]>)> = Vec::new();
            let mut next = Some(id);
            loop {
                // A task goes on the pile until all that it needs is placed.
                if let Some(id) = next.filter(|&id| self.tasks[id].is_some() && !std::mem::replace(&mut placed[id], true)) {
                    let mut before: SmallVec<_> = self.before(id).collect();
                    before.reverse();
                    waiting.push((id, before));
                }
                let Some((id, before)) = waiting.last_mut() else { break };
                next = before.pop();
                if next.is_none() {
                    order.push(*id);
                    waiting.pop();
                }
            }
        }
        work.tasks = order.into_iter().filter_map(|id| self.tasks[id].take()).collect();
        work.buffers = self.buffers;
    }

    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks[id].as_ref()
    }

    pub fn buffer(&self, id: BufferId) -> &Buffer {
        &self.buffers[id.index()]
    }

    /// Whether the buffer must exist in the end even if no task reads it.
    pub fn stays(&self, id: BufferId) -> bool {
        self.is_output[id.index()] || self.buffer(id).home != Home::Scratch
    }

    pub fn readers(&self, id: BufferId) -> &[TaskId] {
        &self.readers[id.index()]
    }

    pub fn writers(&self, id: BufferId) -> &[TaskId] {
        &self.writers[id.index()]
    }

    /// Place of a task in the order.
    pub fn slot(&self, id: TaskId) -> usize {
        self.slot_of[id]
    }

    /// The first task that a rule has to look at.
    pub fn next(&mut self, rule: Rule) -> Option<TaskId> {
        let queue = match rule {
            Rule::Inline => &mut self.queues.inline,
            Rule::Append => &mut self.queues.append,
            Rule::RowSum => &mut self.queues.row_sum,
        };
        loop {
            let slot = queue.pop_first()?;
            if let Some(id) = self.slots[slot] {
                return Some(id);
            }
        }
    }

    /// Whether something is left to look at. Where reads were dropped since the last time, that is everything once more.
    pub fn has_more(&mut self) -> bool {
        if std::mem::take(&mut self.loosened) {
            self.touch_all();
        }
        let Queues { inline, append, row_sum } = &self.queues;
        !(inline.is_empty() && append.is_empty() && row_sum.is_empty())
    }

    /// Puts another task in the place of one.
    pub fn replace(&mut self, id: TaskId, task: Task) {
        self.unlink(id);
        self.tasks[id] = Some(task);
        self.link(id);
        self.touch(id);
    }

    /// Puts one task in the place of two, of which `first` comes earlier. `between` is what [`Arena::between`] said of them.
    ///
    /// The merged task can stand where the first one stood, once everything between the two that the second one needs stands before it:
    /// `a p x c` with `x → c` becomes `a x pc`. Where nothing between them reads the first one it can as well stand where the second one
    /// stood, and nothing moves.
    pub fn merge(&mut self, first: TaskId, second: TaskId, between: &[TaskId], merged: Task) {
        let (from, to) = (self.slot_of[first], self.slot_of[second]);
        let (gone, id) = (first.min(second), first.max(second));
        let later = |arena: &Self, b: &BufferId| {
            let after = arena.readers(*b).iter().chain(arena.writers(*b));
            after.into_iter().all(|&t| t == first || arena.slot_of[t] >= to || arena.slot_of[t] < from)
        };
        let nobody_waits = self.tasks[first].as_ref().is_some_and(|task| task.writes.iter().all(|b| later(self, b)));
        self.unlink(gone);
        self.tasks[gone] = None;
        self.unlink(id);
        self.tasks[id] = Some(merged);
        self.slots[from] = None;
        self.slots[to] = None;
        if between.is_empty() || nobody_waits {
            let slot = if between.is_empty() { from } else { to };
            self.slots[slot] = Some(id);
            self.slot_of[id] = slot;
        } else {
            self.reorder(from, to, between, id);
        }
        self.link(id);
        self.touch(id);
    }

    /// Fills the slots `from..=to` with `before` in its order, then `id`, then the rest.
    fn reorder(&mut self, from: usize, to: usize, before: &[TaskId], id: TaskId) {
        let all: Vec<TaskId> = self.slots[from..=to].iter().copied().flatten().collect();
        let (needed, rest): (Vec<TaskId>, Vec<TaskId>) = all.into_iter().partition(|t| before.contains(t));
        self.slots[from..=to].fill(None);
        for (slot, t) in (from..).zip(needed.into_iter().chain([id]).chain(rest)) {
            self.slots[slot] = Some(t);
            self.slot_of[t] = slot;
            self.enqueue(t);
        }
    }

    /// What stands between two tasks and is needed by the second, which comes later; none where it needs the first, so that the two
    /// cannot become one task. `direct` says whether the second may itself read the first.
    pub fn between(&mut self, first: TaskId, second: TaskId, direct: bool) -> Option<Vec<TaskId>> {
        let from = self.slot_of[first];
        self.search += 1;
        let mut found = Vec::new();
        let mut stack: Vec<TaskId> = Vec::new();
        let mut next = Some(second);
        while let Some(task) = next {
            let mut before: SmallVec<[TaskId; 8]> = self.before(task).collect();
            if before.contains(&first) && !(direct && task == second) {
                return None;
            }
            // The earliest comes first: a way to the first task, if there is one, is soon found.
            sort_short_by_key(&mut before, |&t| std::cmp::Reverse(self.slot_of[t]));
            for t in before {
                if self.slot_of[t] > from && self.seen[t] != self.search {
                    self.seen[t] = self.search;
                    found.push(t);
                    stack.push(t);
                }
            }
            if found.len() > MAX_SEARCHED {
                return None;
            }
            next = stack.pop();
        }
        Some(found)
    }

    /// Drops tasks none of whose results anyone needs.
    pub fn drop_unread(&mut self) {
        while let Some(id) = self.left.pop() {
            let Some(task) = &self.tasks[id] else { continue };
            if task.is_effect() || task.writes.iter().any(|b| self.is_read(*b)) {
                self.partly_unread.push(id);
            } else {
                self.unlink(id);
                self.tasks[id] = None;
                self.slots[self.slot_of[id]] = None;
            }
        }
    }

    /// Whether somebody needs what is in the buffer.
    pub fn is_read(&self, id: BufferId) -> bool {
        !self.readers(id).is_empty() || self.is_output[id.index()]
    }

    /// Tasks of whose results some may be unread, each at least once.
    pub fn take_partly_unread(&mut self) -> Vec<TaskId> {
        std::mem::take(&mut self.partly_unread)
    }

    /// Reads of a task went away without a merge.
    pub fn loosen(&mut self) {
        self.loosened = true;
    }

    /// Tasks that have to run before this one: writers of what it reads, and earlier writers of the same buffer.
    fn before(&self, id: TaskId) -> impl Iterator<Item = TaskId> + '_ {
        let task = self.tasks[id].as_ref();
        let slot = self.slot_of[id];
        let partial = task.into_iter().flat_map(|t| &t.writes).flat_map(|w| self.writers(*w));
        let partial = partial.copied().filter(move |&w| self.slot_of[w] < slot);
        partial.chain(task.into_iter().flat_map(Task::inputs).flat_map(|b| self.writers(b).iter().copied()))
    }

    fn link(&mut self, id: TaskId) {
        let Some(task) = &self.tasks[id] else { return };
        for b in task.inputs() {
            let readers = &mut self.readers[b.index()];
            if readers.last() != Some(&id) {
                readers.push(id);
            }
        }
        for w in &task.writes {
            self.writers[w.index()].push(id);
        }
    }

    /// Takes a task out of the lists. Whoever wrote what it read may now be unread, or have a single reader left.
    fn unlink(&mut self, id: TaskId) {
        let Some(task) = self.tasks[id].take() else { return };
        for b in task.inputs() {
            self.readers[b.index()].retain(|r| *r != id);
            for i in 0..self.writers[b.index()].len() {
                let writer = self.writers[b.index()][i];
                self.left.push(writer);
                self.queues.inline.insert(self.slot_of[writer]);
            }
        }
        for w in &task.writes {
            self.writers[w.index()].retain(|t| *t != id);
        }
        self.tasks[id] = Some(task);
    }

    fn touch_all(&mut self) {
        for slot in 0..self.slots.len() {
            if let Some(id) = self.slots[slot] {
                self.enqueue(id);
            }
        }
    }

    /// The rules look again at a task that has changed, at those whose results it reads, and at those that read its results.
    fn touch(&mut self, id: TaskId) {
        self.enqueue(id);
        self.left.push(id);
        let Some(task) = &self.tasks[id] else { return };
        for b in task.inputs() {
            for &w in &self.writers[b.index()] {
                self.queues.inline.insert(self.slot_of[w]);
            }
        }
        for r in task.writes.iter().flat_map(|w| &self.readers[w.index()]) {
            self.queues.append.insert(self.slot_of[*r]);
        }
        if let (Kernel::MatMul(_), Some(left)) = (&task.kernel, task.reads.first()) {
            for &r in &self.readers[left.buffer.index()] {
                self.queues.row_sum.insert(self.slot_of[r]);
            }
        }
    }

    /// The rules look again at a task.
    fn enqueue(&mut self, id: TaskId) {
        let slot = self.slot_of[id];
        match self.tasks[id].as_ref().map(|t| &t.kernel) {
            Some(Kernel::Map(_)) => {
                self.queues.inline.insert(slot);
                self.queues.append.insert(slot);
            }
            Some(Kernel::Reduce { .. }) => {
                self.queues.row_sum.insert(slot);
            }
            _ => {}
        }
    }
}
