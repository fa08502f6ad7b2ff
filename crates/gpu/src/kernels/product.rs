//! What every product has, however it is computed: offsets into its matrices, patches of images, its fused tail, its row sums.

use downhill_compile::ExecError;
use downhill_graph::kernel::{MatLayout, MatMulSpec, Patches};

use super::Lower;
use crate::expr;
use crate::shader::{Operand, Params, Width};

/// The offset of an element of a matrix, its column counted through all segments.
pub(super) fn offset(
    name: &str,
    [batch, row, col]: [&str; 3],
    s: &MatMulSpec,
    layout: &MatLayout,
    params: &mut Params,
) -> String {
    let (mut batch, mut segment, mut col) = (batch.to_string(), String::new(), col.to_string());
    if name == "a" && s.cycle < s.batch && layout.batch_stride != 0 {
        batch = format!("({batch} % {})", params.add("cycle", s.cycle));
    }
    if s.segments > 1 && layout.col_stride != 0 {
        let depth = params.once("depth", s.k);
        (segment, col) = (format!("({col} / {depth})"), format!("({col} % {depth})"));
    }
    let strides =
        if segment.is_empty() { [layout.batch_stride, 0, layout.row_stride, layout.col_stride] } else { layout.strides() };
    let indices = [batch, segment, row.to_string(), col];
    let terms = indices.into_iter().zip(strides).zip(["batch", "segment", "row", "col"]);
    params.offset(terms.map(|((index, stride), what)| (index, stride, format!("{name}_{what}"))))
}

/// What reads an image as the matrix `b`: `b_column(column)` and `b_row(k)` give the two summands of a place, as channel offset, y and x;
/// `b_image(batch, k)` where the image starts; `b_patch(image, place)` the element, zero where there is none; `b_at(batch, column, k)` all of it.
pub(super) fn patches(operand: &Operand, s: &MatMulSpec, patches: &Patches, params: &mut Params) -> String {
    for (axis, w) in ["y", "x"].into_iter().zip(&patches.windows) {
        for (what, value) in [
            ("size", w.size),
            ("taps", w.kernel),
            ("places", w.places),
            ("step", w.step),
            ("dilation", w.dilation as u32),
            ("offset", w.offset as u32),
            ("divide", w.divide),
        ] {
            params.add(format!("{axis}_{what}"), value);
        }
    }
    let batch = params.offset([("batch".to_string(), s.b.batch_stride, "b_batch".to_string())].into_iter());
    let (segment, within) = if s.segments > 1 {
        let (depth, stride) = (params.once("depth", s.k), params.add("b_segment", s.b.segment_stride));
        (format!(" + k / {depth} * {stride}"), format!("k % {depth}"))
    } else {
        (String::new(), "k".to_string())
    };
    let (row, column) = if patches.transposed { ("place", "tap") } else { ("tap", "place") };
    let divided = patches.windows.iter().any(|w| w.divide > 1);
    let element = operand.float(Width::One, "u32(i32(image) + at.x + y * i32(p.x_size) + x)");
    let (y, x, whole) = if divided {
        ("at.y / i32(p.y_divide)", "at.z / i32(p.x_divide)", " && y * i32(p.y_divide) == at.y && x * i32(p.x_divide) == at.z")
    } else {
        ("at.y", "at.z", "")
    };
    format!(
        "fn b_place(i: u32) -> vec3<i32> {{
    let y = i32(i / p.x_places * p.y_step + p.y_offset);
    return vec3<i32>(0, y, i32(i % p.x_places * p.x_step + p.x_offset));
}}

fn b_tap(i: u32) -> vec3<i32> {{
    let y = i32(i / p.x_taps % p.y_taps * p.y_dilation);
    let channel = i32(i / (p.x_taps * p.y_taps) * p.y_size * p.x_size);
    return vec3<i32>(channel, y, i32(i % p.x_taps * p.x_dilation));
}}

fn b_column(column: u32) -> vec3<i32> {{
    return b_{column}(column);
}}

fn b_row(k: u32) -> vec3<i32> {{
    return b_{row}({within});
}}

fn b_image(batch: u32, k: u32) -> u32 {{
    return {batch}{segment};
}}

fn b_patch(image: u32, at: vec3<i32>) -> f32 {{
    let y = {y};
    let x = {x};
    let inside = at.y >= 0 && at.z >= 0 && y < i32(p.y_size) && x < i32(p.x_size){whole};
    return select(0.0, {element}, inside);
}}

fn b_at(batch: u32, column: u32, k: u32) -> f32 {{
    return b_patch(b_image(batch, k), b_column(column) + b_row(k));
}}

"
    )
}

/// `fn store(batch, row, col, product: T)`: the epilogue and its outputs, contiguous `[batch, m, n]`.
pub(super) fn tail(cx: &Lower<'_>, s: &MatMulSpec, width: Width, params: &mut Params) -> Result<String, ExecError> {
    let mut text = String::from("fn store(batch: u32, row: u32, col: u32, product: T) {\n");
    text.push_str("    let e = (batch * p.m + row) * p.n + col;\n");
    let Some(epilogue) = &s.epilogue else {
        let out = cx.bind(params, "out0")?;
        text.push_str(&format!("    {}\n}}\n\n", out.store(width, "e", "product")));
        return Ok(text);
    };
    for (i, strides) in epilogue.read_strides.iter().enumerate() {
        let read = cx.bind(params, &format!("r{}", i + 1))?;
        let terms = ["batch", "row", "col"].into_iter().zip(strides);
        let offset = params.offset(terms.map(|(index, &stride)| (index.to_string(), stride, format!("r{}_{index}", i + 1))));
        let value = if strides[2] == 1 { read.floats(width, &offset) } else { format!("T({})", read.float(width, &offset)) };
        text.push_str(&format!("    let r{} = {value};\n", i + 1));
    }
    let read = |n: u8| if n == 0 { "product".to_string() } else { format!("r{n}") };
    let index = if width == Width::Four { "(U(e) + U(0u, 1u, 2u, 3u))" } else { "e" };
    let body = expr::body(&epilogue.expr, params, index, &read, &expr::scalar);
    text.push_str(&body.lines);
    for (o, value) in body.outputs.iter().enumerate() {
        let out = cx.bind(params, &format!("out{o}"))?;
        text.push_str(&format!("    {}\n", out.store(width, "e", value)));
    }
    text.push_str("}\n\n");
    Ok(text)
}

/// `fn store_row_sum(row, sum: T)`, doing nothing where no row sums are wanted.
pub(super) fn row_sums(cx: &Lower<'_>, s: &MatMulSpec, width: Width, params: &mut Params) -> Result<String, ExecError> {
    let mut text = String::from("fn store_row_sum(row: u32, sum: T) {\n");
    if s.row_sum {
        let out = cx.bind(params, "row_sum")?;
        text.push_str(&format!("    {}\n", out.store(width, "row", "sum")));
    }
    text.push_str("}\n\n");
    Ok(text)
}
