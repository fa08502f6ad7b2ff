// The sum of partial sums; one workgroup.

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
    var sum = 0.0;
    for (var i = local; i < p.parts; i += 64u) {
        sum += load_part(i);
    }
    sum = lanes_sum(local, local, sum);
    if (local == 0u) {
        store_out(0u, sum);
    }
}
