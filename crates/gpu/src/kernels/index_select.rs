//! Entries of a table read by index, as words or as bytes that become floats. An index that names none gives zeros.

use downhill_compile::ExecError;
use downhill_graph::kernel::{Element, IndexSelectSpec};

use super::Lower;
use crate::shader::{Params, Width};

/// One invocation per element, or per four.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &IndexSelectSpec) -> Result<(), ExecError> {
    let mut params = Params::default();
    let table = cx.bind(&mut params, "table")?;
    let indices = cx.bind(&mut params, "index")?;
    let out = cx.bind(&mut params, "out")?;
    let fours = match spec.element {
        // Data is read word by word, wherever it starts.
        Element::Word => !table.in_arena() || (spec.stride.is_multiple_of(4) && table.aligned),
        Element::Byte { .. } => true,
    };
    let vector = if spec.width.is_multiple_of(4) && fours && out.aligned { Width::Four } else { Width::One };
    let [width, stride, entries] =
        [("width", spec.width), ("stride", spec.stride), ("entries", spec.entries)].map(|(name, n)| params.add(name, n));
    let value = match spec.element {
        Element::Word => table.words(vector, &format!("entry * {stride} + column")),
        Element::Byte { scale, shift } => {
            let [scale, shift] = [("scale", scale), ("shift", shift)].map(|(name, v)| params.add(name, v.to_bits()));
            let word = table.word(vector, &format!("entry * {stride} + column / 4u"));
            let bytes = match vector {
                Width::One => format!("{word} >> (column % 4u * 8u)"),
                Width::Four => format!("U({word}) >> U(0u, 8u, 16u, 24u)"),
            };
            format!("bitcast<U>(T(({bytes}) & U(255u)) * bitcast<f32>({scale}) + bitcast<f32>({shift}))")
        }
    };
    let text = format!(
        "fn item(i: u32) {{
    let e = i * {elements}u;
    let entry = {index};
    let column = e % {width};
    var words = U(0u);
    if (entry < {entries}) {{
        words = {value};
    }}
    {store}
}}
",
        elements = vector.elements(),
        index = indices.word(vector, &format!("e / {width}")),
        store = out.store_words(vector, "e", "words"),
    );
    cx.each("index_select", vector, params, &text, spec.rows * spec.width / vector.elements())
}
