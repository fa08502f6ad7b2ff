// dx of softmax, y·(dy − Σ y·dy), or of its logarithm, dy − eʸ·Σ dy; x is y.

fn output(row: u32, at: u32, lane: u32) {
    let first = row * p.cols;
    let live = row < p.rows;
    var sum = 0.0;
    var largest = 0.0;
    if (live) {
        largest = load_x(first);
        for (var c = lane; c < p.cols; c += p.lanes) {
            let dy = load_dy(first + c);
            if (LOG) {
                sum += dy;
                largest = maxf(largest, load_x(first + c));
            } else {
                sum = fma(load_x(first + c), dy, sum);
            }
        }
    }
    sum = lanes_sum(at, lane, sum);
    // A row that is masked completely has logarithms of −∞ only. (Its softmax is 0, and so is what comes of that.)
    if (LOG) {
        largest = lanes_max(at, lane, largest);
    }
    let masked = bitcast<u32>(largest) == 0xff800000u;
    if (live) {
        for (var c = lane; c < p.cols; c += p.lanes) {
            let y = load_x(first + c);
            let dy = load_dy(first + c);
            if (LOG) {
                store_out(first + c, select(dy - expf(y) * sum, 0.0, masked));
            } else {
                store_out(first + c, y * (dy - sum));
            }
        }
    }
}
