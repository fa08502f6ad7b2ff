//! Recurrent cells over time in one dispatch: workgroups of four sequences, with their states in workgroup memory where it is large enough.

use downhill_compile::ExecError;
use downhill_graph::kernel::{Pass, RecurrentCell, ScanSpec};

use super::Lower;
use super::rows::{load, store};
use crate::shader::{GROUP, Operand, Params, Width, assemble};

const SCAN: &str = wgsl!("scan.wgsl");
const SCAN_GRAD: &str = wgsl!("scan_grad.wgsl");
/// Sequences per workgroup.
const ROWS: u32 = 4;
/// Vectors of four numbers that every device has in the memory of a workgroup.
const SHARED: u32 = 1024;

/// All steps in one dispatch.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &ScanSpec) -> Result<(), ExecError> {
    let mut params = Params::default();
    params.add("batch", spec.batch);
    params.add("steps", spec.steps);
    let cell = spec.recurrence.cell;
    let mut text = format!(
        "const HIDDEN: u32 = {}u;\nconst PARTS: u32 = {}u;\nconst KEPT: u32 = {}u;\nconst UNITS: u32 = {}u;\nconst REVERSE: bool = {};\n\n",
        spec.hidden,
        cell.parts(),
        cell.kept(),
        spec.hidden.div_ceil(GROUP),
        spec.recurrence.reverse,
    );
    let w = cx.bind(&mut params, "w")?;
    text.push_str(&load("w", &w));
    text.push_str(&ends(cx, &mut params, spec)?);
    let (name, template) = match spec.pass {
        Pass::Forward => ("scan", SCAN),
        Pass::Backward { .. } => ("scan_grad", SCAN_GRAD),
    };
    text.push_str(&match spec.pass {
        Pass::Forward => forward(cx, &mut params, spec)?,
        Pass::Backward { by_steps, by_last } => backward(cx, &mut params, spec, (by_steps, by_last))?,
    });
    cx.out.push(assemble(name, Width::One, params, &text, template, spec.batch.div_ceil(ROWS))?);
    Ok(())
}

/// `ends_of(first)`: how many steps the four sequences have.
fn ends(cx: &Lower<'_>, params: &mut Params, spec: &ScanSpec) -> Result<String, ExecError> {
    if !spec.recurrence.lengths {
        return Ok("fn ends_of(first: u32) -> vec4<f32> {\n    return vec4<f32>(f32(p.steps));\n}\n\n".to_string());
    }
    let lengths = load("lengths", &cx.bind(params, "lengths")?);
    Ok(lengths + &of_rows("ends_of", "", "load_lengths(row)"))
}

/// A function of the first of four sequences that gives `value` of each `row` as a vector; 0 of those beyond the batch.
fn of_rows(name: &str, more: &str, value: &str) -> String {
    format!(
        "fn {name}(first: u32{more}) -> vec4<f32> {{
    var all = vec4<f32>(0.0);
    for (var r = 0u; r < 4u; r++) {{
        let row = first + r;
        if (row < p.batch) {{
            all[r] = {value};
        }}
    }}
    return all;
}}

"
    )
}

/// `name(first, j)`: an initial state of four sequences.
fn start(cx: &Lower<'_>, params: &mut Params, name: &str, operand: Option<&str>) -> Result<String, ExecError> {
    let value = match operand {
        Some(operand) => cx.bind(params, operand)?.float(Width::One, "row * HIDDEN + j"),
        None => "0.0".to_string(),
    };
    Ok(of_rows(name, ", j: u32", &value))
}

/// The initial states that are given: h, c.
fn initial(spec: &ScanSpec) -> [Option<&'static str>; 2] {
    let given = spec.recurrence.initial;
    [given.then_some("h0"), (given && spec.recurrence.cell.states() > 1).then_some("c0")]
}

