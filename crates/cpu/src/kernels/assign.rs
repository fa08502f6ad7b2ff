//! The states take up their next values.

use downhill_compile::ExecError;
use downhill_graph::kernel::AssignSpec;

use super::{Bound, CpuKernel, Cursor, Cx, Loader};
use crate::arena::Operand;

/// Elements between two looks at the clock.
const CHUNK: usize = 1 << 16;

/// The kernel with its places in the state.
#[derive(Clone, Debug)]
pub(crate) struct AssignOp {
    flag: Operand,
    next: Operand,
    states: Operand,
}

impl CpuKernel for AssignOp {
    type Spec = AssignSpec;

    fn load(spec: &AssignSpec, _: Bound, loader: &mut Loader<'_>) -> Result<Self, ExecError> {
        let state = loader.offsets();
        if spec.len != state.states_len {
            return Err(loader.fail("the assignment and the state disagree about states"));
        }
        Ok(Self {
            flag: loader.state(state.flag, 1)?,
            next: loader.state(state.next_states(), spec.len)?,
            states: loader.state(state.states, spec.len)?,
        })
    }

    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        if cx.memory.cells(&self.flag)[0].get().to_bits() != 0 {
            return true;
        }
        let [next, states] = [&self.next, &self.states].map(|o| cx.memory.cells(o));
        let copy = |_: &mut Cx<'_>, _: &mut Cursor, start: usize, end: usize| {
            states[start..end].iter().zip(&next[start..end]).for_each(|(state, next)| state.set(next.get()));
        };
        cursor.pieces(cx, states.len(), CHUNK, 0.4, copy)
    }
}
