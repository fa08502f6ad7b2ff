//! Gives every buffer its place: state at the head of the arena, scratch behind it by lifetime, feeds in the data buffer.

use std::fmt;

use downhill_graph::Graph;
use downhill_graph::kernel::Kernel;
use downhill_tensor::{Shape, sort_short_by_key};

use crate::layout::{MAX_ELEMENTS, padded};
use crate::work::{BufferId, Home, Task, Work};
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
pub(crate) fn lifetimes(work: &Work) -> Vec<Option<Lifetime>> {
    let mut lives: Vec<Option<Lifetime>> = vec![None; work.buffers.len()];
    for (i, task) in work.tasks.iter().enumerate() {
        for w in &task.writes {
            lives[w.index()].get_or_insert(Lifetime { first: i, last: i }).last = i;
        }
        for b in task.inputs() {
            if let Some(life) = &mut lives[b.index()] {
                life.last = i;
            }
        }
    }
    for out in &work.outputs {
        if let Some(life) = &mut lives[out.buffer.index()] {
            life.last = usize::MAX;
        }
    }
    lives
}

/// Scratch buffers that share one piece of memory because each takes over the one before in place.
#[derive(Clone, Debug)]
struct Block {
    buffers: Vec<BufferId>,
    life: Lifetime,
    len: u64,
}

impl Block {
    /// The first and the last task that it lives at.
    fn span(&self) -> (u32, u32) {
        (self.life.first as u32, u32::try_from(self.life.last).unwrap_or(u32::MAX))
    }
}

/// Places everything; without `alias` every scratch buffer has its own region.
///
/// Scratch is placed largest first, each block into the smallest gap between the blocks that live at the same time (Pisarchyk, Lee:
/// *Efficient Memory Management for Deep Neural Net Inference*, 2020): plans are static, so nothing has to be decided in the order
/// in which they run.
pub(crate) fn plan_memory(work: &Work, graph: &Graph, layout: &StateLayout, alias: bool) -> Result<Placement, CompileError> {
    let mut regions = Vec::with_capacity(work.buffers.len());
    for buffer in &work.buffers {
        regions.push(fixed(buffer.home, graph, layout)?);
    }
    let mut blocks = blocks(work, alias);
    sort_short_by_key(&mut blocks, |b| (std::cmp::Reverse(b.len), b.life.first, b.buffers[0]));
    let mut placed = Placed::default();
    let mut end = u64::from(layout.state_len);
    for block in blocks {
        let offset = if alias { placed.best_fit(&block, u64::from(layout.state_len)) } else { end };
        end = end.max(offset + block.len);
        if end > MAX_ELEMENTS {
            return Err(CompileError::TooLarge { elements: end });
        }
        for b in &block.buffers {
            let len = work.buffer(*b).len as u32;
            regions[b.index()] = (Region { space: Space::Arena, offset: offset as u32, len }, 0);
        }
        placed.add(offset, &block);
    }
    Ok(Placement { regions, arena_len: end as u32 })
}

/// Scratch buffers that tasks write, joined where a kernel works in place.
fn blocks(work: &Work, alias: bool) -> Vec<Block> {
    let lives = lifetimes(work);
    let mut blocks: Vec<Block> = Vec::new();
    let mut owner: Vec<Option<usize>> = vec![None; work.buffers.len()];
    for (i, task) in work.tasks.iter().enumerate() {
        for &w in &task.writes {
            let Some(life) = lives[w.index()].filter(|l| l.first == i && work.buffer(w).home == Home::Scratch) else {
                continue;
            };
            // A block whose last buffer is not the one read has been taken over by another write of this task.
            let free = |r: BufferId| owner[r.index()].filter(|&b| blocks[b].buffers.last() == Some(&r));
            let taken = if alias { in_place(work, &lives, i, w).find_map(free) } else { None };
            owner[w.index()] = Some(match taken {
                Some(block) => {
                    blocks[block].buffers.push(w);
                    blocks[block].life.last = life.last;
                    block
                }
                None => {
                    blocks.push(Block { buffers: vec![w], life, len: padded(work.buffer(w).len) });
                    blocks.len() - 1
                }
            });
        }
    }
    blocks
}

/// A block that has its place: 16 bytes, for every block that is placed later looks at all of them.
#[derive(Clone, Copy, Debug)]
struct Taken {
    from: u32,
    to: u32,
    first: u32,
    last: u32,
}

/// Blocks that have their place, sorted by it.
#[derive(Default)]
struct Placed(Vec<Taken>);