fn forward(cx: &mut Lower<'_>, params: &mut Params, spec: &ScanSpec) -> Result<String, ExecError> {
    let cell = spec.recurrence.cell;
    let [h0, c0] = initial(spec);
    let mut text = start(cx, params, "start_h", h0)? + &start(cx, params, "start_c", c0)?;
    for name in ["x", "b"] {
        text.push_str(&load(name, &cx.bind(params, name)?));
    }
    for name in ["h", "last"].into_iter().chain((cell.kept() > 0).then_some("kept")) {
        text.push_str(&store(name, &cx.bind(params, name)?));
    }
    text.push_str(&states(cx, params, spec));
    text.push_str(&projections(cell));
    let clear = if cell.kept() > 0 { "store_kept((at * KEPT + n) * HIDDEN + j, 0.0);" } else { "" };
    text.push_str(&format!(
        "fn clear(at: u32, j: u32) {{\n    for (var n = 0u; n < KEPT; n++) {{\n        {clear}\n    }}\n}}\n\n"
    ));
    text.push_str(&format!(
        "fn unit(at: u32, u: u32, j: u32, r: u32, q: array<vec4<f32>, PARTS>, before: f32) -> f32 {{
    let x = at * PARTS * HIDDEN + j;
    let kept = at * KEPT * HIDDEN + j;
{}}}

",
        match cell {
            RecurrentCell::RnnTanh => "    return tanhf(load_x(x) + q[0][r]);\n",
            RecurrentCell::RnnRelu => "    return reluf(load_x(x) + q[0][r]);\n",
            RecurrentCell::Lstm => LSTM,
            RecurrentCell::Gru => GRU,
        }
    ));
    Ok(text)
}

/// `state(first, k)` and `put_state`, in workgroup memory or else in scratch, and `settle()`, after which what lanes wrote is there for all.
fn states(cx: &mut Lower<'_>, params: &mut Params, spec: &ScanSpec) -> String {
    if spec.hidden <= SHARED {
        return "var<workgroup> states: array<vec4<f32>, HIDDEN>;

fn state(first: u32, k: u32) -> vec4<f32> {
    return states[k];
}

fn put_state(first: u32, k: u32, value: vec4<f32>) {
    states[k] = value;
}

fn settle() {
    workgroupBarrier();
}

"
        .to_string();
    }
    let scratch = cx.part(0, spec.batch.next_multiple_of(ROWS) * spec.hidden);
    let scratch = Operand::new(params, "states", &scratch);
    let place = |r: u32| format!("(first + {r}u) * HIDDEN + k");
    let loads = [0, 1, 2, 3].map(|r| scratch.float(Width::One, &place(r))).join(", ");
    let stores = [0, 1, 2, 3].map(|r| scratch.store(Width::One, &place(r), &format!("value[{r}]"))).join("\n    ");
    format!(
        "fn state(first: u32, k: u32) -> vec4<f32> {{\n    return vec4<f32>({loads});\n}}\n\n\
         fn put_state(first: u32, k: u32, value: vec4<f32>) {{\n    {stores}\n}}\n\n\
         fn settle() {{\n    storageBarrier();\n}}\n\n"
    )
}

/// `projections(first, j)`: W·h + b of every part of a unit.
fn projections(cell: RecurrentCell) -> String {
    let parts = 0..cell.parts();
    let starts: String = parts.clone().map(|n| format!("    var q{n} = vec4<f32>(load_b({n}u * HIDDEN + j));\n")).collect();
    let sums: String =
        parts.clone().map(|n| format!("        q{n} += load_w(({n}u * HIDDEN + j) * HIDDEN + k) * s;\n")).collect();
    let all = parts.map(|n| format!("q{n}")).collect::<Vec<_>>().join(", ");
    format!(
        "fn projections(first: u32, j: u32) -> array<vec4<f32>, PARTS> {{
{starts}    for (var k = 0u; k < HIDDEN; k++) {{
        let s = state(first, k);
{sums}    }}
    return array<vec4<f32>, PARTS>({all});
}}

"
    )
}

