// What all kernels of attention share. `load_q`, `load_kv`, `load_rotary`, `length_of` and the constants are generated.

var<workgroup> tile_a: array<f32, TILE * WIDTH>;
var<workgroup> tile_b: array<f32, TILE * WIDTH>;

const HALF: u32 = max(WIDTH / 2u, 1u);

// The other number of the pair that is turned.
fn other(d: u32) -> u32 {
    return (d + HALF) % WIDTH;
}

// Number `d` of a vector whose pair there is (a, b), turned by its place, or back.
fn turned(a: f32, b: f32, place: u32, d: u32, way: f32) -> f32 {
    let cos = load_rotary(place * WIDTH + d % HALF);
    let sin = way * load_rotary(place * WIDTH + HALF + d % HALF);
    return fma(a, cos, select(b, -b, d < HALF) * sin);
}

fn q_first(sample: u32, head: u32, query: u32) -> u32 {
    return (sample * p.queries + query) * p.q_stride + head * WIDTH;
}

fn kv_first(sample: u32, kv_head: u32, key: u32, at: u32) -> u32 {
    return (sample * p.keys + key) * p.kv_stride + at + kv_head * WIDTH;
}

fn out_first(sample: u32, head: u32, query: u32) -> u32 {
    return ((sample * p.queries + query) * p.heads + head) * WIDTH;
}

fn q_element(first: u32, place: u32, d: u32) -> f32 {
    let a = load_q(first + d);
    if (ROTARY) {
        return turned(a, load_q(first + other(d)), place, d, 1.0);
    }
    return a;
}

fn k_element(first: u32, key: u32, d: u32) -> f32 {
    let a = load_kv(first + d);
    if (ROTARY) {
        return turned(a, load_kv(first + other(d)), key, d, 1.0);
    }
    return a;
}

// The place of a query among the keys, of which so many count.
fn place_of(query: u32, length: u32) -> u32 {
    if (NEWEST) {
        return query + max(length, p.queries) - p.queries;
    }
    return query;
}

// The keys that a query at a place sees: from the first up to the second.
fn visible(place: u32, length: u32) -> vec2<u32> {
    var start = 0u;
    var end = length;
    if (CAUSAL) {
        end = min(end, place + 1u);
    }
    if (WINDOW) {
        start = max(place + 1u, p.window) - p.window;
        end = min(end, place + p.window);
    }
    return vec2<u32>(start, end);
}

// The keys that 64 queries from `first` on see at most; the same for a whole workgroup.
fn reach(first: u32) -> vec2<u32> {
    var start = 0u;
    var end = p.keys;
    if (NEWEST) {
        return vec2<u32>(start, end);
    }
    if (CAUSAL) {
        end = min(end, first + 64u);
    }
    if (WINDOW) {
        start = max(first + 1u, p.window) - p.window;
        end = min(end, first + 63u + p.window);
    }
    return vec2<u32>(start, end);
}

fn slope_of(head: u32) -> f32 {
    if (ALIBI) {
        return exp2(-8.0 * f32(head + 1u) / f32(p.heads));
    }
    return 0.0;
}

// A score from a product of query and key, and what of a change of the product arrives at it.
fn bent(product: f32, place: u32, key: u32, slope: f32) -> vec2<f32> {
    let scale = bitcast<f32>(p.scale);
    var score = product * scale;
    var slant = scale;
    if (CAPPED) {
        let cap = bitcast<f32>(p.cap);
        let t = tanhf(score / cap);
        score = cap * t;
        slant = scale * (1.0 - t * t);
    }
    if (ALIBI) {
        score -= slope * abs(f32(place) - f32(key));
    }
    return vec2<f32>(score, slant);
}

// Loads a tile of keys and values.
fn fill_keys(sample: u32, kv_head: u32, tile: u32, local: u32) {
    workgroupBarrier();
    if (SHARED) {
        for (var i = local; i < TILE * WIDTH; i += 64u) {
            let key = tile + i / WIDTH;
            if (key < p.keys) {
                tile_a[i] = k_element(kv_first(sample, kv_head, key, p.k_at), key, i % WIDTH);
                tile_b[i] = load_kv(kv_first(sample, kv_head, key, p.v_at) + i % WIDTH);
            }
        }
    }
    workgroupBarrier();
}

fn key_at(sample: u32, kv_head: u32, tile: u32, key: u32, d: u32) -> f32 {
    if (SHARED) {
        return tile_a[(key - tile) * WIDTH + d];
    }
    return k_element(kv_first(sample, kv_head, key, p.k_at), key, d);
}

fn value_at(sample: u32, kv_head: u32, tile: u32, key: u32, d: u32) -> f32 {
    if (SHARED) {
        return tile_b[(key - tile) * WIDTH + d];
    }
    return load_kv(kv_first(sample, kv_head, key, p.v_at) + d);
}
