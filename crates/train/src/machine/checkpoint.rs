//! A copy of a run outside of its device, to go on from when the device is lost.

use downhill_data::SamplerPosition;
use downhill_model::schedules::Plateau;

use super::state::State;

/// What belongs to a copy of the state besides its words.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Where in the order of samples the next step begins.
    pub position: SamplerPosition,
    /// Step at which the slots were zero.
    pub slots_since: u64,
    /// Where the learning rate stands.
    pub plateau: Plateau,
    /// What it shows: the step, and how often the state was changed otherwise.
    pub shows: (u64, u64),
}

/// A copy of a run outside of its device.
pub(crate) struct Checkpoint {
    /// Parameters, slots and states.
    pub state: State,
    /// Steps taken.
    pub step: u64,
    /// What else belongs to it.
    pub kept: Kept,
}
