// A matrix product, whose lanes share the sum over k. Column n, where there is one, holds the sums of the rows of a over all of the
// batch. `a_at`, `b_at`, `store` and `store_row_sum` are generated.

fn dot_product(batch: u32, row: u32, col: u32, lane: u32) -> f32 {
    var sum = 0.0;
    for (var k = lane; k < p.k; k += p.lanes) {
        sum = fma(a_at(batch, row, k), b_at(batch, col, k), sum);
    }
    return sum;
}

fn row_sum(row: u32, lane: u32) -> f32 {
    var sum = 0.0;
    for (var batch = 0u; batch < p.batch; batch++) {
        for (var k = lane; k < p.k; k += p.lanes) {
            sum += a_at(batch, row, k);
        }
    }
    return sum;
}

fn output(o: u32, at: u32, lane: u32) {
    let col = o % p.columns;
    let row = (o / p.columns) % p.m;
    let batch = o / (p.columns * p.m);
    let live = o < p.outputs;
    let extra = col == p.n;
    var sum = 0.0;
    if (live && !extra) {
        sum = dot_product(batch, row, col, lane);
    }
    if (live && extra && batch == 0u) {
        sum = row_sum(row, lane);
    }
    sum = lanes_sum(at, lane, sum);
    if (live && lane == 0u) {
        if (!extra) {
            store(batch, row, col, sum);
        } else if (batch == 0u) {
            store_row_sum(row, sum);
        }
    }
}
