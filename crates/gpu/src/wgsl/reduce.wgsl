// Reduces the middle of [outer, reduced, inner]. `element`, `first`, `join`, `finish` and `store` are generated.

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let slots = 64u / p.lanes;
    let lane = (local / p.lane_step) % p.lanes;
    let slot = (local / p.slot_step) % slots;
    let o = (group.y * groups.x + group.x) * slots + slot;
    let row = o / p.inner;
    let column = o % p.inner;
    var a = first();
    if (o < p.outputs) {
        for (var r = lane; r < p.reduced; r += p.lanes) {
            a = join(a, element(row, r, column, (row * p.reduced + r) * p.inner + column));
        }
    }
    a = finish(slot * p.lanes + lane, lane, a);
    if (lane == 0u && o < p.outputs) {
        store(o, a);
    }
}
