// The weighted mean of an elementwise loss over [rows, cols] and its gradient. Every workgroup adds up the weights
// itself; its first p.lanes invocations work.

fn total_weight(local: u32) -> f32 {
    if (!WEIGHTED) {
        return f32(p.rows);
    }
    var sum = 0.0;
    for (var row = local; row < p.rows; row += p.lanes) {
        sum += row_weight(row);
    }
    return lanes_sum(local, local, sum);
}

fn run(group: u32, local: u32) {
    let total = total_weight(local);
    let count = total * f32(p.cols);
    let elements = p.rows * p.cols;
    var sum = 0.0;
    for (var e = group * p.lanes + local; local < p.lanes && e < elements; e += p.groups * p.lanes) {
        let weight = row_weight(e / p.cols);
        // Not a product: a row without weight adds nothing even where its own loss is not finite.
        if (weight == 0.0 || total == 0.0) {
            store_gradient(e, 0.0);
        } else {
            let both = piece(load_x(e), load_target(e)) * (weight / count);
            sum += both.x;
            store_gradient(e, both.y);
        }
    }
    sum = lanes_sum(local, local, sum);
    if (local == 0u) {
        finish(group, sum);
    }
}
