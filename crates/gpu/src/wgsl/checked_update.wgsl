// The optimizer. While the sticky flag is up, or when something is not finite now, it changes nothing. Every workgroup looks at all
// gradients itself and comes to the same answer. `loss_word` and `item` are generated.

var<workgroup> trouble: atomic<u32>;

fn not_finite(words: U) -> bool {
    return any((words & U(0x7f800000u)) == U(0x7f800000u));
}

fn run(group: u32, local: u32) {
    let flag = arena[p.flag4];
    var found = not_finite(U(loss_word()));
    for (var i = local; i < p.gradient_items; i += 64u) {
        found = found || not_finite(arena[p.gradients4 + i]);
    }
    if (found) {
        atomicStore(&trouble, 1u);
    }
    workgroupBarrier();
    let sound = atomicLoad(&trouble) == 0u && flag.x == 0u;
    if (!sound && flag.x == 0u && group == 0u && local == 0u) {
        arena[p.flag4] = U(max(step.number + 1u, 1u), flag.y, flag.z, flag.w);
    }
    let i = group * 64u + local;
    if (sound && i < p.items) {
        item(i);
    }
}
