//! Puts elementwise work into the kernels around it, so that values stay in registers and fewer kernels run.
//!
//! Each rule sits in a file of its own and says why it pays; it looks at two tasks at a time. The arena knows which tasks have to be looked
//! at: all of them once, and those around a task that has changed. Rules are applied in a fixed order, the first task first, until none
//! applies, so that the result is a function of the work.

mod added;
mod append;
mod arena;
mod inline;
mod merge;
mod row_sum;
mod slots;

use arena::{Arena, Rule};

use crate::work::Work;

/// Applies all rules until none applies.
pub(crate) fn fuse(work: &mut Work) {
    let mut arena = Arena::new(work);
    arena.drop_unread();
    loop {
        // Inlining comes first wherever it can: it drops a whole kernel, and what it leaves is appended better.
        while let Some(task) = arena.next(Rule::Inline) {
            inline::inline(&mut arena, task);
        }
        prune(&mut arena);
        if !(any(&mut arena, Rule::Append, append::append)
            || any(&mut arena, Rule::RowSum, row_sum::row_sum)
            || arena.has_more())
        {
            break;
        }
    }
    arena.give_back(work);
}

/// Applies a rule to one task; `false` when there is none that it applies to.
fn any(arena: &mut Arena, rule: Rule, apply: fn(&mut Arena, usize) -> bool) -> bool {
    while let Some(task) = arena.next(rule) {
        if apply(arena, task) {
            return true;
        }
    }
    false
}

/// Drops results that nobody reads.
fn prune(arena: &mut Arena) {
    arena.drop_unread();
    let mut tasks = arena.take_partly_unread();
    tasks.dedup();
    for id in tasks {
        let Some(task) = arena.task(id) else { continue };
        let wanted: Vec<bool> = task.writes.iter().map(|b| arena.is_read(*b) || arena.stays(*b)).collect();
        if wanted.iter().all(|w| *w) {
            continue;
        }
        if let Some(pruned) = merge::without_unread(task, &wanted) {
            arena.replace(id, pruned);
            arena.loosen();
        }
    }
    arena.drop_unread();
}
