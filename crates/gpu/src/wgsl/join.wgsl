// The sum of partial sums; one workgroup.

fn run(group: u32, local: u32) {
    var sum = 0.0;
    for (var i = local; i < p.parts; i += 64u) {
        sum += load_part(i);
    }
    sum = lanes_sum(local, local, sum);
    if (local == 0u) {
        store_out(0u, sum);
    }
}
