// The index that a draw picks of each row, by one workgroup or one of its invocations: tokens stand in the order of their scores, of equals the first, each as wide as its weight.
// Sums over what stands before a token are sums over what scores more, so the token is found by its score, four bits at a time, and nothing is sorted.
// All invocations go the same way, for all have to meet at the sums.

struct Row {
    first: u32,
    live: bool,
    lane: u32,
    best: u32,
    largest: f32,
    temperature: f32,
}

// A score as a number in the same order, and what all that scores more comes to.
struct Found {
    order: u32,
    above: f32,
}

// The order of −∞.
const NOTHING: u32 = 0x007fffffu;

// A number that is larger where the score is; what is no number is −∞, and zero has no sign.
fn order_of(score: f32) -> u32 {
    let bits = bitcast<u32>(score);
    let size = bits & 0x7fffffffu;
    let clean = select(select(bits, 0xff800000u, size > 0x7f800000u), 0u, size == 0u);
    return select(clean | 0x80000000u, ~clean, (clean & 0x80000000u) != 0u);
}

fn weight_of(row: Row, score: f32, order: u32) -> f32 {
    if (order == row.best) {
        return 1.0;
    }
    if (row.temperature == 0.0 || order == NOTHING) {
        return 0.0;
    }
    return expf((score - row.largest) / row.temperature);
}

// Where the weights, or the number, of all that scores at least so much get beyond `bound`; where they never do, the last that has a weight. A row that
// is not live has no tokens.
fn last_order(row: Row, bound: f32, counted: bool) -> Found {
    var known = 0u;
    var mask = 0u;
    var above = 0.0;
    for (var turn = 8u; turn > 0u; turn--) {
        let shift = 4u * (turn - 1u);
        var own: array<f32, 16>;
        if (row.live) {
            for (var c = row.lane; c < p.cols; c += p.lanes) {
                let score = load_scores(row.first + c);
                let order = order_of(score);
                if (((order ^ known) & mask) == 0u) {
                    let digit = (order >> shift) & 15u;
                    if (counted) {
                        own[digit] += 1.0;
                    } else {
                        own[digit] += weight_of(row, score, order);
                    }
                }
            }
        }
        let sums = of_all(row.lane, own);
        var reached = above;
        var found = 0u;
        var beyond = false;
        for (var i = 16u; i > 0u; i--) {
            let sum = sums[i - 1u];
            if (!beyond && sum > 0.0) {
                found = i - 1u;
                above = reached;
                reached += sum;
                beyond = reached > bound;
            }
        }
        known |= found << shift;
        mask = (mask >> 4u) | 0xf0000000u;
    }
    return Found(known, above);
}

// How many score just this, and what one of them weighs.
fn those_at(row: Row, order: u32) -> vec2<f32> {
    var count = 0.0;
    var weight = 0.0;
    if (row.live) {
        for (var c = row.lane; c < p.cols; c += p.lanes) {
            let score = load_scores(row.first + c);
            if (order_of(score) == order) {
                count += 1.0;
                weight = weight_of(row, score, order);
            }
        }
    }
    count = lanes_sum(row.lane, row.lane, count);
    return vec2(count, max(lanes_max(row.lane, row.lane, weight), 1e-38));
}

// The weights of all that scores at least so much and is not rarer than `least`.
fn from_on(row: Row, order: u32, least: f32) -> f32 {
    var sum = 0.0;
    if (row.live) {
        for (var c = row.lane; c < p.cols; c += p.lanes) {
            let score = load_scores(row.first + c);
            let own = order_of(score);
            let weight = weight_of(row, score, own);
            if (own >= order && weight >= least) {
                sum += weight;
            }
        }
    }
    return lanes_sum(row.lane, row.lane, sum);
}

fn output(number: u32, lane: u32) {
    let live = number < p.rows;
    let first = select(0u, number * p.cols, live);
    var largest = bitcast<f32>(0xff800000u | p.zero);
    if (live) {
        for (var c = lane; c < p.cols; c += p.lanes) {
            let score = load_scores(first + c);
            if (order_of(score) > order_of(largest)) {
                largest = score;
            }
        }
    }
    largest = lanes_max(lane, lane, largest);
    let temperature = load_choice(0u);
    let best = order_of(largest);
    let row = Row(first, live, lane, best, largest, temperature);
    // Where nothing is drawn it is the first of the best. What nobody asks for is looked for in a row without tokens.
    let draws = live && temperature != 0.0 && best != NOTHING;
    var drawn = row;
    drawn.live = draws;

    // Of the likeliest, the score of the last that counts.
    let top_k = load_choice(1u);
    var few = row;
    few.live = draws && top_k >= 1.0;
    let least = last_order(few, max(min(top_k, f32(p.cols)) - 0.5, 0.0), true).order;
    let all = from_on(drawn, least, 0.0);

    // What is kept of these weighs this much: as many as hold a share, and what is not too rare.
    let top_p = load_choice(2u);
    var part = row;
    part.live = draws && top_p < 1.0;
    let cut = last_order(part, top_p * all, false);
    let at_cut = those_at(part, cut.order);
    let wanted = clamp(ceil((top_p * all - cut.above) / at_cut.y), 0.0, at_cut.x);
    let held = select(all, max(cut.above + wanted * at_cut.y, 1.0), part.live);
    let frequent = from_on(drawn, least, load_choice(3u));

    // The score that the draw falls on, and which of those that have it: each invocation looks at some that follow each other.
    var left = 0.0;
    if (draws) {
        left = load_draw(number) * min(min(all, held), frequent);
    }
    let found = last_order(drawn, left, false);
    let equals = those_at(drawn, found.order);
    let nth = clamp(floor((left - found.above) / equals.y), 0.0, max(equals.x - 1.0, 0.0));
    let order = select(best, found.order, draws);
    let each = (p.cols + p.lanes - 1u) / p.lanes;
    let end = min((lane + 1u) * each, p.cols);
    var count = 0.0;
    if (live) {
        for (var c = lane * each; c < end; c++) {
            count += select(0.0, 1.0, order_of(load_scores(first + c)) == order);
        }
    }
    var before = of_earlier(lane, count);
    if (live && before <= nth) {
        for (var c = lane * each; c < end; c++) {
            if (order_of(load_scores(first + c)) == order) {
                if (before == nth) {
                    store_out(number, c);
                }
                before += 1.0;
            }
        }
    }
}
