// A workgroup that looks at a row together. All invocations have to call these.

var<workgroup> own_sums: array<f32, 1024>;
var<workgroup> sums: array<f32, 16>;

// What the digits come to in all invocations.
fn of_all(lane: u32, own: array<f32, 16>) -> array<f32, 16> {
    var mine = own;
    workgroupBarrier();
    for (var digit = 0u; digit < 16u; digit++) {
        own_sums[digit * 64u + lane] = mine[digit];
    }
    workgroupBarrier();
    if (lane < 16u) {
        var sum = 0.0;
        for (var i = 0u; i < 64u; i++) {
            sum += own_sums[lane * 64u + i];
        }
        sums[lane] = sum;
    }
    workgroupBarrier();
    return sums;
}

// What the invocations before this one have counted.
fn of_earlier(lane: u32, count: f32) -> f32 {
    workgroupBarrier();
    own_sums[lane] = count;
    workgroupBarrier();
    var before = 0.0;
    for (var i = 0u; i < lane; i++) {
        before += own_sums[i];
    }
    return before;
}

fn run(group: u32, local: u32) {
    output(group, local);
}
