// Softmax, or its logarithm, of each row.

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let lane = local % p.lanes;
    let row = (group.y * groups.x + group.x) * (64u / p.lanes) + local / p.lanes;
    let first = row * p.cols;
    let live = row < p.rows;
    var largest = 0.0;
    if (live) {
        largest = load_x(first);
        for (var c = lane; c < p.cols; c += p.lanes) {
            largest = maxf(largest, load_x(first + c));
        }
    }
    largest = lanes_max(local, lane, largest);
    var sum = 0.0;
    if (live) {
        for (var c = lane; c < p.cols; c += p.lanes) {
            sum += expf(load_x(first + c) - largest);
        }
    }
    sum = lanes_sum(local, lane, sum);
    if (live) {
        let log_sum = logf(sum);
        for (var c = lane; c < p.cols; c += p.lanes) {
            let x = load_x(first + c) - largest;
            if (LOG) {
                store_out(first + c, x - log_sum);
            } else {
                store_out(first + c, expf(x) / sum);
            }
        }
    }
}
