//! The states take up their next values.

use downhill_compile::ExecError;
use downhill_graph::kernel::AssignSpec;

use super::Lower;
use crate::shader::{Params, Width};

/// Four words each, unless the sticky flag is up: states are padded to that.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &AssignSpec) -> Result<(), ExecError> {
    let state = cx.plan.state;
    if spec.len != state.states_len {
        return Err(cx.fail("the assignment and the state disagree about states"));
    }
    let mut params = Params::default();
    let flag = params.add("flag4", state.flag / 4);
    let (next, states) = (params.add("next4", state.next_states() / 4), params.add("states4", state.states / 4));
    let text = format!(
        "fn item(i: u32) {{
    if (arena[{flag}].x == 0u) {{
        arena[{states} + i] = arena[{next} + i];
    }}
}}
"
    );
    cx.each("assign", Width::Four, params, &text, spec.len / 4)
}
