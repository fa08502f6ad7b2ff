// The weights of one query, zero for keys that it does not see.

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
    var q: array<f32, WIDTH>;
    if (live) {
        for (var d = 0u; d < WIDTH; d++) {
            q[d] = q_element(q_first(sample, head, query), place, d);
        }
    }
    if (live) {
        let lse = load_lse(row * p.queries + query);
        for (var key = 0u; key < p.keys; key++) {
            var weight = 0.0;
            if (key >= seen.x && key < seen.y) {
                var product = 0.0;
                for (var d = 0u; d < WIDTH; d++) {
                    product = fma(q[d], k_element(kv_first(sample, kv_head, key, p.k_at), key, d), product);
                }
                weight = expf(bent(product, place, key, slope).x - lse);
            }
            store_weights((row * p.queries + query) * p.keys + key, weight);
        }
    }
}
