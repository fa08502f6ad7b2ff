// Raises the sticky flag when the loss or a gradient is not finite. Several invocations may raise it, with the same words.

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + local;
    if (i >= p.items) {
        return;
    }
    let words = arena[p.gradients4 + i];
    let bits = U(0x7f800000u);
    if (any((words & bits) == bits) || (loss_word() & bits.x) == bits.x) {
        let flag = arena[p.flag4];
        if (flag.x == 0u) {
            arena[p.flag4] = U(max(step.number + 1u, 1u), flag.y, flag.z, flag.w);
        }
    }
}
