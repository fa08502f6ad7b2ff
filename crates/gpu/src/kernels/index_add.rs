//! Rows added up by index: rows are sorted by their index once, and every entry then adds up its own, which lie side by side.
//!
//! The sort is stable, so that sums have one order and the same rows give the same bits, here and on the CPU. Of the indices 2 0 2 1 it makes
//! the row numbers 1 3 0 2: entry 0 is row 1, entry 1 row 3, entry 2 the sum of rows 0 and 2. Runs of [`RUN`] rows are sorted by counting, then
//! pairs of runs are merged until there is one: about rows · (RUN + log² rows) steps, and log rows for each result to find its rows.

use downhill_compile::ExecError;
use downhill_graph::kernel::IndexAddSpec;

use super::Lower;
use crate::shader::{Operand, Params, Width};

/// Rows that are sorted by comparing each with all others.
const RUN: u32 = 1024;

/// Sorts, merges, adds.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &IndexAddSpec) -> Result<(), ExecError> {
    let half = spec.rows.next_multiple_of(4);
    let [mut from, mut to] = [cx.part(0, half), cx.part(half, half)];
    let mut sort = Shader::new(cx, spec)?;
    let store = Operand::new(&mut sort.params, "to", &from).store_words(Width::One, "rank", "i");
    let text = format!(
        "fn item(i: u32) {{
    let own = key(i);
    let first = i - i % {RUN}u;
    let last = min(first + {RUN}u, p.rows);
    var rank = first;
    for (var j = first; j < last; j++) {{
        let other = key(j);
        rank += select(0u, 1u, other < own || (other == own && j < i));
    }}
    {store}
}}
"
    );
    cx.each("index_sort", Width::One, sort.params, &(sort.text + &text), spec.rows)?;
    let mut run = RUN;
    while run < spec.rows {
        let mut merge = Shader::new(cx, spec)?;
        merge.params.add("run", run);
        let load = Operand::new(&mut merge.params, "from", &from);
        let store = Operand::new(&mut merge.params, "to", &to).store_words(Width::One, "rank", "row");
        let text = format!(
            "fn item(i: u32) {{
    let row = {own};
    let own = key(row);
    let start = i - i % p.run;
    let pair = i - i % (2u * p.run);
    let first = min(select(pair, pair + p.run, start == pair), p.rows);
    var low = first;
    var high = min(first + p.run, p.rows);
    while (low < high) {{
        let middle = (low + high) / 2u;
        let other = {other};
        let others = key(other);
        if (others < own || (others == own && other < row)) {{
            low = middle + 1u;
        }} else {{
            high = middle;
        }}
    }}
    let rank = pair + (i - start) + (low - first);
    {store}
}}
",
            own = load.word(Width::One, "i"),
            other = load.word(Width::One, "middle"),
        );
        cx.each("index_merge", Width::One, merge.params, &(merge.text + &text), spec.rows)?;
        (from, to) = (to, from);
        run = run.saturating_mul(2);
    }
    let mut add = Shader::new(cx, spec)?;
    let order = Operand::new(&mut add.params, "order", &from);
    let (values, out) = (cx.bind(&mut add.params, "values")?, cx.bind(&mut add.params, "out")?);
    let vector = if spec.width.is_multiple_of(4) && values.aligned && out.aligned { Width::Four } else { Width::One };
    let width = add.params.add("width", spec.width);
    let text = format!(
        "fn item(i: u32) {{
    let e = i * {elements}u;
    let entry = e / {width};
    let column = e % {width};
    var low = 0u;
    var high = p.rows;
    while (low < high) {{
        let middle = (low + high) / 2u;
        if (key({middle}) < entry) {{
            low = middle + 1u;
        }} else {{
            high = middle;
        }}
    }}
    var sum = T(0.0);
    while (low < p.rows) {{
        let row = {row};
        if (key(row) != entry) {{
            break;
        }}
        sum += {value};
        low++;
    }}
    {store}
}}
",
        elements = vector.elements(),
        middle = order.word(vector, "middle"),
        row = order.word(vector, "low"),
        value = values.floats(vector, &format!("row * {width} + column")),
        store = out.store(vector, "e", "sum"),
    );
    let key = key(&add.index, vector);
    cx.each("index_add", vector, add.params, &(key + &text), spec.entries * spec.width / vector.elements())
}

/// What the shaders share: the number of rows and `key(row)`, the index of a row.
struct Shader {
    params: Params,
    index: Operand,
    text: String,
}

impl Shader {
    fn new(cx: &Lower<'_>, spec: &IndexAddSpec) -> Result<Self, ExecError> {
        let mut params = Params::default();
        params.add("rows", spec.rows);
        let index = cx.bind(&mut params, "index")?;
        let text = key(&index, Width::One);
        Ok(Self { params, index, text })
    }
}

fn key(index: &Operand, width: Width) -> String {
    format!("fn key(row: u32) -> u32 {{\n    return {};\n}}\n\n", index.word(width, "row"))
}
