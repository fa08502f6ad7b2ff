//! The matrix product in tiles: a workgroup of 8×8 invocations computes a tile of the result, each of them a block of 4 or 8 rows
//! and columns in registers.
//!
//! On a GPU both operands pass through workgroup memory in slabs of 16 along k, stored as `[k][rows / 4]` vectors whatever their layout, so
//! that NN, NT and TN run the same inner loop. A software adapter emulates barriers dearly: there every invocation loads from
//! the arena itself (three times as fast on SwiftShader).

use std::fmt::Write as _;

use downhill_compile::{Arg, ExecError, Space};
use downhill_graph::kernel::{MatLayout, MatMulSpec};

use super::product::{offset, row_sums, tail};
use super::{Lower, product};
use crate::shader::{Operand, Params, Width, assemble};

const TILE: &str = wgsl!("tile.wgsl");
const BLOCK: &str = wgsl!("block.wgsl");
const PARTS: [&str; 4] = ["x", "y", "z", "w"];
/// Workgroups from which a device is full: only then do larger blocks pay, which need fewer loads.
const FULL: u32 = 64;
/// Rows from which blocks of twelve waste little at the end.
const MANY_ROWS: u32 = 64;

/// Vectors of four rows (of `a`) and columns (of `b`) that an invocation holds.
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

    /// What SwiftShader likes best: 12×8 is a sixth faster than 8×8, and 16×16 spills.
    fn of_software(s: &MatMulSpec) -> Self {
        Self { rows: if s.m >= MANY_ROWS { 3 } else { 2 }, cols: 2 }
    }
}

/// Lowers a product that fills tiles.
pub(super) fn lower(cx: &mut Lower<'_>, s: &MatMulSpec) -> Result<(), ExecError> {
    let block = if cx.style.workgroup_memory { Block::of(s) } else { Block::of_software(s) };
    let width = if vectors(cx, s)? { Width::Four } else { Width::One };
    let mut params = Params::default();
    let a = cx.bind(&mut params, "a")?;
    let b = cx.bind(&mut params, "b")?;
    params.add("m", s.m);
    params.add("n", s.n);
    params.add("k", s.k * s.segments);
    let (tiles_m, tiles_n) = (s.m.div_ceil(32 * block.rows), s.n.div_ceil(32 * block.cols));
    params.add("tiles_m", tiles_m);
    params.add("tiles_n", tiles_n);
    params.add("batch", s.batch);
    // b is loaded as its transpose: rows are columns, and both operands take the same path.
    let b_layout = MatLayout { row_stride: s.b.col_stride, col_stride: s.b.row_stride, ..s.b };
    let a = Side::new(["a", "p.m", "row"], width, a, (s, &s.a), &mut params);
    let mut b = Side::new(["b", "p.n", "col"], width, b, (s, &b_layout), &mut params);
    b.patches = s.patches.as_ref().map(|patches| product::patches(&b.operand, s, patches, &mut params));
    let (name, template, mut text, multiply) = if cx.style.workgroup_memory {
        ("matmul_tile", TILE, a.guarded() + &b.guarded(), multiply_slabs(&block, s.row_sum))
    } else {
        ("matmul_block", BLOCK, b.patches.clone().unwrap_or_default(), multiply_blocks(&block, &a, &b, s.row_sum))
    };
    text.push_str(&tail(cx, s, width, &mut params)?);
    text.push_str(&row_sums(cx, s, width, &mut params)?);
    let template = template.replace("A_VECTORS", &block.rows.to_string()).replace("B_VECTORS", &block.cols.to_string());
    let template = fill(&template, "//@accumulators", &accumulators(&block, s.row_sum));
    let template = fill(&template, "//@multiply", &multiply);
    let template = fill(&template, "//@starts", &(a.starts(block.rows) + &b.starts(block.cols)));
    let template = fill(&template, "//@store", &store(&block, s.row_sum, cx.style.workgroup_memory));
    text.push_str(&store_vector(width));
    cx.out.push(assemble(name, width, params, &text, &template, s.batch * tiles_m * tiles_n)?);
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
    if s.patches.is_some() || s.segments > 1 {
        return Ok(false);
    }
    let mut fits = by_four(&s.n) && (!s.row_sum || by_four(&s.m)) && matrix(&s.a, s.m, s.k) && matrix(&s.b, s.k, s.n);
    fits &= aligned(cx.arg("a")?) && aligned(cx.arg("b")?);
    for (i, strides) in s.epilogue.iter().flat_map(|e| &e.read_strides).enumerate() {
        let contiguous =
            strides[2] == 1 && by_four(&strides[0]) && by_four(&strides[1]) && aligned(cx.arg(&format!("r{}", i + 1))?);
        fits &= strides[2] == 0 || contiguous;
    }
    Ok(fits)
}

