// One pixel: windows are visited in their order. `share` and `store` are generated.

// The first window of an axis that sees an element.
fn first_window(at: u32, taps: u32, step: u32) -> u32 {
    return select(0u, (at - taps) / step + 1u, at >= taps);
}

// How many elements of an axis a window sees.
fn width_of(window: u32, step: u32, border: u32, taps: u32, size: u32) -> u32 {
    let start = i32(window * step) - i32(border);
    return u32(min(start + i32(taps), i32(size)) - max(start, 0));
}

fn item(i: u32) {
    let x = i % p.x_size;
    let y = i / p.x_size % p.y_size;
    let plane = i / (p.x_size * p.y_size) * p.y_places;
    let bottom = min((y + p.y_border) / p.y_step + 1u, p.y_places);
    let right = min((x + p.x_border) / p.x_step + 1u, p.x_places);
    var sum = 0.0;
    for (var v = first_window(y + p.y_border, p.y_taps, p.y_step); v < bottom; v++) {
        for (var u = first_window(x + p.x_border, p.x_taps, p.x_step); u < right; u++) {
            let rows = width_of(v, p.y_step, p.y_border, p.y_taps, p.y_size);
            let columns = width_of(u, p.x_step, p.x_border, p.x_taps, p.x_size);
            sum += share((plane + v) * p.x_places + u, i, rows * columns);
        }
    }
    store(i, sum);
}
