//! Gives every buffer its place: state at the head of the arena, scratch behind it by lifetime, feeds in the data buffer.

use std::fmt;

use downhill_graph::Graph;
use downhill_graph::kernel::Kernel;
use downhill_tensor::Shape;

use crate::layout::{MAX_ELEMENTS, padded};
use crate::program::{BufferId, Home, Program, Task};
use crate::{CompileError, Region, Space, StateLayout};

/// Places of all buffers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placement {
    /// By [`BufferId`], with the distance between rows of a per-step feed. A buffer that no task touches has an empty region.
    pub regions: Vec<(Region, u32)>,
    /// Elements of the arena, state included.
    pub arena_len: u32,
}

/// When a scratch buffer holds its value: from its first write to its last read, by task number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    pub first: usize,
    pub last: usize,
}

/// Lifetimes of the buffers that tasks write; outputs live to the end.
pub(crate) fn lifetimes(program: &Program) -> Vec<Option<Lifetime>> {
    let mut lives: Vec<Option<Lifetime>> = vec![None; program.buffers.len()];
    for (i, task) in program.tasks.iter().enumerate() {
        for w in &task.writes {
            lives[w.index()].get_or_insert(Lifetime { first: i, last: i }).last = i;
        }
        for b in task.inputs() {
            if let Some(life) = &mut lives[b.index()] {
                life.last = i;
            }
        }
    }
    for out in &program.outputs {
        if let Some(life) = &mut lives[out.buffer.index()] {
            life.last = usize::MAX;
        }
    }
    lives
}

/// Places everything; without `alias` every scratch buffer has its own region.
pub(crate) fn plan_memory(
    program: &Program,
    graph: &Graph,
    layout: &StateLayout,
    alias: bool,
) -> Result<Placement, CompileError> {
    let mut regions = Vec::with_capacity(program.buffers.len());
    for buffer in &program.buffers {
        regions.push(fixed(buffer.home, graph, layout)?);
    }
    let lives = lifetimes(program);
    let mut scratch = FreeList::new(u64::from(layout.state_len));
    for (i, task) in program.tasks.iter().enumerate() {
        let mut taken: Vec<BufferId> = Vec::new();
        for &w in &task.writes {
            let starts = lives[w.index()].is_some_and(|l| l.first == i);
            if program.buffer(w).home != Home::Scratch || !starts {
                continue;
            }
            let reused = if alias { in_place(program, &lives, i, w).find(|r| !taken.contains(r)) } else { None };
            let len = program.buffer(w).len;
            let offset = match reused {
                Some(read) => {
                    taken.push(read);
                    u64::from(regions[read.index()].0.offset)
                }
                None => scratch.allocate(padded(len)),
            };
            if offset + padded(len) > MAX_ELEMENTS {
                return Err(CompileError::TooLarge { elements: offset + padded(len) });
            }
            regions[w.index()] = (Region { space: Space::Arena, offset: offset as u32, len: len as u32 }, 0);
        }
        if alias {
            for (b, life) in lives.iter().enumerate() {
                let id = BufferId(b as u32);
                if program.buffer(id).home == Home::Scratch && life.is_some_and(|l| l.last == i) && !taken.contains(&id) {
                    scratch.free(u64::from(regions[b].0.offset), padded(program.buffers[b].len));
                }
            }
        }
    }
    Ok(Placement { regions, arena_len: scratch.end as u32 })
}

/// The place of what lives at a fixed one; an empty region for scratch.
fn fixed(home: Home, graph: &Graph, layout: &StateLayout) -> Result<(Region, u32), CompileError> {
    let parameter = |p: downhill_graph::ParamId, base: u32| {
        let entry = layout.order.get(p.index()).and_then(|&i| layout.entries.get(i as usize));
        let entry = entry.ok_or_else(|| CompileError::Layout(format!("parameter {p} is unknown")))?;
        Ok((Region { space: Space::Arena, offset: base + entry.offset, len: entry.len }, 0))
    };
    match home {
        Home::Scratch => Ok((Region { space: Space::Arena, offset: layout.state_len, len: 0 }, 0)),
        Home::Parameter(p) => parameter(p, layout.offsets.parameters),
        Home::Gradient(p) => parameter(p, layout.offsets.gradients),
        Home::Feed(f) => {
            let feed = &graph.feeds()[f.index()];
            let (offset, per_batch) =
                layout.feed(&feed.name).ok_or_else(|| CompileError::Layout(format!("feed {} is unknown", feed.name)))?;
            Ok((Region { space: Space::Data, offset, len: feed.ty.shape.numel() as u32 }, per_batch))
        }
    }
}

