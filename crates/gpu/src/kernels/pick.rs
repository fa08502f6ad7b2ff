//! The index that is picked by scores: lanes share a row.

use downhill_compile::ExecError;
use downhill_graph::kernel::PickSpec;

use super::Lower;
use super::rows::{load, sizes};
use crate::shader::{Params, Width};

const PICK: &str = wgsl!("pick.wgsl");

/// Nothing is sorted: what stands behind all that is likelier is found bit by bit.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &PickSpec) -> Result<(), ExecError> {
    let PickSpec { rows, cols } = *spec;
    let mut params = Params::default();
    let lanes = sizes(cx.style, &mut params, rows, cols);
    params.add("index_bits", u32::BITS - cols.leading_zeros());
    params.zero();
    let mut text = String::new();
    for name in ["scores", "draw", "choice"] {
        text += &load(name, &cx.bind(&mut params, name)?);
    }
    let out = cx.bind(&mut params, "out")?.store_words(Width::One, "row", "picked");
    text += &format!("fn store_out(row: u32, picked: u32) {{\n    {out}\n}}\n\n{PICK}");
    cx.outputs("pick", params, &text, rows, lanes, true)
}
