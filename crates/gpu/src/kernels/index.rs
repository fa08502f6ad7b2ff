use downhill_compile::{Arg, ExecError};

use super::Lower;
use crate::shader::{Operand, Params, Width};

/// Rows of a table, as words. Out of range gives zeros.
pub(super) fn gather(cx: &mut Lower<'_>, rows: u32, width: u32, entries: u32) -> Result<(), ExecError> {
    let mut params = Params::default();
    let four = width.is_multiple_of(4) && aligned(cx.read(0)?) && aligned(cx.write(0)?);
    let vector = if four { Width::Four } else { Width::One };
    let table = Operand::new(&mut params, "table", cx.read(0)?);
    let indices = Operand::new(&mut params, "index", cx.read(1)?);
    let out = Operand::new(&mut params, "out", cx.write(0)?);
    let (width_at, entries_at) = (params.add("width", width), params.add("entries", entries));
    let load = table.words(vector, &format!("entry * {width_at} + e % {width_at}"));
    let text = format!(
        "fn item(i: u32) {{
    let e = i * {elements}u;
    let entry = {index};
    var words = U(0u);
    if (entry < {entries_at}) {{
        words = {load};
    }}
    {store}
}}
",
        elements = vector.elements(),
        index = indices.word(vector, &format!("e / {width_at}")),
        store = out.store_words(vector, "e", "words"),
    );
    cx.each("gather", vector, params, &text, rows * width / vector.elements())
}

/// One invocation per destination adds its rows in order: no atomics, and the same sum every time.
pub(super) fn scatter_add(cx: &mut Lower<'_>, rows: u32, width: u32, entries: u32) -> Result<(), ExecError> {
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
    cx.each("scatter_add", Width::One, params, &text, entries * width)
}

fn aligned(arg: &Arg) -> bool {
    arg.region.space == downhill_compile::Space::Data || (arg.region.offset + arg.start).is_multiple_of(4)
}
