//! Orders tasks so that little memory is live at a time.

use std::collections::BTreeSet;

use downhill_tensor::sort_short;

use crate::memory::{Lifetime, lifetimes};
use crate::program::{Home, Program, Task};

/// Puts the tasks into the better of two orders: as they are, or greedily by memory freed. Ties go to the earlier task, so the order
/// is a function of the program.
pub(crate) fn schedule(program: &mut Program) {
    let before = peak(program);
    let mut greedy = program.clone();
    let order = greedy_order(&greedy);
    greedy.tasks = order.into_iter().map(|i| program.tasks[i].clone()).collect();
    if peak(&greedy) < before {
        *program = greedy;
    }
}

/// Elements of scratch that are live at once, at most.
pub(crate) fn peak(program: &Program) -> usize {
    let mut change = vec![0isize; program.tasks.len() + 1];
    for (buffer, life) in program.buffers.iter().zip(lifetimes(program)) {
        if let (Home::Scratch, Some(Lifetime { first, last })) = (buffer.home, life) {
            change[first] += buffer.len as isize;
            change[last.saturating_add(1).min(program.tasks.len())] -= buffer.len as isize;
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

fn greedy_order(program: &Program) -> Vec<usize> {
    let deps = program.dependencies();
    let mut waiting: Vec<usize> = deps.iter().map(Vec::len).collect();
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); deps.len()];
    for (i, before) in deps.iter().enumerate() {
        before.iter().for_each(|&b| users[b].push(i));
    }
    // Tasks that have yet to read each buffer; an output is never done with.
    let mut unread: Vec<usize> = program.readers().iter().map(Vec::len).collect();
    program.outputs.iter().for_each(|o| unread[o.buffer.index()] += 1);
    let mut written = vec![false; program.buffers.len()];
    let mut ready = BTreeSet::new();
    ready.extend((0..deps.len()).filter(|&i| waiting[i] == 0));
    let mut order = Vec::with_capacity(deps.len());
    let scratch = |b: usize| if program.buffers[b].home == Home::Scratch { program.buffers[b].len as isize } else { 0 };
    while let Some(&next) = ready.iter().min_by_key(|&&i| {
        let task = &program.tasks[i];
        let grows: isize = task.writes.iter().filter(|w| !written[w.index()]).map(|w| scratch(w.index())).sum();
        let frees: isize = inputs(task).into_iter().filter(|&b| unread[b] == 1).map(scratch).sum();
        (grows - frees, i)
    }) {
        ready.remove(&next);
        order.push(next);
        let task = &program.tasks[next];
        task.writes.iter().for_each(|w| written[w.index()] = true);
        inputs(task).into_iter().for_each(|b| unread[b] -= 1);
        for &user in &users[next] {
            waiting[user] -= 1;
            if waiting[user] == 0 {
                ready.insert(user);
            }
        }
    }
    order
}