/// Puts lines in the place of a marker, as far indented as that was.
fn fill(template: &str, marker: &str, lines: &str) -> String {
    let mut text = String::new();
    for line in template.lines() {
        match line.strip_suffix(marker) {
            Some(indent) => lines.lines().for_each(|l| text.push_str(&format!("{indent}{l}\n"))),
            None => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

/// One operand: its rows are rows of the result for `a`, columns for `b`.
struct Side {
    name: &'static str,
    /// Its number of rows and the first of a block, as WGSL.
    rows: &'static str,
    first: &'static str,
    width: Width,
    /// Whether four neighbours in memory lie along k.
    along_k: bool,
    operand: Operand,
    /// The part of an offset that is the row's, with `ROW` in its place, and the part that is k's, with `K`.
    offset: String,
    k_part: String,
    /// What reads it, where it is an image: see [`product::patches`].
    patches: Option<String>,
}

impl Side {
    fn new(
        [name, rows, first]: [&'static str; 3],
        width: Width,
        operand: Operand,
        (s, layout): (&MatMulSpec, &MatLayout),
        params: &mut Params,
    ) -> Self {
        let still = MatLayout { col_stride: 0, ..*layout };
        let moving = MatLayout { batch_stride: 0, row_stride: 0, ..*layout };
        let offset_of = |layout: &MatLayout, params: &mut Params| match s.patches {
            Some(_) if name == "b" => String::new(),
            _ => offset(name, ["batch", "ROW", "K"], s, layout, params),
        };
        let (offset, k_part) = (offset_of(&still, params), offset_of(&moving, params));
        Self { name, rows, first, width, along_k: layout.col_stride == 1, operand, offset, k_part, patches: None }
    }

    /// `load_<name>(batch, row, k) -> mat4x4<f32>`: column j holds rows `row` to `row + 3` at `k + j`; zero outside the matrix.
    /// Chosen, not branched to, for what lies outside of a buffer loads as anything: over dozens of branches SwiftShader's
    /// compiler takes more memory than a machine has.
    fn guarded(&self) -> String {
        let Self { name, rows, offset, k_part, .. } = self;
        if let Some(patches) = &self.patches {
            return format!("{patches}{GUARDED_PATCHES}");
        }
        let at = format!("{offset} + {k_part}").replace("ROW", "row").replace('K', "k");
        let element = self.operand.float(self.width, &at);
        let guard = |ty: &str, value: &str| format!("    return select({ty}(0.0), {value}, row < {rows} && k < p.k);\n}}\n\n");
        let head = |what: &str, ty: &str| format!("fn {name}_{what}(batch: u32, row: u32, k: u32) -> {ty} {{\n");
        let mut text = head("at", "f32") + &guard("f32", &element);
        text.push_str(&head("vector", "vec4<f32>"));
        match self.width {
            Width::Four => text.push_str(&guard("vec4<f32>", &self.operand.floats(self.width, &at))),
            // Each element is guarded itself.
            Width::One => {
                let next = |j: u32| if self.along_k { format!("row, k + {j}u") } else { format!("row + {j}u, k") };
                let all = [0, 1, 2, 3].map(|j| format!("{name}_at(batch, {})", next(j))).join(", ");
                text.push_str(&format!("    return vec4<f32>({all});\n}}\n\n"));
            }
        }
        let place = |j: u32| if self.along_k { format!("row + {j}u, k") } else { format!("row, k + {j}u") };
        let vectors = [0, 1, 2, 3].map(|j| format!("{name}_vector(batch, {})", place(j))).join(", ");
        let block = format!("mat4x4<f32>({vectors})");
        let block = if self.along_k { format!("transpose({block})") } else { block };
        let _ = write!(text, "fn load_{name}(batch: u32, row: u32, k: u32) -> mat4x4<f32> {{\n    return {block};\n}}\n\n");
        text
    }

    /// Whether places are counted in vectors: four elements of the arena load as one.
    fn by_vectors(&self) -> bool {
        self.width == Width::Four && self.operand.in_arena()
    }

    fn unit(&self) -> &'static str {
        if self.by_vectors() { " >> 2u" } else { "" }
    }

    /// `<name>_p<r>`: where row `r` of the blocks starts. Compilers of software adapters take nothing out of a loop.
    fn starts(&self, blocks: u32) -> String {
        let Self { name, first, offset, .. } = self;
        if self.patches.is_some() {
            let count = 4 * blocks;
            let each = format!("for (var r = 0u; r < {count}u; r++) {{\n    {name}_p[r] = {name}_column({first} + r);\n}}\n");
            return format!("var {name}_p: array<vec3<i32>, {count}>;\n{each}");
        }
        let (at, unit) = (self.operand.at(offset), self.unit());
        let start = |r: u32| format!("let {name}_p{r} = ({}){unit};\n", at.replace("ROW", &format!("({first} + {r}u)")));
        (0..4 * blocks).map(start).collect()
    }

    /// `<name>_k`: how far k lies from the start of a row; `<name>_c`: which part of a vector it is.
    fn step(&self) -> String {
        let Self { name, k_part, .. } = self;
        if self.patches.is_some() {
            return format!("let {name}_k = {name}_row(k);\nlet {name}_i = {name}_image(batch, k);\n");
        }
        let part = if self.by_vectors() && self.along_k { format!("let {name}_c = k & 3u;\n") } else { String::new() };
        format!("let {name}_k = ({}){};\n{part}", k_part.replace('K', "k"), self.unit())
    }

    /// Loads the four rows of a block at k into `<name><block>`.
    fn load(&self, block: u32) -> String {
        let Self { name, width, .. } = self;
        if self.patches.is_some() {
            // In a loop, as in `GUARDED_PATCHES`.
            let first = 4 * block;
            let each = format!("{name}{block}[r] = {name}_patch({name}_i, {name}_p[{first}u + r] + {name}_k);");
            return format!("var {name}{block}: vec4<f32>;\nfor (var r = 0u; r < 4u; r++) {{\n    {each}\n}}\n");
        }
        let place = |t: u32| format!("{name}_p{} + {name}_k", 4 * block + t);
        let each = |value: &dyn Fn(u32) -> String| format!("vec4<f32>({})", [0, 1, 2, 3].map(value).join(", "));
        let rows = match (self.by_vectors(), self.along_k) {
            (true, false) => self.operand.vector(&place(0)),
            (true, true) => each(&|t| self.operand.part(&place(t), &format!("{name}_c"))),
            (false, _) => each(&|t| self.operand.float_at(*width, &place(t))),
        };
        format!("let {name}{block} = {rows};\n")
    }
}

/// `load_b(batch, column, k)` of patches: column j of the result holds columns `column` to `column + 3` at `k + j`; zero outside the matrix.
/// In loops, for every place takes a dozen divisions and comparisons: unrolled, compilers of software adapters take minutes over it.
const GUARDED_PATCHES: &str = "fn load_b(batch: u32, column: u32, k: u32) -> mat4x4<f32> {
    var block: mat4x4<f32>;
    for (var j = 0u; j < 4u; j++) {
        let row = b_row(k + j);
        let image = b_image(batch, k + j);
        for (var i = 0u; i < 4u; i++) {
            let inside = k + j < p.k && column + i < p.n;
            block[j][i] = select(0.0, b_patch(image, b_column(column + i) + row), inside);
        }
    }
    return block;
}

";

/// `s<i>_<j>`: row i, vector j of the block. `rs<i>`: sums of rows 4i to 4i + 3.
fn accumulators(block: &Block, row_sum: bool) -> String {
    let mut text = String::new();
    for i in 0..4 * block.rows {
        for j in 0..block.cols {
            let _ = writeln!(text, "var s{i}_{j} = vec4<f32>(0.0);");
        }
    }
    for i in 0..if row_sum { block.rows } else { 0 } {
        let _ = writeln!(text, "var rs{i} = vec4<f32>(0.0);");
    }
    text
}

/// One k of a slab.
fn multiply_slabs(block: &Block, row_sum: bool) -> String {
    let mut text = String::new();
    for i in 0..block.rows {
        let _ = writeln!(text, "let a{i} = slab_a[k * A_ROW + {i}u * 8u + ty];");
    }
    for j in 0..block.cols {
        let _ = writeln!(text, "let b{j} = slab_b[k * B_ROW + {j}u * 8u + tx];");
    }
    for i in 0..4 * block.rows {
        let a = format!("a{}.{}", i / 4, PARTS[i as usize % 4]);
        for j in 0..block.cols {
            let _ = writeln!(text, "s{i}_{j} = fma(vec4<f32>({a}), b{j}, s{i}_{j});");
        }
    }
    for i in 0..if row_sum { block.rows } else { 0 } {
        let _ = writeln!(text, "rs{i} += a{i};");
    }
    text
}

/// One k, straight from the arena.
fn multiply_blocks(block: &Block, a: &Side, b: &Side, row_sum: bool) -> String {
    let mut text = a.step() + &b.step();
    (0..block.rows).for_each(|i| text.push_str(&a.load(i)));
    (0..block.cols).for_each(|j| text.push_str(&b.load(j)));
    for i in 0..4 * block.rows {
        for j in 0..block.cols {
            let _ = writeln!(text, "s{i}_{j} = fma(vec4<f32>(a{}.{}), b{j}, s{i}_{j});", i / 4, PARTS[i as usize % 4]);
        }
    }
    for i in 0..if row_sum { block.rows } else { 0 } {
        let _ = writeln!(text, "rs{i} += a{i};");
    }
    text
}

/// Stores the block. Between the vectors of an invocation lie those of its neighbours in a tile, nothing where it loads for itself.
fn store(block: &Block, row_sum: bool, interleaved: bool) -> String {
    let apart = if interleaved { 32 } else { 4 };
    let mut text = String::new();
    for i in 0..4 * block.rows {
        for j in 0..block.cols {
            let (row, col) = (i / 4 * apart + i % 4, j * apart);
            let _ = writeln!(text, "store_vector(batch, row + {row}u, col + {col}u, s{i}_{j});");
        }
    }
    if row_sum {
        text.push_str("if (tile_n == 0u && tx == 0u) {\n");
        for i in 0..block.rows {
            let _ = writeln!(text, "    store_row_sums(row + {}u, rs{i});", i * apart);
        }
        text.push_str("}\n");
    }
    text
}

/// `store_vector(batch, row, col, value)` and `store_row_sums(row, sums)`, which leave out what lies outside the result.
fn store_vector(width: Width) -> String {
    let each = |f: &dyn Fn(usize) -> String| (0..4).map(f).collect::<String>();
    let (columns, rows) = match width {
        Width::Four => (
            "    if (row < p.m && col < p.n) {\n        store(batch, row, col, value);\n    }\n".to_string(),
            "    if (row < p.m) {\n        store_row_sum(row, sums);\n    }\n".to_string(),
        ),
        Width::One => (
            each(&|c| {
                let part = PARTS[c];
                format!(
                    "    if (row < p.m && col + {c}u < p.n) {{\n        store(batch, row, col + {c}u, value.{part});\n    }}\n"
                )
            }),
            each(&|r| format!("    if (row + {r}u < p.m) {{\n        store_row_sum(row + {r}u, sums.{});\n    }}\n", PARTS[r])),
        ),
    };
    format!(
        "fn store_vector(batch: u32, row: u32, col: u32, value: vec4<f32>) {{\n{columns}}}\n\n\
         fn store_row_sums(row: u32, sums: vec4<f32>) {{\n{rows}}}\n\n"
    )
}
