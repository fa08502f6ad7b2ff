//! The share of rows that are predicted right, by one workgroup.

use downhill_compile::ExecError;
use downhill_graph::kernel::AccuracySpec;

use super::Lower;
use super::loss::{label, weight};
use super::rows::{load, store};
use crate::shader::{GROUP, Params, Width, assemble};

const ACCURACY: &str = wgsl!("accuracy.wgsl");

/// The weighted share of rows predicted right.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &AccuracySpec) -> Result<(), ExecError> {
    let AccuracySpec { weighted, rows, cols } = *spec;
    let mut params = Params::default();
    let x = cx.bind(&mut params, "x")?;
    let target = cx.bind(&mut params, "target")?;
    let out = cx.bind(&mut params, "out")?;
    params.add("rows", rows);
    params.add("cols", cols);
    params.add("lanes", GROUP);
    let mut text = load("x", &x) + &store("out", &out) + &load("target", &target) + &label(&target);
    text.push_str(&weight(cx, &mut params, weighted)?);
    cx.out.push(assemble("accuracy", Width::One, params, &text, ACCURACY, 1)?);
    Ok(())
}
