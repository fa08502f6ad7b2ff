use downhill_compile::ExecError;

use super::Lower;
use crate::shader::{Operand, Params, Width};

/// Blocks of words into a part of the output.
pub(super) fn lower(cx: &mut Lower<'_>, outer: u32, len: u32, stride: u32, start: u32) -> Result<(), ExecError> {
    let mut params = Params::default();
    let from = Operand::new(&mut params, "from", cx.read(0)?);
    let out = Operand::new(&mut params, "out", cx.write(0)?);
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