const LSTM: &str = "    let i = sigmoidf(load_x(x) + q[0][r]);
    let f = sigmoidf(load_x(x + HIDDEN) + q[1][r]);
    let g = tanhf(load_x(x + 2u * HIDDEN) + q[2][r]);
    let o = sigmoidf(load_x(x + 3u * HIDDEN) + q[3][r]);
    let c = f * cells[u][r] + i * g;
    cells[u][r] = c;
    store_kept(kept, i);
    store_kept(kept + HIDDEN, f);
    store_kept(kept + 2u * HIDDEN, g);
    store_kept(kept + 3u * HIDDEN, o);
    store_kept(kept + 4u * HIDDEN, c);
    return o * tanhf(c);
";

const GRU: &str = "    let reset = sigmoidf(load_x(x) + q[0][r]);
    let z = sigmoidf(load_x(x + HIDDEN) + q[1][r]);
    let n = tanhf(load_x(x + 2u * HIDDEN) + reset * q[2][r]);
    store_kept(kept, reset);
    store_kept(kept + HIDDEN, z);
    store_kept(kept + 2u * HIDDEN, n);
    store_kept(kept + 3u * HIDDEN, q[2][r]);
    return (1.0 - z) * n + z * before;
";

fn backward(
    cx: &mut Lower<'_>,
    params: &mut Params,
    spec: &ScanSpec,
    (by_steps, by_last): (bool, bool),
) -> Result<String, ExecError> {
    let cell = spec.recurrence.cell;
    let [h0, c0] = initial(spec);
    let mut text = String::new();
    for (name, operand) in [("start_h", h0), ("start_c", c0)] {
        let value = match operand {
            Some(operand) => cx.bind(params, operand)?.float(Width::One, "row * HIDDEN + j"),
            None => "0.0".to_string(),
        };
        text.push_str(&format!("fn {name}(row: u32, j: u32) -> f32 {{\n    return {value};\n}}\n\n"));
    }
    text.push_str(&start(cx, params, "start_carry", by_last.then_some("dlast"))?);
    for name in ["h"].into_iter().chain((cell.kept() > 0).then_some("kept")) {
        text.push_str(&load(name, &cx.bind(params, name)?));
    }
    text.push_str(&match by_steps {
        true => load("dh", &cx.bind(params, "dh")?),
        false => "fn load_dh(i: u32) -> f32 {\n    return 0.0;\n}\n\n".to_string(),
    });
    let (dx, dq) = (cx.bind(params, "dx")?, if cell == RecurrentCell::Gru { Some(cx.bind(params, "dq")?) } else { None });
    text.push_str(&(store("dx", &dx) + &store("before", &cx.bind(params, "before")?)));
    text.push_str(&recurrent(spec, dq.as_ref().unwrap_or(&dx)));
    let put_dq = match &dq {
        Some(dq) => dq.store(Width::One, "x + n * HIDDEN", "value"),
        None => String::new(),
    };
    text.push_str(&format!("fn put_dq(x: u32, n: u32, value: f32) {{\n    {put_dq}\n}}\n\n"));
    text.push_str(&finish(cx, params, initial(spec))?);
    text.push_str(&format!(
        "fn put(at: u32, n: u32, j: u32, r: u32, dx: f32, dq: f32) {{
    let x = at * PARTS * HIDDEN + j;
    store_dx(x + n * HIDDEN, dx);
    put_dq(x, n, dq);
    put_d(n * HIDDEN + j, r, dq);
}}

fn skip(row: u32, at: u32, j: u32, r: u32) {{
    if (row < p.batch) {{
        store_before(at * HIDDEN + j, 0.0);
        for (var n = 0u; n < PARTS; n++) {{
            put(at, n, j, r, 0.0, 0.0);
        }}
    }}
}}

fn unit(row: u32, at: u32, place: u32, begins: bool, u: u32, j: u32, r: u32, dh: f32, before: f32) {{
    let kept = at * KEPT * HIDDEN + j;
{}}}

",
        match cell {
            RecurrentCell::RnnTanh => RNN_TANH_BACK,
            RecurrentCell::RnnRelu => RNN_RELU_BACK,
            RecurrentCell::Lstm => LSTM_BACK,
            RecurrentCell::Gru => GRU_BACK,
        }
    ));
    Ok(text)
}

