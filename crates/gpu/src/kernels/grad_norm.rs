//! The 2-norm of several tensors together: one workgroup, or several whose sums another dispatch joins.

use downhill_compile::ExecError;
use downhill_graph::kernel::GradNormSpec;

use super::Lower;
use crate::shader::{GROUP, Operand, Params, Width, assemble};

const NORM: &str = wgsl!("grad_norm.wgsl");
const MAX_GROUPS: u32 = 256;

/// The 2-norm of several tensors together.
pub(super) fn lower(cx: &mut Lower<'_>, spec: &GradNormSpec) -> Result<(), ExecError> {
    let total: u32 = spec.lens.iter().sum();
    let one_group = cx.style.one_group();
    let groups = if total <= one_group { 1 } else { total.div_ceil(one_group / 4).min(MAX_GROUPS) };
    let mut params = Params::default();
    params.add("lanes", GROUP);
    params.add("groups", groups);
    let mut text = String::from("fn sums(first: u32, stride: u32) -> vec3<f32> {\n    var s = vec3<f32>(0.0);\n");
    for (i, &len) in spec.lens.iter().enumerate() {
        let read = cx.bind(&mut params, &format!("r{i}"))?;
        let len = params.add(format!("r{i}_len"), len);
        let value = read.float(Width::One, "i");
        text.push_str(&format!("    for (var i = first; i < {len}; i += stride) {{\n        s = add(s, {value});\n    }}\n"));
    }
    text.push_str("    return s;\n}\n\n");
    if groups == 1 {
        text.push_str(&finish(&cx.bind(&mut params, "out")?));
        cx.out.push(assemble("grad_norm", Width::One, params, &text, NORM, 1)?);
        return Ok(());
    }
    let scratch = cx.part(0, 3 * groups);
    let part = Operand::new(&mut params, "part", &scratch);
    let stores: String = ["x", "y", "z"]
        .iter()
        .enumerate()
        .map(|(i, c)| format!("    {}\n", part.store(Width::One, &format!("group * 3u + {i}u"), &format!("s.{c}"))))
        .collect();
    text.push_str(&format!("fn finish(group: u32, s: vec3<f32>) {{\n{stores}}}\n"));
    cx.out.push(assemble("grad_norm", Width::One, params, &text, NORM, groups)?);

    let mut params = Params::default();
    params.add("lanes", GROUP);
    params.add("groups", 1);
    let part = Operand::new(&mut params, "part", &scratch);
    let count = params.add("parts", groups);
    let loads = [0, 1, 2].map(|i| part.float(Width::One, &format!("i * 3u + {i}u"))).join(", ");
    let mut text = format!(
        "fn sums(first: u32, stride: u32) -> vec3<f32> {{
    var s = vec3<f32>(0.0);
    for (var i = first; i < {count}; i += stride) {{
        s += vec3<f32>({loads});
    }}
    return s;
}}

"
    );
    text.push_str(&finish(&cx.bind(&mut params, "out")?));
    cx.out.push(assemble("grad_norm_join", Width::One, params, &text, NORM, 1)?);
    Ok(())
}

fn finish(out: &Operand) -> String {
    format!("fn finish(group: u32, s: vec3<f32>) {{\n    {}\n}}\n", out.store(Width::One, "0u", "root(s)"))
}
