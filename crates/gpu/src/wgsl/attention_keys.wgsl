// The gradients of one key, Σ P · (dP − delta) · q, and of its value, Σ P · dout, over the queries of all heads that share it.

fn run(group: u32, local: u32) {
    let blocks = (p.keys + 63u) / 64u;
    let unit = group / blocks;
    let sample = unit / p.kv_heads;
    let kv_head = unit % p.kv_heads;
    let first = group % blocks * 64u;
    if (sample >= p.batch) {
        return;
    }
    let key = first + local;
    let live = key < p.keys;
    let length = length_of(sample);
    var start = 0u;
    var end = p.queries;
    if (CAUSAL) {
        start = first;
    }
    if (WINDOW) {
        start = max(start, max(first + 1u, p.window) - p.window);
        end = min(end, first + 63u + p.window);
    }
    var k: array<f32, WIDTH>;
    var v: array<f32, WIDTH>;
    var dk: array<f32, WIDTH>;
    var dv: array<f32, WIDTH>;
    if (live) {
        for (var d = 0u; d < WIDTH; d++) {
            k[d] = k_element(kv_first(sample, kv_head, key, p.k_at), key, d);
            v[d] = load_kv(kv_first(sample, kv_head, key, p.v_at) + d);
        }
    }
    let heads = p.heads / p.kv_heads;
    for (var head = kv_head * heads; head < (kv_head + 1u) * heads; head++) {
        let slope = slope_of(head);
        let row = (sample * p.heads + head) * p.queries;
        for (var tile = start; tile < end; tile += TILE) {
            fill_queries(sample, head, tile, local);
            for (var query = tile; query < min(tile + TILE, p.queries); query++) {
                let seen = visible(query, length);
                if (!live || key < seen.x || key >= seen.y) {
                    continue;
                }
                var product = 0.0;
                var by_weight = 0.0;
                for (var d = 0u; d < WIDTH; d++) {
                    product = fma(query_at(sample, head, tile, query, d), k[d], product);
                    by_weight = fma(dout_at(sample, head, tile, query, d), v[d], by_weight);
                }
                let score = bent(product, query, key, slope);
                let weight = expf(score.x - load_lse(row + query));
                let by_score = weight * (by_weight - load_delta(row + query)) * score.y;
                for (var d = 0u; d < WIDTH; d++) {
                    dk[d] = fma(by_score, query_at(sample, head, tile, query, d), dk[d]);
                    dv[d] = fma(weight, dout_at(sample, head, tile, query, d), dv[d]);
                }
            }
        }
    }
    if (live) {
        for (var d = 0u; d < WIDTH; d++) {
            var value = dk[d];
            if (ROTARY) {
                value = turned(value, dk[other(d)], key, d, -1.0);
            }
            store_dkv(kv_first(sample, kv_head, key, p.k_at) + d, value);
            store_dkv(kv_first(sample, kv_head, key, p.v_at) + d, dv[d]);
        }
    }
}

// Loads a tile of queries and of gradients of their outputs.
fn fill_queries(sample: u32, head: u32, tile: u32, local: u32) {
    workgroupBarrier();
    if (SHARED) {
        for (var i = local; i < TILE * WIDTH; i += 64u) {
            let query = tile + i / WIDTH;
            if (query < p.queries) {
                tile_a[i] = q_element(q_first(sample, head, query), query, i % WIDTH);
                tile_b[i] = load_dout(out_first(sample, head, query) + i % WIDTH);
            }
        }
    }
    workgroupBarrier();
}

fn query_at(sample: u32, head: u32, tile: u32, query: u32, d: u32) -> f32 {
    if (SHARED) {
        return tile_a[(query - tile) * WIDTH + d];
    }
    return q_element(q_first(sample, head, query), query, d);
}

fn dout_at(sample: u32, head: u32, tile: u32, query: u32, d: u32) -> f32 {
    if (SHARED) {
        return tile_b[(query - tile) * WIDTH + d];
    }
    return load_dout(out_first(sample, head, query) + d);
}
