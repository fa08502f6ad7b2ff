//! Orders tasks so that little memory is live at a time.

use std::collections::BTreeSet;

use downhill_tensor::{sort_short, sort_short_by_key};
use smallvec::SmallVec;

use crate::memory::{Lifetime, lifetimes};
use crate::work::{Home, Task, Work};

/// Puts the tasks into the better of two orders: as they are, or greedily by memory freed. Ties go to the earlier task, so the order
/// is a function of the work.
pub(crate) fn schedule(work: &mut Work) {
    let before = peak(work);
    let order = greedy_order(work);
    let mut tasks: Vec<Option<Task>> = work.tasks.drain(..).map(Some).collect();
    work.tasks = order.iter().filter_map(|&i| tasks[i].take()).collect();
    if peak(work) >= before {
        let mut back: Vec<(usize, Task)> = order.into_iter().zip(work.tasks.drain(..)).collect();
        sort_short_by_key(&mut back, |(i, _)| *i);
        work.tasks = back.into_iter().map(|(_, task)| task).collect();
    }
}

/// Elements of scratch that are live at once, at most.
pub(crate) fn peak(work: &Work) -> usize {
    let mut change = vec![0isize; work.tasks.len() + 1];
    for (buffer, life) in work.buffers.iter().zip(lifetimes(work)) {
        if let (Home::Scratch, Some(Lifetime { first, last })) = (buffer.home, life) {
            change[first] += buffer.len as isize;
            change[last.saturating_add(1).min(work.tasks.len())] -= buffer.len as isize;
        }
    }
    let mut live = 0;
    change.iter().fold(0, |most, c| {
        live += c;
        most.max(live)
    }) as usize
}

/// The buffers that a task reads, each once.
fn inputs(task: &Task) -> Vec<usize> {
    let mut all: Vec<usize> = task.inputs().map(|b| b.index()).collect();
    sort_short(&mut all);
    all.dedup();
    all
}

/// The tasks in the order in which each next one, of those that can run, leaves the least memory live.
fn greedy_order(work: &Work) -> Vec<usize> {
    let deps = work.dependencies();
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); deps.len()];
    for (i, before) in deps.iter().enumerate() {
        before.iter().for_each(|&b| users[b].push(i));
    }
    let mut greedy = Greedy::new(work);
    let mut waiting: Vec<usize> = deps.iter().map(Vec::len).collect();
    (0..deps.len()).filter(|&i| waiting[i] == 0).for_each(|i| greedy.add(i));
    let mut order = Vec::with_capacity(deps.len());
    while let Some(next) = greedy.take() {
        order.push(next);
        for &user in &users[next] {
            waiting[user] -= 1;
            if waiting[user] == 0 {
                greedy.add(user);
            }
        }
    }
    order
}

/// The tasks that can run, by the memory that each would add.
struct Greedy<'w> {
    work: &'w Work,
    readers: Vec<Vec<usize>>,
    writers: Vec<SmallVec<[usize; 2]>>,
    /// Tasks that have yet to read each buffer; an output is never done with.
    unread: Vec<usize>,
    written: Vec<bool>,
    /// Elements that each task would add, where it can run and has not.
    growth: Vec<Option<isize>>,
    ready: BTreeSet<(isize, usize)>,
}

impl<'w> Greedy<'w> {
    fn new(work: &'w Work) -> Self {
        let readers = work.readers();
        let mut unread: Vec<usize> = readers.iter().map(Vec::len).collect();
        work.outputs.iter().for_each(|o| unread[o.buffer.index()] += 1);
        Self {
            work,
            readers,
            writers: work.writers(),
            unread,
            written: vec![false; work.buffers.len()],
            growth: vec![None; work.tasks.len()],
            ready: BTreeSet::new(),
        }
    }

    fn add(&mut self, task: usize) {
        let scratch = |b: usize| {
            let buffer = &self.work.buffers[b];
            if buffer.home == Home::Scratch { buffer.len as isize } else { 0 }
        };
        let writes = self.work.tasks[task].writes.iter().map(|w| w.index());
        let grows: isize = writes.filter(|&w| !self.written[w]).map(scratch).sum();
        let frees: isize = inputs(&self.work.tasks[task]).into_iter().filter(|&b| self.unread[b] == 1).map(scratch).sum();
        self.growth[task] = Some(grows - frees);
        self.ready.insert((grows - frees, task));
    }

    /// The task that adds the least, the earlier one where two add the same. What it reads and writes changes what others would add.
    fn take(&mut self) -> Option<usize> {
        let (_, next) = self.ready.pop_first()?;
        self.growth[next] = None;
        let mut changed: Vec<usize> = Vec::new();
        for w in &self.work.tasks[next].writes {
            self.written[w.index()] = true;
            changed.extend(&self.writers[w.index()]);
        }
        for b in inputs(&self.work.tasks[next]) {
            self.unread[b] -= 1;
            if self.unread[b] == 1 {
                changed.extend(&self.readers[b]);
            }
        }
        for task in changed {
            if let Some(growth) = self.growth[task].take() {
                self.ready.remove(&(growth, task));
                self.add(task);
            }
        }
        Some(next)
    }
}
