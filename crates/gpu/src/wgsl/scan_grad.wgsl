// The way back through recurrent cells, last step first: a workgroup has four sequences, one in each part of a vector, and a lane every 64th
// unit. `unit`, the recurrent gradients `d` of all parts and the accessors are generated.

var<private> carry: array<vec4<f32>, UNITS>;
var<private> carry_c: array<vec4<f32>, UNITS>;

fn run(group: u32, local: u32) {
    let first = group * 4u;
    let ends = ends_of(first);
    for (var u = 0u; u < UNITS; u++) {
        let j = local + u * 64u;
        if (j < HIDDEN) {
            carry[u] = start_carry(first, j);
        }
        carry_c[u] = vec4<f32>(0.0);
    }
    for (var i = 0u; i < p.steps; i++) {
        let t = select(p.steps - 1u - i, i, REVERSE);
        let previous = select(t - 1u, t + 1u, REVERSE);
        for (var u = 0u; u < UNITS; u++) {
            let j = local + u * 64u;
            if (j < HIDDEN) {
                step_unit(first, t, previous, i + 1u < p.steps, u, j, ends);
            }
        }
        settle();
        for (var u = 0u; u < UNITS; u++) {
            let j = local + u * 64u;
            if (j < HIDDEN) {
                var sum = carry[u];
                for (var row = 0u; row < PARTS * HIDDEN; row++) {
                    sum += load_w(row * HIDDEN + j) * d(first, t, row);
                }
                carry[u] = sum;
            }
        }
        settle();
    }
    for (var u = 0u; u < UNITS; u++) {
        let j = local + u * 64u;
        for (var r = 0u; r < 4u; r++) {
            if (j < HIDDEN && first + r < p.batch) {
                finish((first + r) * HIDDEN + j, carry[u][r], carry_c[u][r]);
            }
        }
    }
}

fn step_unit(first: u32, t: u32, previous: u32, has_previous: bool, u: u32, j: u32, ends: vec4<f32>) {
    for (var r = 0u; r < 4u; r++) {
        let row = first + r;
        let at = row * p.steps + t;
        if (row < p.batch && f32(t) < ends[r]) {
            let begins = !has_previous || f32(previous) >= ends[r];
            let place = row * p.steps + select(previous, t, begins);
            var before = start_h(row, j);
            if (!begins) {
                before = load_h(place * HIDDEN + j);
            }
            store_before(at * HIDDEN + j, before);
            unit(row, at, place, begins, u, j, r, carry[u][r] + load_dh(at * HIDDEN + j), before);
        } else {
            skip(row, at, j, r);
        }
    }
}
