// Reduces the middle of [outer, reduced, inner]. `element`, `first`, `join`, `finish` and `store` are generated.

fn output(o: u32, at: u32, lane: u32) {
    let row = o / p.inner;
    let column = o % p.inner;
    var a = first();
    if (o < p.outputs) {
        for (var r = lane; r < p.reduced; r += p.lanes) {
            a = join(a, element(row, r, column, (row * p.reduced + r) * p.inner + column));
        }
    }
    a = finish(at, lane, a);
    if (lane == 0u && o < p.outputs) {
        store(o, a);
    }
}
