//! The tiled matrix product: a workgroup of 8×8 invocations computes a tile of the result, each of them a block of 4 or 8 rows
//! and columns in registers. Both operands pass through workgroup memory in slabs of 16 along k, stored as `[k][rows / 4]` vectors whatever
//! their layout, so that NN, NT and TN run the same inner loop.

use std::fmt::Write as _;

use downhill_compile::{Arg, ExecError, Space};
use downhill_graph::kernel::{MatLayout, MatMulSpec};

use super::Lower;
use super::matmul::{offset, row_sums, tail};
use crate::shader::{Operand, Params, Width, assemble};

const TILE: &str = include_str!("../wgsl/tile.wgsl");
/// Workgroups from which a device is full: only then do larger blocks pay, which need fewer loads.
const FULL: u32 = 64;

/// Vectors of four rows (of `a`) and columns (of `b`) that an invocation holds: 1 or 2 each.
struct Block {
    rows: u32,
    cols: u32,
}

impl Block {
    /// The largest block that leaves enough workgroups, one axis after the other.
    fn of(s: &MatMulSpec) -> Self {
        let groups = |rows: u32, cols: u32| s.batch * s.m.div_ceil(32 * rows) * s.n.div_ceil(32 * cols);
        if s.m > 32 && s.n > 32 && groups(2, 2) >= FULL {
            return Self { rows: 2, cols: 2 };
        }
        if s.n > 32 && groups(1, 2) >= FULL { Self { rows: 1, cols: 2 } } else { Self { rows: 1, cols: 1 } }
    }
}

/// Lowers a product that fills tiles.
pub(super) fn lower(cx: &mut Lower<'_>, s: &MatMulSpec) -> Result<(), ExecError> {
    let block = Block::of(s);
    let width = if vectors(cx, s)? { Width::Four } else { Width::One };
    let mut params = Params::default();
    let a = Operand::new(&mut params, "a", cx.read(0)?);
    let b = Operand::new(&mut params, "b", cx.read(1)?);
    params.add("m", s.m);
    params.add("n", s.n);
    params.add("k", s.k);
    let (tiles_m, tiles_n) = (s.m.div_ceil(32 * block.rows), s.n.div_ceil(32 * block.cols));
    params.add("tiles_m", tiles_m);
    params.add("tiles_n", tiles_n);
    params.add("batch", s.batch);
    // b is loaded as its transpose: rows are columns, and both operands take the same path.
    let b_layout = MatLayout { row_stride: s.b.col_stride, col_stride: s.b.row_stride, ..s.b };
    let mut text = loader("a", "p.m", width, &a, &s.a, &mut params) + &loader("b", "p.n", width, &b, &b_layout, &mut params);
    text.push_str(&tail(cx, s, width, &mut params)?);
    text.push_str(&row_sums(cx, s, width, &mut params)?);
    let template = TILE
        .replace("A_VECTORS", &block.rows.to_string())
        .replace("B_VECTORS", &block.cols.to_string())
        .replace("    //@accumulators\n", &accumulators(&block, s.row_sum))
        .replace("            //@multiply\n", &multiply(&block, s.row_sum))
        .replace("    //@store\n", &store(&block, width, s.row_sum));
    cx.out.push(assemble("matmul_tile", width, params, &text, &template, s.batch * tiles_m * tiles_n)?);
    Ok(())
}

/// Whether everything can be loaded and stored four at a time.
fn vectors(cx: &Lower<'_>, s: &MatMulSpec) -> Result<bool, ExecError> {
    let by_four = |n: &u32| n.is_multiple_of(4);
    let aligned = |arg: &Arg| arg.region.space == Space::Data || by_four(&(arg.region.offset + arg.start));
    let matrix = |l: &MatLayout, rows: u32, cols: u32| {
        by_four(&l.batch_stride)
            && match (l.row_stride, l.col_stride) {
                (outer, 1) => by_four(&outer) && by_four(&cols),
                (1, outer) => by_four(&outer) && by_four(&rows),
                _ => false,
            }
    };
    let mut fits = by_four(&s.n) && (!s.row_sum || by_four(&s.m)) && matrix(&s.a, s.m, s.k) && matrix(&s.b, s.k, s.n);
    fits &= aligned(cx.read(0)?) && aligned(cx.read(1)?);
    for (i, strides) in s.epilogue.iter().flat_map(|e| &e.read_strides).enumerate() {
        let contiguous = strides[2] == 1 && by_four(&strides[0]) && by_four(&strides[1]) && aligned(cx.read(i + 2)?);
        fits &= strides[2] == 0 || contiguous;
    }
    Ok(fits)
}

