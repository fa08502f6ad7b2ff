//! Entries of a table read by index, and rows added up by index.

use downhill_compile::{Arg, ExecError, Space};
use downhill_graph::kernel::{Element, IndexSelectSpec};

use super::Lower;
use crate::shader::{Operand, Params, Width};

/// Entries of a table. An index that names none gives zeros.
pub(super) fn index_select(cx: &mut Lower<'_>, spec: &IndexSelectSpec) -> Result<(), ExecError> {
    let mut params = Params::default();
    let (table, out) = (cx.read(0)?, cx.write(0)?);
    let fours = match spec.element {
        // Data is read word by word, wherever it starts.
        Element::Word => table.region.space == Space::Data || (spec.stride.is_multiple_of(4) && aligned(table)),
        Element::Byte { .. } => true,
    };
    let vector = if spec.width.is_multiple_of(4) && fours && aligned(out) { Width::Four } else { Width::One };
    let table = Operand::new(&mut params, "table", table);
    let indices = Operand::new(&mut params, "index", cx.read(1)?);
    let out = Operand::new(&mut params, "out", out);
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

/// One invocation per destination adds its rows in order: no atomics, and the same sum every time.
pub(super) fn index_add(cx: &mut Lower<'_>, rows: u32, width: u32, entries: u32) -> Result<(), ExecError> {
    let mut params = Params::default();
    let values = Operand::new(&mut params, "value", cx.read(0)?);
    let indices = Operand::new(&mut params, "index", cx.read(1)?);
    let out = Operand::new(&mut params, "out", cx.write(0)?);
    let (width_at, rows_at) = (params.add("width", width), params.add("rows", rows));
    let text = format!(
        "fn item(i: u32) {{
    let entry = i / {width_at};
    let column = i % {width_at};
    var sum = 0.0;
    for (var row = 0u; row < {rows_at}; row++) {{
        if ({index} == entry) {{
            sum += {value};
        }}
    }}
    {store}
}}
",
        index = indices.word(Width::One, "row"),
        value = values.float(Width::One, &format!("row * {width_at} + column")),
        store = out.store(Width::One, "i", "sum"),
    );
    cx.each("index_add", Width::One, params, &text, entries * width)
}

fn aligned(arg: &Arg) -> bool {
    arg.region.space == Space::Data || (arg.region.offset + arg.start).is_multiple_of(4)
}
