// Raises the sticky flag when the loss or a gradient is not finite. Several invocations may raise it, with the same words.

fn item(i: u32) {
    let words = arena[p.gradients4 + i];
    let bits = U(0x7f800000u);
    if (any((words & bits) == bits) || (loss_word() & bits.x) == bits.x) {
        let flag = arena[p.flag4];
        if (flag.x == 0u) {
            arena[p.flag4] = U(max(step.number + 1u, 1u), flag.y, flag.z, flag.w);
        }
    }
}
