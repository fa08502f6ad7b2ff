// dx of softmax, y·(dy − Σ y·dy), or of its logarithm, dy − eʸ·Σ dy; x is y.

fn output(row: u32, at: u32, lane: u32) {
    let first = row * p.cols;
    let live = row < p.rows;
    var sum = 0.0;
    if (live) {
        for (var c = lane; c < p.cols; c += p.lanes) {
            let dy = load_dy(first + c);
            if (LOG) {
                sum += dy;
            } else {
                sum = fma(load_x(first + c), dy, sum);
            }
        }
    }
    sum = lanes_sum(at, lane, sum);
    if (live) {
        for (var c = lane; c < p.cols; c += p.lanes) {
            let y = load_x(first + c);
            let dy = load_dy(first + c);
            if (LOG) {
                store_out(first + c, dy - expf(y) * sum);
            } else {
                store_out(first + c, y * (dy - sum));
            }
        }
    }
}
