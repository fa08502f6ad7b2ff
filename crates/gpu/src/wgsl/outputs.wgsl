// One output per slot of a workgroup, whose p.lanes invocations share it.

fn run(group: u32, local: u32) {
    let slots = 64u / p.lanes;
    let lane = (local / p.lane_step) % p.lanes;
    let slot = (local / p.slot_step) % slots;
    output(group * slots + slot, slot * p.lanes + lane, lane);
}
