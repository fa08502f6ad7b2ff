// One window. `load`, `join` and `store` are generated.

struct Best {
    value: f32,
    at: u32,
}

fn item(o: u32) {
    let place = o / p.x_places;
    let plane = place / p.y_places * p.y_size;
    let top = i32(place % p.y_places * p.y_step) - i32(p.y_border);
    let left = i32(o % p.x_places * p.x_step) - i32(p.x_border);
    let bottom = u32(min(top + i32(p.y_taps), i32(p.y_size)));
    let right = u32(min(left + i32(p.x_taps), i32(p.x_size)));
    var best = Best(0.0, 0u);
    var seen = 0u;
    for (var y = u32(max(top, 0)); y < bottom; y++) {
        for (var x = u32(max(left, 0)); x < right; x++) {
            let at = (plane + y) * p.x_size + x;
            best = join(best, load(at), at, seen == 0u);
            seen++;
        }
    }
    store(o, best, seen);
}
