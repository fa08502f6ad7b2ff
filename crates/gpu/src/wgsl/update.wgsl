// The optimizer, behind a check of the gradients: while the sticky flag is up it changes nothing. `item` is generated.

fn run(group: u32, local: u32) {
    let i = group * 64u + local;
    if (i < p.items && arena[p.flag4].x == 0u) {
        item(i);
    }
}
