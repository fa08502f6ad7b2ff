// Recurrent cells over all time steps: a workgroup has four sequences, one in each part of a vector, and a lane every 64th unit of their states.
// `projections`, `unit`, the states and the accessors are generated.

var<private> cells: array<vec4<f32>, UNITS>;
var<private> next: array<vec4<f32>, UNITS>;

fn run(group: u32, local: u32) {
    let first = group * 4u;
    let ends = ends_of(first);
    for (var u = 0u; u < UNITS; u++) {
        let j = local + u * 64u;
        if (j < HIDDEN) {
            put_state(first, j, start_h(first, j));
            cells[u] = start_c(first, j);
        }
    }
    for (var i = 0u; i < p.steps; i++) {
        let t = select(i, p.steps - 1u - i, REVERSE);
        settle();
        for (var u = 0u; u < UNITS; u++) {
            let j = local + u * 64u;
            if (j < HIDDEN) {
                step_unit(first, t, u, j, ends);
            }
        }
        settle();
        for (var u = 0u; u < UNITS; u++) {
            let j = local + u * 64u;
            if (j < HIDDEN) {
                put_state(first, j, next[u]);
            }
        }
    }
    for (var u = 0u; u < UNITS; u++) {
        let j = local + u * 64u;
        for (var r = 0u; r < 4u; r++) {
            if (j < HIDDEN && first + r < p.batch) {
                store_last((first + r) * HIDDEN + j, next[u][r]);
            }
        }
    }
}

fn step_unit(first: u32, t: u32, u: u32, j: u32, ends: vec4<f32>) {
    let before = state(first, j);
    let q = projections(first, j);
    next[u] = before;
    for (var r = 0u; r < 4u; r++) {
        let at = (first + r) * p.steps + t;
        if (first + r < p.batch) {
            let live = f32(t) < ends[r];
            if (live) {
                next[u][r] = unit(at, u, j, r, q, before[r]);
            } else {
                clear(at, j);
            }
            store_h(at * HIDDEN + j, select(0.0, next[u][r], live));
        }
    }
}