/// `d(first, t, row)`: the gradient of a row of W·h + b, of four sequences; `put_d`, and `settle()` as of the states.
fn recurrent(spec: &ScanSpec, dq: &Operand) -> String {
    if spec.hidden * spec.recurrence.cell.parts() as u32 <= SHARED {
        return "var<workgroup> shared_d: array<vec4<f32>, PARTS * HIDDEN>;

fn d(first: u32, t: u32, row: u32) -> vec4<f32> {
    return shared_d[row];
}

fn put_d(i: u32, r: u32, value: f32) {
    shared_d[i][r] = value;
}

fn settle() {
    workgroupBarrier();
}

"
        .to_string();
    }
    let value = dq.float(Width::One, "(row * p.steps + t) * PARTS * HIDDEN + i");
    of_rows("d", ", t: u32, i: u32", &value)
        + "fn put_d(i: u32, r: u32, value: f32) {\n}\n\nfn settle() {\n    storageBarrier();\n}\n\n"
}

/// `finish(i, dh, dc)`: the gradients of the initial states that are given.
fn finish(cx: &Lower<'_>, params: &mut Params, given: [Option<&str>; 2]) -> Result<String, ExecError> {
    let mut lines = String::new();
    for (given, name, value) in [(given[0], "dh0", "dh"), (given[1], "dc0", "dc")] {
        if given.is_some() {
            lines.push_str(&format!("    {}\n", cx.bind(params, name)?.store(Width::One, "i", value)));
        }
    }
    Ok(format!("fn finish(i: u32, dh: f32, dc: f32) {{\n{lines}}}\n\n"))
}

const RNN_TANH_BACK: &str = "    let after = load_h(at * HIDDEN + j);
    let dx = dh * (1.0 - after * after);
    put(at, 0u, j, r, dx, dx);
    carry[u][r] = 0.0;
";

const RNN_RELU_BACK: &str = "    let dx = select(0.0, dh, load_h(at * HIDDEN + j) > 0.0);
    put(at, 0u, j, r, dx, dx);
    carry[u][r] = 0.0;
";

const LSTM_BACK: &str = "    let i = load_kept(kept);
    let f = load_kept(kept + HIDDEN);
    let g = load_kept(kept + 2u * HIDDEN);
    let o = load_kept(kept + 3u * HIDDEN);
    let c = tanhf(load_kept(kept + 4u * HIDDEN));
    var cell_before = start_c(row, j);
    if (!begins) {
        cell_before = load_kept((place * KEPT + 4u) * HIDDEN + j);
    }
    let dc = carry_c[u][r] + dh * o * (1.0 - c * c);
    let di = dc * g * i * (1.0 - i);
    let df = dc * cell_before * f * (1.0 - f);
    let dg = dc * i * (1.0 - g * g);
    let d_o = dh * c * o * (1.0 - o);
    put(at, 0u, j, r, di, di);
    put(at, 1u, j, r, df, df);
    put(at, 2u, j, r, dg, dg);
    put(at, 3u, j, r, d_o, d_o);
    carry_c[u][r] = dc * f;
    carry[u][r] = 0.0;
";

const GRU_BACK: &str = "    let reset = load_kept(kept);
    let z = load_kept(kept + HIDDEN);
    let n = load_kept(kept + 2u * HIDDEN);
    let q = load_kept(kept + 3u * HIDDEN);
    let dn = dh * (1.0 - z) * (1.0 - n * n);
    let dr = dn * q * reset * (1.0 - reset);
    let dz = dh * (before - n) * z * (1.0 - z);
    put(at, 0u, j, r, dr, dr);
    put(at, 1u, j, r, dz, dz);
    put(at, 2u, j, r, dn, dn * reset);
    carry[u][r] = dh * z;
";
