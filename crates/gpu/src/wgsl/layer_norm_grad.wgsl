// dx of a layer norm: rstd · (g − mean(g) − x̂ · mean(g · x̂)) with g = dy · weight.

fn output(row: u32, at: u32, lane: u32) {
    let first = row * p.cols;
    let live = row < p.rows;
    var mean = 0.0;
    var rstd = 0.0;
    var level = 0.0;
    var slope = 0.0;
    if (live) {
        mean = load_mean(row);
        rstd = load_rstd(row);
        for (var c = lane; c < p.cols; c += p.lanes) {
            let g = load_dy(first + c) * weight(c);
            level += g;
            slope = fma(g, (load_x(first + c) - mean) * rstd, slope);
        }
    }
    if (CENTERED) {
        level = lanes_sum(at, lane, level) / f32(p.cols);
    } else {
        level = 0.0;
    }
    slope = lanes_sum(at, lane, slope) / f32(p.cols);
    if (live) {
        for (var c = lane; c < p.cols; c += p.lanes) {
            let x = (load_x(first + c) - mean) * rstd;
            store_dx(first + c, rstd * (load_dy(first + c) * weight(c) - level - x * slope));
        }
    }
}
