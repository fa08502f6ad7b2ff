//! Blocks copied into a part of a larger tensor.

use downhill_compile::ExecError;
use downhill_graph::kernel::CopyIntoSpec;

use super::Lower;
use crate::shader::{Params, Width};

/// Blocks of words into a part of the output.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &CopyIntoSpec) -> Result<(), ExecError> {
    let CopyIntoSpec { outer, len, stride, start } = *spec;
    let mut params = Params::default();
    let from = cx.bind(&mut params, "from")?;
    let out = cx.bind(&mut params, "out")?;
    let four = from.aligned && out.aligned && [len, stride, start].iter().all(|n| n.is_multiple_of(4));
    let width = if four { Width::Four } else { Width::One };
    let (len_at, stride_at, start_at) = (params.add("len", len), params.add("stride", stride), params.add("start", start));
    let to = format!("e / {len_at} * {stride_at} + {start_at} + e % {len_at}");
    let text = format!(
        "fn item(i: u32) {{\n    let e = i * {}u;\n    {}\n}}\n",
        width.elements(),
        out.store_words(width, &to, &from.words(width, "e")),
    );
    cx.each("copy_into", width, params, &text, outer * len / width.elements())
}