/// `fn load_<name>(batch, row, k) -> mat4x4<f32>`: column j holds rows `row` to `row + 3` at `k + j`; zero outside the matrix.
fn loader(name: &str, rows: &str, width: Width, operand: &Operand, layout: &MatLayout, params: &mut Params) -> String {
    let mut text = String::new();
    let at = offset(name, ["batch", "row", "k"], layout, params);
    let (along_k, load) = match width {
        Width::Four => (layout.col_stride == 1, operand.floats(Width::Four, &at)),
        Width::One => (false, String::new()),
    };
    if width == Width::One {
        let value = operand.float(Width::One, &at);
        let _ = write!(
            text,
            "fn {name}_at(batch: u32, row: u32, k: u32) -> f32 {{
    if (row < {rows} && k < p.k) {{
        return {value};
    }}
    return 0.0;
}}

fn {name}_vector(batch: u32, row: u32, k: u32) -> vec4<f32> {{
    return vec4<f32>({name}_at(batch, row, k), {name}_at(batch, row + 1u, k), {name}_at(batch, row + 2u, k), {name}_at(batch, row + 3u, k));
}}

"
        );
    } else {
        let _ = write!(
            text,
            "fn {name}_vector(batch: u32, row: u32, k: u32) -> vec4<f32> {{
    if (row < {rows} && k < p.k) {{
        return {load};
    }}
    return vec4<f32>(0.0);
}}

"
        );
    }
    let vector = |j: u32| match along_k {
        true => format!("{name}_vector(batch, row + {j}u, k)"),
        false => format!("{name}_vector(batch, row, k + {j}u)"),
    };
    let vectors = [0, 1, 2, 3].map(vector).join(", ");
    let block = format!("mat4x4<f32>({vectors})");
    let block = if along_k { format!("transpose({block})") } else { block };
    let _ = write!(text, "fn load_{name}(batch: u32, row: u32, k: u32) -> mat4x4<f32> {{\n    return {block};\n}}\n\n");
    text
}

/// `s<i>_<j>`: row i, vector j of the block. `rs<i>`: sums of rows 4i to 4i + 3.
fn accumulators(block: &Block, row_sum: bool) -> String {
    let mut text = String::new();
    for i in 0..4 * block.rows {
        for j in 0..block.cols {
            let _ = writeln!(text, "    var s{i}_{j} = vec4<f32>(0.0);");
        }
    }
    for i in 0..if row_sum { block.rows } else { 0 } {
        let _ = writeln!(text, "    var rs{i} = vec4<f32>(0.0);");
    }
    text
}

fn multiply(block: &Block, row_sum: bool) -> String {
    let mut text = String::new();
    for i in 0..block.rows {
        let _ = writeln!(text, "            let a{i} = slab_a[k * A_ROW + {i}u * 8u + ty];");
    }
    for j in 0..block.cols {
        let _ = writeln!(text, "            let b{j} = slab_b[k * B_ROW + {j}u * 8u + tx];");
    }
    for i in 0..4 * block.rows {
        let a = format!("a{}.{}", i / 4, ["x", "y", "z", "w"][i as usize % 4]);
        for j in 0..block.cols {
            let _ = writeln!(text, "            s{i}_{j} = fma(vec4<f32>({a}), b{j}, s{i}_{j});");
        }
    }
    for i in 0..if row_sum { block.rows } else { 0 } {
        let _ = writeln!(text, "            rs{i} += a{i};");
    }
    text
}

fn store(block: &Block, width: Width, row_sum: bool) -> String {
    let mut text = String::new();
    for i in 0..4 * block.rows {
        let row = format!("(row + {}u)", i / 4 * 32 + i % 4);
        for j in 0..block.cols {
            let col = format!("(col + {}u)", j * 32);
            let _ = writeln!(text, "    store_vector(batch, {row}, {col}, s{i}_{j});");
        }
    }
    if row_sum {
        text.push_str("    if (tile_n == 0u && tx == 0u) {\n");
        for i in 0..block.rows {
            let first = format!("row + {}u", i * 32);
            if width == Width::Four {
                let _ = writeln!(text, "        if ({first} < p.m) {{\n            store_row_sum({first}, rs{i});\n        }}");
                continue;
            }
            for c in 0..4 {
                let (row, part) = (format!("{first} + {c}u"), ["x", "y", "z", "w"][c]);
                let _ = writeln!(text, "        if ({row} < p.m) {{\n            store_row_sum({row}, rs{i}.{part});\n        }}");
            }
        }
        text.push_str("    }\n");
    }
    let guarded = match width {
        Width::Four => "        store(batch, row, col, value);\n".to_string(),
        Width::One => (0..4)
            .map(|c| {
                let part = ["x", "y", "z", "w"][c];
                format!("        if (col + {c}u < p.n) {{\n            store(batch, row, col + {c}u, value.{part});\n        }}\n")
            })
            .collect(),
    };
    format!("{text}}}\n\nfn store_vector(batch: u32, row: u32, col: u32, value: vec4<f32>) {{\n    if (row < p.m && col < p.n) {{\n{guarded}    }}\n")
}
