// Where every shader begins: workgroups are numbered through both dimensions, for one holds 65,535 at most. `run` is the kernel's.

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    run(group.y * groups.x + group.x, local);
}
