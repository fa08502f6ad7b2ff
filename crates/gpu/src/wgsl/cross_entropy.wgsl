// The weighted mean of the cross-entropy of [rows, cols] and its gradient; lanes share a row. A label that names no class weighs nothing.

fn weight_of(row: u32) -> f32 {
    if (label(row) < p.cols) {
        return row_weight(row);
    }
    return 0.0;
}

var<workgroup> sums: array<f32, 64>;

// Over the whole workgroup, in a fixed order.
fn group_sum(local: u32, value: f32) -> f32 {
    workgroupBarrier();
    sums[local] = value;
    for (var s = 32u; s > 0u; s /= 2u) {
        workgroupBarrier();
        if (local < s) {
            sums[local] += sums[local + s];
        }
    }
    workgroupBarrier();
    return sums[0];
}

fn run(group: u32, local: u32) {
    var weights = 0.0;
    for (var row = local; row < p.rows; row += 64u) {
        weights += weight_of(row);
    }
    let total = group_sum(local, weights);
    let lane = local % p.lanes;
    let slots = 64u / p.lanes;
    let classes = f32(p.cols);
    var sum = 0.0;
    for (var start = group * slots; start < p.rows; start += p.groups * slots) {
        let row = start + local / p.lanes;
        let live = row < p.rows;
        let first = row * p.cols;
        var largest = 0.0;
        if (live) {
            largest = load_x(first);
            for (var c = lane; c < p.cols; c += p.lanes) {
                largest = maxf(largest, load_x(first + c));
            }
        }
        largest = lanes_max(local, lane, largest);
        var powers = 0.0;
        var plain = 0.0;
        if (live) {
            for (var c = lane; c < p.cols; c += p.lanes) {
                let x = load_x(first + c) - largest;
                powers += expf(x);
                plain += x;
            }
        }
        powers = lanes_sum(local, lane, powers);
        if (SMOOTHING != 0.0) {
            plain = lanes_sum(local, lane, plain);
        }
        if (live) {
            let weight = weight_of(row);
            if (weight == 0.0 || total == 0.0) {
                for (var c = lane; c < p.cols; c += p.lanes) {
                    store_gradient(first + c, 0.0);
                }
            } else {
                let own = label(row);
                let share = weight / total;
                for (var c = lane; c < p.cols; c += p.lanes) {
                    let wanted = SMOOTHING / classes + select(0.0, 1.0 - SMOOTHING, c == own);
                    store_gradient(first + c, share * (expf(load_x(first + c) - largest) / powers - wanted));
                }
                if (lane == 0u) {
                    var loss = logf(powers) - (1.0 - SMOOTHING) * (load_x(first + own) - largest);
                    if (SMOOTHING != 0.0) {
                        loss -= SMOOTHING * (plain / classes);
                    }
                    sum += share * loss;
                }
            }
        }
    }
    sum = group_sum(local, sum);
    if (local == 0u) {
        finish(group, sum);
    }
}
