// y = (x − mean) · rstd · weight + bias along a row, with its mean and rstd = 1 / √(variance + eps).

fn output(row: u32, at: u32, lane: u32) {
    let first = row * p.cols;
    let live = row < p.rows;
    var mean = 0.0;
    if (CENTERED) {
        var sum = 0.0;
        if (live) {
            for (var c = lane; c < p.cols; c += p.lanes) {
                sum += load_x(first + c);
            }
        }
        mean = lanes_sum(at, lane, sum) / f32(p.cols);
    }
    var squares = 0.0;
    if (live) {
        for (var c = lane; c < p.cols; c += p.lanes) {
            let d = load_x(first + c) - mean;
            squares = fma(d, d, squares);
        }
    }
    squares = lanes_sum(at, lane, squares);
    let rstd = 1.0 / sqrt(squares / f32(p.cols) + bitcast<f32>(p.eps));
    if (live) {
        for (var c = lane; c < p.cols; c += p.lanes) {
            store_out(first + c, (load_x(first + c) - mean) * rstd * weight(c) + bias(c));
        }
        if (lane == 0u) {
            store_mean(row, mean);
            store_rstd(row, rstd);
        }
    }
}
