// The optimizer, behind a check of the gradients: while the sticky flag is up it changes nothing. `item` is generated.

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + local;
    if (i < p.items && arena[p.flag4].x == 0u) {
        item(i);
    }
}
