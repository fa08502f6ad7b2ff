// Attention of one query: the softmax of its scores is worked out while keys come by, each time the largest changes with all before rescaled.

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
    let place = place_of(query, length_of(sample));
    let seen = select(vec2<u32>(0u, 0u), visible(place, length_of(sample)), live);
    let keys = reach(first);
    var q: array<f32, WIDTH>;
    var sums: array<f32, WIDTH>;
    if (live) {
        for (var d = 0u; d < WIDTH; d++) {
            q[d] = q_element(q_first(sample, head, query), place, d);
        }
    }
    var largest = -3.0e38;
    var total = 0.0;
    for (var tile = keys.x; tile < keys.y; tile += TILE) {
        fill_keys(sample, kv_head, tile, local);
        for (var key = max(tile, seen.x); key < min(tile + TILE, seen.y); key++) {
            var product = 0.0;
            for (var d = 0u; d < WIDTH; d++) {
                product = fma(q[d], key_at(sample, kv_head, tile, key, d), product);
            }
            let score = bent(product, place, key, slope).x;
            if (score > largest) {
                let kept = expf(largest - score);
                total *= kept;
                for (var d = 0u; d < WIDTH; d++) {
                    sums[d] *= kept;
                }
                largest = score;
            }
            let weight = expf(score - largest);
            total += weight;
            for (var d = 0u; d < WIDTH; d++) {
                sums[d] = fma(weight, value_at(sample, kv_head, tile, key, d), sums[d]);
            }
        }
    }
    if (live) {
        let some = total > 0.0;
        let factor = select(0.0, 1.0 / total, some);
        for (var d = 0u; d < WIDTH; d++) {
            store_out(out_first(sample, head, query) + d, sums[d] * factor);
        }
        store_lse(row * p.queries + query, select(0.0, largest + logf(total), some));
    }
}