impl Placed {
    fn add(&mut self, offset: u64, block: &Block) {
        let (first, last) = block.span();
        let from = offset as u32;
        let at = self.0.partition_point(|taken| taken.from <= from);
        self.0.insert(at, Taken { from, to: (offset + block.len) as u32, first, last });
    }

    /// Start of the smallest gap that the block fits into, between blocks that live when it does; behind them all when there is none.
    fn best_fit(&self, block: &Block, start: u64) -> u64 {
        let (first, last) = block.span();
        let (mut at, mut best) = (start as u32, None);
        for taken in self.0.iter().filter(|taken| taken.first <= last && first <= taken.last) {
            let gap = taken.from.saturating_sub(at);
            if u64::from(gap) >= block.len && best.is_none_or(|(size, _)| gap < size) {
                best = Some((gap, at));
            }
            at = at.max(taken.to);
        }
        u64::from(best.map_or(at, |(_, offset)| offset))
    }
}

/// The place of what lives at a fixed one; an empty region for scratch.
fn fixed(home: Home, graph: &Graph, layout: &StateLayout) -> Result<(Region, u32), CompileError> {
    let parameter = |p: downhill_graph::ParamId, base: u32| {
        let entry = layout.order.get(p.index()).and_then(|&i| layout.entries.get(i as usize));
        let entry = entry.ok_or_else(|| CompileError::Layout(format!("parameter {p} is unknown")))?;
        Ok((Region { space: Space::Arena, offset: base + entry.offset, len: entry.len }, 0))
    };
    let state = |s: downhill_graph::StateId, base: u32| {
        let entry = layout.states.get(s.index()).ok_or_else(|| CompileError::Layout(format!("{s} is unknown")))?;
        Ok((Region { space: Space::Arena, offset: base + entry.offset, len: entry.len }, 0))
    };
    match home {
        Home::Scratch => Ok((Region { space: Space::Arena, offset: layout.state_len, len: 0 }, 0)),
        Home::Parameter(p) => parameter(p, layout.offsets.parameters),
        Home::Gradient(p) => parameter(p, layout.offsets.gradients),
        Home::Slot(slot, _) | Home::Given(slot, _) if u32::from(slot) >= layout.offsets.slot_count => {
            Err(CompileError::Layout(format!("there is no optimizer slot {slot}")))
        }
        Home::Slot(slot, p) | Home::Given(slot, p) => {
            parameter(p, layout.offsets.slots + u32::from(slot) * layout.offsets.parameter_len)
        }
        Home::State(s) => state(s, layout.offsets.states),
        Home::Next(s) => state(s, layout.offsets.next_states()),
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
    work: &'a Work,
    lives: &'a [Option<Lifetime>],
    i: usize,
    write: BufferId,
) -> impl Iterator<Item = BufferId> + 'a {
    let task: &Task = &work.tasks[i];
    let walks = match &task.kernel {
        Kernel::Map(map) => Some(map),
        _ => None,
    };
    walks.into_iter().flat_map(move |map| {
        let shape: Shape = map.shape.iter().map(|&n| n as usize).collect();
        let row_major = shape.strides();
        task.reads.iter().zip(&map.read_strides).filter_map(move |(read, strides)| {
            let buffer = work.buffer(read.buffer);
            let same = read.start == 0
                && buffer.len == work.buffer(write).len
                && strides.iter().zip(&row_major).zip(shape.iter()).all(|((&s, &r), &n)| n == 1 || s as usize == r);
            let once = task.inputs().filter(|b| *b == read.buffer).count() == 1;
            let dies = lives[read.buffer.index()].is_some_and(|l| l.last == i);
            (buffer.home == Home::Scratch && same && once && dies).then_some(read.buffer)
        })
    })
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

    fn block(first: usize, last: usize, len: u64) -> Block {
        Block { buffers: vec![BufferId(0)], life: Lifetime { first, last }, len }
    }

    #[test]
    fn a_block_goes_into_the_smallest_gap_between_those_that_live_with_it() {
        let mut placed = Placed::default();
        for (offset, block) in
            [(8, block(0, 9, 8)), (28, block(0, 9, 8)), (16, block(0, 2, 12)), (40, block(5, 9, 8)), (52, block(5, 9, 4))]
        {
            placed.add(offset, &block);
        }
        assert_eq!(placed.best_fit(&block(1, 2, 12), 8), 36, "behind those that live at 1 to 2");
        assert_eq!(placed.best_fit(&block(3, 4, 12), 8), 16, "where a block has ended");
        assert_eq!(placed.best_fit(&block(5, 6, 4), 8), 36, "the smallest of several gaps");
        assert_eq!(Placed::default().best_fit(&block(0, 0, 4), 8), 8);
    }
}
