// Softmax, or its logarithm, of each row.

fn output(row: u32, at: u32, lane: u32) {
    let first = row * p.cols;
    let live = row < p.rows;
    var largest = 0.0;
    if (live) {
        largest = load_x(first);
        for (var c = lane; c < p.cols; c += p.lanes) {
            largest = maxf(largest, load_x(first + c));
        }
    }
    largest = lanes_max(at, lane, largest);
    var sum = 0.0;
    if (live) {
        for (var c = lane; c < p.cols; c += p.lanes) {
            sum += expf(load_x(first + c) - largest);
        }
    }
    sum = lanes_sum(at, lane, sum);
    // A row that is masked completely.
    let masked = bitcast<u32>(largest) == 0xff800000u;
    if (live) {
        let log_sum = logf(sum);
        for (var c = lane; c < p.cols; c += p.lanes) {
            let x = load_x(first + c) - largest;
            if (LOG) {
                store_out(first + c, select(x - log_sum, largest, masked));
            } else {
                store_out(first + c, select(expf(x) / sum, 0.0, masked));
            }
        }
    }
}
