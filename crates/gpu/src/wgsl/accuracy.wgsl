// The weighted share of rows predicted right; one workgroup.

fn run(group: u32, local: u32) {
    var right = 0.0;
    var total = 0.0;
    for (var row = local; row < p.rows; row += 64u) {
        let first = row * p.cols;
        var weight = row_weight(row);
        var hit = false;
        if (p.cols == 1u) {
            hit = (load_x(first) > 0.0) == (load_target(row) > 0.5);
        } else {
            var best = 0u;
            var largest = load_x(first);
            for (var c = 1u; c < p.cols; c++) {
                let x = load_x(first + c);
                if (x > largest) {
                    best = c;
                    largest = x;
                }
            }
            let own = label(row);
            hit = best == own;
            weight = select(0.0, weight, own < p.cols);
        }
        total += weight;
        right += select(0.0, weight, hit);
    }
    total = lanes_sum(local, local, total);
    right = lanes_sum(local, local, right);
    if (local == 0u) {
        store_out(0u, select(right / total, 0.0, total == 0.0));
    }
}