/// Reads whose memory an elementwise result may take over: owned, dying here, of the same layout, read once.
fn in_place<'a>(
    program: &'a Program,
    lives: &'a [Option<Lifetime>],
    i: usize,
    write: BufferId,
) -> impl Iterator<Item = BufferId> + 'a {
    let task: &Task = &program.tasks[i];
    let walks = match &task.kernel {
        Kernel::Map(map) => Some(map),
        _ => None,
    };
    walks.into_iter().flat_map(move |map| {
        let shape: Shape = map.shape.iter().map(|&n| n as usize).collect();
        let row_major = shape.strides();
        task.reads.iter().zip(&map.read_strides).filter_map(move |(read, strides)| {
            let buffer = program.buffer(read.buffer);
            let same = read.start == 0
                && buffer.len == program.buffer(write).len
                && strides.iter().zip(&row_major).zip(shape.iter()).all(|((&s, &r), &n)| n == 1 || s as usize == r);
            let once = task.inputs().filter(|b| *b == read.buffer).count() == 1;
            let dies = lives[read.buffer.index()].is_some_and(|l| l.last == i);
            (buffer.home == Home::Scratch && same && once && dies).then_some(read.buffer)
        })
    })
}

/// Free ranges of the scratch, ascending and never touching each other.
struct FreeList {
    free: Vec<(u64, u64)>,
    end: u64,
}

impl FreeList {
    fn new(start: u64) -> Self {
        Self { free: Vec::new(), end: start }
    }

    /// The smallest range that fits, else new memory (continuing a free range at the end).
    fn allocate(&mut self, len: u64) -> u64 {
        let best = (0..self.free.len()).filter(|&i| self.free[i].1 >= len).min_by_key(|&i| (self.free[i].1, i));
        if let Some(i) = best {
            let (offset, room) = self.free[i];
            if room == len {
                self.free.remove(i);
            } else {
                self.free[i] = (offset + len, room - len);
            }
            return offset;
        }
        let offset = match self.free.last() {
            Some(&(offset, room)) if offset + room == self.end => {
                self.free.pop();
                offset
            }
            _ => self.end,
        };
        self.end = offset + len;
        offset
    }

    fn free(&mut self, offset: u64, len: u64) {
        let i = self.free.partition_point(|r| r.0 < offset);
        self.free.insert(i, (offset, len));
        if i + 1 < self.free.len() && offset + len == self.free[i + 1].0 {
            self.free[i].1 += self.free.remove(i + 1).1;
        }
        if i > 0 && self.free[i - 1].0 + self.free[i - 1].1 == offset {
            self.free[i - 1].1 += self.free.remove(i).1;
        }
    }
}

impl fmt::Display for Placement {
    /// One line per buffer that has memory.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (region, per_batch)) in self.regions.iter().enumerate().filter(|(_, (r, _))| r.len > 0) {
            write!(f, "b{i} {region}")?;
            if *per_batch > 0 {
                write!(f, " every {per_batch}")?;
            }
            writeln!(f)?;
        }
        writeln!(f, "arena {}", self.arena_len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_range_that_fits_is_taken_and_neighbours_grow_together() {
        let mut list = FreeList::new(8);
        let [a, b, c, d] = [16, 4, 8, 4].map(|n| list.allocate(n));
        assert_eq!((a, b, c, d), (8, 24, 28, 36));
        list.free(a, 16);
        list.free(c, 8);
        assert_eq!(list.allocate(8), c);
        list.free(c, 8);
        list.free(b, 4);
        assert_eq!(list.free, [(8, 28)]);
        assert_eq!(list.allocate(28), 8);
        list.free(d, 4);
        assert_eq!(list.allocate(12), 36, "a free range at the end is continued");
        assert_eq!(list.end, 48);
    }
}
