// The gradient of one query: with weights P and dP = dout · vᵀ it is Σ P · (dP − delta) · k, where delta = Σ P · dP = dout · out.

fn run(group: u32, local: u32) {
    let blocks = (p.queries + 63u) / 64u;
    let row = group / blocks;
    let sample = row / p.heads;
    let head = row % p.heads;
    let kv_head = head / (p.heads / p.kv_heads);
    let first = group % blocks * 64u;
    if (sample >= p.batch) {
        return;
    }
    let query = first + local;
    let live = query < p.queries;
    let slope = slope_of(head);
    let seen = select(vec2<u32>(0u, 0u), visible(query, length_of(sample)), live);
    let keys = reach(first);
    var q: array<f32, WIDTH>;
    var dout: array<f32, WIDTH>;
    var sums: array<f32, WIDTH>;
    var delta = 0.0;
    var lse = 0.0;
    if (live) {
        lse = load_lse(row * p.queries + query);
        let at = out_first(sample, head, query);
        for (var d = 0u; d < WIDTH; d++) {
            q[d] = q_element(q_first(sample, head, query), query, d);
            dout[d] = load_dout(at + d);
            delta = fma(dout[d], load_out(at + d), delta);
        }
        store_delta(row * p.queries + query, delta);
    }
    for (var tile = keys.x; tile < keys.y; tile += TILE) {
        fill_keys(sample, kv_head, tile, local);
        for (var key = max(tile, seen.x); key < min(tile + TILE, seen.y); key++) {
            var product = 0.0;
            var by_weight = 0.0;
            for (var d = 0u; d < WIDTH; d++) {
                product = fma(q[d], key_at(sample, kv_head, tile, key, d), product);
                by_weight = fma(dout[d], value_at(sample, kv_head, tile, key, d), by_weight);
            }
            let score = bent(product, query, key, slope);
            let by_score = expf(score.x - lse) * (by_weight - delta) * score.y;
            for (var d = 0u; d < WIDTH; d++) {
                sums[d] = fma(by_score, key_at(sample, kv_head, tile, key, d), sums[d]);
            }
        }
    }
    if (live) {
        for (var d = 0u; d < WIDTH; d++) {
            var value = sums[d];
            if (ROTARY) {
                value = turned(value, sums[other(d)], query, d, -1.0);
            }
            store_dq(q_first(sample, head, query) + d, value);
        }
    }
}
