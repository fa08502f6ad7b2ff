// One output per slot of a workgroup, whose p.lanes invocations share it.

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let slots = 64u / p.lanes;
    let lane = (local / p.lane_step) % p.lanes;
    let slot = (local / p.slot_step) % slots;
    output((group.y * groups.x + group.x) * slots + slot, slot * p.lanes + lane, lane);
}
