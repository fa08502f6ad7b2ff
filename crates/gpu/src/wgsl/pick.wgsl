// The index that a draw picks of each row: tokens stand in the order of their scores, of equals the first, each as wide as its weight. Sums over what
// stands before a token are sums over what scores more, so the token is found by its score, one bit at a time, and nothing is sorted. All
// invocations go the same way, for all have to meet at the sums.

struct Row {
    first: u32,
    live: bool,
    at: u32,
    lane: u32,
    best: u32,
    largest: f32,
    temperature: f32,
}

// A number that is larger where the score is; what is no number is −∞, and zero has no sign.
fn order_of(score: f32) -> u32 {
    let bits = bitcast<u32>(score);
    let size = bits & 0x7fffffffu;
    let clean = select(select(bits, 0xff800000u, size > 0x7f800000u), 0u, size == 0u);
    return select(clean | 0x80000000u, ~clean, (clean & 0x80000000u) != 0u);
}

// That of −∞.
const NOTHING: u32 = 0x007fffffu;

fn weight_of(row: Row, score: f32) -> f32 {
    let order = order_of(score);
    if (order == row.best) {
        return 1.0;
    }
    if (row.temperature == 0.0 || order == NOTHING) {
        return 0.0;
    }
    return expf((score - row.largest) / row.temperature);
}

// What an index adds to a sum: its weight, or 1, where it scores at least so much.
fn part_of(row: Row, index: u32, least: u32, counted: bool) -> f32 {
    if (index >= p.cols) {
        return 0.0;
    }
    let score = load_scores(row.first + index);
    if (order_of(score) < least) {
        return 0.0;
    }
    if (counted) {
        return 1.0;
    }
    return weight_of(row, score);
}

// The weights of all that scores at least so much, summed up, or how many they are. Four at a time, for a software adapter ends a shader whose loops
// have gone round 65,535 times.
fn from_on(row: Row, least: u32, counted: bool) -> f32 {
    var sum = 0.0;
    if (row.live) {
        for (var c = row.lane; c < p.cols; c += 4u * p.lanes) {
            let near = part_of(row, c, least, counted) + part_of(row, c + p.lanes, least, counted);
            let far = part_of(row, c + 2u * p.lanes, least, counted) + part_of(row, c + 3u * p.lanes, least, counted);
            sum += near + far;
        }
    }
    return lanes_sum(row.at, row.lane, sum);
}

// The largest order from which on this is more than `bound`.
fn last_order(row: Row, bound: f32, counted: bool) -> u32 {
    var least = 0u;
    for (var bit = 32u; bit > 0u; bit--) {
        let higher = least | (1u << (bit - 1u));
        if (from_on(row, higher, counted) > bound) {
            least = higher;
        }
    }
    return least;
}

// How many score just this, what all that scores more weighs together, and what one of them weighs.
fn those_at(row: Row, order: u32) -> vec3<f32> {
    let before = from_on(row, order + 1u, false);
    let count = from_on(row, order, true) - from_on(row, order + 1u, true);
    var weight = 0.0;
    if (row.live) {
        for (var c = row.lane; c < p.cols; c += p.lanes) {
            let score = load_scores(row.first + c);
            if (order_of(score) == order) {
                weight = max(weight, weight_of(row, score));
            }
        }
    }
    return vec3(count, before, lanes_max(row.at, row.lane, weight));
}

// Whether an index before another has this order, as a number.
fn is_before(row: Row, order: u32, index: u32, end: u32) -> f32 {
    if (index >= end) {
        return 0.0;
    }
    return select(0.0, 1.0, order_of(load_scores(row.first + index)) == order);
}

// How many of an order stand before an index.
fn before_index(row: Row, order: u32, index: u32) -> f32 {
    var count = 0.0;
    if (row.live) {
        let end = min(index, p.cols);
        for (var c = row.lane; c < end; c += 4u * p.lanes) {
            let near = is_before(row, order, c, end) + is_before(row, order, c + p.lanes, end);
            count += near + is_before(row, order, c + 2u * p.lanes, end) + is_before(row, order, c + 3u * p.lanes, end);
        }
    }
    return lanes_sum(row.at, row.lane, count);
}

fn output(number: u32, at: u32, lane: u32) {
    let live = number < p.rows;
    let first = select(0u, number * p.cols, live);
    var highest = bitcast<f32>(0xff800000u | p.zero);
    if (live) {
        for (var c = lane; c < p.cols; c += p.lanes) {
            let score = load_scores(first + c);
            if (order_of(score) > order_of(highest)) {
                highest = score;
            }
        }
    }
    highest = lanes_max(at, lane, highest);
    let row = Row(first, live, at, lane, order_of(highest), highest, load_choice(0u));

    // Of the likeliest, the score of the last that counts.
    let top_k = load_choice(1u);
    let count = select(min(top_k, f32(p.cols)), f32(p.cols), top_k < 1.0);
    let least = last_order(row, count - 0.5, true);
    let all = from_on(row, least, false);

    // What is kept of these weighs this much: as many as hold a share, and what is not too rare.
    let share = load_choice(2u) * all;
    let cut = those_at(row, last_order(row, share, false));
    let wanted = clamp(ceil((share - cut.y) / max(cut.z, 1e-38)), 0.0, cut.x);
    let held = max(cut.y + wanted * cut.z, 1.0);
    var frequent = 0.0;
    if (live) {
        for (var c = lane; c < p.cols; c += p.lanes) {
            let score = load_scores(first + c);
            let weight = weight_of(row, score);
            if (order_of(score) >= least && weight >= load_choice(3u)) {
                frequent += weight;
            }
        }
    }
    frequent = lanes_sum(at, lane, frequent);

    // The token that the draw falls on, and of equal ones which; the first of the best where nothing is drawn.
    var left = 0.0;
    if (live && row.temperature != 0.0 && row.best != NOTHING) {
        left = load_draw(number) * min(min(all, held), frequent);
    }
    let order = last_order(row, left, false);
    let equals = those_at(row, order);
    let nth = clamp(floor((left - equals.y) / max(equals.z, 1e-38)), 0.0, max(equals.x - 1.0, 0.0));
    var index = 0u;
    for (var bit = p.index_bits; bit > 0u; bit--) {
        let higher = index | (1u << (bit - 1u));
        if (before_index(row, order, higher) <= nth && higher < p.cols) {
            index = higher;
        }
    }
    if (live && lane == 0u) {
        store_out(number, index);
    }
}
