//! One row of the metrics ring.

use downhill_compile::ExecError;
use downhill_graph::kernel::RecordSpec;

use super::Lower;
use crate::shader::{Params, Width};

/// One row of the metrics ring: step, flag, then the scalars; one invocation per word.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &RecordSpec) -> Result<(), ExecError> {
    let state = cx.plan.state;
    let count = spec.scalars;
    if state.ring_stride < count + 2 {
        return Err(cx.fail("a row of the ring is too short"));
    }
    let mut params = Params::default();
    params.add("ring", state.ring);
    params.add("rows", state.ring_rows);
    params.add("stride", state.ring_stride);
    params.add("flag", state.flag);
    let mut cases = String::new();
    for i in 0..count {
        let read = cx.bind(&mut params, &format!("r{i}"))?;
        cases.push_str(&format!("        case {}u: {{ word = {}; }}\n", i + 2, read.word(Width::One, "0u")));
    }
    let text = format!(
        "fn item(i: u32) {{
    if (step.record >= p.rows) {{
        return;
    }}
    var word = step.number;
    switch (i) {{
        case 1u: {{ word = arena[p.flag]; }}
{cases}        default: {{}}
    }}
    arena[p.ring + step.record * p.stride + i] = word;
}}
"
    );
    cx.each("record", Width::One, params, &text, count + 2)
}
