//! The index that is picked by scores, a workgroup per row.

use downhill_compile::ExecError;
use downhill_graph::kernel::PickSpec;

use super::Lower;
use super::rows::load;
use crate::shader::{GROUP, Params, Width, assemble};

const PICK: &str = wgsl!("pick.wgsl");
const TOGETHER: &str = wgsl!("pick_together.wgsl");
const ALONE: &str = wgsl!("pick_alone.wgsl");
/// Scores up to which one invocation is faster than a workgroup of a software adapter.
const FEW: u32 = 512;

/// Nothing is sorted: what stands behind all that is likelier is found digit by digit.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &PickSpec) -> Result<(), ExecError> {
    let mut params = Params::default();
    params.add("rows", spec.rows);
    params.add("cols", spec.cols);
    let alone = !cx.style.workgroup_memory && spec.cols <= FEW;
    params.add("lanes", if alone { 1 } else { GROUP });
    params.zero();
    let mut text = String::new();
    for name in ["scores", "draw", "choice"] {
        text += &load(name, &cx.bind(&mut params, name)?);
    }
    let out = cx.bind(&mut params, "out")?.store_words(Width::One, "row", "picked");
    text += &format!("fn store_out(row: u32, picked: u32) {{\n    {out}\n}}\n\n{}", if alone { ALONE } else { TOGETHER });
    cx.out.push(assemble("pick", Width::One, params, &text, PICK, spec.rows)?);
    Ok(())
}
