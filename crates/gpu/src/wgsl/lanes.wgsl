// Reductions over p.lanes invocations, a power of two, that share one result; `at` numbers the invocation within the workgroup such
// that those of one result follow each other. The order is fixed. All invocations have to call these.

var<workgroup> partial: array<f32, 64>;

fn lanes_sum(at: u32, lane: u32, value: f32) -> f32 {
    var result = value;
    if (p.lanes > 1u) {
        workgroupBarrier();
        partial[at] = value;
        for (var s = p.lanes / 2u; s > 0u; s /= 2u) {
            workgroupBarrier();
            if (lane < s) {
                partial[at] += partial[at + s];
            }
        }
        workgroupBarrier();
        result = partial[at - lane];
    }
    return result;
}

fn lanes_max(at: u32, lane: u32, value: f32) -> f32 {
    var result = value;
    if (p.lanes > 1u) {
        workgroupBarrier();
        partial[at] = value;
        for (var s = p.lanes / 2u; s > 0u; s /= 2u) {
            workgroupBarrier();
            if (lane < s) {
                partial[at] = maxf(partial[at], partial[at + s]);
            }
        }
        workgroupBarrier();
        result = partial[at - lane];
    }
    return result;
}
