//! Parameters, optimizer slots and states as numbers on the host, and how they are carried over to another layout.

use downhill_compile::{Entry, StateLayout};
use downhill_model::Carried;

/// Parameters, optimizer slots and states on the host, with the layout that says what lies where.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub layout: StateLayout,
    /// In arena order, padding included.
    pub parameters: Vec<f32>,
    /// Slot after slot, each like the parameters.
    pub slots: Vec<f32>,
    /// In arena order, padding included.
    pub states: Vec<f32>,
}

impl State {
    /// All zero.
    pub fn new(layout: StateLayout) -> Self {
        let len = layout.offsets.parameter_len as usize;
        let slots = len * layout.offsets.slot_count as usize;
        let states = layout.offsets.states_len as usize;
        Self { layout, parameters: vec![0.0; len], slots: vec![0.0; slots], states: vec![0.0; states] }
    }

    /// From the words of the parameters, slots and states.
    pub fn read(layout: StateLayout, words: &[u32]) -> Self {
        let mut state = Self::new(layout);
        let all = state.parameters.iter_mut().chain(&mut state.slots).chain(&mut state.states);
        all.zip(words).for_each(|(value, word)| *value = f32::from_bits(*word));
        state
    }

    /// A parameter's elements.
    pub fn parameter(&self, entry: &Entry) -> &[f32] {
        part(&self.parameters, entry.offset as usize, entry.len as usize)
    }

    /// A parameter's elements in a slot.
    pub fn slot(&self, slot: usize, entry: &Entry) -> &[f32] {
        part(&self.slots, slot * self.parameters.len() + entry.offset as usize, entry.len as usize)
    }

    /// A state's elements.
    pub fn state(&self, entry: &Entry) -> &[f32] {
        part(&self.states, entry.offset as usize, entry.len as usize)
    }

    /// Overwrites a state; numbers beyond its length are left out.
    pub fn put_state(&mut self, entry: &Entry, values: &[f32]) {
        let words = self.states.iter_mut().skip(entry.offset as usize).take(entry.len as usize);
        words.zip(values).for_each(|(word, value)| *word = *value);
    }

    /// Overwrites a parameter, or (`slot`) its elements in a slot; numbers beyond its length are left out.
    pub fn put(&mut self, entry: &Entry, slot: Option<usize>, values: &[f32]) {
        let len = self.parameters.len();
        let (words, at) = match slot {
            None => (&mut self.parameters, entry.offset as usize),
            Some(slot) => (&mut self.slots, slot * len + entry.offset as usize),
        };
        words.iter_mut().skip(at).take(entry.len as usize).zip(values).for_each(|(word, value)| *word = *value);
    }

    /// Copies what `carried` says to keep, and the first `slots` slots. The slot `averages`, where it is none of them, begins with the weights.
    pub fn take_over(&mut self, old: &State, carried: &Carried, slots: usize, averages: Option<usize>) {
        let entry = |layout: &StateLayout, parameter: usize| {
            let at = *layout.order.get(parameter)?;
            layout.entries.get(at as usize).cloned()
        };
        for (new, from) in carried.parameters.iter().enumerate() {
            let (Some(to), Some(from)) = (entry(&self.layout, new), from.and_then(|from| entry(&old.layout, from))) else {
                continue;
            };
            self.put(&to, None, old.parameter(&from));
            for slot in 0..slots {
                self.put(&to, Some(slot), old.slot(slot, &from));
            }
            if averages.is_some_and(|slot| slot >= slots) {
                self.put(&to, averages, old.parameter(&from));
            }
        }
        for (new, from) in carried.states.iter().enumerate() {
            let from = from.and_then(|from| old.layout.states.get(from));
            if let (Some(to), Some(from)) = (self.layout.states.get(new).cloned(), from) {
                self.put_state(&to, old.state(from));
            }
        }
    }
}

fn part(values: &[f32], at: usize, len: usize) -> &[f32] {
    values.get(at..at + len).unwrap_or(&[])
}
